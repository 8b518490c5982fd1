"""Reading, deleting and mounting blobs on the master."""

import email.parser
import email.policy

import pytest
from wherry import oci
from wherry.fixtures import unique

CONTENT = oci.random_bytes(100_003, seed=7)
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def blob(registry):
    """(path, digest) of a blob that all tests of this file read."""
    repository = unique("blobs")
    digest = registry.put_blob(repository, CONTENT)
    return registry.blob_path(repository, digest), digest


def parts_of(response):
    """[(content range, bytes)] of a multipart/byteranges answer."""
    assert response["Content-Type"].startswith("multipart/byteranges"), response
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + response["Content-Type"].encode() + b"\r\n\r\n" + response.body
    )
    assert not message.defects, message.defects
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in message.iter_parts()]


def test_get_gives_the_bytes_their_digest_and_length(registry, blob):
    path, digest = blob
    response = registry.get(path)
    assert response.status == 200 and response.body == CONTENT
    assert response["Docker-Content-Digest"] == digest
    assert response["Content-Length"] == str(SIZE)
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Accept-Ranges"] == "bytes"
    assert response["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert response["Content-Encoding"] is None


def test_head_gives_the_headers_of_get(registry, blob):
    path, digest = blob
    response = registry.head(path)
    assert response.status == 200 and response.body == b""
    assert response["Docker-Content-Digest"] == digest and response["Content-Length"] == str(SIZE)


def test_accept_encoding_changes_nothing(registry, blob):
    response = registry.get(blob[0], accept_encoding="zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")
    assert response.body == CONTENT and response["Content-Encoding"] is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unknown_blob_is_404(registry, repository, method):
    registry.put_blob(repository, b"another")
    response = registry.call(method, registry.blob_path(repository, oci.digest_of(b"never pushed")))
    assert response.status == 404
    if method == "GET":
        assert response.code == "BLOB_UNKNOWN"


def test_an_unknown_repository_is_404(registry):
    response = registry.get_blob("no/such/repository", oci.digest_of(b"never pushed"))
    assert response.status == 404 and response.code in ("NAME_UNKNOWN", "BLOB_UNKNOWN")


def test_an_empty_blob_can_be_stored_and_read(registry, repository):
    digest = registry.put_blob(repository, b"")
    response = registry.get_blob(repository, digest)
    assert response.status == 200 and response.body == b"" and response["Content-Length"] == "0"
    beyond = registry.get_blob(repository, digest, range="bytes=0-")
    assert beyond.status == 416 and beyond["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    "asked, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-199", 100, 199),
        (f"bytes=0-{SIZE - 1}", 0, SIZE - 1),
        ("bytes=70000-", 70000, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        (f"bytes=-{SIZE + 10}", 0, SIZE - 1),
        (f"bytes=50-{SIZE + 1000}", 50, SIZE - 1),
        ("bytes=50-99999999999999999999", 50, SIZE - 1),
    ],
)
def test_a_range_gives_exactly_those_bytes(registry, blob, asked, first, last):
    response = registry.get(blob[0], range=asked)
    assert response.status == 206, response
    assert response["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response.body == CONTENT[first : last + 1]
    assert response["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0", f"bytes={SIZE}-,{SIZE + 1}-"]
)
def test_a_range_outside_of_the_blob_is_416_with_its_size(registry, blob, asked):
    response = registry.get(blob[0], range=asked)
    assert response.status == 416, response
    assert response["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=a-b", "bytes=", "bytes=-", "items=0-5", "0-5", "bytes=0-5,x"])
def test_a_range_that_is_not_one_is_ignored(registry, blob, asked):
    response = registry.get(blob[0], range=asked)
    assert response.status == 200 and response.body == CONTENT


@pytest.mark.parametrize(
    "asked",
    [
        [(0, 9), (20, 29)],
        [(0, 0), (SIZE - 1, SIZE - 1)],
        [(70000, 70099), (10, 19), (300, 300)],
        [(0, 9), (10, 19)],
        [(step * 1000, step * 1000 + 99) for step in range(8)],
        [(step * 1000, step * 1000 + 99) for step in range(64)],
    ],
    ids=["two", "ends", "not in order", "adjacent", "eight", "sixty-four"],
)
def test_several_ranges_give_one_part_each_in_the_order_asked(registry, blob, asked):
    response = registry.get(blob[0], range="bytes=" + ",".join(f"{first}-{last}" for first, last in asked))
    assert response.status == 206, response
    assert parts_of(response) == [
        (f"bytes {first}-{last}/{SIZE}", CONTENT[first : last + 1]) for first, last in asked
    ]


