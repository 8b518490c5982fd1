"""A node below a master: what it answers, what it asks, what it keeps."""

import hashlib
import http.client
import os
import threading
import time

import pytest
from wherry import oci
from wherry.client import Broken, Registry
from wherry.process import DockerRegistry, Master, Node, wait_until
from wherry.proxy import CountingProxy

MEBIBYTE = 1 << 20


class Tier:
    """A master, a counting proxy, and a node below it."""

    def __init__(self, area, run_server, parent=None):
        self.master = run_server(parent or Master(area))
        self.proxy = CountingProxy(self.master.address)
        self.node = run_server(Node(area, self.proxy.url, settings=Node.ASKING))
        self.registry = Registry(self.master.address)
        self.edge = Registry(self.node.address)


@pytest.fixture
def tier(area, run_server):
    tier = Tier(area, run_server)
    yield tier
    tier.proxy.close()


def test_an_image_pulls_through_a_node_byte_for_byte(registry, edge, repository):
    layers = [os.urandom(size) for size in (1, 5000, 3_000_000)]
    manifest, digest = registry.put_image(repository, "v1", layers)
    for reference in ("v1", digest):
        through = edge.get_manifest(repository, reference)
        assert through.status == 200 and through.body == manifest
        assert through["Docker-Content-Digest"] == digest
        assert through["Content-Type"] == oci.OCI_MANIFEST
        head = edge.head(edge.manifest_path(repository, reference))
        assert head.status == 200 and head["Docker-Content-Digest"] == digest and head["Content-Length"] == str(len(manifest))
    for layer in layers:
        for _ in ("a miss", "a hit"):
            blob = edge.get_blob(repository, oci.digest_of(layer))
            assert blob.status == 200 and blob.body == layer
            assert blob["Docker-Content-Digest"] == oci.digest_of(layer)
            assert blob["Content-Length"] == str(len(layer))
        assert edge.head(edge.blob_path(repository, oci.digest_of(layer)))["Content-Length"] == str(len(layer))


def test_a_head_of_a_cold_blob_tells_its_size(registry, edge, repository):
    digest = registry.put_blob(repository, os.urandom(100_000))
    head = edge.head(edge.blob_path(repository, digest))
    assert head.status == 200 and head["Content-Length"] == "100000" and head["Docker-Content-Digest"] == digest


def test_sha512_and_every_media_type_pass_through(registry, edge, repository):
    data = os.urandom(10_000)
    digest = oci.digest_of(data, "sha512")
    assert registry.push_blob(repository, data, "put", digest).status == 201
    assert edge.get_blob(repository, digest).body == data
    for number, media_type in enumerate([oci.OCI_INDEX, oci.DOCKER_LIST, "application/vnd.example+json"]):
        index = oci.image_index([], media_type)
        registry.put_manifest(repository, f"t{number}", index, media_type)
        through = edge.get_manifest(repository, f"t{number}", accept="text/html")
        assert through.body == index and through["Content-Type"] == media_type


def test_what_the_parent_has_not_is_404(registry, edge, repository):
    registry.put_image(repository, "v1", [b"a layer"])
    blob = edge.get_blob(repository, oci.digest_of(b"nothing"))
    assert blob.status == 404 and blob.code == "BLOB_UNKNOWN"
    for reference in ("none", oci.digest_of(b"nothing")):
        manifest = edge.get_manifest(repository, reference)
        assert manifest.status == 404 and manifest.code == "MANIFEST_UNKNOWN"
    assert edge.get_manifest("no/such/repository", "v1").status == 404


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/v2/a/b/blobs/uploads/"),
        ("PUT", "/v2/a/b/manifests/v1"),
        ("DELETE", "/v2/a/b/manifests/v1"),
        ("DELETE", "/v2/a/b/blobs/" + oci.digest_of(b"anything")),
        ("PATCH", "/v2/a/b/blobs/uploads/some-upload"),
        ("PUT", "/v2/a/b/blobs/uploads/some-upload?digest=" + oci.digest_of(b"anything")),
    ],
)
def test_a_push_to_a_node_is_405_and_names_the_master(master, edge, method, path):
    response = edge.call(method, path, b"{}")
    assert response.status == 405 and response.code == "UNSUPPORTED"
    assert master.address in response.json["errors"][0]["message"]
    assert method not in response["Allow"]


def test_names_outside_of_the_grammar_are_not_passed_on(tier):
    before = len(tier.proxy.seen)
    for path in ("/v2/UPPER/manifests/v1", "/v2/a/../b/tags/list", "/v2/a/blobs/sha256:123", "/v2/a%2fb/manifests/v1"):
        assert tier.edge.get(path).status == 400, path
    assert tier.edge.get("/nowhere").status == 404
    assert len(tier.proxy.seen) == before


