"""A node in bad weather: upstreams that are slow, wrong or gone, and a machine that is short of everything.

Each time: no wrong body ends well, nothing wrong is stored, nothing stays stuck, one retry is enough once all is well.
"""

import gzip
import os
import socket
import subprocess
import time

import pytest
import test_lying_upstream as lying
from wherry import liar as lies
from wherry import oci
from wherry.certificate import make_certificate
from wherry.client import Broken, Registry
from wherry.disk import Disk
from wherry.liar import Liar
from wherry.process import Node, wait_until
from wherry.proxy import CountingProxy

MEBIBYTE = 1 << 20
NAME = "far.example"

# Ways to answer beside those of the liar's own.


def one_byte_a_second(handler, data, headers):
    handler.start(200, len(data), headers)
    try:
        for at in range(len(data)):
            handler.wfile.write(data[at : at + 1])
            if handler.server.released.wait(1):
                break
    except OSError:
        pass
    handler.hang_up()


def a_head_byte_by_byte(handler, data, headers):
    try:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: y\r\n" * 100:
            handler.wfile.write(bytes([byte]))
            if handler.server.released.wait(0.5):
                break
    except OSError:
        pass
    handler.hang_up()


def a_byte_and_a_reset(handler, data, headers):
    """Every try brings one byte more."""
    start = handler.range_start(len(data)) or 0
    range_of_it = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
    handler.start(206 if start else 200, len(data) - start, {**headers, **range_of_it})
    handler.wfile.write(data[start : start + 1])
    handler.hang_up()


