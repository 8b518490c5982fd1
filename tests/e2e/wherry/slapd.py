"""A directory of the tests' own: a real slapd with people and groups, which speaks StartTLS."""

import os
import shutil
import socket
import subprocess

from . import canaries
from .process import Server, free_port

BASE = "dc=example,dc=org"


def person(name, password, *other_names):
    canaries.note_login(name, password)
    others = "".join(f"uid: {other}\n" for other in other_names)
    return (
        f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nuid: {name}\n{others}"
        f"mail: {name}@example.org\nuserPassword: {password}\n\n"
    )


def group(name, *members):
    lines = "".join(f"member: {member},{BASE}\n" for member in members)
    return f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"


class Slapd(Server):
    def __init__(self, area, certificate):
        super().__init__(area, "slapd")
        self.port = free_port()
        certificate_file, key_file = certificate
        (self.folder / "db").mkdir()
        self.config = self.folder / "slapd.conf"
        self.config.write_text(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
            "include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
            f"TLSCertificateFile {certificate_file}\nTLSCertificateKeyFile {key_file}\nsecurity simple_bind=128\n"
            f"database mdb\nmaxsize 16777216\nsuffix {BASE}\ndirectory {self.folder / 'db'}\nindex uid,member eq\n"
            "access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n"
        )

    def load(self, *entries):
        top = (
            f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
            f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n"
            f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n\n"
        )
        content = self.folder / "content.ldif"
        content.write_text(top + "".join(entries))
        self.tool("slapadd", "-q", "-f", self.config, "-l", content)
        return self

    def tool(self, name, *words):
        done = subprocess.run(
            [_find(name), *map(str, words)], capture_output=True, text=True, env={**os.environ, "PATH": PATH}
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    def modify(self, ldif):
        """Changes an entry in the running directory's files: it has to be stopped."""
        change = self.folder / "change.ldif"
        change.write_text(ldif)
        self.tool("slapmodify", "-f", self.config, "-l", change)

    def command(self):
        return [_find("slapd"), "-d", "0", "-h", f"ldap://{self.address}", "-f", self.config]

    def is_ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


PATH = f"/usr/sbin:/sbin:{os.environ['PATH']}"


def _find(name):
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is not installed: deploy/install-deps.sh --tests does that"
    return found