def test_hits_never_ask_the_parent_for_digests(tier):
    layers = [os.urandom(200_000) for _ in range(5)]
    manifest, digest = tier.registry.put_image("a/b", "v1", layers)
    assert tier.edge.get_manifest("a/b", "v1").body == manifest
    for layer in layers:
        assert tier.edge.get_blob("a/b", oci.digest_of(layer)).body == layer
    wait_until(lambda: all(tier.node.blob_file(oci.digest_of(layer)).exists() for layer in layers), "the layers are kept")
    before = list(tier.proxy.seen)
    for _ in range(3):
        assert tier.edge.get_manifest("a/b", digest).body == manifest
        for layer in layers:
            assert tier.edge.get_blob("a/b", oci.digest_of(layer)).body == layer
            assert tier.edge.get_blob("a/b", oci.digest_of(layer), range="bytes=100-199").body == layer[100:200]
            assert tier.edge.head(tier.edge.blob_path("a/b", oci.digest_of(layer))).status == 200
    assert tier.proxy.seen == before
    tier.node.restart()
    for layer in layers:
        assert tier.edge.get_blob("a/b", oci.digest_of(layer)).body == layer
    assert tier.proxy.count(part="/blobs/") == sum("/blobs/" in seen.path for seen in before)


def test_a_blob_that_just_came_is_not_asked_about_again(tier):
    """While the rows of its fill are being written, too."""
    blobs = [oci.random_bytes(1000, seed=f"again{number}") for number in range(300)]
    digests = [tier.registry.put_blob("a/again", data) for data in blobs]
    for digest, data in zip(digests, blobs):
        for _ in range(3):
            assert tier.edge.get_blob("a/again", digest).body == data
    asked = [seen.path for seen in tier.proxy.seen if "/blobs/" in seen.path]
    assert sorted(asked) == sorted(f"/v2/a/again/blobs/{digest}" for digest in digests)


def test_a_tag_is_revalidated_with_a_head_and_not_fetched_again(tier):
    manifest, _ = tier.registry.put_image("a/b", "v1", [b"a layer"])
    assert tier.edge.get_manifest("a/b", "v1").body == manifest
    gets = tier.proxy.count("GET", "/manifests/")
    for _ in range(5):
        assert tier.edge.get_manifest("a/b", "v1").body == manifest
    assert tier.proxy.count("GET", "/manifests/") == gets
    assert tier.proxy.count("HEAD", "/manifests/v1") >= 5


def test_a_moved_tag_is_seen_at_once(tier):
    for number in range(5):
        manifest, digest = tier.registry.put_image("a/b", "latest", [b"layer %d" % number])
        through = tier.edge.get_manifest("a/b", "latest")
        assert through.body == manifest and through["Docker-Content-Digest"] == digest
        assert not through.stale


def test_a_deleted_tag_is_gone_at_once_and_stays_gone(tier):
    manifest, digest = tier.registry.put_image("a/b", "v1", [b"a layer"])
    assert tier.edge.get_manifest("a/b", "v1").status == 200
    assert tier.registry.call("DELETE", tier.registry.manifest_path("a/b", "v1")).status == 202
    assert tier.edge.get_manifest("a/b", "v1").status == 404
    assert tier.edge.head(tier.edge.manifest_path("a/b", "v1")).status == 404
    assert tier.edge.get_manifest("a/b", digest).body == manifest
    tier.master.stop()
    assert tier.edge.get_manifest("a/b", "v1").status in (404, 503, 502, 504)


@pytest.mark.parametrize("how", ["stopped", "broken connections"])
def test_with_the_parent_down_known_tags_are_served_with_a_warning_and_digests_as_ever(tier, how):
    layers = [os.urandom(300_000)]
    manifest, digest = tier.registry.put_image("a/b", "v1", layers)
    assert tier.edge.get_manifest("a/b", "v1").body == manifest
    assert tier.edge.get_blob("a/b", oci.digest_of(layers[0])).body == layers[0]
    if how == "stopped":
        tier.proxy.close()
    else:
        tier.proxy.broken = True
    for _ in range(3):
        stale = tier.edge.get_manifest("a/b", "v1")
        assert stale.status == 200 and stale.body == manifest
        assert stale.stale, stale
        head = tier.edge.head(tier.edge.manifest_path("a/b", "v1"))
        assert head.status == 200 and head.stale and head["Docker-Content-Digest"] == digest
    by_digest = tier.edge.get_manifest("a/b", digest)
    assert by_digest.body == manifest and not by_digest.stale
    assert tier.edge.get_blob("a/b", oci.digest_of(layers[0])).body == layers[0]
    begin = time.monotonic()
    unknown = tier.edge.get_blob("a/b", oci.digest_of(b"cold"))
    assert unknown.status in (502, 503, 504) and unknown.code
    assert tier.edge.get_manifest("a/b", "never-seen").status in (502, 503, 504)
    assert time.monotonic() - begin < 20

    tier.node.restart()
    assert tier.edge.get_manifest("a/b", "v1").stale
    assert tier.node.is_ready()

    if how == "stopped":
        tier.proxy.reopen()
    tier.proxy.broken = False
    moved, _ = tier.registry.put_image("a/b", "v1", [b"moved"])

    def fresh():
        response = tier.edge.get_manifest("a/b", "v1")
        return response.body == moved and not response.stale

    wait_until(fresh, "the node sees the parent again", 10)


