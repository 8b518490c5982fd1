"""Manifests and tags on the master."""

import json

import pytest
from wherry import oci
from wherry.fixtures import unique

MEBIBYTE = 1 << 20
CONFIG = b'{"architecture":"amd64","os":"linux"}'


@pytest.fixture(scope="module")
def image(registry):
    """(repository, manifest bytes, digest) of an image tagged v1."""
    repository = unique("images")
    manifest, digest = registry.put_image(repository, "v1", [b"layer one", b"layer two"])
    return repository, manifest, digest


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_comes_back_byte_for_byte(registry, image, by):
    repository, manifest, digest = image
    path = registry.manifest_path(repository, "v1" if by == "tag" else digest)
    for response in (registry.get(path), registry.head(path)):
        assert response.status == 200
        assert response["Content-Type"] == oci.OCI_MANIFEST
        assert response["Docker-Content-Digest"] == digest
        assert response["Content-Length"] == str(len(manifest))
        assert response["ETag"] == f'"{digest}"'
        assert response["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert registry.get(path).body == manifest
    assert registry.head(path).body == b""
    assert registry.get(path, if_none_match=f'"{digest}"').status == 304


def test_odd_spacing_and_unknown_fields_are_kept(registry, repository):
    registry.put_blob(repository, CONFIG)
    manifest = json.dumps(json.loads(oci.image_manifest(CONFIG)) | {"x-ours": [1, None, "é"]}, indent="\t") + "\n\n "
    digest = registry.put_manifest(repository, "odd", manifest.encode())
    assert registry.get_manifest(repository, digest).body == manifest.encode()


def test_a_put_says_where_the_manifest_is(registry, repository):
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG)
    response = registry.push_manifest(repository, "v1", manifest)
    assert response.status == 201, response
    assert response["Docker-Content-Digest"] == oci.digest_of(manifest)
    assert registry.get(registry.location(response)).body == manifest


ONLY = [
    None, "*/*", oci.OCI_MANIFEST, oci.DOCKER_MANIFEST, oci.DOCKER_LIST,
    "application/vnd.docker.distribution.manifest.v1+json", "text/html", "application/json;q=0",
]  # fmt: skip


@pytest.mark.parametrize("accept", ONLY)
def test_accept_never_converts(registry, repository, accept):
    manifest, digest = registry.put_image(repository, "image", [b"a layer"])
    docker = oci.docker_manifest(CONFIG, [b"a layer"])
    registry.put_manifest(repository, "docker", docker, oci.DOCKER_MANIFEST)
    child = {"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": len(manifest),
             "platform": {"os": "linux", "architecture": "amd64"}}  # fmt: skip
    lists = {oci.OCI_INDEX: oci.image_index([child]), oci.DOCKER_LIST: oci.image_index([child], oci.DOCKER_LIST)}
    for media_type, index in lists.items():
        registry.put_manifest(repository, "index-" + media_type.split(".")[1], index, media_type)
    for tag, data, media_type in (
        ("image", manifest, oci.OCI_MANIFEST),
        ("docker", docker, oci.DOCKER_MANIFEST),
        ("index-oci", lists[oci.OCI_INDEX], oci.OCI_INDEX),
        ("index-docker", lists[oci.DOCKER_LIST], oci.DOCKER_LIST),
    ):
        response = registry.call(
            "GET", registry.manifest_path(repository, tag), headers={"Accept": accept} if accept else {}
        )
        assert response.status == 200 and response.body == data, (tag, response)
        assert response["Content-Type"] == media_type


def test_a_tag_moves_and_the_old_digest_stays(registry, repository):
    old, old_digest = registry.put_image(repository, "latest", [b"old"])
    new, new_digest = registry.put_image(repository, "latest", [b"new"])
    assert registry.get_manifest(repository, "latest").body == new
    assert registry.get_manifest(repository, old_digest).body == old


