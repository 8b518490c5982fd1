"""Bundles: what a master has is carried to nodes and masters that no link leads to."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.clients import Skopeo
from wherry.feed import settle
from wherry.process import BIN, Master, Node, free_port, wait_until

BLOCK = 512


def wherry(role, *words, **env):
    """Runs a command to its end."""
    command = [str(word) for word in [BIN / f"wherry-{role}", *words]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    assert "terminate" not in done.stderr, done.stderr
    return done


def export(master, file, *more):
    done = wherry("master", "export", "--server", master.url, "--out", file, *more)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(f"{file}.part")
    return file


def take_in(role, file, data, *more):
    done = wherry(role, "import", file, "--data", data, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(done, *words, code=1):
    """It failed with that code and one line that has all these words."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1 and done.stdout == "", done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def position_of(file):
    """The position that a bundle goes up to."""
    with tarfile.open(file) as tar:
        return json.load(tar.extractfile("wherry/bundle.json"))["position"]


def names_in(file):
    with tarfile.open(file) as tar:
        return tar.getnames()


def alone(area, data=None, name="island"):
    """A node whose parent cannot be reached."""
    return Node(area, f"http://127.0.0.1:{free_port()}", name, data=data)


def tree(folder):
    """Digests of the blobs of a data directory."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "blobs").rglob("*") if path.is_file()}


@pytest.fixture
def source(area, run_server):
    """A master of the test's own."""
    return run_server(Master(area, "source"))


@pytest.fixture
def skopeo(area):
    return Skopeo(area)


def assert_image(registry, repository, tag, manifest, blobs):
    answer = registry.get_manifest(repository, tag)
    assert answer.status == 200 and answer.body == manifest, answer
    for blob in blobs:
        assert registry.get_blob(repository, oci.digest_of(blob)).body == blob


def test_a_node_without_a_link_serves_all_that_a_bundle_brought(area, run_server, source, skopeo):
    registry = Registry(source.address)
    layers = [os.urandom(300_000), os.urandom(10)]
    config = b'{"architecture":"amd64","os":"linux"}'
    app, app_digest = registry.put_image("team/app", "1.0", layers, config=config)
    registry.put_manifest("team/app", "latest", app)
    children = []
    for number in range(2):
        child, digest = registry.put_image("other/multi", f"part{number}", [b"layer %d" % number], config=oci.encode({"n": number}))
        children.append(oci.descriptor(child, oci.OCI_MANIFEST, platform={"os": "linux", "architecture": f"a{number}"}))
        if number == 1:
            untagged = digest
    assert registry.call("DELETE", "/v2/other/multi/manifests/part1").status == 202
    index = oci.image_index(children)
    registry.put_manifest("other/multi", "all", index, oci.OCI_INDEX)
    registry.put_blob("team/app", b"{}")
    about = oci.artifact(oci.descriptor(app, oci.OCI_MANIFEST), "application/vnd.example.note")
    about_digest = oci.digest_of(about)
    registry.put_manifest("team/app", about_digest, about)
    shared = oci.image_manifest(config, layers, annotations={"in": "another"})
    for blob in [config, *layers]:
        registry.put_blob("third/app", blob)
    registry.put_manifest("third/app", "x", shared)
    long_blob = b"by another algorithm"
    assert registry.push_blob("team/app", long_blob, digest=oci.digest_of(long_blob, "sha512")).status == 201
    by_512 = oci.encode({"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "config": oci.descriptor(config, oci.OCI_CONFIG),
                         "layers": [{"mediaType": oci.OCI_LAYER, "digest": oci.digest_of(long_blob, "sha512"),
                                     "size": len(long_blob)}]})  # fmt: skip
    registry.put_manifest("team/app", "long", by_512)

    bundle = export(source, area / "all.tar")
    names = names_in(bundle)
    assert len(names) == len(set(names)), "each manifest and blob is in it once"
    node = alone(area)
    said = take_in("node", bundle, node.data)
    assert "7 manifests and 9 blobs" in said, said
    edge = Registry(run_server(node).address)
    assert edge.get("/v2/_catalog").json["repositories"] == ["other/multi", "team/app", "third/app"]
    assert edge.tags("team/app") == ["1.0", "latest", "long"] and edge.tags("other/multi") == ["all", "part0"]
    assert_image(edge, "team/app", "1.0", app, [config, *layers])
    assert_image(edge, "third/app", "x", shared, [config, *layers])
    assert edge.get_manifest("team/app", "latest")["Docker-Content-Digest"] == app_digest
    assert edge.get_manifest("other/multi", "all").body == index
    assert edge.get_manifest("other/multi", untagged).status == 200
    assert edge.get_manifest("team/app", "long").body == by_512
    assert edge.get_blob("team/app", oci.digest_of(long_blob, "sha512")).body == long_blob
    assert [each["digest"] for each in edge.referrers("team/app", app_digest).json["manifests"]] == [about_digest]
    assert edge.get_manifest("team/app", "never").code == "MANIFEST_UNKNOWN"
    assert edge.get_manifest("team/app", "1.0")["Wherry-Position"] == str(position_of(bundle))
    assert skopeo.pull(f"{node.address}/team/app:1.0") == app


