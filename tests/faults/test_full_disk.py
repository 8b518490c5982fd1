"""A full disk: pulls go on, writes are refused in words, and all is well once there is room again."""

import os
import signal
import threading
import time

import pytest
from wherry import oci
from wherry.client import Broken, Registry
from wherry.disk import Disk
from wherry.process import Master, Node, wait_until
from wherry.proxy import CountingProxy

MEBIBYTE = 1 << 20
LAYERS = [b"a small layer", oci.random_bytes(3 * MEBIBYTE + 11, seed=1)]


@pytest.fixture
def disk(area):
    disk = Disk(area, 128)
    yield disk
    disk.close()


@pytest.fixture
def master(area, disk):
    master = Master(area, "small-master", data=disk.path / "data").start()
    yield master
    master.end()


@pytest.fixture
def registry(master):
    return Registry(master.address)


def use_up(disk, server):
    """Not a byte is left, the ballast's room neither."""
    disk.fill()
    wait_until(lambda: not (server.data / "ballast").exists(), "the ballast is given up", 5)
    disk.fill()
    assert disk.free_bytes() < 64 * 1024


def refused_for_space(response):
    assert response.status == 507, response
    assert response.code == "UNAVAILABLE" and "room" in response.json["errors"][0]["message"]
    return True


def pulls_all(registry, manifest):
    assert registry.get_manifest("a/b", "v1").body == manifest
    for layer in LAYERS:
        response = registry.get_blob("a/b", oci.digest_of(layer))
        assert response.status == 200 and response.body == layer
        assert registry.get_blob("a/b", oci.digest_of(layer), range="bytes=3-7").body == layer[3:8]
    assert registry.tags("a/b") == ["v1"]


def writes_again(registry, within=1.0):
    begin = time.monotonic()
    wait_until(lambda: registry.push_blob("a/b", os.urandom(1000)).status == 201, "a write is taken", within, 0.02)
    for flow in Registry.FLOWS:
        registry.put_blob("a/b", os.urandom(100_000), flow)
    registry.put_image("a/c", "v2", [os.urandom(1000)])
    return time.monotonic() - begin


def test_a_full_disk_refuses_every_write_with_507_and_serves_every_pull(disk, master, registry):
    manifest, digest = registry.put_image("a/b", "v1", LAYERS)
    session = registry.start_upload("a/b")
    filler = disk.fill()
    use_up(disk, master)
    for _ in range(20):
        pulls_all(registry, manifest)
    for size in (10, 300_000, 5 * MEBIBYTE):
        assert refused_for_space(registry.push_blob("a/b", os.urandom(size), "post"))
        # A chunk that goes on, with its length told and not told:
        assert refused_for_space(registry.patch(session, os.urandom(size)))
        assert refused_for_space(registry.patch(session, iter([os.urandom(size)])))
        assert refused_for_space(registry.finish(session, oci.digest_of(b"x"), os.urandom(size)))
    begin = registry.call("POST", "/v2/a/b/blobs/uploads/", headers={"Content-Length": "0"})
    assert refused_for_space(begin)
    assert refused_for_space(registry.push_manifest("a/b", "v2", manifest))
    pulls_all(registry, manifest)
    assert master.running() and master.is_ready()
    assert sum(file.stat().st_size for file in (master.data / "tmp").iterdir()) == 0

    filler.unlink()
    writes_again(registry)
    pulls_all(registry, manifest)
    response = registry.patch(session, b"goes on", 0)
    assert response.status == 202
    assert registry.finish(registry.location(response), oci.digest_of(b"goes on")).status == 201
    assert not list((master.data / "tmp").iterdir())
    master.restart()
    pulls_all(registry, manifest)


def test_deletions_go_on_when_there_is_no_room_for_content(disk, master, registry):
    manifest, digest = registry.put_image("a/b", "v1", LAYERS)
    registry.put_image("a/b", "old", [b"an old layer"])
    master.signal(signal.SIGSTOP)  # else it may give up the ballast while there is somebody who takes that room, too
    disk.fill()
    master.signal(signal.SIGCONT)
    assert refused_for_space(registry.push_blob("a/b", b"something new"))
    assert registry.call("DELETE", registry.manifest_path("a/b", "old")).status == 202
    assert registry.tags("a/b") == ["v1"]
    pulls_all(registry, manifest)


