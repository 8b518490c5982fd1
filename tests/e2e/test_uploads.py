"""Every way to push a blob to the master."""

import os
import threading

import pytest
from wherry import oci
from wherry.client import Registry, with_query
from wherry.fixtures import unique
from wherry.process import Master, wait_until

DATA = oci.random_bytes(300_000, seed=11)
DIGEST = oci.digest_of(DATA)


def status_of(registry, location):
    """How many bytes the server says it has."""
    response = registry.get(location)
    assert response.status == 204 and response.body == b"", response
    assert response["Location"]
    return received(response)


def received(response):
    first, last = response["Range"].split("-")
    assert first == "0"
    return int(last) + 1


@pytest.mark.parametrize("flow", Registry.FLOWS)
@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_001])
def test_a_blob_can_be_pushed_by_every_flow(registry, repository, flow, size):
    if flow == "chunks" and size == 0:
        pytest.skip("there is no empty chunk")
    data = oci.random_bytes(size, seed=size)
    response = registry.push_blob(repository, data, flow)
    assert response.status == 201, response
    digest = oci.digest_of(data)
    assert registry.location(response) == registry.blob_path(repository, digest)
    assert response["Docker-Content-Digest"] == digest
    assert registry.get_blob(repository, digest).body == data


def test_starting_an_upload_says_where_to_go_on(registry, repository):
    response = registry.call("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    assert response.status == 202 and response.body == b""
    assert response["Docker-Upload-UUID"] and response["Docker-Upload-UUID"] in response["Location"]
    assert response["Range"] in (None, "0-0")


def test_a_blob_can_be_streamed_with_chunked_coding_into_the_put(registry, repository):
    location = registry.start_upload(repository)
    pieces = (DATA[at : at + 10_000] for at in range(0, len(DATA), 10_000))
    response = registry.call("PUT", with_query(location, digest=DIGEST), pieces)
    assert response.status == 201, response
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_a_blob_can_be_streamed_with_chunked_coding_into_the_post(registry, repository):
    pieces = (DATA[at : at + 10_000] for at in range(0, len(DATA), 10_000))
    response = registry.call("POST", f"/v2/{repository}/blobs/uploads/?digest={DIGEST}", pieces)
    assert response.status == 201, response
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_several_streamed_patches_add_up(registry, repository):
    location = registry.start_upload(repository)
    for start in range(0, len(DATA), 100_000):
        response = registry.patch(location, DATA[start : start + 100_000])
        assert response.status == 202, response
        assert received(response) == min(start + 100_000, len(DATA))
        location = registry.location(response)
    assert registry.finish(location, DIGEST).status == 201
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_chunks_say_how_far_they_got_and_the_last_may_come_with_the_put(registry, repository):
    location = registry.start_upload(repository)
    for start in (0, 100_000):
        response = registry.patch(location, DATA[start : start + 100_000], start)
        assert response.status == 202 and response["Range"] == f"0-{start + 99_999}"
        location = registry.location(response)
        assert status_of(registry, location) == start + 100_000
    assert registry.finish(location, DIGEST, DATA[200_000:], 200_000).status == 201
    assert registry.get_blob(repository, DIGEST).body == DATA


@pytest.mark.parametrize("start", [0, 50_000, 99_999, 100_001, 200_000])
def test_a_chunk_out_of_order_is_416_and_the_true_range_is_told(registry, repository, start):
    location = registry.location(registry.patch(registry.start_upload(repository), DATA[:100_000], 0))
    response = registry.patch(location, DATA[start : start + 50_000], start)
    assert response.status == 416, response
    assert response["Range"] == "0-99999"
    assert status_of(registry, registry.location(response)) == 100_000
    assert registry.finish(location, DIGEST, DATA[100_000:], 100_000).status == 201
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_a_first_chunk_that_is_not_the_first_is_416(registry, repository):
    location = registry.start_upload(repository)
    assert registry.patch(location, DATA[10:20], 10).status == 416
    assert registry.patch(location, DATA[:10], 0).status == 202


def test_a_last_chunk_out_of_order_is_416_and_the_upload_goes_on(registry, repository):
    location = registry.location(registry.patch(registry.start_upload(repository), DATA[:100_000], 0))
    assert registry.finish(location, DIGEST, DATA[150_000:], 150_000).status == 416
    assert registry.finish(location, DIGEST, DATA[100_000:], 100_000).status == 201


@pytest.mark.parametrize("text", ["bytes 0-9/10", "0-9/10", "0", "-9", "9-0", "a-b", "0-18446744073709551616", "0-8"])
def test_a_content_range_that_is_not_one_is_refused_and_changes_nothing(registry, repository, text):
    location = registry.start_upload(repository)
    response = registry.call("PATCH", location, DATA[:10], {"Content-Range": text})
    assert response.status in (400, 416), response
    assert registry.patch(location, DATA[:10], 0).status == 202
    assert registry.finish(location, oci.digest_of(DATA[:10])).status == 201


def test_an_upload_can_be_cancelled(registry, repository):
    location = registry.location(registry.patch(registry.start_upload(repository), DATA[:1000], 0))
    assert registry.call("DELETE", location).status == 204
    for method in ("GET", "DELETE", "PATCH"):
        response = registry.call(method, location, b"more" if method == "PATCH" else None)
        assert response.status == 404, method
        assert response.code == "BLOB_UPLOAD_UNKNOWN"
    assert registry.finish(location, DIGEST, DATA).status == 404


@pytest.mark.parametrize("flow", Registry.FLOWS)
def test_a_wrong_digest_is_refused_and_nothing_is_stored(registry, repository, flow):
    claimed = oci.digest_of(b"something else than " + repository.encode())
    response = registry.push_blob(repository, DATA, flow, digest=claimed)
    assert response.status == 400 and response.code == "DIGEST_INVALID"
    assert registry.get_blob(repository, claimed).status == 404
    assert registry.get_blob(repository, DIGEST).status == 404


@pytest.mark.parametrize("digest", ["", "nonsense", "sha256:", "sha256:123", "md5:d41d8cd98f00b204e9800998ecf8427e",
                                    "sha256:" + "A" * 64, "sha256:" + "g" * 64, "sha512:" + "a" * 64])  # fmt: skip
def test_a_digest_that_is_not_in_the_grammar_is_400(registry, repository, digest):
    finish = registry.finish(registry.start_upload(repository), digest, DATA)
    assert finish.status == 400 and finish.code == "DIGEST_INVALID"
    single = registry.call("POST", with_query(f"/v2/{repository}/blobs/uploads/", digest=digest), DATA)
    assert single.status == 400 and single.code == "DIGEST_INVALID"


def test_a_put_without_a_digest_is_400(registry, repository):
    response = registry.call("PUT", registry.start_upload(repository), DATA)
    assert response.status == 400 and response.code == "DIGEST_INVALID"


def test_an_upload_belongs_to_its_repository(registry):
    mine, other = unique(), unique()
    registry.put_blob(other, b"so that the other exists")
    location = registry.location(registry.patch(registry.start_upload(mine), DATA[:1000], 0))
    foreign = location.replace(f"/v2/{mine}/", f"/v2/{other}/")
    assert foreign != location
    for method, body in (("GET", None), ("PATCH", b"evil"), ("DELETE", None)):
        response = registry.call(method, foreign, body)
        assert response.status == 404 and response.code == "BLOB_UPLOAD_UNKNOWN", method
    assert registry.finish(foreign, DIGEST, DATA[1000:]).status == 404
    assert status_of(registry, location) == 1000
    assert registry.finish(location, DIGEST, DATA[1000:], 1000).status == 201


@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-4000-8000-000000000000", "..", "%2e%2e", "a%2fb", "a" * 300])
def test_an_unknown_upload_is_404(registry, repository, name):
    registry.put_blob(repository, b"so that it exists")
    response = registry.get(f"/v2/{repository}/blobs/uploads/{name}")
    assert response.status in (400, 404) and response.code, response


def test_a_finished_upload_is_over(registry, repository):
    location = registry.start_upload(repository)
    assert registry.finish(location, DIGEST, DATA).status == 201
    assert registry.get(location).status == 404
    assert registry.patch(location, b"more").status == 404


def test_two_who_write_to_one_upload_at_once_do_not_spoil_it(registry, repository):
    location = registry.start_upload(repository)
    answers = []
    writers = [
        threading.Thread(target=lambda: answers.append(registry.patch(location, DATA[:150_000], 0).status))
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert answers.count(202) == 1, answers
    assert set(answers) <= {202, 416, 409, 503}, answers
    assert status_of(registry, location) == 150_000
    assert registry.finish(location, DIGEST, DATA[150_000:], 150_000).status == 201
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_many_pushes_of_one_blob_at_once_all_end_well(registry, repository):
    data = oci.random_bytes(2_000_000, seed=12)
    statuses = []
    pushers = [
        threading.Thread(target=lambda flow=flow: statuses.append(registry.push_blob(repository, data, flow).status))
        for flow in Registry.FLOWS * 4
    ]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    assert statuses == [201] * 16
    assert registry.get_blob(repository, oci.digest_of(data)).body == data


@pytest.mark.parametrize("flow", Registry.FLOWS)
def test_a_sha512_blob_can_be_pushed_and_read(registry, repository, flow):
    digest = oci.digest_of(DATA, "sha512")
    response = registry.push_blob(repository, DATA, flow, digest=digest)
    assert response.status == 201, response
    blob = registry.get_blob(repository, digest)
    assert blob.body == DATA and blob["Docker-Content-Digest"] == digest
    assert blob["ETag"] == f'"{digest}"'


def test_the_algorithm_can_be_said_when_the_upload_starts(registry, repository):
    location = registry.start_upload(repository, **{"digest-algorithm": "sha512"})
    response = registry.patch(location, DATA[:100_000], 0)
    assert response.status == 202
    digest = oci.digest_of(DATA, "sha512")
    assert registry.finish(registry.location(response), digest, DATA[100_000:], 100_000).status == 201
    assert registry.get_blob(repository, digest).body == DATA


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "SHA256", "", "../x"])
def test_an_algorithm_that_is_not_known_is_400(registry, repository, algorithm):
    response = registry.call(
        "POST", with_query(f"/v2/{repository}/blobs/uploads/", **{"digest-algorithm": algorithm}),
        headers={"Content-Length": "0"},
    )  # fmt: skip
    assert response.status == 400 and response.code == "DIGEST_INVALID"


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_an_upload_can_be_resumed_after_a_restart(area, run_server, end):
    master = run_server(Master(area))
    registry = Registry(master.address)
    chunked = registry.start_upload("a/b")
    for start in range(0, 200_000, 50_000):
        response = registry.patch(chunked, DATA[start : start + 50_000], start)
        assert response.status == 202
        chunked = registry.location(response)
    streamed = registry.location(registry.patch(registry.start_upload("a/b"), iter([DATA[:123_457]])))
    untouched = registry.start_upload("a/b")

    if end == "stopped":
        assert master.stop() == 0
    else:
        master.kill()
    master.start()

    for location, acknowledged in ((chunked, 200_000), (streamed, 123_457)):
        offset = status_of(registry, location)
        assert offset == acknowledged
        assert registry.finish(location, DIGEST, DATA[offset:], offset).status == 201
    assert registry.get_blob("a/b", DIGEST).body == DATA
    assert registry.finish(untouched, oci.digest_of(b"late"), b"late").status == 201


