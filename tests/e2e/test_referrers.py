"""Subjects and their referrers on the master, and through a node."""

import pytest
from wherry import oci

SIGNATURE, SBOM = "application/vnd.example.signature", "application/vnd.example.sbom"


@pytest.fixture
def subject(registry, repository):
    """The descriptor of an image in a fresh repository that also has the empty blob."""
    manifest, digest = registry.put_image(repository, "v1", [b"a layer"])
    registry.put_blob(repository, oci.EMPTY_JSON)
    return {"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": len(manifest)}


def descriptor(data, artifact_type=None, media_type=oci.OCI_MANIFEST, annotations=None):
    whole = {"mediaType": media_type, "digest": oci.digest_of(data), "size": len(data)}
    if artifact_type:
        whole["artifactType"] = artifact_type
    if annotations:
        whole["annotations"] = annotations
    return whole


def listed(response):
    """The descriptors of a referrers answer, sorted, after a look at its form."""
    assert response.status == 200, response
    assert response["Content-Type"] == oci.OCI_INDEX
    index = response.json
    assert index["schemaVersion"] == 2 and index["mediaType"] == oci.OCI_INDEX
    return by_digest(index["manifests"])


def by_digest(descriptors):
    return sorted(descriptors, key=lambda entry: entry["digest"])


def test_without_referrers_the_list_is_empty_and_200(registry, repository, subject):
    assert listed(registry.referrers(repository, subject["digest"])) == []
    assert listed(registry.referrers(repository, oci.digest_of(b"never pushed"))) == []
    assert listed(registry.referrers("no/such/repository", oci.digest_of(b"never pushed"))) == []


def test_a_manifest_with_a_subject_is_listed_with_its_type_and_annotations(registry, repository, subject):
    data = oci.artifact(subject, SIGNATURE, annotations={"by": "somebody", "at": "noon"})
    response = registry.push_manifest(repository, oci.digest_of(data), data)
    assert response.status == 201 and response["OCI-Subject"] == subject["digest"]
    assert listed(registry.referrers(repository, subject["digest"])) == [
        descriptor(data, SIGNATURE, annotations={"by": "somebody", "at": "noon"})
    ]


def test_without_an_artifact_type_the_type_of_the_config_is_listed(registry, repository, subject):
    data = oci.image_manifest(config_type="application/vnd.example.config", subject=subject)
    registry.put_manifest(repository, "by-tag", data)
    assert listed(registry.referrers(repository, subject["digest"])) == [descriptor(data, "application/vnd.example.config")]


def test_an_index_can_have_a_subject(registry, repository, subject):
    typed = oci.image_index([], subject=subject, artifactType=SBOM)
    plain = oci.image_index([], subject=subject, annotations={"a": "b"})
    for index in (typed, plain):
        response = registry.push_manifest(repository, oci.digest_of(index), index, oci.OCI_INDEX)
        assert response.status == 201 and response["OCI-Subject"] == subject["digest"]
    assert listed(registry.referrers(repository, subject["digest"])) == by_digest(
        [descriptor(typed, SBOM, oci.OCI_INDEX), descriptor(plain, None, oci.OCI_INDEX, {"a": "b"})]
    )


def test_a_referrer_may_come_before_its_subject(registry, repository):
    registry.put_blob(repository, oci.EMPTY_JSON)
    late = oci.image_manifest(oci.EMPTY_JSON, annotations={"comes": "late"})
    data = oci.artifact(descriptor(late), SIGNATURE)
    response = registry.push_manifest(repository, oci.digest_of(data), data)
    assert response.status == 201 and response["OCI-Subject"] == oci.digest_of(late)
    assert listed(registry.referrers(repository, oci.digest_of(late))) == [descriptor(data, SIGNATURE)]
    registry.put_manifest(repository, "late", late)
    assert listed(registry.referrers(repository, oci.digest_of(late))) == [descriptor(data, SIGNATURE)]


def test_the_filter_is_applied_and_announced(registry, repository, subject):
    kinds = {}
    for number in range(3):
        for kind in (SIGNATURE, SBOM):
            data = oci.artifact(subject, kind, annotations={"number": str(number)})
            registry.put_manifest(repository, oci.digest_of(data), data)
            kinds.setdefault(kind, []).append(oci.digest_of(data))
    response = registry.referrers(repository, subject["digest"], f"?artifactType={SBOM}")
    assert [entry["digest"] for entry in listed(response)] == sorted(kinds[SBOM])
    assert response.all("OCI-Filters-Applied") == ["artifactType"]
    nothing = registry.referrers(repository, subject["digest"], "?artifactType=application/none")
    assert listed(nothing) == [] and nothing.all("OCI-Filters-Applied") == ["artifactType"]
    everything = registry.referrers(repository, subject["digest"])
    assert len(listed(everything)) == 6 and everything["OCI-Filters-Applied"] is None


def test_the_list_comes_in_pages(registry, repository, subject):
    pushed = []
    for number in range(7):
        data = oci.artifact(subject, SIGNATURE if number % 2 else SBOM, annotations={"number": str(number)})
        pushed.append((registry.put_manifest(repository, oci.digest_of(data), data), number % 2))
    path = f"/v2/{repository}/referrers/{subject['digest']}"
    pages = [listed(page) for page in registry.pages(path + "?n=2")]
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert sorted(entry["digest"] for page in pages for entry in page) == sorted(digest for digest, _ in pushed)
    filtered = list(registry.pages(path + f"?n=2&artifactType={SIGNATURE}"))
    assert all(page.all("OCI-Filters-Applied") == ["artifactType"] for page in filtered)
    assert sorted(entry["digest"] for page in filtered for entry in listed(page)) == sorted(d for d, odd in pushed if odd)


