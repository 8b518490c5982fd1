"""An Active Directory of the tests' own: Samba's domain controller with people and groups, of which only LDAP runs."""

import base64
import os
import shutil
import subprocess

import pytest

from . import canaries
from .process import Server
from .slapd import PATH

DOMAIN = "example.org"
BASE = "DC=example,DC=org"
PEOPLE, GROUPS = f"OU=people,{BASE}", f"OU=groups,{BASE}"
ADMINISTRATOR = f"CN=Administrator,CN=Users,{BASE}"
NORMAL, DISABLED, COMPUTER = "512", "514", "4096"  # userAccountControl


def entry(dn, **attributes):
    """LDIF that adds one; a value is a text, bytes or a list of such."""
    lines = [_line("dn", dn)]
    for name, values in attributes.items():
        lines += [_line(name, value) for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


def change(dn, delete=(), **replace):
    """LDIF that takes values from an entry (a dictionary), and gives attributes of it other ones."""
    lines = [_line("dn", dn), "changetype: modify"]
    for what, attributes in (("delete", dict(delete)), ("replace", replace)):
        for name, value in attributes.items():
            lines += [f"{what}: {name}", _line(name, value), "-"]
    return "\n".join(lines) + "\n\n"


def deletion(dn):
    return _line("dn", dn) + "\nchangetype: delete\n\n"


def person_dn(name):
    return f"CN={name},{PEOPLE}"


def group_dn(name):
    return f"CN={name},{GROUPS}"


def rename(dn, rdn):
    return "\n".join((_line("dn", dn), "changetype: modrdn", _line("newrdn", rdn), "deleteoldrdn: 1")) + "\n\n"


def person(login, password, dn=None, **attributes):
    canaries.note_login(login, password)
    attributes = {
        "objectClass": "user",
        "sAMAccountName": login,
        "userPrincipalName": f"{login}@{DOMAIN}",
        "mail": f"{login}@{DOMAIN}",
        "userAccountControl": NORMAL,
        "unicodePwd": f'"{password}"'.encode("utf-16-le"),
        **attributes,
    }
    return entry(dn or person_dn(login), **attributes)


def computer(name, password):
    login = f"{name}$"
    return person(login, password, person_dn(name), objectClass="computer", userAccountControl=COMPUTER)


def group(name, *members, dn=None):
    return entry(dn or group_dn(name), objectClass="group", sAMAccountName=name, member=list(members))


class ActiveDirectory(Server):
    """Its ports are LDAP's own, which cannot be had otherwise, so it has a loopback address to itself."""

    def __init__(self, area, authority):
        for program in ("samba", "samba-tool"):
            if not shutil.which(program, path=PATH):
                pytest.skip(f"{program} is not installed: deploy/install-deps.sh --tests does that")
        if os.geteuid() != 0:
            pytest.skip("a domain controller is root: it listens on ports 389 and 636")
        super().__init__(area, "active-directory")
        self.host = f"127.44.{self.port >> 8}.{self.port & 255}"  # of one run of tests, as the port is
        self.authority = authority.file
        self.password = "Administrators-secret-1"
        canaries.note_login("Administrator", self.password)
        self.config = self.folder / "smb.conf"
        self._provision()
        self._configure(*authority.issue(f"IP:{self.host}"))

    ldap_url = property(lambda self: f"ldap://{self.host}")
    ldaps_url = property(lambda self: f"ldaps://{self.host}")

    def _provision(self):
        self.config.touch()
        done = _run(
            "samba-tool", "domain", "provision", "--quiet", "-s", self.config, f"--targetdir={self.data}",
            "--server-role=dc", "--dns-backend=NONE", f"--realm={DOMAIN.upper()}", "--domain=EXAMPLE",
            "--host-name=dc1", "--host-ip=127.0.0.1", f"--adminpass={self.password}",
            f"--option=posix:eadb={self.data / 'eadb.tdb'}",
        )  # fmt: skip
        _must(done)

    def _configure(self, certificate_file, key_file):
        data = self.data
        settings = {
            "realm": DOMAIN.upper(), "workgroup": "EXAMPLE", "netbios name": "DC1",
            "server role": "active directory domain controller", "server services": "ldap",
            "interfaces": f"{self.host}/8", "bind interfaces only": "yes",
            "tls keyfile": key_file, "tls certfile": certificate_file, "tls cafile": self.authority,
            "private dir": data / "private", "state directory": data / "state", "cache directory": data / "cache",
            "lock directory": data, "pid directory": data, "binddns dir": data / "bind-dns",
            "ncalrpc dir": data / "ncalrpc", "winbindd socket directory": data / "winbindd",
            "ntp signd socket directory": data / "ntp-signd", "log file": data / "log",
        }  # fmt: skip
        shares = {"sysvol": data / "state/sysvol", "netlogon": data / f"state/sysvol/{DOMAIN}/scripts"}
        self.config.write_text(
            "[global]\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items())
            + "".join(f"[{name}]\npath = {path}\n" for name, path in shares.items())
        )

    def command(self):
        return [_find("samba"), "-s", self.config, "-F", "--no-process-group", "-M", "single", "--debug-stdout"]

    def is_ready(self):
        """Its administrator may log in: listening alone says little."""
        return self._as_administrator("ldapsearch", "-b", BASE, "-s", "base").returncode == 0

    def apply(self, *records):
        """Adds and changes entries while it runs, as its administrator."""
        _must(self._as_administrator("ldapadd", stdin="".join(records)))

    def _as_administrator(self, program, *words, stdin=""):
        login = ("-x", "-H", self.ldaps_url, "-D", ADMINISTRATOR, "-w", self.password)
        return _run(program, *login, *words, stdin=stdin, LDAPTLS_CACERT=str(self.authority))


def _line(name, value):
    value = value if isinstance(value, bytes) else str(value).encode()
    return f"{name}:: {base64.b64encode(value).decode()}"


def _find(name):
    return shutil.which(name, path=PATH)


def _run(name, *words, stdin="", **env):
    return subprocess.run(
        [_find(name), *map(str, words)],
        input=stdin, capture_output=True, text=True, timeout=120, env={**os.environ, "PATH": PATH, **env},
    )  # fmt: skip


def _must(done):
    assert done.returncode == 0, f"{done.args[0]}: {done.stdout}{done.stderr}"
