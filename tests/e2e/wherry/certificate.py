"""Certificates of the tests' own."""

import itertools
import subprocess

from . import canaries

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
RSA_KEY = ("-newkey", "rsa:2048", "-nodes")


def _openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {words}: {done.stderr}"
    if "-keyout" in words:
        key = words[words.index("-keyout") + 1]
        canaries.note_key(f"the private key that the tests made as {key.parent.name}/{key.name}", key.read_text())


def make_certificate(folder, name):
    """One that signs itself, for a name as subjectAltName has it ("IP:127.0.0.1", "DNS:a.example"): (file, key file)."""
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    _openssl("req", "-x509", *_NEW_KEY, "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
             "-keyout", key, "-out", certificate)  # fmt: skip
    return certificate, key


class Authority:
    """An authority, and what it vouches for. Clients trust `file`; podman and skopeo the folder, as --cert-dir."""

    def __init__(self, folder, name="authority"):
        self.folder = folder / name
        self.folder.mkdir()
        self.file, self.key = self.folder / "ca.crt", self.folder / "ca.secret"
        self._numbers = itertools.count(1)
        _openssl("req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.file)

    def issue(self, name, key_kind=_NEW_KEY, days=2):
        """A certificate for a name as above: (file, key file)."""
        base = self.folder / f"issued{next(self._numbers)}"
        base.mkdir()
        certificate, key, request, extension = base / "tls.pem", base / "tls.key", base / "request", base / "extension"
        extension.write_text(f"subjectAltName={name}\n")
        _openssl("req", *key_kind, "-subj", f"/CN={name.split(':')[1]}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-days", str(days),
                 "-extfile", extension, "-out", certificate)  # fmt: skip
        return certificate, key