def test_range_reads_of_a_cold_blob_give_the_right_bytes(tier):
    size = 8 * MEBIBYTE
    for first, last, asked in (
        (0, 99, "bytes=0-99"),
        (5_000_000, 5_000_999, "bytes=5000000-5000999"),
        (size - 10, size - 1, "bytes=-10"),
        (7_000_000, size - 1, "bytes=7000000-"),
    ):
        cold = os.urandom(size)
        digest = tier.registry.put_blob("a/b", cold)
        answer = tier.edge.get_blob("a/b", digest, range=asked)
        assert answer.status == 206 and answer.body == cold[first : last + 1]
        assert answer["Content-Range"] == f"bytes {first}-{last}/{size}"


def test_first_byte_of_a_large_cold_blob_comes_while_the_parent_still_sends(tier):
    data = os.urandom(MEBIBYTE) * 256
    digest = tier.registry.put_blob("a/b", data, "stream")
    go_on = threading.Event()
    tier.proxy.gate = (digest, 8 * MEBIBYTE, go_on)
    with tier.edge.open("GET", tier.edge.blob_path("a/b", digest)) as response:
        assert response.status == 200 and response.headers["Content-Length"] == str(len(data))
        sha256, received = hashlib.sha256(), 0
        while received < 4 * MEBIBYTE:  # the parent has sent no more than 8 MiB, and sends no more yet
            piece = response.read1(65536)
            assert piece
            sha256.update(piece)
            received += len(piece)
        assert not go_on.is_set()
        go_on.set()
        while piece := response.read(MEBIBYTE):
            sha256.update(piece)
            received += len(piece)
    assert received == len(data) and f"sha256:{sha256.hexdigest()}" == digest
    assert tier.proxy.gets_of(digest) == 1


def test_ranges_of_a_growing_blob_come_as_it_grows_and_end_once_the_whole_is_right(tier):
    data = os.urandom(32 * MEBIBYTE)
    digest = tier.registry.put_blob("a/b", data)
    go_on = threading.Event()
    tier.proxy.gate = (digest, 8 * MEBIBYTE, go_on)
    path = tier.edge.blob_path("a/b", digest)
    with tier.edge.open("GET", path) as response:
        assert response.read(MEBIBYTE) == data[:MEBIBYTE]
        with tier.edge.open("GET", path, headers={"Range": "bytes=1000-1999"}) as early:
            assert early.status == 206
            assert early.read(999) == data[1000:1999]  # its last byte is held back: the digest is not known to be right
            answers = []
            late = threading.Thread(target=lambda: answers.append(tier.edge.get(path, range="bytes=-1000")))
            late.start()
            go_on.set()
            late.join(60)
            assert early.read() == data[1999:2000]
        assert answers and answers[0].status == 206 and answers[0].body == data[-1000:]
        assert response.read() == data[MEBIBYTE:]


class Puller(threading.Thread):
    """Reads a whole blob and keeps only its digest, or leaves after some bytes."""

    def __init__(self, address, path, leave_after=None, started=None):
        super().__init__()
        self.address, self.path, self.leave_after, self.started = address, path, leave_after, started
        self.result = None

    def run(self):
        try:
            connection = http.client.HTTPConnection(self.address, timeout=120)
            connection.request("GET", self.path)
            response = connection.getresponse()
            sha256, received, buffer = hashlib.sha256(), 0, bytearray(1 << 18)
            view = memoryview(buffer)
            while count := response.readinto(buffer):
                sha256.update(view[:count])
                received += count
                if self.started:
                    self.started.set()
                if self.leave_after is not None and received >= self.leave_after:
                    break
            connection.close()
            self.result = (response.status, received, f"sha256:{sha256.hexdigest()}")
        except (OSError, http.client.HTTPException) as error:
            self.result = error


