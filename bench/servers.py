"""The servers that the benches measure, and what is asked of them."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / "build/release/bin"
TICKS = os.sysconf("SC_CLK_TCK")
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

    def __init__(self, name, area, inside=None):
        self.name = name
        self.area = area / name
        self.area.mkdir()
        self.inside = inside or Here()
        self.port = free_port()
        self.address = f"{self.inside.ip}:{self.port}"

    def start(self):
        with open(self.area / "log", "wb") as log:
            self.process = subprocess.Popen(self.inside.words(self.command()), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.inside.ip, self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit(f"{self.name} does not start: {(self.area / 'log').read_text()[-2000:]}")
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cpu_seconds(self):
        """User and system time of the process and its children, so far."""
        total = 0
        for pid in [self.process.pid, *self.children()]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def children(self):
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def throw_away_blobs(self, size):
        """Removes the files of pushed blobs, so that a later round finds the disk as the first one did."""
        for path in (self.area / "data").rglob("*"):
            if path.is_file() and path.stat().st_size == size:
                path.unlink()
        os.sync()

    def put(self, method, target, data, content_type):
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request(method, target, data, {"Content-Type": content_type})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status not in (201, 202):
            sys.exit(f"{self.name}: {method} {target} answered {answer.status}")
        return answer

    def fetch(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()

    def take_blob(self, data):
        location = self.put("POST", "/v2/bench/data/blobs/uploads/", b"", "application/octet-stream").headers["Location"]
        path = "/" + location.split("/", 3)[3] if "://" in location else location
        self.put("PUT", path + ("&" if "?" in path else "?") + "digest=" + sha256(data), data, "application/octet-stream")

    def take_manifest(self, data):
        self.put("PUT", "/v2/bench/data/manifests/v1", data, OCI_MANIFEST)

    def blob_path(self, digest):
        return f"/v2/bench/data/blobs/{digest}"

    def manifest_path(self, reference):
        return f"/v2/bench/data/manifests/{reference}"


class Wherry(Server):
    def command(self):
        return [BIN / "wherry-master", "serve", "--data", self.area / "data", "--listen", self.address, "--insecure-open"]


class WherryNode(Server):
    """A cold one: each start() begins with an empty cache."""

    def __init__(self, name, area, parent, inside=None):
        super().__init__(name, area, inside)
        self.parent = parent

    def command(self):
        shutil.rmtree(self.area / "data", ignore_errors=True)
        words = [BIN / "wherry-node", "serve", "--data", self.area / "data", "--listen", self.address]
        return [*words, "--parent", f"http://{self.parent.address}", "--insecure-open"]


class DockerRegistry(Server):
    def command(self):
        config = self.area / "config.yml"
        config.write_text(json.dumps(self.settings()))
        return ["docker-registry", "serve", config]

    def settings(self):
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.area / "data")}, "cache": {"blobdescriptor": "inmemory"}},
            "http": {"addr": self.address},
        }


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

    def put(self, method, target, data, content_type):
        return self.parent.put(method, target, data, content_type)

    def take_blob(self, data):
        super().take_blob(data)
        self.fetch(self.blob_path(sha256(data)))


class DockerMirror(DockerRegistry):
    """docker-registry as a pull-through cache of another docker-registry."""

    def __init__(self, name, area):
        super().__init__(name, area)
        self.origin = DockerRegistry(name + "-origin", area)

    def start(self):
        self.origin.start()
        return super().start()

    def stop(self):
        super().stop()
        self.origin.stop()

    def settings(self):
        return {**super().settings(), "proxy": {"remoteurl": f"http://{self.origin.address}"}}

    def put(self, method, target, data, content_type):
        return self.origin.put(method, target, data, content_type)

    def take_blob(self, data):
        super().take_blob(data)
        self.fetch(self.blob_path(sha256(data)))


class Nginx(Server):
    """Static files with sendfile(2): the floor for bodies."""

    def command(self):
        config = self.area / "nginx.conf"
        config.write_text(
            f"""daemon off; master_process on; worker_processes 2; pid {self.area}/pid; error_log stderr;
            events {{ worker_connections 4096; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type {OCI_MANIFEST};
              open_file_cache max=1000 inactive=1h;
              server {{ listen {self.address} reuseport; root {self.area}/files; }} }}"""
        )
        (self.area / "files").mkdir(exist_ok=True)
        return ["nginx", "-p", self.area, "-c", config]

    def take_blob(self, data):
        (self.area / "files" / sha256(data)).write_bytes(data)

    def take_manifest(self, data):
        for name in ("v1", sha256(data)):
            (self.area / "files" / name).write_bytes(data)

    def blob_path(self, digest):
        return f"/{digest}"

    def manifest_path(self, reference):
        return f"/{reference}"