@pytest.mark.parametrize("flow", ["post", "patch", "put"])
def test_a_body_that_meets_the_full_disk_in_the_middle_leaves_no_bytes(disk, master, registry, flow):
    manifest, _ = registry.put_image("a/b", "v1", LAYERS)
    filler = disk.path / "filler"

    def body():
        for number in range(40):
            if number == 20:
                wait_until(lambda: written() > 5 * MEBIBYTE, "the first part is written", 10)
                disk.fill()
            yield b"%d" % number + bytes(MEBIBYTE)

    def written():
        return sum(file.stat().st_size for file in (master.data / "tmp").iterdir())

    if flow == "post":
        path = f"/v2/a/b/blobs/uploads/?digest={oci.digest_of(b'never')}"
        response = registry.call("POST", path, body())
    else:
        location = registry.start_upload("a/b")
        if flow == "patch":
            response = registry.patch(location, body())
        else:
            response = registry.finish(location, oci.digest_of(b"never"), body())
    assert refused_for_space(response)
    pulls_all(registry, manifest)
    wait_until(lambda: written() == 0, "what was written of the refused body is given back", 5)
    filler.unlink()
    writes_again(registry)


@pytest.mark.parametrize("how_full", ["no room for content", "no room at all"])
def test_a_start_on_a_full_disk_serves_pulls_and_takes_writes_once_there_is_room(disk, master, registry, how_full):
    manifest, _ = registry.put_image("a/b", "v1", LAYERS)
    if how_full == "no room at all":
        use_up(disk, master)
        master.kill()
        disk.fill()
    else:  # under the mark for content, above what is kept for metadata
        disk.fill(leave=4 * MEBIBYTE)
        master.kill()
    filler = disk.path / "filler"
    master.start()
    assert master.ready_after <= 2
    if how_full == "no room for content":
        disk.fill(leave=4 * MEBIBYTE)  # the start gave back what the old log had reserved
    for _ in range(5):
        pulls_all(registry, manifest)
    assert refused_for_space(registry.push_blob("a/b", b"new"))
    assert refused_for_space(registry.push_manifest("a/b", "v2", manifest))
    deletion = registry.call("DELETE", registry.manifest_path("a/b", "v1"))
    if how_full == "no room at all":
        assert refused_for_space(deletion)
    else:
        assert deletion.status == 202
        assert registry.get_manifest("a/b", "v1").status == 404
    filler.unlink()
    writes_again(registry, within=2)
    if how_full != "no room at all":
        registry.put_manifest("a/b", "v1", manifest)
    pulls_all(registry, manifest)
    assert master.stop() == 0
    master.start()
    pulls_all(registry, manifest)


@pytest.mark.parametrize("rest", [0, 100_000, MEBIBYTE])
def test_a_first_start_without_room_ends_with_74_and_says_why_or_serves(area, disk, rest):
    disk.fill(leave=rest)
    master = Master(area, "first-master", data=disk.path / "first")
    try:
        master.start(ready_within=None)
        wait_until(lambda: not master.running() or master.is_ready(), "ready or over", 10)
        if not master.running():
            assert master.wait_end() == 74
            said = master.text()
            assert any(word in said for word in ("space", "room", "MiB")), "it does not say that the disk is full"
        (disk.path / "filler").unlink()
        if master.process is None:
            master.start()
        writes_again(Registry(master.address), within=2)
    finally:
        master.end()


@pytest.fixture
def few_inodes(area):
    disk = Disk(area / "inodes", 64, inodes=1200)
    yield disk
    disk.close()


def use_up_inodes(disk):
    (disk.path / "many").mkdir()
    try:
        for number in range(100_000):
            (disk.path / "many" / str(number)).touch()
    except OSError:
        pass
    assert os.statvfs(disk.path).f_favail == 0


def free_inodes(disk):
    for file in (disk.path / "many").iterdir():
        file.unlink()


@pytest.fixture
def poor_master(area, few_inodes):
    master = Master(area, "poor-master", data=few_inodes.path / "data").start()
    yield master
    master.end()


def test_without_inodes_writes_are_refused_with_507_and_pulls_go_on(few_inodes, poor_master):
    registry = Registry(poor_master.address)
    manifest, _ = registry.put_image("a/b", "v1", LAYERS)
    use_up_inodes(few_inodes)
    for flow in Registry.FLOWS:
        for _ in range(5):
            assert refused_for_space(registry.push_blob("a/b", os.urandom(1000), flow))
        pulls_all(registry, manifest)
    assert poor_master.running() and poor_master.is_ready()
    free_inodes(few_inodes)
    writes_again(registry)
    pulls_all(registry, manifest)


def test_a_start_without_inodes_serves_pulls_or_says_why_not(few_inodes, poor_master):
    registry = Registry(poor_master.address)
    manifest, _ = registry.put_image("a/b", "v1", LAYERS)
    use_up_inodes(few_inodes)
    poor_master.kill()
    before = len(poor_master.text())
    poor_master.start(ready_within=None)
    wait_until(lambda: not poor_master.running() or poor_master.is_ready(), "ready or over", 10)
    if poor_master.running():
        pulls_all(registry, manifest)
        free_inodes(few_inodes)
    else:
        code, said = poor_master.wait_end(), poor_master.text()[before:]
        assert code == 74 and str(poor_master.data) in said and "space" in said.lower(), (code, said)
        free_inodes(few_inodes)
        poor_master.start()
    writes_again(registry, within=2)
    pulls_all(registry, manifest)


