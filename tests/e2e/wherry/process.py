"""Servers of the tests' own: real processes on free loopback ports, their output in log files."""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from wherry import canaries, exposition

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("WHERRY_BIN", ROOT / "build/release/bin"))
TOOLS = ROOT / "build/tools"


def wait_until(predicate, what, seconds=20.0, interval=0.01):
    """Polls until predicate() is true and returns its value; fails by name after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(interval)


class _Ports:
    """Ports below those that the kernel gives to connections, a block for each run of tests: of two that run at the same
    time none has one of the other's."""

    FIRST, LAST, BLOCK = 10_000, 32_000, 2_000

    def __init__(self):
        self.mark = socket.socket(socket.AF_UNIX)  # its name is ours for as long as we run
        for first in range(self.FIRST, self.LAST - self.BLOCK + 1, self.BLOCK):
            try:
                self.mark.bind(f"\0wherry-test-ports-{first}")
            except OSError:
                continue
            self.first = self.next = first
            return
        raise AssertionError("too many runs of tests at the same time")

    def free(self):
        for _ in range(self.BLOCK):
            port = self.next
            self.next = self.first + (port + 1 - self.first) % self.BLOCK
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise AssertionError("no port is free")


_ports = None


def free_port():
    global _ports
    _ports = _ports or _Ports()
    return _ports.free()


_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_the_tests():
    # Start servers from the main thread: the kernel ends a child with the thread that made it.
    _libc.prctl(1, signal.SIGKILL)