def test_an_unknown_manifest_is_404(registry, image):
    for reference in ("no-such-tag", oci.digest_of(b"nothing")):
        response = registry.get_manifest(image[0], reference)
        assert response.status == 404 and response.code == "MANIFEST_UNKNOWN"
        assert registry.head(registry.manifest_path(image[0], reference)).status == 404
    response = registry.get_manifest("no/such/repository", "v1")
    assert response.status == 404 and response.code in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")


def test_a_manifest_is_only_in_its_repository(registry, image, repository):
    registry.put_blob(repository, b"so that it exists")
    assert registry.get_manifest(repository, image[2]).status == 404


def test_any_media_type_is_stored(registry, repository):
    data = b'{"anything":"at all"}'
    registry.put_manifest(repository, "odd", data, "application/vnd.example.thing+json")
    response = registry.get_manifest(repository, "odd")
    assert response.body == data and response["Content-Type"] == "application/vnd.example.thing+json"


def test_parameters_of_the_content_type_are_ignored(registry, repository):
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG)
    registry.put_manifest(repository, "v1", manifest, oci.OCI_MANIFEST + "; charset=utf-8")
    assert registry.get_manifest(repository, "v1")["Content-Type"] == oci.OCI_MANIFEST


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_can_be_put_by_digest(registry, repository, algorithm):
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG, annotations={"by": algorithm})
    digest = oci.digest_of(manifest, algorithm)
    response = registry.push_manifest(repository, digest, manifest)
    assert response.status == 201 and response["Docker-Content-Digest"] == digest
    found = registry.get_manifest(repository, digest)
    assert found.body == manifest and found["Docker-Content-Digest"] == digest
    assert registry.get(f"/v2/{repository}/tags/list").json["tags"] in ([], None)


def test_a_manifest_put_by_a_wrong_digest_is_400(registry, repository):
    registry.put_blob(repository, CONFIG)
    wrong = oci.digest_of(b"something else")
    response = registry.push_manifest(repository, wrong, oci.image_manifest(CONFIG))
    assert response.status == 400 and response.code == "DIGEST_INVALID"
    assert registry.get_manifest(repository, wrong).status == 404


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_put_by_digest_can_set_many_tags_at_once(registry, repository, algorithm):
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG, annotations={"many": "tags"})
    digest = oci.digest_of(manifest, algorithm)
    tags = ["a", "b", "1.2.3", "latest"] + [f"t{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    response = registry.push_manifest(repository, f"{digest}?{query}", manifest)
    assert response.status == 201, response
    assert sorted(response.all("OCI-Tag")) == sorted(tags)
    assert registry.tags(repository) == sorted(tags)
    for tag in tags:
        found = registry.get_manifest(repository, tag)
        assert found.body == manifest and found["Docker-Content-Digest"] == digest


def test_a_put_with_one_bad_tag_sets_none(registry, repository):
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG)
    response = registry.push_manifest(repository, f"{oci.digest_of(manifest)}?tag=good&tag=.bad", manifest)
    assert response.status == 400, response
    assert registry.get_manifest(repository, "good").status == 404


def test_a_manifest_of_4_mib_is_stored_and_a_larger_one_is_413(registry, repository):
    registry.put_blob(repository, CONFIG)

    def of_size(size):
        bare = len(oci.image_manifest(CONFIG, annotations={"padding": ""}))
        return oci.image_manifest(CONFIG, annotations={"padding": "x" * (size - bare)})

    largest = of_size(4 * MEBIBYTE)
    assert len(largest) == 4 * MEBIBYTE
    registry.put_manifest(repository, "large", largest)
    assert registry.get_manifest(repository, "large").body == largest
    for size in (4 * MEBIBYTE + 1, 32 * MEBIBYTE):
        response = registry.push_manifest(repository, "larger", of_size(size))
        assert response.status == 413, response
        assert response.code
    chunked = (of_size(6 * MEBIBYTE)[at : at + 65536] for at in range(0, 6 * MEBIBYTE, 65536))
    assert registry.push_manifest(repository, "larger", chunked).status == 413
    assert registry.get_manifest(repository, "larger").status == 404


