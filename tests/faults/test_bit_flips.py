"""Damage on the disk is found before it leaves the house: no body with wrong bytes ends well, and what can heal does."""

import os
import random
import shutil
import time

import pytest
from harm import flip, flip_random
from oracle import KeptRegistry
from wherry import oci
from wherry.client import Broken, Registry
from wherry.process import Master, Node, wait_until
from wherry.proxy import CountingProxy

MEBIBYTE = 1 << 20
SIZES = [1, 2, 100, 4096, 4097, 70_000, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE + 333]


def some_blobs(count, seed):
    """digest -> bytes, of all sizes."""
    blobs = [oci.random_bytes(SIZES[number % len(SIZES)], seed * 1000 + number) for number in range(count)]
    blobs = [bytes([number % 256]) if len(blob) == 1 else blob for number, blob in enumerate(blobs)]
    return {oci.digest_of(blob): blob for blob in blobs}


def ends_well(registry, repository, digest, blob, **headers):
    """Whether a pull ends well; it may only with the right bytes. An error is an error with a body in the OCI form."""
    try:
        response = registry.get_blob(repository, digest, **headers)
    except Broken as broken:
        assert blob.startswith(broken.partial), "wrong bytes went out before the connection broke"
        return False
    if response.status == 200:
        assert response.body == blob, "a wrong body ended well"
        return True
    assert response.status in (404, 500) and response.code, response
    return False


def push_all(registry, repository, blobs):
    for digest, blob in blobs.items():
        assert registry.push_blob(repository, blob).status == 201


def complaints(server, digest):
    return [line for line in server.log_lines() if line.get("digest") == digest and "damaged" in line["message"]]


def quarantined(master, digest):
    return master.data / "quarantine" / digest.replace(":", "-")


def heals(master, registry, repositories, damaged):
    """What the master promises for each damaged blob that somebody has asked for."""
    for digest, blob in damaged.items():
        assert not ends_well(registry, repositories[0], digest, blob)
        wait_until(lambda: complaints(master, digest), f"the log tells of {digest}", 5)
        told = complaints(master, digest)
        assert len(told) == 1 and told[0]["level"] == "error"
        assert sorted(told[0]["repositories"].split(", ")) == sorted(repositories)
        head = registry.head(registry.blob_path(repositories[0], digest))
        assert head.status == 404, "a client that asks before it pushes would not push it again"
        assert registry.push_blob(repositories[0], blob).status == 201
        for repository in repositories:
            assert registry.get_blob(repository, digest).body == blob
    log_size = len(master.text())
    master.restart()
    for digest, blob in damaged.items():
        assert registry.get_blob(repositories[-1], digest).body == blob
    assert "damaged" not in master.text()[log_size:]


@pytest.mark.parametrize("when", ["stopped", "running before the first pull", "running after pulls"])
def test_a_master_quarantines_flipped_blobs_and_a_push_heals_all_repositories(area, run_server, when):
    rand = random.Random(5)
    master = run_server(Master(area))
    registry = Registry(master.address)
    blobs = some_blobs(40, seed=5)
    push_all(registry, "team/app", blobs)
    push_all(registry, "team/other", dict(list(blobs.items())[:20]))
    if when == "running before the first pull":
        master.restart()
    if when == "running after pulls":
        for _ in range(2):
            assert all(ends_well(registry, "team/app", digest, blob) for digest, blob in blobs.items())
    if when == "stopped":
        master.stop()
    for digest in blobs:
        assert os.stat(master.blob_file(digest)).st_mode & 0o777 == 0o444
        flip_random(master.blob_file(digest), rand)
    if when == "stopped":
        master.start()
    both, one = dict(list(blobs.items())[:20]), dict(list(blobs.items())[20:])
    # Nobody gets wrong bytes, not on the first, the second nor a partial read.
    for digest, blob in blobs.items():
        for _ in range(2):
            assert not ends_well(registry, "team/app", digest, blob)
        wait_until(quarantined(master, digest).exists, f"{digest} is in quarantine", 5)
        assert not master.blob_file(digest).exists()
        assert oci.digest_of(quarantined(master, digest).read_bytes()) != digest
    heals(master, registry, ["team/app", "team/other"], both)
    heals(master, registry, ["team/app"], one)