def test_tools_that_know_nothing_of_wherry_read_a_bundle_as_an_oci_layout(area, source, skopeo):
    registry = Registry(source.address)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    config = oci.encode({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}})
    manifest, _ = registry.put_image("team/app", "1.0", [layer.getvalue()], config=config)
    registry.put_image("team/app", "2.0", [b"other"], config=b'{"n":2}')
    bundle = export(source, area / "all.tar")
    assert skopeo.run("inspect", "--raw", f"oci-archive:{bundle}:team/app:1.0").encode() == manifest
    with tarfile.open(bundle) as tar:
        tar.extractall(area / "layout")
    skopeo.run("copy", f"oci:{area}/layout:team/app:1.0", f"dir:{area}/copied")
    assert (area / "copied" / "manifest.json").read_bytes() == manifest


def test_one_more_layer_on_a_large_image_is_a_bundle_of_that_layer(area, run_server, source):
    registry = Registry(source.address)
    large = os.urandom(50_000_000)
    registry.put_image("team/app", "v1", [large])
    first = export(source, area / "first.tar")
    assert first.stat().st_size > len(large)
    node = alone(area)
    take_in("node", first, node.data)
    more = os.urandom(20_000)
    manifest, _ = registry.put_image("team/app", "v2", [large, more], config=b'{"os":"linux","v":2}')
    second = export(source, area / "second.tar", "--since", position_of(first))
    assert second.stat().st_size < len(more) + 30 * BLOCK, "the layer, a config, a manifest and what tells of them"
    said = take_in("node", second, node.data)
    assert "1 manifests and 2 blobs" in said, said
    edge = Registry(run_server(node).address)
    assert_image(edge, "team/app", "v2", manifest, [large, more])


def test_a_tag_that_moved_and_a_manifest_that_was_deleted_arrive(area, run_server, source):
    registry = Registry(source.address)
    old, old_digest = registry.put_image("team/app", "latest", [b"old"], config=b'{"n":1}')
    _, gone = registry.put_image("team/app", "gone", [b"gone"], config=b'{"n":2}')
    registry.put_manifest("team/app", "stays", old)
    registry.put_manifest("team/app", "untagged", old)
    first = export(source, area / "first.tar")
    node = alone(area)
    take_in("node", first, node.data)
    new, _ = registry.put_image("team/app", "latest", [b"new"], config=b'{"n":3}')
    assert registry.call("DELETE", f"/v2/team/app/manifests/{gone}").status == 202
    assert registry.call("DELETE", "/v2/team/app/manifests/untagged").status == 202
    # Put and deleted in between: not in the bundle, and nobody misses it.
    _, brief = registry.put_image("team/app", "brief", [b"brief"], config=b'{"n":4}')
    assert registry.call("DELETE", f"/v2/team/app/manifests/{brief}").status == 202
    second = export(source, area / "second.tar", "--since", position_of(first))
    take_in("node", second, node.data)
    run_server(node)
    edge = Registry(node.address)
    assert edge.get_manifest("team/app", "latest").body == new
    assert edge.get_manifest("team/app", "stays").body == old
    assert edge.get_manifest("team/app", gone).status != 200
    assert edge.get_manifest("team/app", "gone").code == "MANIFEST_UNKNOWN"
    assert edge.tags("team/app") == ["latest", "stays"]
    # A whole bundle over it says the same.
    node.stop()
    registry.put_image("team/app", "last", [b"last"], config=b'{"n":5}')
    take_in("node", export(source, area / "third.tar"), node.data)
    node.start()
    assert edge.tags("team/app") == ["last", "latest", "stays"] and edge.get_manifest("team/app", "latest").body == new


