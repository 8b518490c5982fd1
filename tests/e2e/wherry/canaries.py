"""Canaries: every secret that the tests made or were given, and a look whether a server let one be seen.

What makes a secret notes it here, with a label. Each server of ours is looked at when it ends (`look()`): its log, which has
the access log too, its audit log and all other files of its data but pushed content, its metrics and status, its command
line and environment; and with it every error that a client of the tests was answered. What was seen fails the test that
ended the server: by file and label, for the secret itself is no better in the log of a test.
"""

import base64
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote, quote_plus

LEAST_BYTES = 8  # shorter ones are found in any file
HEAD_BYTES = 16  # of each secret, by which it is looked for first: thousands of whole ones cost grep a while
LEAST_KEY_LINE = 32  # the last line of a key has less, and parts that all keys have
TOLD_ONCE = ("secret", "join_token", "refresh_token", "token", "access_token")  # in documents
PUSHED = ("blobs", "tmp", "trash", "quarantine", "ballast")  # of a server's data

_known = {}  # bytes -> label
_errors = []  # what clients were answered since the last look
_seen = []  # what is to be complained of
is_looking = False  # the group of tests says so: tests/e2e/conftest.py


def note(label, *secrets):
    """Whatever is seen of these from now on is a leak. Gives the last one back."""
    for secret in secrets:
        # As it is, and as an URL or a form has it.
        for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
            if len(form) >= LEAST_BYTES:
                _known.setdefault(form.encode(), label)
    return secrets[-1]


def note_login(name, password):
    """A password, also as Basic credentials have it; gives those back."""
    note(f"the password of {name}", password)
    return note(f"the credentials of {name}", base64.b64encode(f"{name}:{password}".encode()).decode())


def note_key(label, text):
    """The private key of a PEM file, line by line; the rest of the file may be seen."""
    for block in re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", text, re.DOTALL):
        for line in block.split():
            if len(line) >= LEAST_KEY_LINE:
                note(label, line)


def note_answer(path, body):
    """Notes what an answer of the API or of a token server tells once."""
    if len(body) > 1 << 16 or not (b"secret" in body or b"token" in body):
        return
    try:
        document = json.loads(body)
    except ValueError:
        return
    where = path.partition("?")[0]
    for name in TOLD_ONCE:
        secret = document.get(name) if isinstance(document, dict) else None
        if isinstance(secret, str):
            # Head and claims of a JSON Web Token may be seen; its signature makes it one.
            note(f"{name} of {where}", secret.rpartition(".")[2] if secret.count(".") == 2 else secret)


def note_error(what, text):
    """An answer that is an error: it holds no secret."""
    if is_looking:
        _errors.append((f"the answer to {what}", text.encode(errors="replace")))


def look_at_process(server):
    """What can be seen of a running server and of its process, for the look at its end."""
    if not is_looking or not server.running():
        return
    process = Path(f"/proc/{server.process.pid}")
    for name in ("cmdline", "environ"):
        try:
            server.shown[f"its {name}"] = (process / name).read_bytes()
        except OSError:
            pass  # it ends just now
    for path in ("/metrics", "/status.json"):
        try:
            server.shown[path] = server.observed(path, timeout=1).encode()
        except Exception:
            pass  # stopped, or not up to that point: all else of it is looked at


def look(server):
    """At all that an ended server has left. What is seen of secrets is kept for complaints()."""
    if not is_looking:
        return
    for file in server.data.glob("*.pem"):
        note_key(f"the private key of {file.name}", file.read_text(errors="replace"))
    shown = [*server.shown.items(), *_errors]
    server.shown.clear()
    _errors.clear()
    with tempfile.TemporaryDirectory() as folder:
        known, all_shown = Path(folder) / "known", Path(folder) / "shown"
        known.write_bytes(b"".join(head + b"\n" for head in {secret[:HEAD_BYTES] for secret in _known}))
        all_shown.write_bytes(b"\n".join(text for _, text in shown))
        left_out = [f"--exclude-dir={name}" for name in PUSHED] + [f"--exclude={name}" for name in PUSHED]
        # One pass over each file, however many secrets there are: it finds where one may be.
        done = subprocess.run(
            ["grep", "-raslF", "-f", known, *left_out, all_shown, server.log, server.data],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, timeout=120,
        )  # fmt: skip
        for name in done.stdout.decode().splitlines():
            file = Path(name)
            for place, content in shown if file == all_shown else [(file, file.read_bytes())]:
                _seen.extend(
                    f"{server.name}: {label} is seen in {place}"
                    for secret, label in _known.items()
                    if secret in content and not (file.parent == server.data and _may_hold(file.name, label))
                )


def _may_hold(name, label):
    """A key's own file holds it, and the first password is told by a file."""
    return label in (f"the private key of {name}", f"the first password in {name}")


def complaints():
    """What was seen since the last call; each secret once for each place."""
    seen = list(dict.fromkeys(_seen))
    _seen.clear()
    return seen