@pytest.mark.parametrize("last", ["-10", f"{SIZE - 10}-"], ids=["suffix", "open"])
def test_one_of_several_ranges_may_be_suffix_or_open(registry, blob, last):
    response = registry.get(blob[0], range=f"bytes={last}, 5-6 ,\t20-20")
    assert response.status == 206
    assert [part for _, part in parts_of(response)] == [CONTENT[-10:], CONTENT[5:7], CONTENT[20:21]]


def test_of_several_ranges_those_outside_are_left_out(registry, blob):
    response = registry.get(blob[0], range=f"bytes={SIZE}-,5-9,{SIZE + 7}-{SIZE + 8},20-29")
    assert response.status == 206
    assert [part for _, part in parts_of(response)] == [CONTENT[5:10], CONTENT[20:30]]


def test_absurdly_many_ranges_cost_no_absurd_answer(registry, blob):
    response = registry.get(blob[0], range="bytes=" + ",".join(["0-"] * 1000))
    assert response.status in (200, 400, 416)
    assert len(response.body) <= SIZE


def test_the_etag_is_the_digest_and_revalidates(registry, blob):
    path, digest = blob
    etag = registry.get(path)["ETag"]
    assert etag == f'"{digest}"'
    for match in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        response = registry.get(path, if_none_match=match)
        assert response.status == 304 and response.body == b"", match
        assert response["ETag"] == etag
        assert registry.head(path, if_none_match=match).status == 304
    assert registry.get(path, if_none_match='"other"').status == 200


def test_if_range_gives_the_range_only_while_the_etag_holds(registry, blob):
    path, digest = blob
    assert registry.get(path, range="bytes=0-9", if_range=f'"{digest}"').status == 206
    assert registry.get(path, range="bytes=0-9", if_range='"other"').body == CONTENT


def test_a_deleted_blob_is_gone_from_its_repository_only(registry):
    one, other = unique(), unique()
    digest = registry.put_blob(one, b"shared between two")
    registry.put_blob(other, b"shared between two")
    assert registry.call("DELETE", registry.blob_path(one, digest)).status == 202
    assert registry.get_blob(one, digest).status == 404
    assert registry.head(registry.blob_path(one, digest)).status == 404
    assert registry.get_blob(other, digest).body == b"shared between two"
    again = registry.call("DELETE", registry.blob_path(one, digest))
    assert again.status == 404 and again.code == "BLOB_UNKNOWN"


def test_a_deleted_blob_can_be_pushed_again(registry, repository):
    digest = registry.put_blob(repository, b"here and there")
    assert registry.call("DELETE", registry.blob_path(repository, digest)).status == 202
    registry.put_blob(repository, b"here and there")
    assert registry.get_blob(repository, digest).body == b"here and there"


def test_a_digest_in_one_repository_says_nothing_in_another(registry):
    one, other = unique(), unique()
    digest = registry.put_blob(one, b"only in one")
    registry.put_blob(other, b"so that the other exists")
    assert registry.get_blob(other, digest).status == 404
    assert registry.head(registry.blob_path(other, digest)).status == 404


def mount(registry, repository, query):
    return registry.call("POST", f"/v2/{repository}/blobs/uploads/?{query}", headers={"Content-Length": "0"})


def test_a_mount_makes_the_blob_readable_in_the_other_repository(registry):
    source, target = unique(), unique()
    digest = registry.put_blob(source, b"to be mounted")
    response = mount(registry, target, f"mount={digest}&from={source}")
    assert response.status == 201, response
    assert registry.location(response) == registry.blob_path(target, digest)
    assert response["Docker-Content-Digest"] == digest
    assert registry.get_blob(target, digest).body == b"to be mounted"


@pytest.mark.parametrize("source", ["no/such/repository", "known"])
def test_a_mount_that_cannot_be_starts_an_upload(registry, source):
    known, target = unique(), unique()
    registry.put_blob(known, b"something else")
    data = b"not there to be mounted: " + source.encode()
    response = mount(registry, target, f"mount={oci.digest_of(data)}&from={known if source == 'known' else source}")
    assert response.status == 202, response
    assert registry.finish(registry.location(response), oci.digest_of(data), data).status == 201
    assert registry.get_blob(target, oci.digest_of(data)).body == data


def test_a_mount_without_from_is_a_mount_or_an_upload(registry):
    source, target = unique(), unique()
    data = b"to be mounted from anywhere"
    digest = registry.put_blob(source, data)
    response = mount(registry, target, f"mount={digest}")
    assert response.status in (201, 202), response
    if response.status == 202:
        assert registry.finish(registry.location(response), digest, data).status == 201
    assert registry.get_blob(target, digest).body == data


def test_a_mount_of_a_bad_digest_is_400(registry, repository):
    response = mount(registry, repository, "mount=sha256:nonsense&from=some/where")
    assert response.status == 400 and response.code == "DIGEST_INVALID"