def test_a_flip_in_a_page_that_alone_left_memory_is_found(area, run_server):
    """The kernel gives up single pages of a file, also in the middle of what was proven."""
    rand = random.Random(6)
    master = run_server(Master(area))
    registry = Registry(master.address)
    blob = oci.random_bytes(MEBIBYTE, seed=6)
    digest = registry.put_blob("a/b", blob)
    for _ in range(2):
        assert registry.get_blob("a/b", digest).body == blob
    page = 4096 * rand.randrange(100, 150)
    descriptor = os.open(master.blob_file(digest), os.O_RDWR)
    os.pwrite(descriptor, bytes([blob[page] ^ 1]), page)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, page, 4096, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    assert not ends_well(registry, "a/b", digest, blob)


def test_ranges_of_a_damaged_blob_are_right_or_break(area, run_server):
    rand = random.Random(7)
    master = run_server(Master(area))
    registry = Registry(master.address)
    for number in range(8):
        blob = oci.random_bytes(5 * MEBIBYTE + 1, seed=700 + number)
        digest = registry.put_blob("a/b", blob)
        assert number % 2 or ends_well(registry, "a/b", digest, blob)
        position = rand.randrange(len(blob))
        flip(master.blob_file(digest), position, rand.randrange(8))
        for first, last in [(position, position), (0, len(blob) - 1), (max(0, position - 5000), position)]:
            try:
                response = registry.get_blob("a/b", digest, range=f"bytes={first}-{last}")
            except Broken as broken:
                assert blob[first:].startswith(broken.partial)
                continue
            assert response.status in (404, 500) and response.code, f"{number}: a range over a flipped bit ended well"
        assert registry.push_blob("a/b", blob).status == 201
        assert ends_well(registry, "a/b", digest, blob)


class Tier:
    def __init__(self, area, run_server):
        self.master = run_server(Master(area))
        self.proxy = CountingProxy(self.master.address)
        self.node = run_server(Node(area, self.proxy.url))
        self.registry, self.edge = Registry(self.master.address), Registry(self.node.address)

    def hold(self, blobs):
        """The node holds them all afterwards."""
        for digest, blob in blobs.items():
            assert ends_well(self.edge, "a/b", digest, blob)
        wait_until(lambda: all(self.node.blob_file(digest).exists() for digest in blobs), "the node holds all", 10)


@pytest.fixture
def tier(area, run_server):
    tier = Tier(area, run_server)
    yield tier
    tier.proxy.close()


@pytest.mark.parametrize("when", ["stopped", "running"])
def test_a_node_drops_flipped_blobs_and_the_next_pull_is_right(tier, when):
    rand = random.Random(8)
    blobs = some_blobs(30, seed=8)
    push_all(tier.registry, "a/b", blobs)
    tier.hold(blobs)
    fetched = {digest: tier.proxy.gets_of(digest) for digest in blobs}
    if when == "stopped":
        tier.node.stop()
    for digest in blobs:
        flip_random(tier.node.blob_file(digest), rand)
    if when == "stopped":
        tier.node.start()
    at_once = 0
    for digest, blob in blobs.items():
        first = ends_well(tier.edge, "a/b", digest, blob)
        at_once += first
        assert first or ends_well(tier.edge, "a/b", digest, blob), "the pull after a damaged one is right"
        assert tier.proxy.gets_of(digest) == fetched[digest] + 1
        assert ends_well(tier.edge, "a/b", digest, blob)
        assert tier.proxy.gets_of(digest) == fetched[digest] + 1
    assert at_once > len(blobs) // 2, "a blob whose first block is damaged is fetched anew before anything was sent"
    assert not list((tier.node.data / "quarantine").iterdir())


def test_a_node_whose_copy_is_damaged_while_the_parent_is_down_gives_an_error_and_later_the_bytes(tier):
    blobs = some_blobs(10, seed=9)
    push_all(tier.registry, "a/b", blobs)
    tier.hold(blobs)
    tier.proxy.broken = True
    for digest in blobs:
        flip(tier.node.blob_file(digest), 0)
    for digest, blob in list(blobs.items())[:3]:
        try:
            response = tier.edge.get_blob("a/b", digest)
        except Broken as broken:
            assert blob.startswith(broken.partial)
        else:
            assert response.status in (500, 502, 503, 504) and response.code
    tier.proxy.broken = False
    for digest, blob in blobs.items():
        assert ends_well(tier.edge, "a/b", digest, blob) or ends_well(tier.edge, "a/b", digest, blob)


