"""A parent that lies in every way there is: no wrong body ends well, nothing wrong is kept, and honesty heals."""

import re
import threading
import time

import pytest
from wherry import liar as lies
from wherry import oci
from wherry.client import Broken, Registry
from wherry.liar import Liar
from wherry.process import Node, wait_until

MEBIBYTE = 1 << 20

WAYS = [
    lies.wrong_bytes, lies.wrong_last_byte, lies.too_short, lies.too_long, lies.empty, lies.truncated, lies.reset,
    lies.reset_at_once, lies.html_page, lies.html_page_of_right_length, lies.wrong_length, lies.wrong_range,
    lies.server_error, lies.unavailable,
]  # fmt: skip


def garbage(handler, data, headers):
    """No HTTP at all."""
    handler.wfile.write(b"\x16\x03\x01 no http \r\n\r\n" + data[:1000])
    handler.hang_up()


def endless_head(handler, data, headers):
    """Header fields without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        for number in range(20_000):
            handler.wfile.write(b"X-Field-%d: %s\r\n" % (number, b"x" * 1000))
    except OSError:
        pass
    handler.hang_up()


def endless_body(handler, data, headers):
    """Chunked, the right bytes and then ever more."""
    handler.send_response_only(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        for _ in range(64):
            handler.wfile.write(b"%x\r\n%s\r\n" % (MEBIBYTE, bytes(MEBIBYTE)))
    except OSError:
        pass
    handler.hang_up()


def redirect_to_itself(handler, data, headers):
    handler.answer(302, b"", {"Location": handler.path})


def redirect_to_a_file(handler, data, headers):
    handler.answer(302, b"", {"Location": "file:///etc/passwd"})


def another_total(handler, data, headers):
    """Half of it; asked for the rest, it says that the whole is larger than it said."""
    start = handler.range_start(len(data))
    if start is None:
        return lies.truncated(handler, data, headers)
    body = data[start:] + b"more"
    total = start + len(body)
    handler.answer(206, body, {**headers, "Content-Range": f"bytes {start}-{total - 1}/{total}"})


def other_bytes_in_the_range(handler, data, headers):
    """Half of it; asked for the rest, it answers the right range with other bytes."""
    start = handler.range_start(len(data))
    if start is None:
        return lies.truncated(handler, data, headers)
    headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
    handler.answer(206, bytes(len(data) - start), headers)


def whole_for_the_range_with_other_bytes(handler, data, headers):
    """Half of it; asked for the rest, it gives another whole."""
    if handler.range_start(len(data)) is None:
        return lies.truncated(handler, data, headers)
    handler.answer(200, bytes(len(data)), headers)


def whole_for_the_range(handler, data, headers):
    """It knows no ranges: it gives the whole, always."""
    handler.answer(200, data, {name: value for name, value in headers.items() if name != "Accept-Ranges"})


def unsatisfiable(handler, data, headers):
    if handler.range_start(len(data)) is None:
        return lies.truncated(handler, data, headers)
    handler.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})


WAYS += [
    garbage, endless_head, endless_body, redirect_to_itself, redirect_to_a_file, another_total, other_bytes_in_the_range,
    whole_for_the_range_with_other_bytes, unsatisfiable,
]  # fmt: skip


def name_of(way):
    return way.__name__


class Pull(threading.Thread):
    """A pull and what came of it."""

    def __init__(self, edge, path):
        super().__init__()
        self.edge, self.path = edge, path
        self.response = self.broken = None
        self.start()

    def run(self):
        try:
            self.response = self.edge.call("GET", self.path, headers={"Accept": oci.OCI_MANIFEST}, timeout=120)
        except Broken as broken:
            self.broken = broken

    def end(self, seconds=60):
        self.join(seconds)
        assert not self.is_alive(), f"{self.path} hangs"
        return self


class Lied:
    """A node below a liar, asked for a blob and a manifest for each way to lie: all at once, for each takes its tries."""

    def __init__(self, area):
        self.liar = Liar()
        self.node = Node(area, self.liar.url, "lied-to").start()
        self.edge = Registry(self.node.address)
        self.blobs, self.manifests, self.pulls = {}, {}, {}
        for number, way in enumerate(WAYS):
            data = oci.random_bytes(600_000 + number, seed=number)
            manifest = oci.image_manifest(annotations={"number": str(number), "filling": "x" * 3000})
            self.blobs[way] = (self.liar.add_blob(data, [way]), data)
            self.manifests[way] = (self.liar.add_manifest(f"v{number}", manifest, script=[way]), manifest)
        for way in WAYS:
            self.pulls[way] = [Pull(self.edge, self.edge.blob_path("a/b", self.blobs[way][0])) for _ in range(2)]
            for reference in (self.manifests[way][0], f"v{WAYS.index(way)}"):
                self.pulls[way, reference] = Pull(self.edge, self.edge.manifest_path("a/b", reference))


@pytest.fixture(scope="module")
def lied(session_area):
    lied = Lied(session_area)
    yield lied
    lied.node.end()
    lied.liar.close()


def is_an_error(pull, data):
    """A pull that failed as it should: a broken body of right bytes, or an error in words."""
    if pull.broken:
        assert pull.broken.status is None or pull.broken.status in (200, 206)
        return True
    assert pull.response.status != 200 or pull.response.body == data, "a wrong body ended well"
    assert pull.response.status in (200, 404, 502, 503, 504), pull.response
    return pull.response.status != 200 and bool(pull.response.code)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_a_lie_about_a_blob_never_ends_well_is_not_kept_and_one_retry_is_enough(lied, way):
    digest, data = lied.blobs[way]
    for pull in lied.pulls[way]:
        assert is_an_error(pull.end(), data) or way is endless_body
    stored = lied.node.blob_file(digest)
    temporary = lied.node.data / "tmp" / f"fill-{digest.split(':')[1]}"
    wait_until(lambda: not temporary.exists(), "what came is thrown away", 20)
    assert not stored.exists() or stored.read_bytes() == data
    lied.liar.scripts.pop(digest)
    begin = time.monotonic()
    response = lied.edge.get_blob("a/b", digest)
    assert response.status == 200 and response.body == data
    assert time.monotonic() - begin < 5
    wait_until(stored.exists, "the blob is kept", 5)
    assert stored.read_bytes() == data
    assert lied.node.running()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_a_lie_about_a_manifest_never_ends_well_is_not_kept_and_one_retry_is_enough(lied, way):
    digest, manifest = lied.manifests[way]
    tag = f"v{WAYS.index(way)}"
    knows_ranges_only = way in (lies.wrong_range,)  # it lies only about ranges, which nobody asks of a manifest
    for reference in (digest, tag):
        pull = lied.pulls[way, reference].end()
        assert is_an_error(pull, manifest) or knows_ranges_only
        assert not pull.broken, "a manifest is known to be right before its head goes out"
    lied.liar.scripts.pop(digest)
    for reference in (tag, digest):
        response = lied.edge.get_manifest("a/b", reference)
        assert response.status == 200 and response.body == manifest
        assert response["Docker-Content-Digest"] == digest and not response.stale


def test_nothing_of_the_lies_is_left(lied):
    for pull in [pull for key, pulls in lied.pulls.items() for pull in (pulls if isinstance(pulls, list) else [pulls])]:
        pull.end()
    wait_until(lambda: not list((lied.node.data / "tmp").iterdir()), "tmp/ is empty", 20)
    assert not list((lied.node.data / "quarantine").iterdir())
    for folder in (lied.node.data / "blobs").rglob("*"):
        if folder.is_file():
            assert oci.digest_of(folder.read_bytes()) == f"sha256:{folder.name}"


@pytest.fixture
def liar():
    liar = Liar()
    yield liar
    liar.close()


@pytest.fixture
def edge(area, run_server, liar):
    return Registry(run_server(Node(area, liar.url)).address)


RESUMES = {
    "truncated": [lies.truncated],
    "truncated again and again": [lies.truncated] * 5,
    "reset": [lies.reset],
    "reset and refused": [lies.reset, lies.reset_at_once, lies.unavailable],
    "reset and an error": [lies.reset, lies.server_error],
    "wrong range once": [lies.truncated, lies.wrong_range],
    "a refused connection first": [lies.reset_at_once],
    "unavailable first": [lies.unavailable, lies.unavailable],
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", RESUMES)
def test_a_client_does_not_notice_a_fetch_that_broke_and_went_on(liar, edge, case):
    data = oci.random_bytes(3 * MEBIBYTE + 7, seed=1)
    digest = liar.add_blob(data, [*RESUMES[case], lies.honest])
    pulls = [Pull(edge, edge.blob_path("a/b", digest)) for _ in range(3)]
    for pull in pulls:
        pull.end()
        assert pull.response and pull.response.status == 200 and pull.response.body == data, pull.broken
    gets = [seen for seen in liar.seen if seen.method == "GET" and digest in seen.path]
    assert len(gets) == len(RESUMES[case]) + 1
    if RESUMES[case][0] is lies.truncated:  # a reset may take with it what was not read yet
        starts = [re.fullmatch(r"bytes=(\d+)-", seen.headers.get("Range", "bytes=0-")) for seen in gets]
        starts = [int(match[1]) for match in starts]
        assert starts == sorted(starts) and 0 < starts[1] <= len(data) // 2, "it goes on where it stopped"
        assert starts[-1] > 0


@pytest.mark.parametrize("first", [lies.truncated, lies.reset], ids=name_of)
def test_a_fetch_from_a_parent_without_ranges_goes_on_too(liar, edge, first):
    data = oci.random_bytes(3 * MEBIBYTE + 7, seed=2)
    digest = liar.add_blob(data, [first, whole_for_the_range])
    response = edge.get_blob("a/b", digest)
    assert response.status == 200 and response.body == data


def test_a_parent_that_falls_silent_is_given_up_and_its_fetch_goes_on(liar, area, run_server):
    config = area / "node.yaml"
    config.write_text("parent:\n  silence: 2s\n")
    node = Node(area, liar.url, "impatient-node")
    edge = Registry(run_server(node, extra=["--config", config]).address)
    data = oci.random_bytes(MEBIBYTE, seed=3)
    manifest = oci.image_manifest(annotations={"filling": "x" * 3000})
    blob_digest = liar.add_blob(data, [lies.stalled, lies.honest])
    manifest_digest = liar.add_manifest("v1", manifest, script=[lies.stalled, lies.honest])
    begin = time.monotonic()
    blob = Pull(edge, edge.blob_path("a/b", blob_digest))
    stuck = Pull(edge, edge.manifest_path("a/b", manifest_digest))
    blob.end(20)
    assert blob.response and blob.response.status == 200 and blob.response.body == data
    stuck.end(20)
    assert stuck.response.status == 504 and stuck.response.code
    assert 2 <= time.monotonic() - begin < 20
    assert edge.get_manifest("a/b", "v1").body == manifest


def test_others_are_served_while_a_parent_is_silent_about_one(liar, edge):
    silent = [liar.add_blob(oci.random_bytes(100_000, seed=number), [lies.stalled]) for number in range(20)]
    pulls = [Pull(edge, edge.blob_path("a/b", digest)) for digest in silent]
    wait_until(lambda: sum(seen.method == "GET" for seen in list(liar.seen)) >= len(silent), "all are asked for", 10)
    data = oci.random_bytes(MEBIBYTE, seed=4)
    begin = time.monotonic()
    assert edge.get_blob("a/b", liar.add_blob(data)).body == data
    manifest = oci.image_manifest(annotations={"a": "b"})
    liar.add_manifest("v1", manifest)
    assert edge.get_manifest("a/b", "v1").body == manifest
    assert time.monotonic() - begin < 5
    liar.scripts.clear()
    liar.released.set()
    for pull in pulls:
        pull.end()
        assert pull.response and pull.response.status == 200


STATED = {
    "another manifest's digest": lambda other: other,
    "a digest that it has not": lambda other: oci.digest_of(b"nothing"),
    "no digest": lambda other: None,
    "nonsense": lambda other: "sha256:nonsense",
    "a path": lambda other: "../../etc/passwd",
    "an algorithm nobody knows": lambda other: "md5:" + "0" * 32,
}


@pytest.mark.parametrize("case", STATED)
def test_a_wrong_digest_for_a_tag_is_never_passed_on_with_other_bytes(liar, edge, case):
    manifest = oci.image_manifest(annotations={"the": "right one"})
    other = oci.image_manifest(annotations={"the": "other one"})
    digest, other_digest = liar.add_manifest("v1", manifest), liar.add_manifest("v2", other)
    liar.stated["v1"] = STATED[case](other_digest)
    for _ in range(2):
        response = edge.get_manifest("a/b", "v1")
        if response.status == 200:
            assert oci.digest_of(response.body) == response["Docker-Content-Digest"]
            assert response.body in (manifest, other)
        else:
            assert response.status in (404, 502) and response.code
    del liar.stated["v1"]
    response = edge.get_manifest("a/b", "v1")
    assert response.body == manifest and response["Docker-Content-Digest"] == digest


def test_a_manifest_by_digest_under_another_stated_digest_is_right_or_refused(liar, edge):
    manifest = oci.image_manifest(annotations={"the": "right one"})
    digest = liar.add_manifest("v1", manifest)
    liar.stated[digest] = oci.digest_of(b"another")
    response = edge.get_manifest("a/b", digest)
    assert response.status == 502 or (response.body == manifest and response["Docker-Content-Digest"] == digest)


def test_a_known_tag_outlives_lies_about_it(liar, edge):
    """What was right before is served with a warning rather than an error, as with a parent that is down."""
    manifest, moved = oci.image_manifest(annotations={"a": "1"}), oci.image_manifest(annotations={"a": "2"})
    liar.add_manifest("v1", manifest)
    assert edge.get_manifest("a/b", "v1").body == manifest
    digest = liar.add_manifest("v1", moved, script=[lies.wrong_bytes])
    response = edge.get_manifest("a/b", "v1")
    assert response.status == 502 or (response.status == 200 and response.body == manifest and response.stale)
    del liar.scripts[digest]
    assert edge.get_manifest("a/b", "v1").body == moved
