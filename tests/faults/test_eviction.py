"""A cache smaller than what is asked of it: never over its mark, and no pull breaks."""

import http.client
import os
import random
import signal
import stat
import threading
import time
from pathlib import Path

import pytest
from harm import files_below
from wherry import liar as lies
from wherry import oci
from wherry.client import Broken, Registry
from wherry.disk import Disk
from wherry.liar import Liar
from wherry.process import Master, Node, wait_until

MEBIBYTE = 1 << 20


class CachingNode(Node):
    """A node with a `cache:` section."""

    def __init__(self, area, parent_url, cache, more="", **how):
        super().__init__(area, parent_url, **how)
        self.config = self.folder / "node.yaml"
        self.configure(cache, more)

    def configure(self, cache, more=""):
        self.config.write_text("cache:\n" + "".join(f"  {key}: {value}\n" for key, value in cache.items()) + more)

    def command(self):
        return [*super().command(), "--config", self.config]

    def holds(self, data):
        return self.blob_file(oci.digest_of(data)).exists()

    def metric(self, name):
        return sum(value for (sample, _), value in self.metrics().items() if sample == name)

    def disk_bytes(self):
        """What blobs take on the disk, by their names; true only while nothing moves."""
        return sum(folder_bytes(self.data / folder) for folder in ("blobs", "tmp", "trash", "quarantine"))


def folder_bytes(folder):
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


class Meter:
    """A disk of a node's own, and what blobs take of it at one moment: files without a name, too.

    ext4 counts the blocks of a file that is gone until its journal is written, which takes a while on a busy machine. Whatever
    is over `mark` by that is measured by the files themselves, with the node stopped meanwhile: one that comes while others are
    counted would be seen beside the one that went for it. The smaller figure counts.
    """

    def __init__(self, disk, node, mark=float("inf")):
        self.disk, self.node, self.mark = disk, node, mark
        self.base = self.used() - self.names()

    def used(self):
        about = os.statvfs(self.disk.path)
        return (about.f_blocks - about.f_bfree) * about.f_frsize

    def names(self):
        return folder_bytes(self.node.data / "names")

    def blob_bytes(self):
        before = self.names()
        used = self.used()
        taken = used - self.base - max(before, self.names())
        if taken <= self.mark:
            return taken
        self.node.process.send_signal(signal.SIGSTOP)
        try:
            return min(taken, self.bytes_of_files())
        finally:
            self.node.process.send_signal(signal.SIGCONT)

    def bytes_of_files(self):
        """Each file once, whatever names it has or had."""
        sizes = {}
        named = (path for folder in ("blobs", "tmp", "trash", "quarantine") for path in (self.node.data / folder).rglob("*"))
        for path in [*named, *Path(f"/proc/{self.node.process.pid}/fd").iterdir()]:
            try:
                about = path.stat()
                opened = os.readlink(path) if path.is_relative_to("/proc") else ""
            except OSError:
                continue  # gone meanwhile
            if stat.S_ISREG(about.st_mode) and "/names/" not in opened and about.st_dev == os.stat(self.disk.path).st_dev:
                sizes[about.st_ino] = about.st_blocks * 512
        return sum(sizes.values())


class Watch:
    """Measures something again and again while it is entered; keeps the most."""

    def __init__(self, measure, interval=0.02):
        self.measure, self.interval = measure, interval
        self.most, self.looks, self._over = float("-inf"), 0, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.is_set():
            self.most = max(self.most, self.measure())
            self.looks += 1
            self._over.wait(self.interval)


@pytest.fixture
def master(area, run_server):
    return run_server(Master(area))


@pytest.fixture
def registry(master):
    return Registry(master.address)


@pytest.fixture
def run_node(disks, area, master):
    mine = []

    def run(cache, more="", parent_url=None, **how):
        mine.append(CachingNode(area, parent_url or master.url, cache, more, **how))
        return mine[-1].start()

    yield run
    for node in mine:
        node.end()


@pytest.fixture
def disks():
    """Takes disks that go with the test, after its servers."""
    mine = []

    def take(disk):
        mine.append(disk)
        return disk

    yield take
    for disk in mine:
        disk.close()


def blobs(registry, sizes, seed=1, repository="a/b"):
    made = [oci.random_bytes(size, seed=seed * 1000 + number) for number, size in enumerate(sizes)]
    for data in made:
        registry.put_blob(repository, data)
    return made


def pull(node, data, repository="a/b"):
    response = Registry(node.address).get_blob(repository, oci.digest_of(data))
    assert response.status == 200 and response.body == data, response
    wait_until(lambda: not list((node.data / "tmp").iterdir()), "the fill is at its end", 5)