def truncate(file):
    os.truncate(file, os.path.getsize(file) - 1)


def empty(file):
    os.truncate(file, 0)


def lengthen(file):
    with open(file, "ab") as end:
        end.write(b"more")


def remove(file):
    file.unlink()


def make_a_folder(file):
    file.unlink()
    file.mkdir()


def make_a_full_folder(file):
    make_a_folder(file)
    (file / "something").write_bytes(b"in it")


def make_a_symlink(file):
    """To the very same bytes: what is not our file is not served."""
    other = file.parent.parent / ("linked-" + file.name)
    shutil.copyfile(file, other)
    file.unlink()
    file.symlink_to(other)


def make_a_dangling_symlink(file):
    file.unlink()
    file.symlink_to("/nowhere")


def zero(file):
    """As after a power cut of a disk that lies."""
    file.write_bytes(b"\0" * os.path.getsize(file))


HARMS = [
    truncate, empty, lengthen, remove, make_a_folder, make_a_full_folder, make_a_symlink, make_a_dangling_symlink, zero,
]  # fmt: skip


@pytest.mark.parametrize("when", ["stopped", "running", "running and opened before"])
@pytest.mark.parametrize("role", ["master", "node"])
def test_a_file_that_is_not_what_was_stored_is_never_served_and_heals(tier, role, when):
    server, registry = (tier.master, tier.registry) if role == "master" else (tier.node, tier.edge)
    blobs = {}
    for number, harm in enumerate(HARMS):
        for size in (500, MEBIBYTE + 500):
            blob = oci.random_bytes(size, seed=number * 10 + len(when))
            blobs[oci.digest_of(blob)] = (blob, harm)
    push_all(tier.registry, "a/b", {digest: blob for digest, (blob, _) in blobs.items()})
    if role == "node":
        tier.hold({digest: blob for digest, (blob, _) in blobs.items()})
    if when == "running and opened before":
        assert all(ends_well(registry, "a/b", digest, blob) for digest, (blob, _) in blobs.items())
    else:
        server.stop()
    if when == "running":
        server.start()
    for digest, (_, harm) in blobs.items():
        harm(server.blob_file(digest))
    if when == "stopped":
        server.start()
    for digest, (blob, harm) in blobs.items():
        for _ in range(2):  # a descriptor that was open before may still give the right bytes
            begin = time.monotonic()
            well = ends_well(registry, "a/b", digest, blob)
            assert time.monotonic() - begin < 5, harm.__name__
        if role == "master":
            assert registry.push_blob("a/b", blob).status == 201, harm.__name__
            well = ends_well(registry, "a/b", digest, blob)
        assert well, f"{harm.__name__}: neither healed nor fetched anew"
    server.restart()
    assert not list((server.data / "trash").iterdir()), "folders that lay in the place of blobs are gone"
    for digest, (blob, harm) in blobs.items():
        response = registry.get_blob("a/b", digest)
        if response.status != 200 and when == "running and opened before":  # found only now
            assert role == "node" or registry.push_blob("a/b", blob).status == 201
            response = registry.get_blob("a/b", digest)
        assert response.status == 200 and response.body == blob, harm.__name__


@pytest.mark.parametrize("role", ["master", "node"])
def test_a_pipe_in_the_place_of_a_blob_stops_nobody(tier, role):
    """Opening one waits for its other end, unless it is told not to."""
    server, registry = (tier.master, tier.registry) if role == "master" else (tier.node, tier.edge)
    blobs = some_blobs(2, seed=12)
    push_all(tier.registry, "a/b", blobs)
    if role == "node":
        tier.hold(blobs)
    server.restart()
    digest, other = blobs
    server.blob_file(digest).unlink()
    os.mkfifo(server.blob_file(digest))
    for _ in range(2):
        answer = registry.call("GET", registry.blob_path("a/b", digest), timeout=5)
        assert answer.status in (200, 404, 500) and (answer.status != 200 or answer.body == blobs[digest])
    if role == "master":
        registry.call("POST", f"/v2/a/b/blobs/uploads/?digest={digest}", blobs[digest], timeout=5)
    assert registry.call("GET", registry.blob_path("a/b", digest), timeout=5).body == blobs[digest]
    assert ends_well(registry, "a/b", other, blobs[other])


