"""The process dies at each step of each write: nothing acknowledged is lost, the rest is whole or not there, a retry does."""

import itertools

import pytest
from wherry import oci
from wherry.client import Broken, Registry
from wherry.process import Master, Node

MEBIBYTE = 1 << 20
CONFIG = b'{"architecture":"amd64","os":"linux"}'
numbers = itertools.count(1)


class Crashed:
    """One master's data through all the deaths of this file, and what was acknowledged before each."""

    def __init__(self, area):
        self.master = Master(area, "crashed-master")
        self.registry = Registry(self.master.address)
        self.manifests = {}  # (repository, reference) -> bytes
        self.blobs = {}  # (repository, digest) -> bytes

    def put_image(self, repository, tag, layers):
        manifest, digest = self.registry.put_image(repository, tag, layers, CONFIG)
        self.manifests |= {(repository, tag): manifest, (repository, digest): manifest}
        self.blobs |= {(repository, oci.digest_of(blob)): blob for blob in [CONFIG, *layers]}
        return manifest, digest

    def check(self):
        for (repository, reference), manifest in self.manifests.items():
            response = self.registry.get_manifest(repository, reference)
            assert response.status == 200 and response.body == manifest, (repository, reference, response)
        for (repository, digest), blob in self.blobs.items():
            response = self.registry.get_blob(repository, digest)
            assert response.status == 200 and response.body == blob, (repository, digest, response)

    def die_at(self, failpoint, operation):
        """Runs the operation on a process that dies there; gives nothing, for there must be no answer."""
        self.master.start(env={"WHERRY_FAILPOINT": failpoint})
        try:
            with pytest.raises(Broken):
                response = operation()
                pytest.fail(f"answered: {response}")
            assert self.master.wait_end(5) == -9
        finally:
            self.master.end()
        self.master.start()
        assert self.master.ready_after <= 2


@pytest.fixture(scope="module")
def crashed(session_area):
    crashed = Crashed(session_area)
    crashed.master.start()
    crashed.put_image("kept/image", "v1", [b"a small layer", oci.random_bytes(MEBIBYTE + 17, seed=1)])
    crashed.master.stop()
    yield crashed
    crashed.master.end()


@pytest.fixture
def repository(crashed):
    """A repository of this test's own; after the test the master is not running."""
    yield f"crashed/n{next(numbers)}"
    crashed.master.end()


# Where a push of a blob can die: (flow, failpoint, whether the blob is there afterwards).
BLOB_DEATHS = [
    (flow, failpoint, there)
    for flow, deaths in {
        "post": ["blob-synced", "blob-renamed", "folder-synced", "+batch-written", "+before-answer"],
        "put": ["blob-synced", "blob-renamed", "folder-synced", "+batch-written", "+before-answer"],
        "stream": [
            "blob-synced", "batch-written", "before-answer", "blob-renamed", "folder-synced", "+batch-written:2",
            "+before-answer:2",
        ],
        "chunks": [
            "blob-synced:1", "blob-synced:2", "blob-synced:3", "batch-written:1", "batch-written:3", "before-answer:1",
            "before-answer:3", "blob-renamed", "folder-synced", "+batch-written:4", "+before-answer:4",
        ],
    }.items()
    for there, failpoint in [(death.startswith("+"), death.lstrip("+")) for death in deaths]
]  # fmt: skip


@pytest.mark.parametrize("flow, failpoint, there", BLOB_DEATHS)
def test_a_push_of_a_blob_that_dies_leaves_it_whole_or_not_at_all(crashed, repository, flow, failpoint, there):
    data = oci.random_bytes(2 * MEBIBYTE + 4567, seed=f"{flow}{failpoint}")
    digest = oci.digest_of(data)
    crashed.die_at(failpoint, lambda: crashed.registry.push_blob(repository, data, flow))
    crashed.check()
    found = crashed.registry.get_blob(repository, digest)
    assert found.status == (200 if there else 404), found
    assert not there or found.body == data
    head = crashed.registry.head(crashed.registry.blob_path(repository, digest))
    assert head.status == found.status
    assert crashed.registry.push_blob(repository, data, flow).status == 201
    assert crashed.registry.get_blob(repository, digest).body == data
    crashed.blobs[repository, digest] = data
    crashed.put_image(repository, "v1", [data])


def push_manifest(crashed, repository):
    """A second manifest of the repository, under a tag of its own."""
    manifest = oci.image_manifest(CONFIG, [b"the layer"], annotations={"second": "yes"})
    digest = oci.digest_of(manifest)
    return (
        lambda: crashed.registry.push_manifest(repository, "second", manifest),
        {"second": (None, manifest), digest: (None, manifest)},
    )


def push_manifest_by_digest(crashed, repository):
    manifest = oci.image_manifest(CONFIG, [b"the layer"], annotations={"second": "yes"})
    digest = oci.digest_of(manifest)
    return lambda: crashed.registry.push_manifest(repository, digest, manifest), {digest: (None, manifest)}


def move_tag(crashed, repository):
    old = crashed.manifests[repository, "v1"]
    manifest = oci.image_manifest(CONFIG, [b"the layer"], annotations={"moved": "yes"})
    return lambda: crashed.registry.push_manifest(repository, "v1", manifest), {"v1": (old, manifest)}