class Server:
    """One server process; the same object can be started, stopped and killed again and again over the same data."""

    started = []  # every server of this test run, for the logs of failed tests and for the clean-up

    def __init__(self, folder, name):
        self.name = name
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        self.process = None
        self.ready_after = None  # seconds from exec to ready, of the last start: own_time()

    address = property(lambda self: f"127.0.0.1:{self.port}")
    url = property(lambda self: f"http://{self.address}")

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def start(self, env=None, extra=(), ready_within=30):
        assert self.process is None, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(
                [str(word) for word in [*self.command(), *extra]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                preexec_fn=_end_with_the_tests,
            )
        Server.started.append(self)
        if ready_within is not None:
            self.wait_ready(ready_within)
            self.ready_after = self.own_time(time.monotonic() - begin)
        return self

    def own_time(self, passed):
        """Of the seconds that passed since it started those that it needed: to compute, or to wait for the disk. While it
        could have computed and others had its core, nothing is said of it."""
        stats = [task.read_text().split() for task in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")]
        computed, waited = (sum(int(stat[which]) for stat in stats) / 1e9 for which in (0, 1))
        return max(min(computed, passed), passed - waited)

    def wait_ready(self, seconds=30):
        def ready():
            code = self.process.poll()
            assert code is None, f"{self.name} ended with {code} before it was ready:\n{self.tail()}"
            return self.is_ready()

        wait_until(ready, f"{self.name} is ready", seconds, interval=0.005)

    def answers(self, port, path):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
            return status
        except (OSError, http.client.HTTPException):
            return None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait_end(self, seconds=30):
        """Waits for the process to end by itself and returns its exit code (negative: the signal)."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds} s:\n{self.tail()}") from None
        self.process = None
        return code

    def stop(self, seconds=30):
        self.signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait_end()

    def end(self):
        """For clean-ups: whatever state it is in, it does not run afterwards."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, **how):
        self.stop()
        return self.start(**how)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines=60):
        return "\n".join(line[:600] for line in self.text().splitlines()[-lines:])

    def log_lines(self):
        """The JSON lines of the log, parsed; other lines are left out."""
        lines = []
        for line in self.text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass
        return lines


class WherryServer(Server):
    role = None
    is_open = True  # everybody may do everything

    def __init__(self, folder, name=None, data=None, settings=None):
        """settings: the document of its --config."""
        super().__init__(folder, name or self.role)
        self.settings = settings
        self.observe_port = free_port()
        self.shown = {}  # what was seen of it and its process, for canaries
        self.is_looked_at = True
        if data is not None:
            self.data = Path(data)

    def command(self):
        words = [
            BIN / f"wherry-{self.role}", "serve", "--data", self.data, "--listen", self.address,
            "--observe", f"127.0.0.1:{self.observe_port}", *(["--insecure-open"] if self.is_open else []),
        ]  # fmt: skip
        if self.settings is not None:
            file = self.folder / "settings.yaml"
            file.write_text(json.dumps(self.settings))
            words += ["--config", file]
        return words

    def is_ready(self):
        return self.answers(self.observe_port, "/readyz") == 200

    def start(self, *how, **more):
        self.is_looked_at = False
        return super().start(*how, **more)

    def stop(self, seconds=30):
        canaries.look_at_process(self)
        return super().stop(seconds)

    def end(self):
        canaries.look_at_process(self)
        super().end()
        if not self.is_looked_at:
            self.is_looked_at = True
            canaries.look(self)

    def observed(self, path, timeout=10):
        """What the observe port answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.observe_port, timeout=timeout)
        connection.request("GET", path)
        page = connection.getresponse().read()
        connection.close()
        return page.decode()

    def metrics(self):
        """As exposition.read() gives them."""
        return exposition.read(self.observed("/metrics"))

    def blob_file(self, digest):
        algorithm, hexadecimal = digest.split(":")
        return self.data / "blobs" / algorithm / hexadecimal[:2] / hexadecimal


class Master(WherryServer):
    role = "master"


class Node(WherryServer):
    role = "node"

    # Settings of one that asks its parent about each tag, as of any registry.
    ASKING = {"parent": {"follow": False}}

    def status(self):
        return json.loads(self.observed("/status.json"))

    def follows(self, position=0):
        """Whether it hangs on the feed and has all of it, at least up to there. Before, it does not know who may do what."""
        feed = self.status()["feed"]
        return feed["state"] == "following" and feed["complete"] and feed["position"] >= position

    def __init__(self, folder, parent_url=None, name=None, data=None, settings=None):
        """Without a parent's URL it has only the upstreams of its settings."""
        super().__init__(folder, name, data, settings)
        self.parent_url = parent_url

    def command(self):
        words = super().command()
        if self.parent_url:
            words += ["--parent", self.parent_url]
        return words


def _bcrypt(password):
    """A password's hash as htpasswd -B writes it."""
    libcrypt = ctypes.CDLL("libcrypt.so.1")
    libcrypt.crypt.restype = ctypes.c_char_p
    return libcrypt.crypt(password.encode(), b"$2y$04$" + b"wherrywherrywherrywher").decode()


class Zot(Server):
    """zot in its minimal form, where somebody has built one: `build/tools/zot`, or what WHERRY_ZOT names."""

    PROGRAM = Path(os.environ.get("WHERRY_ZOT", Path(__file__).parents[3] / "build/tools/zot"))

    def __init__(self, folder, name="zot"):
        super().__init__(folder, name)
        self.config = self.folder / "config.json"
        config = {
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": str(self.data), "gc": False, "dedupe": True},
            "http": {"address": "127.0.0.1", "port": str(self.port)},
            "log": {"level": "error"},
        }
        self.config.write_text(json.dumps(config))

    url = property(lambda self: f"http://{self.address}")

    def command(self):
        return [self.PROGRAM, "serve", self.config]

    def is_ready(self):
        return self.answers(self.port, "/v2/") == 200


class DockerRegistry(Server):
    """Debian's docker-registry: an upstream that is not ours."""

    def __init__(self, folder, name="docker-registry", users=None, certificate=None):
        """`users`: who may do all, {name: password}, everybody without; `certificate`: (file, key file)."""
        super().__init__(folder, name)
        self.users = users
        self.config = self.folder / "config.yml"
        config = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            "http": {"addr": self.address},
        }
        if users:
            htpasswd = self.folder / "htpasswd"
            htpasswd.write_text("".join(f"{user}:{_bcrypt(password)}\n" for user, password in users.items()))
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(htpasswd)}}
        if certificate:
            config["http"]["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
        self.certificate = certificate
        self.config.write_text(json.dumps(config))

    url = property(lambda self: f"{'https' if self.certificate else 'http'}://{self.address}")

    def command(self):
        return ["docker-registry", "serve", self.config]

    def is_ready(self):
        # 401 to who shows no password, 400 to who speaks no TLS
        return self.answers(self.port, "/v2/") in (200, 401, 400)
