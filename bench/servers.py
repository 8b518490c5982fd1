"""What the benches start, and what is asked of it: the ground that all servers share, and Wherry's own."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / "build/release/bin"
TOOLS = ROOT / "build/tools"
MIB = 1 << 20
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def median_of_ratios(over, under):
    ratios = [a / b if b > 0 else float("inf") for a, b in zip(over, under)]
    return statistics.median(ratios), min(ratios), max(ratios)


class Here:
    """Where a server or client runs: this machine's own network, unless a bench makes another."""

    ip = "127.0.0.1"

    def words(self, command):
        return [str(word) for word in command]


class Server:
    """A server under test: its process and all processes below it."""

    cores = None  # "0" or "0,1": where it may run; None: anywhere
    tls = None  # (certificate, key): serves TLS with them

    def __init__(self, name, area, inside=None):
        self.name = name
        self.area = area / name
        self.area.mkdir()
        self.inside = inside or Here()
        self.port = free_port()
        self.address = f"{self.inside.ip}:{self.port}"

    def start(self):
        pinned = ["taskset", "-c", self.cores] if self.cores else []
        with open(self.area / "log", "ab") as log:
            words = self.inside.words([*pinned, *self.command()])
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection((self.inside.ip, self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit(f"{self.name} does not start: {(self.area / 'log').read_text()[-2000:]}")
                time.sleep(0.005)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def processes(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *(int(pid) for pid in children)]

    def cpu_seconds(self):
        """User and system time of all threads of the process and its children, so far; to the nanosecond, where
        /proc/PID/stat has hundredths. All these servers keep their threads."""
        tasks = [task for pid in self.processes() for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss_bytes(self):
        """What it holds in memory, without the pages of files that it maps; of nginx that is the sum of its processes."""
        total = 0
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) * 1024
        return total

    def throw_away_blobs(self, size):
        """Removes the files of pushed blobs, so that a later round finds the disk as the first one did."""
        for path in (self.area / "data").rglob("*"):
            if path.is_file() and path.stat().st_size == size:
                path.unlink()
        os.sync()

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.address, timeout=120, context=ssl._create_unverified_context())
        return http.client.HTTPConnection(self.address, timeout=120)

    def put(self, method, target, data, content_type, connection=None):
        """One request that has to succeed; keeps to `connection` when there is one."""
        own = connection or self.connect()
        own.request(method, target, data, {"Content-Type": content_type})
        answer = own.getresponse()
        body = answer.read()
        if connection is None:
            own.close()
        if answer.status not in (201, 202):
            sys.exit(f"{self.name}: {method} {target} answered {answer.status}: {body[:200]}")
        return answer

    def fetch(self, path):
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def take_blob(self, data, repository="bench/data"):
        location = self.put("POST", f"/v2/{repository}/blobs/uploads/", b"", "application/octet-stream").headers["Location"]
        path = "/" + location.split("/", 3)[3] if "://" in location else location
        self.put("PUT", path + ("&" if "?" in path else "?") + "digest=" + sha256(data), data, "application/octet-stream")

    def take_manifest(self, data, reference="v1", repository="bench/data", connection=None):
        kind = json.loads(data)["mediaType"]
        self.put("PUT", f"/v2/{repository}/manifests/{reference}", data, kind, connection)

    def blob_path(self, digest):
        return f"/v2/bench/data/blobs/{digest}"

    def manifest_path(self, reference):
        return f"/v2/bench/data/manifests/{reference}"


def quiet(area):
    """A configuration without an access log: none of the peers writes one (bench/access_log says what ours costs)."""
    config = area / "quiet.yaml"
    config.write_text("access-log: false\n")
    return config


class Wherry(Server):
    syncs = "syncs blob, folder and row before it answers a push"

    def __init__(self, name, area, inside=None):
        super().__init__(name, area, inside)
        self.observe = f"{self.inside.ip}:{free_port()}"

    def command(self):
        words = [BIN / "wherry-master", "serve", "--data", self.area / "data", "--listen", self.address, "--insecure-open"]
        words += ["--tls-certificate", self.tls[0], "--tls-key", self.tls[1]] if self.tls else []
        return [*words, "--observe", self.observe, "--config", quiet(self.area)]

    def metrics(self):
        """Its metrics as text."""
        connection = http.client.HTTPConnection(self.observe, timeout=10)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


class WherryNode(Server):
    """A cold one: each start() begins with an empty cache."""

    def __init__(self, name, area, parent, inside=None):
        super().__init__(name, area, inside)
        self.parent = parent

    def command(self):
        shutil.rmtree(self.area / "data", ignore_errors=True)
        words = [BIN / "wherry-node", "serve", "--data", self.area / "data", "--listen", self.address]
        return [*words, "--parent", f"http://{self.parent.address}", "--insecure-open", "--config", quiet(self.area)]


class WherryEdge(WherryNode):
    """A node that holds everything: what is given to it goes to a master of its own, and through the node once."""

    def __init__(self, name, area):
        super().__init__(name, area, Wherry(name + "-master", area))

    def start(self):
        self.parent.start()
        return super().start()

    def stop(self):
        super().stop()
        self.parent.stop()

    def put(self, *args, **more):
        return self.parent.put(*args, **more)

    def take_blob(self, data, repository="bench/data"):
        super().take_blob(data, repository)
        self.fetch(self.blob_path(sha256(data)))