def test_an_upload_broken_off_by_the_client_can_be_resumed(registry, repository):
    location = registry.start_upload(repository)

    def half():
        yield DATA[:100_000]
        raise RuntimeError("the client dies")

    with pytest.raises(RuntimeError):
        registry.patch(location, half())
    # the server may need a moment to see that the client is gone

    def resumed():
        answer = registry.get(location)
        if answer.status == 503:
            return False
        offset = received(answer)
        assert 0 <= offset <= 100_000
        return registry.finish(location, DIGEST, DATA[offset:], offset).status == 201

    wait_until(resumed, "the upload goes on", 5)
    assert registry.get_blob(repository, DIGEST).body == DATA


def test_a_sha512_upload_can_be_resumed_after_a_kill(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    location = registry.start_upload("a/b", **{"digest-algorithm": "sha512"})
    location = registry.location(registry.patch(location, DATA[:100_000], 0))
    master.kill()
    master.start()
    digest = oci.digest_of(DATA, "sha512")
    assert registry.finish(location, digest, DATA[100_000:], 100_000).status == 201
    assert registry.get_blob("a/b", digest).body == DATA


def test_a_large_blob_leaves_no_trace_outside_of_its_place(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    data = os.urandom(5_000_000)
    for flow in Registry.FLOWS:
        registry.put_blob("a/b", data, flow)
    file = master.blob_file(oci.digest_of(data))
    assert file.read_bytes() == data
    assert file.stat().st_mode & 0o777 == 0o444
    assert [path for path in (master.data / "tmp").rglob("*") if path.is_file()] == []