@pytest.mark.timeout(120)
def test_a_scrub_finds_every_flip_without_any_reader(area, run_server):
    rand = random.Random(10)
    config = area / "scrub.yaml"
    config.write_text("scrub:\n  round: 1s\n")
    master = run_server(Master(area))
    node = run_server(Node(area, master.url))
    registry, edge = Registry(master.address), Registry(node.address)
    blobs = some_blobs(60, seed=10)
    push_all(registry, "a/b", blobs)
    for digest, blob in blobs.items():
        assert edge.get_blob("a/b", digest).body == blob
    wait_until(lambda: all(node.blob_file(digest).exists() for digest in blobs), "the node holds all", 10)
    flipped = rand.sample(sorted(blobs), 40)
    harms = dict(zip(flipped[:5], [truncate, remove, make_a_folder, make_a_symlink, zero]))
    for server in (node, master):
        server.stop()
        for digest in flipped:
            if harm := harms.get(digest):
                harm(server.blob_file(digest))
            else:
                flip_random(server.blob_file(digest), rand)
    for server in (master, node):
        server.start(extra=["--config", config])

    def all_found():
        return all({line.get("digest") for line in s.log_lines() if "damaged" in line["message"]} >= set(flipped) for s in (master, node))

    wait_until(all_found, "all flips are found", 90, 0.5)
    for server in (master, node):
        found = {line["digest"] for line in server.log_lines() if "damaged" in line["message"] and "digest" in line}
        assert found == set(flipped), "a good blob was called damaged"
    for digest, blob in blobs.items():
        if digest in flipped:
            assert harms.get(digest) is remove or os.path.lexists(quarantined(master, digest))
            assert registry.head(registry.blob_path("a/b", digest)).status == 404
            assert registry.push_blob("a/b", blob).status == 201
        assert registry.get_blob("a/b", digest).body == blob
        assert edge.get_blob("a/b", digest).body == blob


# Metadata


class Names:
    """A master whose metadata has a table and a log, stopped; and what it acknowledged."""

    def __init__(self, area):
        self.master = Master(area, "names-master").start()
        self.registry = KeptRegistry(self.master.address)
        self.manifests = {}
        self.blobs = {}
        self.push(0, 60)
        self.master.restart()  # what was in the log is in a table now
        self.registry.close()
        self.push(60, 120)
        for number in range(20):  # moved tags: a lost log would bring the old ones back
            self.put(f"v{number}", self.manifests[f"v{number + 60}"])
        self.master.stop()
        self.registry.close()
        self.good = area / "good"
        shutil.copytree(self.master.data, self.good, symlinks=True)

    def push(self, first, last):
        for number in range(first, last):
            blob = b"blob %d" % number
            assert self.registry.push_blob("team/app", blob).status == 201
            self.blobs[oci.digest_of(blob)] = blob
            self.put(f"v{number}", oci.image_manifest(blob, [blob], annotations={"number": str(number)}))

    def put(self, tag, manifest):
        assert self.registry.push_manifest("team/app", tag, manifest).status == 201
        self.manifests[tag] = manifest

    PATTERNS = {"table": "*.sst", "log": "*.log", "manifest": "MANIFEST-*", "current": "CURRENT", "options": "OPTIONS-*"}

    def files(self, kind):
        return [file for file in (self.master.data / "names").glob(self.PATTERNS[kind]) if file.stat().st_size > 0]

    def restore(self):
        shutil.rmtree(self.master.data)
        shutil.copytree(self.good, self.master.data, symlinks=True)

    def look(self):
        """Starts it over damage: either it refuses and says why, or all that it answers is right."""
        before = len(self.master.text())
        self.master.start(ready_within=None)
        state = wait_until(lambda: "over" if not self.master.running() else self.master.is_ready(), "ready or over", 20)
        if state == "over":
            code, said = self.master.wait_end(), self.master.text()[before:]
            assert code == 74, f"exit code {code}: {said}"
            assert str(self.master.data / "names") in said, said
            return "refused"
        wrong, errors = [], 0
        for things, get in ((self.manifests, self.registry.get_manifest), (self.blobs, self.registry.get_blob)):
            for reference, data in things.items():
                response = get("team/app", reference)
                errors += response.status >= 500
                if response.status < 500 and (response.status != 200 or response.body != data):
                    wrong.append((reference, response.status))
        assert self.master.running(), "it died while it answered"
        self.registry.close()
        self.master.stop()
        assert not wrong, f"{len(wrong)} acknowledged things are lost or as before and nobody was told: {wrong[:3]}"
        return f"served with {errors} errors" if errors else "served"


