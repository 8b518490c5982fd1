"""Starts with much data, ends with work on its way, and life at the limit of open files."""

import http.client
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from wherry import liar as lies
from wherry import oci
from wherry.client import Broken, Registry
from wherry.disk import Disk
from wherry.liar import Liar
from wherry.process import Master, Node, wait_until
from wherry.raw import connect

MEBIBYTE = 1 << 20
BLOBS = 100_000
PUSHERS = 8


def blob(number):
    return b"blob %d" % number


def push_many(address, first, step, last):
    """Pushes tiny blobs over one connection; runs in a process of its own. By hand: http.client costs more than a push."""
    with connect(address, timeout=60) as connection, connection.makefile("rb") as answers:
        for number in range(first, last, step):
            data = blob(number)
            path = f"/v2/many/r{number % 100}/blobs/uploads/?digest={oci.digest_of(data)}"
            head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(data)}\r\n\r\n"
            connection.sendall(head.encode() + data)
            status = answers.readline()
            assert status.startswith(b"HTTP/1.1 201 "), status
            while answers.readline() != b"\r\n":  # it has no body
                pass


def drop_page_cache():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")


@pytest.fixture
def large_disk(area):
    """A disk of its own is thrown away faster than that many files are removed."""
    disk = Disk(area, 2048, inodes=150_000)
    yield disk
    disk.close()