@pytest.mark.timeout(180)
def test_200_clients_on_one_cold_blob_cost_one_get_and_a_leaving_leader_changes_nothing(tier):
    data = os.urandom(64 * MEBIBYTE)
    digest = tier.registry.put_blob("a/b", data)
    path = tier.edge.blob_path("a/b", digest)
    go_on = threading.Event()
    tier.proxy.gate = (digest, 4 * MEBIBYTE, go_on)
    begun = threading.Event()
    leader = Puller(tier.node.address, path, leave_after=MEBIBYTE, started=begun)
    leader.start()
    assert begun.wait(30)
    followers = [Puller(tier.node.address, path, started=threading.Event()) for _ in range(199)]
    for follower in followers:
        follower.start()
    leader.join(30)
    for follower in followers:
        assert follower.started.wait(60), "a follower gets the bytes that are there before the parent sends more"
    go_on.set()
    for follower in followers:
        follower.join(150)
    assert leader.result[1] >= MEBIBYTE
    assert {follower.result for follower in followers} == {(200, len(data), digest)}
    assert tier.proxy.gets_of(digest) == 1
    assert tier.edge.get_blob("a/b", digest).body == data
    assert tier.proxy.gets_of(digest) == 1


def test_many_cold_manifests_at_once_cost_one_get_each(tier):
    manifest, digest = tier.registry.put_image("a/b", "v1", [b"a layer"])
    answers = []
    pullers = [threading.Thread(target=lambda: answers.append(tier.edge.get_manifest("a/b", digest).body)) for _ in range(50)]
    for puller in pullers:
        puller.start()
    for puller in pullers:
        puller.join()
    assert answers == [manifest] * 50
    assert tier.proxy.gets_of(digest) == 1


def test_all_clients_leaving_a_cold_blob_does_no_harm(tier):
    data = os.urandom(32 * MEBIBYTE)
    digest = tier.registry.put_blob("a/b", data)
    path = tier.edge.blob_path("a/b", digest)
    leavers = [Puller(tier.node.address, path, leave_after=1000) for _ in range(10)]
    for leaver in leavers:
        leaver.start()
    for leaver in leavers:
        leaver.join(60)
    assert tier.edge.get_blob("a/b", digest).body == data


def test_a_parent_that_dies_in_the_middle_breaks_the_body_and_a_later_pull_is_right(tier):
    data = os.urandom(32 * MEBIBYTE)
    digest = tier.registry.put_blob("a/b", data)
    path = tier.edge.blob_path("a/b", digest)
    go_on = threading.Event()
    tier.proxy.gate = (digest, 8 * MEBIBYTE, go_on)
    with tier.edge.open("GET", path, timeout=120) as response:
        assert response.read(MEBIBYTE) == data[:MEBIBYTE]
        tier.master.kill()
        tier.proxy.broken = True
        go_on.set()
        try:
            rest = response.read()
        except (http.client.IncompleteRead, OSError):
            rest = None
        assert rest is None or rest == data[MEBIBYTE:], "a body that ended well was wrong"
    tier.master.start()
    tier.proxy.broken, tier.proxy.gate = False, None

    def whole():
        try:
            return tier.edge.get(path).body == data
        except Broken:
            return False

    wait_until(whole, "the blob pulls again", 30)


def test_a_node_below_a_node_serves_too(tier, area, run_server):
    child = run_server(Node(area, tier.node.url, "child"))
    layers = [os.urandom(3_000_000)]
    manifest, digest = tier.registry.put_image("a/b", "v1", layers)
    edge = Registry(child.address)
    assert edge.get_manifest("a/b", "v1").body == manifest
    assert edge.get_blob("a/b", oci.digest_of(layers[0])).body == layers[0]
    assert edge.tags("a/b") == ["v1"]
    assert tier.proxy.gets_of(oci.digest_of(layers[0])) == 1


def test_a_foreign_registry_can_be_the_parent(area, run_server):
    tier = Tier(area, run_server, DockerRegistry(area))
    layers = [os.urandom(size) for size in (10, 100_000, 5_000_000)]
    manifest, digest = tier.registry.put_image("team/app", "v1", layers)
    for reference in ("v1", digest):
        through = tier.edge.get_manifest("team/app", reference)
        assert through.body == manifest and through["Docker-Content-Digest"] == digest
        assert through["Content-Type"] == oci.OCI_MANIFEST
    for layer in layers:
        assert tier.edge.get_blob("team/app", oci.digest_of(layer)).body == layer
        assert tier.edge.get_blob("team/app", oci.digest_of(layer), range="bytes=3-7").body == layer[3:8]
    assert tier.edge.tags("team/app") == ["v1"]
    assert tier.edge.get_manifest("team/app", "none").status == 404
    assert tier.edge.get_blob("team/app", oci.digest_of(b"nothing")).status == 404
    before = len(tier.proxy.seen)
    for layer in layers:
        assert tier.edge.get_blob("team/app", oci.digest_of(layer)).body == layer
    assert len(tier.proxy.seen) == before
    moved, _ = tier.registry.put_image("team/app", "v1", [b"moved"])
    assert tier.edge.get_manifest("team/app", "v1").body == moved
    tier.master.stop()
    stale = tier.edge.get_manifest("team/app", "v1")
    assert stale.body == moved and stale.stale
    tier.proxy.close()