def digest_text(character):
    return "sha256:" + character * 64


def of(**fields):
    """An image manifest over the pushed config, with fields set; None takes a field away."""
    whole = json.loads(oci.image_manifest(CONFIG)) | fields
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def layer(**fields):
    return {"mediaType": oci.OCI_LAYER, "digest": oci.digest_of(CONFIG), "size": len(CONFIG)} | fields


PLAIN = oci.image_manifest(CONFIG)
NOT_MANIFESTS = {
    "empty": b"",
    "not JSON": b"this is no JSON",
    "half": PLAIN[:-1],
    "something after the end": PLAIN + b"{}",
    "an array": b"[]",
    "a text": b'"text"',
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "not UTF-8": PLAIN[:-1] + b',"x":"\xff\xfe"}',
    "a NUL": PLAIN[:-1] + b"\0}",
    "a comment": PLAIN[:-1] + b"/* no */}",
    "of both kinds": of(manifests=[]),
    "of both kinds with layers only": of(manifests=[], config=None),
    "duplicate config": PLAIN[:-1] + b',"config":' + oci.encode(layer()) + b"}",
    "duplicate layers": PLAIN[:-1] + b',"layers":[]}',
    "duplicate schemaVersion": PLAIN[:-1] + b',"schemaVersion":2}',
    "duplicate mediaType": PLAIN[:-1] + b',"mediaType":"' + oci.OCI_MANIFEST.encode() + b'"}',
    "duplicate by escape": PLAIN[:-1] + b',"layer\\u0073":[]}',
    "duplicate inside a descriptor": PLAIN.replace(b'"size":', b'"size":1,"size":', 1),
    "no config": of(config=None),
    "config is a text": of(config="text"),
    "layers is an object": of(layers={}),
    "a layer is a text": of(layers=["text"]),
    "a digest is a number": of(layers=[layer(digest=5)]),
    "a digest not in the grammar": of(layers=[layer(digest="sha256:../../etc/passwd")]),
    "a digest in upper case": of(layers=[layer(digest="sha256:" + "A" * 64)]),
    "a negative size": of(layers=[layer(size=-1)]),
    "a broken size": of(layers=[layer(size=1.5)]),
    "a size as a text": of(layers=[layer(size="12")]),
    "a size above 2^63": of(layers=[layer(size=2**63)]),
    "a size above 2^64": of(layers=[layer(size=2**64 + 5)]),
    "an absurd size": of(layers=[layer(size=10**30)]),
    "schemaVersion 1": of(schemaVersion=1),
    "a media type of another kind": of(mediaType=oci.OCI_INDEX),
    "a media type that is a number": of(mediaType=7),
    "deep": of(annotations=None, deep=[]).replace(b'"deep": []', b'"deep": ' + b"[" * 1000 + b"]" * 1000),
    "very deep": of(deep=[]).replace(b'"deep": []', b'"deep": ' + b'{"a":' * 400_000 + b"1" + b"}" * 400_000),
    "deep and never closed": b"[" * 2_000_000,
    "a subject that is a text": of(subject="text"),
    "a subject with a bad digest": of(subject=layer(digest="latest")),
}


@pytest.mark.parametrize("case", NOT_MANIFESTS)
def test_what_is_no_manifest_is_refused(registry, repository, case):
    registry.put_blob(repository, CONFIG)
    response = registry.push_manifest(repository, "v1", NOT_MANIFESTS[case])
    assert response.status == 400 and response.code == "MANIFEST_INVALID", response
    assert registry.get_manifest(repository, "v1").status == 404