def delete_tag(crashed, repository):
    old = crashed.manifests[repository, "v1"]
    path = crashed.registry.manifest_path(repository, "v1")
    return lambda: crashed.registry.call("DELETE", path), {"v1": (old, None)}


def delete_manifest(crashed, repository):
    old = crashed.manifests[repository, "v1"]
    path = crashed.registry.manifest_path(repository, oci.digest_of(old))
    return lambda: crashed.registry.call("DELETE", path), {"v1": (old, None), oci.digest_of(old): (old, None)}


@pytest.mark.parametrize("failpoint", ["batch-written", "before-answer"])
@pytest.mark.parametrize("operation", [push_manifest, push_manifest_by_digest, move_tag, delete_tag, delete_manifest])
def test_a_change_of_names_that_dies_is_wholly_done(crashed, repository, operation, failpoint):
    """Both failpoints lie behind the synced write: nobody was told, but all of it is there, and the same again is no harm."""
    crashed.master.start()
    crashed.put_image(repository, "v1", [b"the layer"])
    crashed.master.stop()
    run, changes = operation(crashed, repository)
    for reference in changes:
        crashed.manifests.pop((repository, reference), None)
    crashed.die_at(failpoint, run)
    crashed.check()

    def now(reference):
        response = crashed.registry.get_manifest(repository, reference)
        assert response.status in (200, 404)
        return response.body if response.status == 200 else None

    assert {reference: now(reference) for reference in changes} == {key: new for key, (_, new) in changes.items()}
    again = run()
    assert again.status in ((201,) if operation not in (delete_tag, delete_manifest) else (202, 404)), again
    assert {reference: now(reference) for reference in changes} == {key: new for key, (_, new) in changes.items()}
    tags = crashed.registry.tags(repository)
    assert sorted(tags) == sorted(
        tag for tag in ("v1", "second") if changes.get(tag, (0, tag == "v1"))[1]
    ), tags
    for reference, (_, new) in changes.items():
        if new is not None:
            crashed.manifests[repository, reference] = new


@pytest.mark.parametrize("failpoint", ["batch-written", "before-answer"])
@pytest.mark.parametrize("operation", ["mount", "delete a blob"])
def test_a_mount_or_a_deletion_of_a_blob_that_dies_is_wholly_done(crashed, repository, operation, failpoint):
    data = oci.random_bytes(100_000, seed=f"{operation}{failpoint}")
    digest = oci.digest_of(data)
    crashed.master.start()
    crashed.registry.put_blob("kept/source", data)
    crashed.blobs["kept/source", digest] = data
    if operation != "mount":
        crashed.registry.put_blob(repository, data)
    crashed.master.stop()
    if operation == "mount":
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from=kept/source"
        crashed.die_at(failpoint, lambda: crashed.registry.call("POST", path, headers={"Content-Length": "0"}))
    else:
        path = crashed.registry.blob_path(repository, digest)
        crashed.die_at(failpoint, lambda: crashed.registry.call("DELETE", path))
    crashed.check()
    assert crashed.registry.get_blob(repository, digest).status == (200 if operation == "mount" else 404)
    assert crashed.registry.push_blob(repository, data).status == 201
    assert crashed.registry.get_blob(repository, digest).body == data


NODE_DEATHS = [
    "fill-written:1", "fill-written:2", "fill-written:9", "blob-synced", "blob-renamed", "folder-synced", "batch-written:2",
]  # fmt: skip


@pytest.mark.parametrize("failpoint", NODE_DEATHS)
def test_a_node_that_dies_while_it_takes_a_blob_in_serves_all_of_it_later(area, run_server, registry, failpoint):
    """batch-written: the first is the manifest's, the second the blob's."""
    data = oci.random_bytes(4 * MEBIBYTE + 123, seed=failpoint)
    digest = oci.digest_of(data)
    name = f"dying/node{next(numbers)}"
    manifest, _ = registry.put_image(name, "v1", [data], CONFIG)
    master = "http://" + registry.address
    node = run_server(Node(area, master, settings=Node.ASKING), env={"WHERRY_FAILPOINT": failpoint})
    edge = Registry(node.address)
    assert edge.get_manifest(name, "v1").body == manifest
    try:
        assert edge.get_blob(name, digest).body == data  # the last steps may come after the client's last byte
    except Broken:
        pass
    assert node.wait_end(10) == -9
    node.start()
    assert node.ready_after <= 2
    assert not list((node.data / "tmp").iterdir())
    if node.blob_file(digest).exists():
        assert node.blob_file(digest).read_bytes() == data
    assert edge.get_manifest(name, "v1").body == manifest
    assert edge.get_blob(name, digest).body == data
    assert edge.get_blob(name, digest, range="bytes=4000000-").body == data[4_000_000:]


def test_a_failpoint_with_another_name_does_nothing(area, run_server):
    """So that the tests above do not pass because a process dies anyway."""
    master = run_server(Master(area), env={"WHERRY_FAILPOINT": "no-such-place"})
    Registry(master.address).put_image("a/b", "v1", [b"a layer"], CONFIG)
    assert master.stop() == 0