class Tier:
    def __init__(self, area, run_server, disk):
        self.master = run_server(Master(area, "parent"))
        self.proxy = CountingProxy(self.master.address)
        self.node = Node(area, self.proxy.url, "small-node", data=disk.path / "data").start()
        self.registry, self.edge = Registry(self.master.address), Registry(self.node.address)


@pytest.fixture
def tier(area, run_server, disk):
    tier = Tier(area, run_server, disk)
    yield tier
    tier.proxy.close()
    tier.node.end()


def test_a_node_on_a_full_disk_serves_hits_and_answers_misses_quickly(disk, tier):
    manifest, digest = tier.registry.put_image("a/b", "v1", LAYERS)
    pulls_all(tier.edge, manifest)
    wait_until(lambda: all(tier.node.blob_file(oci.digest_of(layer)).exists() for layer in LAYERS), "all is held", 5)
    use_up(disk, tier.node)
    cold = [os.urandom(size) for size in (10, 300_000, 5 * MEBIBYTE)]
    other, other_digest = tier.registry.put_image("a/cold", "v1", cold)
    for _ in range(3):
        pulls_all(tier.edge, manifest)
        for data in cold:
            begin = time.monotonic()
            response = tier.edge.get_blob("a/cold", oci.digest_of(data))
            assert time.monotonic() - begin < 5
            if response.status == 200:
                assert response.body == data
            else:
                assert response.status in (503, 507) and response.code, response
                message = response.json["errors"][0]["message"]
                assert "room" in message or "free" in message, message
        assert tier.edge.get_manifest("a/cold", "v1").body == other, "a manifest needs no room"
    assert tier.node.running() and tier.node.is_ready()
    assert not list((tier.node.data / "tmp").iterdir())
    (disk.path / "filler").unlink()

    def pulls():
        return all(tier.edge.get_blob("a/cold", oci.digest_of(data)).body == data for data in cold)

    wait_until(pulls, "misses are filled again", 1, 0.02)
    tier.node.restart()
    gets = tier.proxy.count("GET", "/blobs/")
    assert pulls() and tier.proxy.count("GET", "/blobs/") == gets


def test_a_node_started_on_a_full_disk_serves_hits_and_fills_once_there_is_room(disk, tier):
    manifest, _ = tier.registry.put_image("a/b", "v1", LAYERS)
    pulls_all(tier.edge, manifest)
    wait_until(lambda: all(tier.node.blob_file(oci.digest_of(layer)).exists() for layer in LAYERS), "all is held", 5)
    use_up(disk, tier.node)
    tier.node.kill()
    disk.fill()
    tier.node.start()
    assert tier.node.ready_after <= 2
    pulls_all(tier.edge, manifest)
    (disk.path / "filler").unlink()
    cold, _ = tier.registry.put_image("a/cold", "v1", [b"a cold layer"])

    def pulls():
        return tier.edge.get_blob("a/cold", oci.digest_of(b"a cold layer")).body == b"a cold layer"

    wait_until(pulls, "misses are filled again", 2, 0.02)
    assert tier.edge.get_manifest("a/cold", "v1").body == cold


def test_a_disk_that_fills_up_in_the_middle_of_a_fill_ends_it_and_gives_the_bytes_back(disk, tier):
    data = oci.random_bytes(24 * MEBIBYTE, seed=3)
    digest = tier.registry.put_blob("a/b", data)
    go_on = threading.Event()
    tier.proxy.gate = (digest, 8 * MEBIBYTE, go_on)
    results = []

    def pull():
        try:
            results.append(tier.edge.get_blob("a/b", digest))
        except Broken as broken:
            results.append(broken)

    pullers = [threading.Thread(target=pull) for _ in range(3)]
    for puller in pullers:
        puller.start()

    def written():
        return sum(file.stat().st_size for file in (tier.node.data / "tmp").iterdir())

    wait_until(lambda: written() >= 7 * MEBIBYTE, "the first part is written", 10)
    disk.fill()
    begin = time.monotonic()
    go_on.set()
    for puller in pullers:
        puller.join(30)
        assert not puller.is_alive(), "a reader hangs"
    assert time.monotonic() - begin < 10
    assert len(results) == 3
    for result in results:
        assert isinstance(result, Broken) or result.status >= 500 or result.body == data
        assert not isinstance(result, Broken) or data.startswith(result.partial)
    wait_until(lambda: written() == 0, "tmp/ is empty", 5)
    assert tier.node.running()
    tier.proxy.gate = None
    (disk.path / "filler").unlink()
    wait_until(lambda: tier.edge.get_blob("a/b", digest).body == data, "the blob is filled", 2, 0.02)