def pull_image(node, repository, tag, layers):
    edge = Registry(node.address)
    assert edge.get_manifest(repository, tag).status == 200
    for layer in layers:
        pull(node, layer, repository)


def slow_pull(address, digest, seconds, errors):
    """Reads a blob evenly over so many seconds and checks it."""
    try:
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("GET", f"/v2/a/b/blobs/{digest}")
        response = connection.getresponse()
        assert response.status == 200, (response.status, response.read())
        length, got, begin = int(response.headers["Content-Length"]), bytearray(), time.monotonic()
        while piece := response.read(64 * 1024):
            got += piece
            time.sleep(max(0, begin + seconds * len(got) / length - time.monotonic()))
        assert oci.digest_of(bytes(got)) == digest, f"{len(got)} of {length} bytes"
        connection.close()
    except Exception as error:  # whatever it is, the test must see it
        errors.append(repr(error))


@pytest.mark.timeout(180)
def test_slow_readers_of_a_working_set_of_ten_caches_all_end_well_under_the_mark(area, registry, run_node, disks):
    rand = random.Random(1)
    mark = 32 * MEBIBYTE
    data = blobs(registry, [rand.choice([1000, 50_000, MEBIBYTE, 3 * MEBIBYTE, 9 * MEBIBYTE]) for _ in range(110)])
    digests = [oci.digest_of(one) for one in data]
    assert sum(map(len, data)) > 9 * mark
    disk = disks(Disk(area, 512))
    node = run_node({"max-bytes": mark}, data=disk.path / "data")
    meter = Meter(disk, node, mark)
    errors, pulls = [], []

    def reader(number):
        mine = random.Random(number)
        for _ in range(12):
            digest = digests[int(len(digests) * mine.random() ** 2)]
            slow_pull(node.address, digest, mine.choice([0, 0.2, 1.5]), errors)
            pulls.append(digest)

    with Watch(meter.blob_bytes, 0.005) as watch, Watch(lambda: node.metric("wherry_cache_bytes"), 0.2) as told:
        readers = [threading.Thread(target=reader, args=[number]) for number in range(30)]
        for thread in readers:
            thread.start()
        for thread in readers:
            thread.join()
    assert not errors, errors[:5]
    assert len(pulls) == 360 and watch.looks > 20
    assert watch.most <= mark, f"{watch.most - mark} bytes over the mark"
    assert watch.most > mark / 2, "the cache was not used"
    assert told.most <= mark == node.metric("wherry_cache_max_bytes")
    assert node.metric("wherry_cache_evictions_total") > 20
    assert node.metric("wherry_cache_evicted_bytes_total") > mark
    print(f"most {watch.most}, {node.metric('wherry_cache_evictions_total')} evictions,"
          f" {node.metric('wherry_cache_blobs_total')} blobs")  # fmt: skip
    assert node.running() and not [line for line in node.log_lines() if line.get("level") == "error"]


def test_a_reader_of_a_held_blob_keeps_it_and_reads_it_to_its_end(registry, run_node):
    # More than the sockets between take, so that the node has to read on.
    read, *others = blobs(registry, [36 * MEBIBYTE] + [4 * MEBIBYTE] * 6)
    node = run_node({"max-bytes": 50 * MEBIBYTE})
    pull(node, read)
    errors = []
    slow = threading.Thread(target=slow_pull, args=[node.address, oci.digest_of(read), 6, errors])
    slow.start()
    time.sleep(0.3)
    for _ in range(3):
        for other in others:
            pull(node, other)
        assert node.holds(read)
    assert slow.is_alive(), "the reader was too fast for this test"
    slow.join()
    assert not errors, errors