@pytest.mark.parametrize(
    "case, data, media_type",
    [
        ("an image as an index", PLAIN, oci.OCI_INDEX),
        ("an OCI image as a docker image", PLAIN, oci.DOCKER_MANIFEST),
        ("an index as an image", oci.image_index([]), oci.OCI_MANIFEST),
        ("an index with layers", oci.image_index([], layers=[]), oci.OCI_INDEX),
        ("an index with config", oci.image_index([], config=layer()), oci.OCI_INDEX),
        ("a docker list with layers", oci.image_index([], oci.DOCKER_LIST, layers=[]), oci.DOCKER_LIST),
        ("schema 1", b'{"schemaVersion":1,"name":"a","tag":"b"}', "application/vnd.docker.distribution.manifest.v1+json"),
        ("signed schema 1", b'{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    ],
)
def test_what_does_not_fit_its_content_type_is_refused(registry, repository, case, data, media_type):
    registry.put_blob(repository, CONFIG)
    response = registry.push_manifest(repository, "v1", data, media_type)
    assert response.status == 400 and response.code == "MANIFEST_INVALID", response


def test_an_image_manifest_with_missing_blobs_is_refused_and_they_are_named(registry, repository):
    there = registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG, [b"missing one", b"missing two"])
    response = registry.push_manifest(repository, "v1", manifest)
    assert response.status == 400 and response.code == "MANIFEST_BLOB_UNKNOWN"
    detail = json.dumps([error.get("detail") for error in response.json["errors"]])
    assert oci.digest_of(b"missing one") in detail and oci.digest_of(b"missing two") in detail
    assert there not in detail
    assert registry.get_manifest(repository, "v1").status == 404


def test_a_blob_of_another_repository_counts_as_missing(registry, repository):
    registry.put_blob(unique(), b"elsewhere")
    registry.put_blob(repository, CONFIG)
    response = registry.push_manifest(repository, "v1", oci.image_manifest(CONFIG, [b"elsewhere"]))
    assert response.status == 400 and response.code == "MANIFEST_BLOB_UNKNOWN"


def test_a_missing_config_is_named(registry, repository):
    registry.put_blob(repository, b"a layer")
    response = registry.push_manifest(repository, "v1", oci.image_manifest(b"{ }", [b"a layer"]))
    assert response.status == 400 and response.code == "MANIFEST_BLOB_UNKNOWN"
    assert oci.digest_of(b"{ }") in response.body.decode()


def test_a_sparse_index_is_stored(registry, repository):
    manifest, digest = registry.put_image(repository, "v1", [b"a layer"])
    children = [
        {"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": len(manifest)},
        {"mediaType": oci.OCI_MANIFEST, "digest": digest_text("a"), "size": 1234},
    ]
    index = oci.image_index(children)
    registry.put_manifest(repository, "sparse", index, oci.OCI_INDEX)
    assert registry.get_manifest(repository, "sparse").body == index


def test_deleting_a_tag_leaves_the_manifest(registry, repository):
    manifest, digest = registry.put_image(repository, "one", [b"a layer"])
    registry.put_manifest(repository, "two", manifest)
    assert registry.call("DELETE", registry.manifest_path(repository, "one")).status == 202
    assert registry.get_manifest(repository, "one").status == 404
    assert registry.get_manifest(repository, "two").body == manifest
    assert registry.get_manifest(repository, digest).body == manifest
    again = registry.call("DELETE", registry.manifest_path(repository, "one"))
    assert again.status == 404 and again.code == "MANIFEST_UNKNOWN"


def test_deleting_a_manifest_deletes_its_tags(registry, repository):
    manifest, digest = registry.put_image(repository, "one", [b"a layer"])
    registry.put_manifest(repository, "two", manifest)
    kept, _ = registry.put_image(repository, "kept", [b"another layer"])
    assert registry.call("DELETE", registry.manifest_path(repository, digest)).status == 202
    for reference in (digest, "one", "two"):
        assert registry.get_manifest(repository, reference).status == 404, reference
    assert registry.tags(repository) == ["kept"]
    assert registry.get_manifest(repository, "kept").body == kept
    assert registry.call("DELETE", registry.manifest_path(repository, digest)).status == 404
    registry.put_manifest(repository, "again", manifest)
    assert registry.get_manifest(repository, digest).body == manifest