@pytest.mark.timeout(240)
def test_a_master_and_a_node_with_100000_blobs_are_ready_within_2_seconds(area, large_disk, run_server):
    """They are pushed into memory, where a sync costs nothing, and moved to the disk for the starts. A node keeps what
    it holds as a master does, and begins by reading all of its rows: it starts on what the master left."""
    memory = Path(tempfile.mkdtemp(prefix="wherry-", dir="/dev/shm"))
    try:
        push_into(memory, run_server)
        subprocess.run(["cp", "-a", memory / "master" / "data", large_disk.path / "data"], check=True)
    finally:
        shutil.rmtree(memory)
    master = run_server(Master(area, data=large_disk.path / "data"))
    took = {}
    for how in ("stopped", "killed"):
        Registry(master.address).put_blob("many/more", how.encode())
        master.stop() if how == "stopped" else master.kill()
        drop_page_cache()
        master.start()
        took[how] = master.ready_after
        registry = Registry(master.address)
        for number in range(0, BLOBS, BLOBS // 50):
            assert registry.get_blob(f"many/r{number % 100}", oci.digest_of(blob(number))).body == blob(number)
        assert registry.get_blob("many/more", oci.digest_of(how.encode())).body == how.encode()
    master.stop()
    node = Node(area, "http://127.0.0.1:1", data=master.data)
    for how in ("node stopped", "node killed"):
        drop_page_cache()
        run_server(node)
        took[how] = node.ready_after
        edge = Registry(node.address)
        for number in range(0, BLOBS, BLOBS // 50):
            assert edge.get_blob(f"many/r{number % 100}", oci.digest_of(blob(number))).body == blob(number)
        assert node.status()["cache"]["blobs"] >= BLOBS
        node.stop() if how == "node stopped" else node.kill()
    print(took)
    assert max(took.values()) <= 2, took


def push_into(folder, run_server):
    master = run_server(Master(folder))
    begin = time.monotonic()
    pushers = [
        multiprocessing.get_context("spawn").Process(target=push_many, args=[master.address, first, PUSHERS, BLOBS])
        for first in range(PUSHERS)
    ]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
        assert pusher.exitcode == 0
    print(f"{BLOBS} blobs in {time.monotonic() - begin:.1f} s")
    master.stop()


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Crowd:
    """As many connections as the server takes, and more."""

    def __init__(self, address, count):
        self.sockets = []
        for _ in range(count):
            try:
                self.sockets.append(connect(address, timeout=5))
            except OSError:
                pass  # shed

    def close(self):
        for connection in self.sockets:
            connection.close()


def cpu_share(server, seconds=2.0):
    """CPU seconds a second, over a while in which nobody asks for anything."""
    begin, used = time.monotonic(), cpu_seconds(server.process.pid)
    wait_until(lambda: time.monotonic() - begin >= seconds, "the while is over", seconds + 5, 0.1)
    return (cpu_seconds(server.process.pid) - used) / (time.monotonic() - begin)


@pytest.fixture
def tier(area, run_server):
    master = run_server(Master(area))
    return {"master": master, "node": run_server(Node(area, master.url))}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("limit", [128, 256])
@pytest.mark.parametrize("role", ["master", "node"])
def test_out_of_descriptors_connections_are_shed_and_all_is_well_afterwards(tier, role, limit):
    server, registry = tier[role], Registry(tier["master"].address)
    manifest, digest = registry.put_image("a/b", "v1", [b"a layer", os.urandom(2 * MEBIBYTE)])
    edge = Registry(server.address)
    assert edge.get_manifest("a/b", "v1").body == manifest
    assert open_files(server.process.pid) < limit - 20
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    crowd = Crowd(server.address, 2 * limit)
    try:
        wait_until(lambda: open_files(server.process.pid) >= limit - 2, "all descriptors are in use", 10)
        assert cpu_share(server) < 0.2, "it spins"
        assert any("file descriptors" in line["message"] for line in server.log_lines())
        assert len(server.log_lines()) < 200, "the log is flooded"
        assert server.running()
    finally:
        crowd.close()

    def works():
        try:
            return edge.get_manifest("a/b", "v1").body == manifest
        except Broken:
            return False

    wait_until(works, "it answers again", 5)
    cold = os.urandom(100_000)
    registry.put_blob("a/b", cold)
    assert edge.get_blob("a/b", oci.digest_of(cold)).body == cold
    assert server.ready_after and server.is_ready()


@pytest.mark.timeout(90)
def test_pushes_and_pulls_without_a_free_descriptor_fail_in_words_and_kill_nobody(tier):
    """On connections that are open already: what needs one more descriptor is refused, and the process lives on."""
    master, registry = tier["master"], Registry(tier["master"].address)
    manifest, _ = registry.put_image("a/b", "v1", [b"a layer"])
    cold = [os.urandom(50_000) for _ in range(5)]
    for data in cold:
        registry.put_blob("a/b", data)
    master.restart()
    acknowledged = []
    connections = [http.client.HTTPConnection(master.address, timeout=10) for _ in range(6)]
    for connection in connections:
        connection.request("GET", "/v2/")
        connection.getresponse().read()
    # From no free descriptor at all to a few: each place that needs one meets the limit once.
    in_use = open_files(master.process.pid)
    for free in range(0, 6):
        resource.prlimit(master.process.pid, resource.RLIMIT_NOFILE, (in_use + free, 20_000))
        for number, connection in enumerate(connections):
            data = b"%d %d" % (free, number) + os.urandom(20_000)
            path = f"/v2/a/b/blobs/uploads/?digest={oci.digest_of(data)}"
            requests = [
                ("POST", path, data),
                ("GET", registry.blob_path("a/b", oci.digest_of(cold[number % len(cold)])), None),
                ("PUT", registry.manifest_path("a/b", f"t{free}-{number}"), manifest),
                ("GET", registry.manifest_path("a/b", "v1"), None),
            ]
            for method, target, body in requests:
                try:
                    connection.request(method, target, body, {"Content-Type": oci.OCI_MANIFEST} if body is manifest else {})
                    response = connection.getresponse()
                    answer = response.read()
                except (OSError, http.client.HTTPException):
                    connection.close()
                    assert master.running(), f"it died of {method} with {free} descriptors free"
                    break
                assert response.status in (200, 201, 500, 503, 507), (response.status, answer)
                assert response.status < 300 or b'"errors"' in answer
                if method == "POST" and response.status == 201:
                    acknowledged.append(data)
    assert master.running()
    resource.prlimit(master.process.pid, resource.RLIMIT_NOFILE, (20_000, 20_000))
    for connection in connections:
        connection.close()
    for data in [*cold, *acknowledged]:
        assert registry.get_blob("a/b", oci.digest_of(data)).body == data
    registry.put_image("a/b", "v2", [b"after all"])
    assert not list((master.data / "quarantine").iterdir()), "a good blob was taken for a damaged one"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("readers", [0, 3])
@pytest.mark.parametrize("way", [lies.slowly(MEBIBYTE // 2), lies.stalled], ids=["slow", "silent"])
def test_sigterm_in_the_middle_of_a_fill_ends_a_node_within_its_drain_time(area, run_server, way, readers):
    config = area / "node.yaml"
    config.write_text("drain-time: 2s\n")
    parent = Liar()
    node = run_server(Node(area, parent.url), extra=["--config", config])
    data = oci.random_bytes(8 * MEBIBYTE, seed=1)
    digest = parent.add_blob(data, [way])
    path = f"/v2/a/b/blobs/{digest}"
    ends = []

    def read():
        try:
            ends.append(Registry(node.address).call("GET", path).body)
        except Broken as broken:
            ends.append(broken)

    try:
        threads = [threading.Thread(target=read) for _ in range(readers)]
        for thread in threads:
            thread.start()
        if not readers:  # one that comes and goes: the fill goes on without it
            with socket.create_connection(("127.0.0.1", node.port)) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {node.address}\r\n\r\n".encode())
                assert connection.recv(1000)
        temporary = node.data / "tmp"
        wait_until(lambda: any(file.stat().st_size > 100_000 for file in temporary.iterdir()), "the fill runs", 10)
        begin = time.monotonic()
        node.signal(signal.SIGTERM)
        assert node.wait_end(10) == 0
        assert time.monotonic() - begin < 3.5
        for thread in threads:
            thread.join(10)
        assert len(ends) == readers and all(isinstance(end, Broken) for end in ends)
        node.start()
        assert not list(temporary.iterdir())
        parent.scripts.clear()
        assert Registry(node.address).get_blob("a/b", digest).body == data
    finally:
        parent.close()