def reset_near_the_end(handler, data, headers):
    """99 % and a reset, always, ranges or not."""
    handler.start(200, len(data), headers)
    handler.wfile.write(data[: len(data) * 99 // 100])
    handler.hang_up(reset=True)


def endless(handler, data, headers):
    """Right up to its length, and a stream without an end behind it, under no length at all."""
    handler.send_response_only(200)
    handler.end_headers()
    try:
        handler.wfile.write(data)
        while not handler.server.released.is_set():
            handler.wfile.write(bytes(MEBIBYTE))
    except OSError:
        pass
    handler.hang_up()


def compressed(handler, data, headers):
    handler.answer(200, gzip.compress(data), {**headers, "Content-Encoding": "gzip"})


def a_huge_header(handler, data, headers):
    handler.answer(200, data, {**headers, "X-Huge": "x" * MEBIBYTE})


WAYS = [
    one_byte_a_second, a_head_byte_by_byte, a_byte_and_a_reset, reset_near_the_end, endless, compressed, a_huge_header,
    lies.wrong_bytes, lies.too_short, lies.too_long, lies.wrong_range, lies.html_page, lies.stalled, lies.server_error,
    lying.another_total, lying.redirect_to_itself,
]  # fmt: skip

# Those whose bytes are right: what a client is given before the source is given up may be whole.
MAY_END_WELL = {endless, lies.wrong_range, lying.another_total}


class Far:
    """A node whose upstream lies, asked for a blob and a manifest for each way: all at once, for each takes its tries."""

    def __init__(self, area):
        self.liar = Liar()
        settings = {
            "upstreams": [{"name": NAME, "url": self.liar.url, "silence": "2s", "negative-age": "0s"}],
            "cache": {"max-bytes": "256MiB"},
        }
        self.node = Node(area, name="far-node", settings=settings).start()
        self.edge = Registry(self.node.address)
        self.blobs, self.manifests, self.pulls = {}, {}, {}
        for number, way in enumerate(WAYS):
            data = oci.random_bytes(200_000 + number, seed=f"far{number}")
            manifest = oci.image_manifest(annotations={"number": str(number), "filling": "x" * 3000})
            self.blobs[way] = (self.liar.add_blob(data, [way]), data)
            self.manifests[way] = (self.liar.add_manifest(f"v{number}", manifest, script=[way]), manifest)
        for number, way in enumerate(WAYS):
            blob, manifest = self.blobs[way][0], self.manifests[way][0]
            paths = [f"/v2/a/b/blobs/{blob}?ns={NAME}", f"/v2/{NAME}/a/b/blobs/{blob}"]
            self.pulls["blob", way] = [lying.Pull(self.edge, path) for path in paths]
            paths = [f"/v2/a/b/manifests/{reference}?ns={NAME}" for reference in (f"v{number}", manifest)]
            self.pulls["manifest", way] = [lying.Pull(self.edge, path) for path in paths]


@pytest.fixture(scope="module")
def far(session_area):
    far = Far(session_area)
    yield far
    far.node.end()
    far.liar.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("what", ["blob", "manifest"])
@pytest.mark.parametrize("way", WAYS, ids=lying.name_of)
def test_an_upstream_in_bad_weather(far, way, what):
    digest, data = (far.blobs if what == "blob" else far.manifests)[way]
    for pull in far.pulls[what, way]:
        assert lying.is_an_error(pull.end(90), data) or way in MAY_END_WELL
        assert what == "blob" or not pull.broken, "a manifest is known to be right before its head goes out"
    if what == "blob":
        stored = far.node.blob_file(digest)
        assert not stored.exists() or stored.read_bytes() == data
    far.liar.scripts.pop(digest)
    number = WAYS.index(way)
    for path in [f"blobs/{digest}"] if what == "blob" else [f"manifests/v{number}", f"manifests/{digest}"]:
        begin = time.monotonic()
        pull = lying.Pull(far.edge, f"/v2/a/b/{path}?ns={NAME}").end(20)
        assert pull.response and pull.response.status == 200 and pull.response.body == data, (pull.response, pull.broken)
        assert time.monotonic() - begin < 5
    assert far.node.running()


def test_nothing_of_the_weather_is_left(far):
    for pulls in far.pulls.values():
        for pull in pulls:
            pull.end(90)
    wait_until(lambda: not list((far.node.data / "tmp").iterdir()), "tmp/ is empty", 20)
    for file in (far.node.data / "blobs").rglob("*"):
        assert not file.is_file() or oci.digest_of(file.read_bytes()) == f"sha256:{file.name}"


# Upstreams that cannot be reached


def node_for(area, run_server, url, name="node", **upstream):
    settings = {"upstreams": [{"name": NAME, "url": url, "negative-age": "0s", **upstream}]}
    node = run_server(Node(area, name=name, settings=settings))
    return node, Registry(node.address)


def manifest_path(reference="v1"):
    return f"/v2/a/b/manifests/{reference}?ns={NAME}"


def blob_path(digest):
    return f"/v2/a/b/blobs/{digest}?ns={NAME}"


def test_a_refused_connection(area, run_server):
    liar = Liar()
    proxy = CountingProxy(liar.address)
    _, edge = node_for(area, run_server, proxy.url)
    data, manifest = os.urandom(100_000), oci.image_manifest(annotations={"a": "1"})
    digest = liar.add_blob(data)
    liar.add_manifest("v1", manifest)
    proxy.close()
    begin = time.monotonic()
    assert edge.get(manifest_path()).status == 502
    assert edge.get(blob_path(digest)).status == 502
    assert time.monotonic() - begin < 15
    proxy.reopen()
    wait_until(lambda: edge.get(manifest_path()).status == 200, "it is found to be back", 20, 0.1)
    assert edge.get(blob_path(digest)).body == data
    proxy.close()
    liar.close()


def test_a_name_that_nobody_knows(area, run_server):
    node, edge = node_for(area, run_server, "http://no-such-registry.invalid:5000")
    for path in (manifest_path(), blob_path(oci.digest_of(b"x"))):
        begin = time.monotonic()
        answer = edge.get(path)
        assert answer.status in (502, 504) and answer.code
        assert time.monotonic() - begin < 30
    assert node.running()


def test_a_certificate_of_another_name_is_told_nothing(area, run_server):
    liar = Liar()
    right, wrong, stranger = (
        make_certificate(area / name, host)
        for name, host in (("right", "IP:127.0.0.1"), ("wrong", "DNS:other.example"), ("stranger", "IP:127.0.0.1"))
    )
    trusted = area / "trusted.pem"
    trusted.write_bytes(right[0].read_bytes() + wrong[0].read_bytes())
    secret = area / "credentials"
    secret.write_text("user:secret")
    secret.chmod(0o600)
    manifest = oci.image_manifest(annotations={"a": "1"})
    liar.add_manifest("v1", manifest)
    digest = liar.add_blob(b"a blob")
    proxy = CountingProxy(liar.address, wrong)
    more = {"ca-file": str(trusted), "credentials-file": str(secret)}
    _, edge = node_for(area, run_server, proxy.url, **more)
    for certificate in (wrong, stranger):
        proxy.close()
        proxy.certificate = certificate
        proxy.reopen()
        for path in (manifest_path(), blob_path(digest)):
            assert edge.get(path).status == 502
    assert not proxy.seen
    proxy.close()
    proxy.certificate = right
    proxy.reopen()
    wait_until(lambda: edge.get(manifest_path()).status == 200, "it is trusted", 20, 0.1)
    assert edge.get(blob_path(digest)).body == b"a blob"
    proxy.close()
    liar.close()


# The node's own machine


@pytest.fixture
def liar():
    liar = Liar()
    yield liar
    liar.close()


def test_a_disk_without_inodes(area, run_server, liar):
    disk = Disk(area, 64, inodes=1200)
    try:
        settings = {"upstreams": [{"name": NAME, "url": liar.url, "negative-age": "0s"}]}
        node = run_server(Node(area, name="node", data=disk.path / "data", settings=settings))
        edge = Registry(node.address)
        held, cold = os.urandom(50_000), os.urandom(50_000)
        assert edge.get(blob_path(liar.add_blob(held))).body == held
        wait_until(node.blob_file(oci.digest_of(held)).exists, "it is kept")
        fillers = []
        try:
            while True:
                path = disk.path / f"filler{len(fillers)}"
                path.touch()
                fillers.append(path)
        except OSError:
            pass
        digest = liar.add_blob(cold)
        for _ in range(3):
            pull = lying.Pull(edge, blob_path(digest)).end(20)
            assert pull.broken or pull.response.body == cold or pull.response.status >= 500
            assert edge.get(blob_path(oci.digest_of(held))).body == held
        assert node.running()
        for path in fillers:
            path.unlink()
        wait_until(lambda: edge.get(blob_path(digest)).body == cold, "it is fetched once there is room", 10, 0.1)
        wait_until(node.blob_file(digest).exists, "it is kept")
        node.stop()
    finally:
        for server in [node]:
            server.end()
        disk.close()


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM"])
def test_an_end_in_the_middle_of_a_fill(area, run_server, liar, how):
    node, edge = node_for(area, run_server, liar.url)
    data = os.urandom(4 * MEBIBYTE)
    digest = liar.add_blob(data, [lies.slowly(MEBIBYTE)])
    pulls = [lying.Pull(edge, blob_path(digest)) for _ in range(3)]
    temporary = node.data / "tmp" / f"fill-{digest.split(':')[1]}"
    wait_until(lambda: temporary.exists() and temporary.stat().st_size >= MEBIBYTE, "it is in the middle", 10)
    if how == "kill -9":
        node.kill()
    else:
        assert node.stop(30) == 0
    for pull in pulls:
        pull.end(20)
        assert pull.broken if how == "kill -9" else pull.response.body == data, "SIGTERM lets pulls end"
    assert not node.blob_file(digest).exists() or node.blob_file(digest).read_bytes() == data
    liar.scripts.clear()
    node.start()
    assert edge.get(blob_path(digest)).body == data
    wait_until(node.blob_file(digest).exists, "it is kept")
    assert node.blob_file(digest).read_bytes() == data and not temporary.exists()


class PoorNode(Node):
    """A node that may open only so many files."""

    def command(self):
        return ["prlimit", "--nofile=256:256", "--", *super().command()]


def test_256_files_and_more_clients_than_that(area, run_server, liar):
    settings = {"upstreams": [{"name": NAME, "url": liar.url, "negative-age": "0s"}]}
    node = run_server(PoorNode(area, settings=settings))
    edge = Registry(node.address)
    blobs = [os.urandom(20_000) for _ in range(30)]
    digests = [liar.add_blob(data) for data in blobs]
    assert edge.get(blob_path(digests[0])).body == blobs[0]
    crowd = []
    for _ in range(400):
        connection = socket.socket()
        connection.settimeout(2)
        try:
            connection.connect(("127.0.0.1", node.port))
        except OSError:
            pass
        crowd.append(connection)
    for digest in digests[:3]:
        try:
            edge.call("GET", blob_path(digest), timeout=3)
        except Broken:
            pass
    assert node.running()
    for connection in crowd:
        connection.close()
    wait_until(lambda: edge.get(blob_path(digests[0])).status == 200, "it serves again", 10, 0.1)
    for digest, data in zip(digests, blobs):
        assert edge.get(blob_path(digest)).body == data
    pulls = [lying.Pull(edge, blob_path(digest)) for digest in digests * 4]
    for pull in pulls:
        pull.end(30)
        assert pull.broken or pull.response.status in (200, 503)
        assert pull.broken or pull.response.status == 503 or oci.digest_of(pull.response.body) in digests
    assert node.running()


def resident_bytes(node):
    with open(f"/proc/{node.process.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def connect_many(node, count, say=b""):
    crowd = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", node.port))
        if say:
            connection.sendall(say)
        crowd.append(connection)
    return crowd


def quickest_of(edge, path, data, tries=5):
    times = []
    for _ in range(tries):
        begin = time.monotonic()
        assert edge.get(path).body == data
        times.append(time.monotonic() - begin)
    return min(times)


@pytest.mark.timeout(120)
def test_10_000_idle_connections(area, run_server, liar):
    node, edge = node_for(area, run_server, liar.url)
    data = os.urandom(100_000)
    path = blob_path(liar.add_blob(data))
    assert edge.get(path).body == data
    before = resident_bytes(node)
    crowd = connect_many(node, 9_500, b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
    try:
        assert quickest_of(edge, path, data) < 0.5
        assert (resident_bytes(node) - before) / len(crowd) < 8 * 1024
    finally:
        for connection in crowd:
            connection.close()
    assert edge.get(path).body == data and node.running()


@pytest.mark.timeout(180)
def test_5_000_slow_readers(area, run_server, liar):
    settings = {
        "upstreams": [{"name": NAME, "url": liar.url, "negative-age": "0s"}],
        "limits": {"send-silence": "5s"},
    }
    node = run_server(Node(area, settings=settings))
    edge = Registry(node.address)
    data, small = os.urandom(8 * MEBIBYTE), os.urandom(100_000)
    path, small_path = blob_path(liar.add_blob(data)), blob_path(liar.add_blob(small))
    assert edge.get(path).body == data and edge.get(small_path).body == small
    before = resident_bytes(node)
    crowd = connect_many(node, 5_000, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    try:
        assert quickest_of(edge, small_path, small) < 1
        assert (resident_bytes(node) - before) / len(crowd) < 32 * 1024
        wait_until(lambda: open_connections(node) < 100, "who reads nothing is let go", 60, 0.5)
    finally:
        for connection in crowd:
            connection.close()
    assert edge.get(path).body == data and node.running()


def open_connections(node):
    """Sockets that the node has open."""
    folder = f"/proc/{node.process.pid}/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except OSError:
            pass
    return count


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
/* The wall clock, off by the seconds that a file says. */
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int outcome = real(clock, now);
  if (clock != CLOCK_REALTIME) return outcome;
  FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
  long long offset = 0;
  if (file && fscanf(file, "%lld", &offset) != 1) offset = 0;
  if (file) fclose(file);
  now->tv_sec += offset;
  return outcome;
}
"""


class Clock:
    """A wall clock of the node's own, that jumps."""

    def __init__(self, area):
        self.file = area / "offset"
        source = area / "clock.c"
        source.write_text(CLOCK)
        self.library = area / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, source, "-ldl"], check=True)
        self.jump(0)
        self.env = {"LD_PRELOAD": str(self.library), "CLOCK_OFFSET": str(self.file)}

    def jump(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(str(int(seconds)))
        new.rename(self.file)


YEAR = 365 * 24 * 3600


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 2 * 3600, -2 * 3600], ids=["a year on", "a year back", "two hours on", "two hours back"])
def test_a_clock_that_jumps(area, run_server, liar, jump):
    clock = Clock(area)
    proxy = CountingProxy(liar.address)
    settings = {
        "upstreams": [{"name": NAME, "url": proxy.url, "negative-age": "10s"}],
        "freshness": [{"max-age": "1h"}],
    }
    node = run_server(Node(area, settings=settings), env=clock.env)
    edge = Registry(node.address)
    first, second = (oci.image_manifest(annotations={"a": number}) for number in "12")
    liar.add_manifest("v1", first)
    data = os.urandom(100_000)
    digest = liar.add_blob(data)
    assert edge.get(manifest_path()).body == first and edge.get(blob_path(digest)).body == data
    liar.add_manifest("v1", second)
    asked = len(proxy.seen)
    assert edge.get(manifest_path()).body == first and len(proxy.seen) == asked, "it is fresh"
    begin = time.monotonic()
    clock.jump(jump)
    answer = edge.get(manifest_path())
    assert answer.body == second, "an age that cannot be known, or is over, is no reason to believe"
    assert edge.get(blob_path(digest)).body == data
    other = liar.add_blob(os.urandom(100_000), [lies.truncated, lies.honest])
    assert oci.digest_of(edge.get(blob_path(other)).body) == other
    # Back again: what was confirmed in the future is asked for again, or known; never an error, and never stuck.
    clock.jump(0)
    assert edge.get(manifest_path()).body == second
    proxy.close()
    node.restart(env=clock.env)
    clock.jump(jump if abs(jump) < YEAR else 0)
    answer = edge.get(manifest_path())
    assert answer.status == 200 and answer.body == second
    assert edge.get(blob_path(digest)).body == data
    assert time.monotonic() - begin < 30