def test_a_list_too_large_for_one_answer_comes_in_pages(registry, repository, subject):
    pushed = set()
    for number in range(12):
        data = oci.artifact(subject, SBOM, annotations={"number": str(number), "long": "x" * 500_000})
        pushed.add(registry.put_manifest(repository, oci.digest_of(data), data))
    found = []
    for page in registry.pages(f"/v2/{repository}/referrers/{subject['digest']}"):
        assert len(page.body) <= 4 << 20
        found += [entry["digest"] for entry in listed(page)]
    assert sorted(found) == sorted(pushed)


def test_a_deleted_referrer_is_listed_no_more(registry, repository, subject):
    stays, goes = (oci.artifact(subject, SIGNATURE, annotations={"n": name}) for name in ("stays", "goes"))
    for data in (stays, goes):
        registry.put_manifest(repository, oci.digest_of(data), data)
    assert registry.call("DELETE", registry.manifest_path(repository, oci.digest_of(goes))).status == 202
    assert listed(registry.referrers(repository, subject["digest"])) == [descriptor(stays, SIGNATURE, annotations={"n": "stays"})]


def test_referrers_outlive_the_subject(registry, repository, subject):
    data = oci.artifact(subject, SIGNATURE)
    registry.put_manifest(repository, oci.digest_of(data), data)
    assert registry.call("DELETE", registry.manifest_path(repository, subject["digest"])).status == 202
    assert listed(registry.referrers(repository, subject["digest"])) == [descriptor(data, SIGNATURE)]


def test_referrers_are_those_of_the_repository(registry, repository, subject):
    other = repository + "-other"
    registry.put_blob(other, oci.EMPTY_JSON)
    data = oci.artifact(subject, SIGNATURE)
    registry.put_manifest(other, oci.digest_of(data), data)
    assert listed(registry.referrers(repository, subject["digest"])) == []
    assert listed(registry.referrers(other, subject["digest"])) == [descriptor(data, SIGNATURE)]


def fallback_tag(digest):
    return digest.replace(":", "-")


def test_the_index_of_a_fallback_tag_is_merged(registry, repository, subject):
    native = oci.artifact(subject, SIGNATURE, annotations={"way": "native"})
    registry.put_manifest(repository, oci.digest_of(native), native)
    # Written by a client that knew no referrers API: manifests whose list is kept under a tag.
    by_tag = oci.artifact(subject, SBOM, annotations={"way": "tag"})
    registry.put_blob(repository, b"a bundle")
    without_subject = oci.image_manifest(oci.EMPTY_JSON, [b"a bundle"], config_type=oci.OCI_EMPTY, artifactType=SBOM)
    for data in (by_tag, without_subject):
        registry.put_manifest(repository, oci.digest_of(data), data)
    entries = [
        descriptor(by_tag, SBOM, annotations={"way": "tag"}),
        descriptor(without_subject, SBOM),
        descriptor(native, SIGNATURE, annotations={"way": "native"}),
    ]
    registry.put_manifest(repository, fallback_tag(subject["digest"]), oci.image_index(entries), oci.OCI_INDEX)
    assert listed(registry.referrers(repository, subject["digest"])) == by_digest(entries)
    filtered = registry.referrers(repository, subject["digest"], f"?artifactType={SBOM}")
    assert [entry["digest"] for entry in listed(filtered)] == sorted(entry["digest"] for entry in entries[:2])


@pytest.mark.parametrize("what", ["an image", "an unknown type"])
def test_a_fallback_tag_that_is_no_index_does_no_harm(registry, repository, subject, what):
    data = oci.artifact(subject, SIGNATURE)
    registry.put_manifest(repository, oci.digest_of(data), data)
    tag = fallback_tag(subject["digest"])
    if what == "an image":
        registry.put_manifest(repository, tag, oci.image_manifest(oci.EMPTY_JSON))
    else:
        registry.put_manifest(repository, tag, b"no JSON at all", "application/x-anything")
    assert listed(registry.referrers(repository, subject["digest"])) == [descriptor(data, SIGNATURE)]


@pytest.mark.parametrize("digest", ["nonsense", "sha256:123", "latest", "sha256:" + "A" * 64])
def test_a_bad_digest_is_400(registry, repository, digest):
    response = registry.referrers(repository, digest)
    assert response.status == 400 and response.code == "DIGEST_INVALID"


def test_a_node_lists_the_referrers_of_its_parent(registry, edge, repository, subject):
    data = oci.artifact(subject, SIGNATURE, annotations={"through": "the node"})
    registry.put_manifest(repository, oci.digest_of(data), data)
    through = edge.referrers(repository, subject["digest"])
    assert listed(through) == [descriptor(data, SIGNATURE, annotations={"through": "the node"})]
    assert edge.get_manifest(repository, oci.digest_of(data)).body == data
    filtered = edge.referrers(repository, subject["digest"], f"?artifactType={SBOM}")
    assert listed(filtered) == [] and filtered.all("OCI-Filters-Applied") == ["artifactType"]
    assert listed(edge.referrers(repository, oci.digest_of(b"without referrers"))) == []