def test_a_bundle_goes_on_where_the_node_followed_and_the_node_follows_where_the_bundle_ended(area, run_server, source):
    registry = Registry(source.address)
    node = run_server(Node(area, source.url))
    registry.put_image("team/app", "one", [b"one"], config=b'{"n":1}')
    wait_until(lambda: node.status()["feed"]["complete"], "it follows")
    edge = Registry(node.address)

    def has_followed():
        listed = edge.get("/v2/team/app/tags/list")
        return listed["Wherry-Position"] and listed.json["tags"] == ["one"]

    wait_until(has_followed, "it has followed")
    node.stop()
    # It knows that name, and holds nothing of it.
    said = take_in("node", export(source, area / "all.tar"), node.data)
    assert "1 manifests and 2 blobs" in said or "0 manifests and 2 blobs" in said, said
    two, _ = registry.put_image("team/app", "two", [b"two"], config=b'{"n":2}')
    take_in("node", export(source, area / "more.tar", "--since", "1"), node.data)
    source.stop()
    node.start()
    assert_image(edge, "team/app", "two", two, [b"two"])  # by the bundle alone
    source.start()
    registry.put_image("team/app", "three", [b"three"], config=b'{"n":3}')
    settle(source, node)
    assert node.status()["feed"]["state"] == "following"


def test_a_second_import_of_the_same_bundle_changes_nothing(area, run_server, source):
    registry = Registry(source.address)
    registry.put_image("team/app", "v1", [b"one"], config=b'{"n":1}')
    first = export(source, area / "first.tar")
    manifest, _ = registry.put_image("team/app", "v2", [b"two"], config=b'{"n":2}')
    second = export(source, area / "second.tar", "--since", position_of(first))
    node, other = alone(area), Master(area, "other")
    for role, data in (("node", node.data), ("master", other.data)):
        take_in(role, first, data)
        take_in(role, second, data)
        before = tree(data)
        for bundle in (second, first, second):
            assert "nothing is new" in take_in(role, bundle, data)
        assert tree(data) == before
    assert_image(Registry(run_server(node).address), "team/app", "v2", manifest, [b"two"])
    feed = Registry(run_server(other).address)
    assert feed.get_manifest("team/app", "v2").body == manifest
    assert feed.get("/wherry/v1/feed?from=8").status == 409, "no entries but one for each thing: repository, 2 of each image"


def test_a_bundle_from_a_later_position_is_refused_and_says_which_would_do(area, source):
    registry = Registry(source.address)
    registry.put_image("team/app", "v1", [b"one"], config=b'{"n":1}')
    first = export(source, area / "first.tar")
    registry.put_image("team/app", "v2", [b"two"], config=b'{"n":2}')
    second = export(source, area / "second.tar")
    registry.put_image("team/app", "v3", [b"three"], config=b'{"n":3}')
    late = export(source, area / "late.tar", "--since", position_of(second))
    for role in ("node", "master"):
        data = area / f"{role}-data"
        refused(wherry(role, "import", late, "--data", data), "export with --since 0")
        take_in(role, first, data)
        refused(wherry(role, "import", late, "--data", data), f"export with --since {position_of(first)}")
    nothing = export(source, area / "nothing.tar", "--since", position_of(late))
    refused(wherry("node", "import", nothing, "--data", area / "node-data"), f"--since {position_of(first)}")


def test_an_export_that_cannot_be_had_says_so_and_leaves_no_file(area, source):
    out = area / "out.tar"
    refused(wherry("master", "export", "--server", source.url, "--out", out, "--since", "99"), "not come to that position")
    refused(wherry("master", "export", "--server", f"http://127.0.0.1:{free_port()}", "--out", out), "127.0.0.1")
    refused(wherry("master", "export", "--server", "nonsense", "--out", out), "--server", code=64)
    refused(wherry("master", "export", "--server", source.url, "--out", area / "no" / "x"), "no/x.part", code=74)
    assert not out.exists() and not (area / "out.tar.part").exists()