@pytest.fixture(scope="module")
def module_names(session_area):
    names = Names(session_area)
    yield names
    names.master.end()


@pytest.fixture
def names(module_names):
    """As the good store, and not running."""
    module_names.master.end()
    module_names.registry.close()
    module_names.restore()
    return module_names


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "kind, times",
    [
        ("table", 10),
        ("log", 10),
        ("manifest", 10),
        ("current", 4),
        ("options", 4),
    ],
)
def test_flips_in_the_metadata_are_refused_or_harmless_but_never_believed(names, kind, times):
    rand = random.Random(times)
    assert names.look() == "served"
    outcomes = []
    for _ in range(times):
        names.restore()
        file = max(names.files(kind), key=lambda path: path.stat().st_size)
        size = file.stat().st_size
        # The end of a log that is not whole looks like a write that a crash cut short, and that is no damage.
        flip(file, rand.randrange(size * 3 // 4 if kind == "log" else size), rand.randrange(8))
        outcomes.append(names.look())
    print(kind, outcomes)


@pytest.mark.parametrize("kind", ["table", "log", "manifest", "current"])
def test_a_metadata_file_that_is_gone_is_refused(names, kind):
    for file in names.files(kind):
        file.unlink()
    assert names.look() == "refused"


@pytest.mark.parametrize("role", ["master", "node"])
def test_odd_files_in_the_data_folder_do_no_harm(tier, role):
    server, registry = (tier.master, tier.registry) if role == "master" else (tier.node, tier.edge)
    blobs = some_blobs(10, seed=11)
    push_all(tier.registry, "a/b", blobs)
    if role == "node":
        tier.hold(blobs)
    stranger = oci.digest_of(b"nobody pushed it")

    def litter():
        for folder in ("", "blobs", "blobs/sha256", "blobs/sha256/ab", "blobs/sha512/00", "tmp", "trash", "quarantine"):
            place = server.data / folder
            (place / "odd file").write_bytes(b"odd")
            (place / ".hidden").write_bytes(b"odd")
            (place / "odd folder").mkdir(exist_ok=True)
            (place / "odd folder" / "with a file").write_bytes(b"odd")
            for name, target in (("odd link", "/etc/passwd"), ("dangling", "/nowhere"), ("loop", "loop")):
                if not os.path.lexists(place / name):
                    (place / name).symlink_to(target)
            if not (place / "odd pipe").exists():
                os.mkfifo(place / "odd pipe")
        for name in ("upload-", "upload-../../x".replace("/", "_"), "upload-" + "0" * 32, "upload-" + "z" * 32, "fill-odd"):
            (server.data / "tmp" / name).write_bytes(b"odd")
        server.blob_file(stranger).write_bytes(b"nobody pushed it")

    litter()
    server.restart()
    litter()
    server.kill()
    server.start()
    assert server.ready_after < 2
    for digest, blob in blobs.items():
        assert ends_well(registry, "a/b", digest, blob)
    assert registry.get_blob("a/b", stranger).status == 404
    if role == "master":
        assert registry.push_blob("a/b", b"nobody pushed it").status == 201
        registry.put_image("c/d", "v1", [b"a layer"])
        assert registry.get("/v2/_catalog").json["repositories"] == ["a/b", "c/d"]
    assert os.path.exists("/etc/passwd")