def test_a_blob_larger_than_the_cache_is_passed_on_unstored_and_checked(registry, run_node):
    large, small = blobs(registry, [9 * MEBIBYTE + 77, 100_000])
    node = run_node({"max-bytes": 4 * MEBIBYTE})
    edge, digest = Registry(node.address), oci.digest_of(large)
    pull(node, small)
    for _ in range(2):
        pull(node, large)
    for first, last in ((0, 0), (5, 300_000), (MEBIBYTE, 3 * MEBIBYTE), (len(large) - 1, len(large) - 1)):
        part = edge.get_blob("a/b", digest, range=f"bytes={first}-{last}")
        assert part.status == 206 and part.body == large[first : last + 1]
    parts = edge.get_blob("a/b", digest, range="bytes=100-199,5000000-5000099")
    assert parts.status == 206 and large[100:200] in parts.body and large[5000000:5000100] in parts.body
    assert node.holds(small) and not node.holds(large)
    assert node.metric("wherry_cache_no_room_total") > 0
    assert node.metric("wherry_cache_evictions_total") == 0, "nothing goes for what cannot come"
    results = []
    crowd = [threading.Thread(target=lambda: results.append(edge.get_blob("a/b", digest).body == large)) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert results == [True] * 8


def test_slow_readers_of_what_is_passed_on_unstored_hold_up_nobody_else(run_node):
    parent = Liar()
    readers = []
    try:
        large = parent.add_blob(oci.random_bytes(32 * MEBIBYTE, seed=97))
        small = oci.random_bytes(100_000, seed=96)
        node = run_node({"max-bytes": 4 * MEBIBYTE}, parent_url=parent.url, more="parent:\n  limits: {concurrent: 2}\n")
        edge = Registry(node.address)
        for _ in range(6):
            reader = http.client.HTTPConnection(*node.address.split(":"), timeout=60)
            reader.request("GET", edge.blob_path("a/b", large))
            readers.append(reader)
        wait_until(lambda: len([seen for seen in list(parent.seen) if large in seen.path]) >= 2, "it is passed on", 10)
        time.sleep(0.5)
        begin = time.monotonic()
        assert edge.get_blob("a/b", parent.add_blob(small)).body == small
        assert time.monotonic() - begin < 5
    finally:
        for reader in readers:
            reader.close()
        parent.close()


def test_a_blob_whose_size_is_told_late_has_no_more_room_than_another(run_node):
    """It comes chunked, breaks, and the answer to the range says that it is larger than the cache."""

    def chunked_and_broken(handler, data, headers):
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n" % (MEBIBYTE, data[:MEBIBYTE]))
        handler.hang_up()

    parent = Liar()
    try:
        data = oci.random_bytes(9 * MEBIBYTE, seed=99)
        digest = parent.add_blob(data, [chunked_and_broken, lies.honest])
        node = run_node({"max-bytes": 6 * MEBIBYTE}, parent_url=parent.url)
        with Watch(lambda: node.metric("wherry_cache_bytes")) as held:
            answer = Registry(node.address).get_blob("a/b", digest)
            wait_until(lambda: not list((node.data / "tmp").iterdir()), "the fill is at its end", 5)
            time.sleep(0.2)
        assert answer.status == 200 and answer.body == data
        assert held.most <= 6 * MEBIBYTE and not node.holds(data)
    finally:
        parent.close()


def test_a_blob_without_room_is_passed_on_although_its_source_broke_at_first(run_node):
    parent = Liar()
    try:
        data = oci.random_bytes(9 * MEBIBYTE, seed=98)
        digest = parent.add_blob(data, [lies.reset_at_once, lies.honest])
        node = run_node({"max-bytes": 4 * MEBIBYTE}, parent_url=parent.url)
        answer = Registry(node.address).get_blob("a/b", digest)
        assert answer.status == 200 and answer.body == data
    finally:
        parent.close()


def test_a_blob_that_is_passed_on_is_checked_and_goes_on_where_its_source_broke(run_node):
    parent = Liar()
    try:
        data = [oci.random_bytes(5 * MEBIBYTE + number, seed=number) for number in range(4)]
        broken = parent.add_blob(data[0], [lies.honest, lies.truncated, lies.reset, lies.honest])  # the fill, then ...
        wrong = parent.add_blob(data[1], [lies.wrong_bytes])
        last = parent.add_blob(data[2], [lies.wrong_last_byte])
        short = parent.add_blob(data[3], [lies.honest, lies.too_short])
        node = run_node({"max-bytes": 2 * MEBIBYTE}, parent_url=parent.url)
        edge = Registry(node.address)
        assert edge.get_blob("a/b", broken).body == data[0]
        for digest in (wrong, last, short):
            for ranges in ({}, {"range": "bytes=0-99"}, {"range": "bytes=4000000-"}):
                with pytest.raises(Broken):
                    response = edge.get_blob("a/b", digest, **ranges)
                    assert response.status >= 500 or (digest == short and response.status == 416), response
                    raise Broken("told at once")
    finally:
        parent.close()


def of_unknown_length(handler, data, _):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for at in range(0, len(data), 100_000):
        piece = data[at : at + 100_000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def test_a_blob_of_unknown_size_makes_room_as_it_grows(run_node):
    parent = Liar()
    try:
        data = [oci.random_bytes(6 * MEBIBYTE, seed=number) for number in range(5)]
        large = oci.random_bytes(20 * MEBIBYTE, seed=9)
        digests = [parent.add_blob(one, [of_unknown_length] * 3) for one in [*data, large]]
        node = run_node({"max-bytes": 17 * MEBIBYTE}, parent_url=parent.url)
        with Watch(lambda: node.metric("wherry_cache_bytes"), 0.005) as watch:
            for one in data:
                pull(node, one)
            response = Registry(node.address).get_blob("a/b", digests[-1])
            assert response.body == large or response.status == 503, response
        assert watch.most <= 17 * MEBIBYTE and node.disk_bytes() <= node.metric("wherry_cache_bytes")
        assert node.holds(data[-1]) or node.metric("wherry_cache_evictions_total") > 3
        assert not list((node.data / "tmp").iterdir())
    finally:
        parent.close()


def test_what_a_pattern_pins_stays(registry, run_node):
    base = blobs(registry, [3 * MEBIBYTE], seed=1, repository="base/os")
    layers = [oci.random_bytes(2 * MEBIBYTE, seed=number) for number in (11, 12)]
    registry.put_image("team/app", "v1", layers)
    crowd = blobs(registry, [2 * MEBIBYTE] * 20, seed=3)
    node = run_node({"max-bytes": 14 * MEBIBYTE, "pins": '["base/*", "team/app:v?"]'})
    for data in base:
        pull(node, data, "base/os")
    pull_image(node, "team/app", "v1", layers)
    for data in crowd:
        pull(node, data)
    assert all(node.holds(data) for data in [*base, *layers])
    node.kill()  # nothing but the names tells the next start what is pinned
    node.start()
    for data in crowd:
        pull(node, data)
    assert all(node.holds(data) for data in [*base, *layers])
    assert sum(node.holds(data) for data in crowd) < 5


def test_a_cache_full_of_pinned_blobs_passes_the_rest_on(registry, run_node):
    pinned = blobs(registry, [3 * MEBIBYTE] * 3, repository="base/os")
    others = blobs(registry, [4 * MEBIBYTE] * 3, seed=2)
    node = run_node({"max-bytes": 11 * MEBIBYTE, "pins": "[base/*]"})
    for data in pinned:
        pull(node, data, "base/os")
    for data in others:
        pull(node, data)
    assert all(map(node.holds, pinned)) and not any(map(node.holds, others))


def test_untagged_blobs_go_first_and_then_the_least_wanted_image_whole(registry, run_node):
    images = {}
    for number in range(4):
        images[number] = [oci.random_bytes(2 * MEBIBYTE, seed=100 * number + layer) for layer in range(3)]
        registry.put_image("a/b", f"v{number}", images[number])
    loose = blobs(registry, [2 * MEBIBYTE] * 2, seed=9)
    more = blobs(registry, [2 * MEBIBYTE] * 6, seed=10)
    node = run_node({"max-bytes": 24 * MEBIBYTE})

    def held(number):
        return sum(map(node.holds, images[number]))

    for number in range(3):
        pull_image(node, "a/b", f"v{number}", images[number])
    for data in loose:
        pull(node, data)
    time.sleep(1.1)  # what is asked for again at once counts as the same pull
    pull_image(node, "a/b", "v0", images[0])
    assert [held(0), held(1), held(2)] == [3, 3, 3]
    for data in more[:2]:  # untagged makes place for untagged
        pull(node, data)
    assert [held(0), held(1), held(2)] == [3, 3, 3] and not any(map(node.holds, loose[:1]))
    pull_image(node, "a/b", "v3", images[3])
    assert not any(map(node.holds, loose + more[:2]))
    assert [held(0), held(2), held(3)] == [3, 3, 3] and held(1) < 3, [held(n) for n in range(4)]
    for data in more[2:4]:  # the image that is cut goes on going
        pull(node, data)
    assert [held(0), held(1), held(2), held(3)] == [3, 0, 3, 3]
    # An image whose tag has moved on is as good as none.
    registry.put_image("a/b", "v2", images[3])
    pull_image(node, "a/b", "v2", images[3])
    for data in more[4:]:
        pull(node, data)
    assert held(0) == 3 and held(3) == 3


def test_the_order_of_leaving_survives_a_restart(registry, run_node):
    hot, *crowd = blobs(registry, [2 * MEBIBYTE] * 30)
    node = run_node({"max-bytes": 10 * MEBIBYTE})
    pull(node, hot)
    pull(node, hot)
    for data in crowd[:8]:
        pull(node, data)
    assert node.holds(hot)
    node.restart()
    for data in crowd[8:12]:
        pull(node, data)
    assert node.holds(hot)


def test_a_lowered_mark_is_true_once_the_node_is_ready(registry, run_node):
    data = blobs(registry, [MEBIBYTE] * 20)
    node = run_node({"max-bytes": 64 * MEBIBYTE})
    for one in data:
        pull(node, one)
    node.stop()
    node.configure({"max-bytes": 8 * MEBIBYTE})
    node.start()
    assert 0 < node.disk_bytes() <= 8 * MEBIBYTE
    for one in data:
        pull(node, one)
    assert node.disk_bytes() <= 8 * MEBIBYTE


@pytest.mark.parametrize("place", ["blobs-forgotten:3", "blob-evicted:1", "blob-evicted:4"])
def test_a_kill_in_an_eviction_leaves_no_file_without_a_row_and_breaks_nothing(registry, run_node, place):
    data = blobs(registry, [500_000, MEBIBYTE, 3 * MEBIBYTE] * 8)
    node = run_node({"max-bytes": 10 * MEBIBYTE})
    for one in data[:6]:
        pull(node, one)
    node.stop()
    node.start(env={"WHERRY_FAILPOINT": place})
    with pytest.raises(Exception):
        for one in data[6:]:
            pull(node, one)
    assert node.wait_end() == -9
    files = {name for name in files_below(node.data / "blobs")}
    node.start()
    left = {name for name in files_below(node.data / "blobs")}
    assert left <= files
    assert place.startswith("blob-evicted") or left < files, "the kill left no file behind"
    assert not list((node.data / "tmp").iterdir()) and not list((node.data / "trash").iterdir())
    held = node.metric("wherry_cache_bytes")
    assert node.disk_bytes() <= held <= 10 * MEBIBYTE
    with Watch(lambda: node.metric("wherry_cache_bytes")) as watch:
        for _ in range(2):
            for one in data:
                pull(node, one)
    assert watch.most <= 10 * MEBIBYTE and node.disk_bytes() <= node.metric("wherry_cache_bytes")
    assert node.metric("wherry_store_damaged_blobs_total") == 0


def test_a_file_without_a_row_is_removed_and_a_row_without_a_file_is_a_miss(registry, run_node):
    data = blobs(registry, [MEBIBYTE] * 3)
    node = run_node({"max-bytes": 10 * MEBIBYTE})
    for one in data:
        pull(node, one)
    node.stop()
    stray = node.blob_file(oci.digest_of(b"a stray"))
    stray.write_bytes(b"a stray")
    node.blob_file(oci.digest_of(data[0])).unlink()
    node.start()
    assert not stray.exists()
    for one in data:
        pull(node, one)
        assert node.holds(one)
    assert node.disk_bytes() <= node.metric("wherry_cache_bytes") <= 4 * MEBIBYTE


@pytest.mark.timeout(120)
def test_a_disk_smaller_than_the_working_set_keeps_its_free_space(area, registry, run_node, disks):
    disk = disks(Disk(area, 160))
    low_water = 40 * MEBIBYTE
    rand = random.Random(5)
    data = blobs(registry, [rand.choice([20_000, MEBIBYTE, 4 * MEBIBYTE, 11 * MEBIBYTE]) for _ in range(70)])
    assert sum(map(len, data)) > 200 * MEBIBYTE
    node = run_node({"max-bytes": "1TiB"}, f"space:\n  low-water-bytes: {low_water}\n", data=disk.path / "data")
    errors = []

    def reader(number):
        mine = random.Random(number)
        for _ in range(25):
            slow_pull(node.address, oci.digest_of(mine.choice(data)), mine.choice([0, 0, 0.3]), errors)

    with Watch(lambda: -disk.free_bytes(), 0.005) as watch:
        readers = [threading.Thread(target=reader, args=[number]) for number in range(6)]
        for thread in readers:
            thread.start()
        for thread in readers:
            thread.join()
    assert not errors, errors[:5]
    # The names' own files are not promised ahead; all else is.
    assert -watch.most >= low_water - 2 * MEBIBYTE, -watch.most / MEBIBYTE
    assert node.metric("wherry_cache_evictions_total") > 10
    print(f"least free {-watch.most / MEBIBYTE:.1f} MiB, {node.metric('wherry_cache_evictions_total')} evictions")


def test_a_wrong_pattern_is_told_with_its_line(area, master):
    node = CachingNode(area, master.url, {"max-bytes": "1GiB", "pins": '["team/app:"]'})
    node.start(ready_within=None)
    assert node.wait_end() == 78
    assert f"{node.config}:3: cache.pins" in node.text()