def test_a_process_that_runs_on_the_data_is_named(area, run_server, source):
    bundle = export(source, area / "all.tar")
    node = run_server(alone(area))
    refused(wherry("node", "import", bundle, "--data", node.data), f"process {node.process.pid} runs on", "stop it first", code=74)
    refused(wherry("master", "import", bundle, "--data", source.data), f"process {source.process.pid} runs on", code=74)
    refused(wherry("node", "import", area / "none.tar", "--data", area / "fresh"), "there is no file", code=64)


def test_another_master_takes_a_bundle_in_as_its_own(area, run_server, source):
    registry = Registry(source.address)
    one, one_digest = registry.put_image("team/app", "v1", [b"one"], config=b'{"n":1}')
    registry.put_manifest("team/app", "latest", one)
    other = run_server(Master(area, "other"))
    theirs = Registry(other.address)
    mine, _ = theirs.put_image("team/app", "mine", [b"mine"], config=b'{"n":9}')
    below = run_server(Node(area, other.url, "below"))
    edge = Registry(below.address)
    other.stop()
    first = export(source, area / "first.tar")
    take_in("master", first, other.data)
    two, _ = registry.put_image("team/app", "latest", [b"two"], config=b'{"n":2}')
    assert registry.call("DELETE", f"/v2/team/app/manifests/{one_digest}").status == 202
    other.start()
    assert_image(theirs, "team/app", "v1", one, [b"one"])
    assert theirs.tags("team/app") == ["latest", "mine", "v1"]
    other.stop()
    said = take_in("master", export(source, area / "second.tar", "--since", position_of(first)), other.data)
    assert "1 tags were set, 2 names removed" in said, said
    other.start()
    assert_image(theirs, "team/app", "latest", two, [b"two"])
    assert_image(theirs, "team/app", "mine", mine, [b"mine"])
    assert theirs.get_manifest("team/app", one_digest).code == "MANIFEST_UNKNOWN"
    assert theirs.tags("team/app") == ["latest", "mine"]
    settle(other, below)
    assert edge.get_manifest("team/app", "latest").body == two and edge.tags("team/app") == ["latest", "mine"]


def test_a_bundle_of_a_master_that_is_not_trusted_is_refused(area, run_server, source):
    Registry(source.address).put_image("team/app", "v1", [b"one"], config=b'{"n":1}')
    stranger = run_server(Master(area, "stranger"))
    Registry(stranger.address).put_image("evil/app", "v1", [b"bad"], config=b'{"n":2}')
    good, bad = export(source, area / "good.tar"), export(stranger, area / "bad.tar")
    bad_feed = export(stranger, area / "bad-feed.tar", "--since", "1")
    source.stop()
    key = wherry("master", "feed-key", "--data", source.data).stdout.strip()
    for role in ("node", "master"):
        data = area / f"{role}-data"
        refused(wherry(role, "import", bad, "--data", data, "--key", key), "not trusted")
        take_in(role, good, data, "--key", key)
        for bundle in (bad, bad_feed):
            refused(wherry(role, "import", bundle, "--data", data), "not trusted")
        refused(wherry(role, "import", good, "--data", data, "--key", "xyz"), "--key", code=64)
    edge = Registry(run_server(alone(area, area / "node-data")).address)
    assert edge.get("/v2/_catalog").json["repositories"] == ["team/app"]


# What a hand between can do to a bundle: each gives other bytes for those of a good one.


