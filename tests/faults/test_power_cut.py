"""Power fails: what was acknowledged is on the disk, also when it was acknowledged just before."""

import itertools
import os
import random
import threading
import time

import pytest
from oracle import Clients, KeptRegistry
from wherry import oci
from wherry.client import Broken, Registry
from wherry.disk import Disk
from wherry.liar import Liar, slowly
from wherry.process import Master, Node, wait_until

MEBIBYTE = 1 << 20
ROUNDS = 10


@pytest.fixture
def disk(area):
    disk = Disk(area, 256)
    yield disk
    disk.close()


def end_process(server):
    """It may have met the dead disk and ended by itself, with the code for that."""
    if server.running():
        server.kill()
    else:
        assert server.wait_end() == 74


def power_cut(server, disk):
    disk.cut()
    end_process(server)
    disk.unmount()
    disk.mount()
    server.start()
    assert server.ready_after <= 2


@pytest.mark.timeout(120)
def test_power_cuts_lose_nothing_that_was_acknowledged(area, run_server, disk):
    rand = random.Random(1)
    clients = Clients(4, seed=21)
    master = run_server(Master(area, data=disk.path / "data"))
    try:
        for number in range(ROUNDS):
            if number % 2:  # many pushes on their way
                clients.start(master.address)
                time.sleep(rand.uniform(0.1, 0.5))  # the moment of the fault
                clients.power_fails()
                disk.cut()
                end_process(master)
                clients.join()
                disk.unmount()
                disk.mount()
                master.start()
                assert master.ready_after <= 2
            else:  # the power fails when the push has just been acknowledged
                client, registry = clients.clients[number // 2 % 4], KeptRegistry(master.address)
                last = [client.push_image, client.push_blob, client.delete_tag, client.push_image, client.delete_blob]
                client.push_image(registry)
                last[number // 2](registry)
                power_cut(master, disk)
                registry.close()
            clients.check(master.address)
            clients.check_temporary(master)
        assert clients.check(master.address, everything=True) > 100
        clients.check_lists(master.address)
        assert not list((master.data / "quarantine").iterdir())
        print(f"{clients.acknowledged} acknowledged of {clients.sent} sent")
    finally:
        master.end()


@pytest.mark.parametrize("flow", Registry.FLOWS)
def test_a_blob_that_was_acknowledged_last_of_all_is_there_after_a_power_cut(area, run_server, disk, flow):
    master = run_server(Master(area, data=disk.path / "data"))
    registry = Registry(master.address)
    try:
        for size in (10, 5 * MEBIBYTE + 3):
            data = oci.random_bytes(size, seed=flow)
            digest = registry.put_blob("a/b", data, flow)
            power_cut(master, disk)
            assert registry.get_blob("a/b", digest).body == data
    finally:
        master.end()


def names_of_blobs(data):
    return list((data / "blobs/sha256").glob("*/*"))


@pytest.mark.parametrize("size", [10, 5000, 5 * MEBIBYTE + 3])
def test_a_blob_that_got_its_name_is_whole_when_the_power_fails_before_its_sync(area, run_server, disk, size):
    """The journal takes the name to the disk when somebody else syncs; the bytes must have been there before."""
    data = oci.random_bytes(size, seed=size)
    master = run_server(Master(area, data=disk.path / "data"), env={"WHERRY_FAILPOINT": "blob-renamed"})
    try:
        with pytest.raises(Broken):
            Registry(master.address).push_blob("a/b", data)
        assert master.wait_end(5) == -9
        with open(disk.path / "another file", "wb") as other:
            other.write(b"of somebody else")
            other.flush()
            os.fsync(other.fileno())
        disk.cut()
        disk.unmount()
        disk.mount()
        master.start()
        assert master.blob_file(oci.digest_of(data)).read_bytes() == data
        assert Registry(master.address).put_blob("a/b", data) == oci.digest_of(data)
    finally:
        master.end()


@pytest.mark.parametrize(
    "features, mounted_with, one",
    [(None, None, True), ("^has_journal", None, False), (None, "data=writeback", False), (None, "nobarrier", False)],
)
def test_a_blob_has_its_name_before_its_sync_only_where_a_journal_keeps_the_order(
    area, run_server, features, mounted_with, one
):
    disk = Disk(area, 64, features=features, mounted_with=mounted_with)
    master = run_server(Master(area, data=disk.path / "data"), env={"WHERRY_FAILPOINT": "blob-synced"})
    try:
        with pytest.raises(Broken):
            Registry(master.address).push_blob("a/b", b"content")
        assert master.wait_end(5) == -9
        assert master.blob_file(oci.digest_of(b"content")).exists() == one
    finally:
        master.end()
        disk.close()


@pytest.mark.timeout(120)
def test_every_file_that_has_the_name_of_a_blob_is_whole_after_power_cuts(area, run_server, disk):
    """Acknowledged or not, with others that sync all the time."""
    rand = random.Random(4)
    master = run_server(Master(area, data=disk.path / "data"))
    seen = set()
    numbers = itertools.count()
    cut = threading.Event()

    def push():
        registry = KeptRegistry(master.address)
        try:
            while not cut.is_set():
                size = rand.choice([0, 10, 4000, 70_000, MEBIBYTE + 7])
                registry.push_blob("a/b", oci.random_bytes(size, seed=next(numbers)), rand.choice(["post", "put"]))
        except Broken:
            pass
        registry.close()

    def sync():
        try:
            while not cut.is_set():
                with open(disk.path / "another file", "ab") as other:
                    other.write(b"of somebody else")
                    other.flush()
                    os.fsync(other.fileno())
        except OSError:
            pass

    try:
        for _ in range(ROUNDS):
            cut.clear()
            threads = [threading.Thread(target=target) for target in (push, push, push, push, sync)]
            for thread in threads:
                thread.start()
            time.sleep(rand.uniform(0.1, 0.5))  # the moment of the fault
            disk.cut()
            cut.set()
            end_process(master)
            for thread in threads:
                thread.join()
            disk.unmount()
            disk.mount()
            for file in names_of_blobs(master.data):
                assert oci.digest_of(file.read_bytes()) == f"sha256:{file.name}"
                seen.add(file.name)
            for file in names_of_blobs(master.data):
                file.unlink()  # so that the disk does not fill up
            master.start()
        assert len(seen) > 100
    finally:
        cut.set()
        master.end()


def test_an_upload_goes_on_from_the_acknowledged_offset_after_a_power_cut(area, run_server, disk):
    master = run_server(Master(area, data=disk.path / "data"))
    registry = Registry(master.address)
    data = oci.random_bytes(3 * MEBIBYTE, seed=5)
    try:
        location = registry.start_upload("a/b")
        for start, end in ((0, 1_500_000), (1_500_000, 1_500_001), (1_500_001, 3_000_000)):
            response = registry.patch(location, data[start:end], start)
            assert response.status == 202
            location = registry.location(response)
            power_cut(master, disk)
            status = registry.get(location)
            assert status.status == 204 and status["Range"] == f"0-{end - 1}", status
        assert registry.finish(location, oci.digest_of(data), data[3_000_000:], 3_000_000).status == 201
        assert registry.get_blob("a/b", oci.digest_of(data)).body == data
    finally:
        master.end()


@pytest.mark.timeout(60)
def test_a_node_serves_after_power_cuts_what_it_holds_or_fetches_it_anew(area, run_server, disk):
    rand = random.Random(2)
    parent = Liar()
    node = run_server(Node(area, parent.url, data=disk.path / "data"))
    edge = Registry(node.address)
    blobs = {}
    broken = []

    def pull(digest):
        try:
            response = edge.get_blob("a/b", digest)
            assert response.status != 200 or response.body == blobs[digest]
        except Broken:
            broken.append(digest)

    try:
        for number in range(6):
            fast = [oci.random_bytes(size, seed=number * 10 + size % 7) for size in (3000, 100_000, MEBIBYTE + 5)]
            slow = [oci.random_bytes(2 * MEBIBYTE + at, seed=number * 100 + at) for at in range(2)]
            blobs |= {parent.add_blob(data): data for data in fast}
            in_middle = {parent.add_blob(data, [slowly(4 * MEBIBYTE)]): data for data in slow}
            blobs |= in_middle
            for data in fast:
                assert edge.get_blob("a/b", oci.digest_of(data)).body == data
            pulls = [threading.Thread(target=pull, args=[digest]) for digest in in_middle]
            for thread in pulls:
                thread.start()
            time.sleep(rand.uniform(0, 0.5))  # the moment of the fault
            power_cut(node, disk)
            for thread in pulls:
                thread.join(60)
            parent.scripts.clear()
            assert not list((node.data / "tmp").iterdir())
            for digest, data in blobs.items():
                response = edge.get_blob("a/b", digest)
                assert response.status == 200 and response.body == data
        assert broken
    finally:
        node.end()
        parent.close()


def test_a_disk_that_fails_ends_the_process_with_74_and_nothing_is_acknowledged_any_more(area, run_server, disk):
    master = run_server(Master(area, data=disk.path / "data"))
    registry = Registry(master.address)
    try:
        registry.put_image("a/b", "v1", [b"a layer"])
        disk.cut()
        try:
            response = registry.push_blob("a/b", b"never written")
            assert response.status >= 500 and response.code
        except Broken:
            pass
        assert master.wait_end(10) == 74
        assert any("disk failed" in line["message"] for line in master.log_lines())
        disk.unmount()
        disk.mount()
        master.start()
        assert registry.get_blob("a/b", oci.digest_of(b"never written")).status == 404
        assert registry.get_manifest("a/b", "v1").status == 200
    finally:
        master.end()


def test_a_log_that_lost_synced_bytes_in_a_power_cut_is_refused(area, run_server, disk):
    """As by a disk that says synced and is not: the mark is on the disk within seconds, and tells."""
    master = run_server(Master(area, data=disk.path / "data"))
    registry = Registry(master.address)
    try:
        registry.put_image("a/b", "v1", [b"a layer"])
        mark = master.data / "names.mark"
        synced_after = time.monotonic() + 2.5
        wait_until(lambda: time.monotonic() > synced_after, "the mark was synced", 5, 0.1)
        disk.cut()
        end_process(master)
        disk.unmount()
        disk.mount()
        log = max((master.data / "names").glob("*.log"), key=lambda path: path.stat().st_size)
        whole = log.read_bytes()
        os.truncate(log, log.stat().st_size - 1)
        before = {file: file.read_bytes() for file in (master.data / "names").iterdir()}
        master.start(ready_within=None)
        assert master.wait_end(10) == 74
        assert str(log) in master.text() and str(mark) in master.text()
        assert {file: file.read_bytes() for file in (master.data / "names").iterdir()} == before, "something was changed"
        log.write_bytes(whole)  # "restored"
        master.start()
        assert registry.get_manifest("a/b", "v1").status == 200
    finally:
        master.end()