def entries(data):
    """(name, header's place, content's place, size) of each file; each has one block of header."""
    found, at = [], 0
    while data[at : at + BLOCK].strip(b"\0"):
        name = data[at : at + 100].rstrip(b"\0").decode()
        size = int(data[at + 124 : at + 135], 8)
        found.append((name, at, at + BLOCK, size))
        at += BLOCK + -(-size // BLOCK) * BLOCK
    return found


def entry(data, word):
    return next(each for each in entries(data) if word in each[0])


def flip_in(word):
    def change(data):
        _, _, content, size = entry(data, word)
        at = content + size // 2
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change


def cut_at(share):
    return lambda data: data[: int(len(data) * share)]


def without(word):
    def change(data):
        _, header, content, size = entry(data, word)
        return data[:header] + data[content + -(-size // BLOCK) * BLOCK :]

    return change


def header_of(name, size=0, kind=b"0", link=b""):
    block = bytearray(BLOCK)
    block[: len(name)] = name.encode()
    block[100:124] = b"0000644\0" b"0000000\0" b"0000000\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar  \0"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def with_file(name, content=b"x", kind=b"0", link=b"", before="wherry/manifests"):
    def change(data):
        _, at, _, _ = entry(data, before)
        padded = content + b"\0" * (-len(content) % BLOCK)
        return data[:at] + header_of(name, len(content), kind, link) + padded + data[at:]

    return change


def renamed(word, name):
    def change(data):
        _, header, content, size = entry(data, word)
        return data[:header] + header_of(name, size) + data[content:]

    return change


def resized(word, size):
    def change(data):
        name, header, content, _ = entry(data, word)
        return data[:header] + header_of(name, size) + data[content:]

    return change


def swapped(data):
    """Two blobs under each other's names, all else right."""
    blobs = [each for each in entries(data) if each[0].startswith("blobs/") and each[3] == 3000]
    assert len(blobs) == 2
    (_, _, first, size), (_, _, second, _) = blobs
    changed = bytearray(data)
    changed[first : first + size], changed[second : second + size] = data[second : second + size], data[first : first + size]
    return bytes(changed)


TAMPERING = {
    "a bit of the layout's version": flip_in("oci-layout"),
    "a bit of the signed names": flip_in("wherry/feed"),
    "a bit of a manifest": lambda data: flip_in(next(e[0] for e in entries(data) if e[0].startswith("blobs/")))(data),
    "a bit of the list of manifests": flip_in("wherry/manifests"),
    "a bit of a blob": lambda data: flip_in([e[0] for e in entries(data) if e[0].startswith("blobs/")][-1])(data),
    "a bit of index.json": flip_in("index.json"),
    "a bit of bundle.json": flip_in("wherry/bundle.json"),
    "a bit behind the end of a file": lambda data: data[:-1100] + b"\1" + data[-1099:],
    "a bit of the end": lambda data: data[:-1] + b"\1",
    "bytes behind the end": lambda data: data + b"\0",
    "cut in the first header": lambda data: data[:100],
    "cut to nothing": lambda data: b"",
    "cut in the middle": cut_at(0.5),
    "cut near the end": cut_at(0.97),
    "without its end": lambda data: data[:-1024],
    "without a manifest": lambda data: without(next(e[0] for e in entries(data) if e[0].startswith("blobs/")))(data),
    "without a blob": lambda data: without([e[0] for e in entries(data) if e[0].startswith("blobs/")][-1])(data),
    "without the signed names": without("wherry/feed"),
    "without index.json": without("index.json"),
    "without bundle.json": without("wherry/bundle.json"),
    "two blobs exchanged": swapped,
    "a path that climbs": with_file("../../etc/evil"),
    "an absolute path": with_file("/etc/evil"),
    "a path that climbs inside blobs": with_file("blobs/sha256/../../evil", before="index.json"),
    "a symbolic link": with_file("blobs/sha256/" + "0" * 64, b"", b"2", b"/etc/passwd"),
    "a hard link": with_file("blobs/sha256/" + "0" * 64, b"", b"1", b"oci-layout"),
    "a device": with_file("blobs/sha256/" + "0" * 64, b"", b"3"),
    "a pax header": with_file("PaxHeaders/x", b"17 path=/etc/evil", b"x"),
    "a manifest that nothing names": with_file("blobs/sha256/" + hashlib.sha256(b"x").hexdigest()),
    "a blob that nothing names": with_file("blobs/sha256/" + hashlib.sha256(b"x").hexdigest(), before="index.json"),
    "a file of another kind": with_file("README", before="index.json"),
    "an upper-case name": lambda data: renamed("blobs/", entry(data, "blobs/")[0].upper().replace("BLOBS/SHA256", "blobs/sha256"))(data),
    "a manifest of gigabytes": lambda data: resized("blobs/", 1 << 32)(data),
    "a layout of gigabytes": resized("oci-layout", 1 << 32),
    "facts of gigabytes": resized("wherry/bundle.json", 1 << 32),
    "no bundle at all": lambda data: os.urandom(5000),
}


@pytest.fixture(scope="module")
def carried(session_area):
    """Bundles of a master, and data directories of a node and a master that took the first one in."""
    area = session_area / "carried"
    area.mkdir()
    source = Master(area, "source").start()
    registry = Registry(source.address)
    registry.put_image("team/app", "v1", [b"one"], config=b'{"n":1}')
    export(source, area / "first.tar")
    registry.put_image("team/app", "v2", [os.urandom(3000), os.urandom(3000)], config=b'{"n":2}')
    registry.put_manifest("team/app", "v1", registry.get_manifest("team/app", "v2").body)
    export(source, area / "second.tar", "--since", position_of(area / "first.tar"))
    export(source, area / "whole.tar")
    source.end()
    for role in ("node", "master"):
        take_in(role, area / "first.tar", area / role)
    yield area
    shutil.rmtree(area)


def still_serves_the_first(area, run_server, role, data):
    server = alone(area, data, "after") if role == "node" else Master(area, "after", data=data)
    registry = Registry(run_server(server).address)
    assert registry.tags("team/app") == ["v1"]
    assert registry.get_manifest("team/app", "v1").body == oci.image_manifest(b'{"n":1}', [b"one"])
    assert registry.get_blob("team/app", oci.digest_of(b"one")).body == b"one"
    assert len(tree(data)) == 2, "nothing else stays on the disk"
    server.stop()


@pytest.mark.parametrize("role", ["node", "master"])
def test_a_bundle_that_was_changed_is_refused_and_nothing_changes(area, run_server, carried, role):
    good = (carried / "second.tar").read_bytes()
    data = area / "data"
    shutil.copytree(carried / role, data)
    before = tree(data)
    for how, change in TAMPERING.items():
        changed = change(good)
        assert changed != good, how
        (area / "changed.tar").write_bytes(changed)
        done = wherry(role, "import", area / "changed.tar", "--data", data)
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (1, 1, ""), (how, done)
        assert tree(data) == before, how
    still_serves_the_first(area, run_server, role, data)
    take_in(role, carried / "second.tar", data)
    server = alone(area, data, "then") if role == "node" else Master(area, "then", data=data)
    registry = Registry(run_server(server).address)
    assert registry.tags("team/app") == ["v1", "v2"]
    assert registry.get_manifest("team/app", "v1").body == registry.get_manifest("team/app", "v2").body


@pytest.mark.parametrize("bundle", ["first", "second"])
def test_no_bit_of_a_bundle_can_be_changed(area, run_server, carried, bundle):
    good = (carried / f"{bundle}.tar").read_bytes()
    chosen = random.Random(7)
    data = area / "data"
    if bundle == "second":
        shutil.copytree(carried / "node", data)
    for at in [chosen.randrange(len(good)) for _ in range(60)]:
        (area / "changed.tar").write_bytes(good[:at] + bytes([good[at] ^ 1 << chosen.randrange(8)]) + good[at + 1 :])
        done = wherry("node", "import", area / "changed.tar", "--data", data)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, (at, done)
    if bundle == "second":
        still_serves_the_first(area, run_server, "node", data)
    take_in("node", carried / f"{bundle}.tar", data)


@pytest.mark.parametrize("role", ["node", "master"])
@pytest.mark.parametrize("bundle", ["second", "whole"])
def test_an_import_that_is_killed_leaves_whole_images_and_the_next_one_ends_it(area, run_server, carried, role, bundle):
    kills = 0
    for place in ["blob-renamed:1", "blob-renamed:3", *(f"batch-written:{number}" for number in range(1, 30))]:
        data = area / place
        shutil.copytree(carried / role, data)
        done = wherry(role, "import", carried / f"{bundle}.tar", "--data", data, WHERRY_FAILPOINT=place)
        if done.returncode == 0:  # so many there are
            break
        assert done.returncode == -9, done
        kills += 1
        for name in ("killed", "ended"):
            server = alone(area, data, f"{name}-{place}") if role == "node" else Master(area, f"{name}-{place}", data=data)
            registry = Registry(run_server(server).address)
            manifest = registry.get_manifest("team/app", "v1")
            assert manifest.status == 200
            for layer in [manifest.json["config"], *manifest.json["layers"]]:
                assert registry.get_blob("team/app", layer["digest"]).status == 200, place
            server.stop()
            if name == "killed":
                take_in(role, carried / f"{bundle}.tar", data)
        assert len(manifest.json["layers"]) == 2, "it is the new one in the end"
    assert kills >= 4
