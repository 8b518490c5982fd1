"""Real clients: each pushes to the master and pulls from the master and from the node; digests are equal everywhere."""

import hashlib
import json
import shutil

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.clients import Containerd, Crane, Oras, Podman, Skopeo, run
from wherry.image import MEBIBYTE, make_image
from wherry.process import DockerRegistry, Master, Node

LAYERS = [48 * MEBIBYTE, 32 * MEBIBYTE, 20 * MEBIBYTE, 4 * MEBIBYTE, 64 * 1024]


@pytest.fixture(scope="module")
def folder(session_area):
    folder = session_area / "clients"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def layout(folder):
    """A real image of six layers and more than 100 MB, as skopeo names it."""
    return make_image(folder, LAYERS)


@pytest.fixture(scope="module")
def image(folder, layout, master):
    """(repository:tag, digest) of that image on the master, pushed by skopeo."""
    Skopeo(folder).push(layout, f"{master.address}/team/app:v1")
    index = json.loads((folder / "layout" / "index.json").read_text())
    return "team/app:v1", index["manifests"][0]["digest"]


@pytest.fixture
def crane(area):
    return Crane(area)


def assert_blobs_are_right(servers, repository, manifest):
    """Every blob of a manifest hashes to its digest wherever it is pulled from."""
    for server in servers:
        for blob in [manifest["config"], *manifest["layers"]]:
            answer = Registry(server.address).get_blob(repository, blob["digest"])
            assert answer.status == 200 and f"sha256:{hashlib.sha256(answer.body).hexdigest()}" == blob["digest"]
            assert len(answer.body) == blob["size"]


def test_the_image_is_the_same_at_both_ends(image, master, node, crane, area):
    name, digest = image
    skopeo = Skopeo(area)
    raws = [skopeo.inspect(f"{server.address}/{name}") for server in (master, node)]
    assert raws[0] == raws[1] and oci.digest_of(raws[0].encode()) == digest
    assert [crane.digest(f"{server.address}/{name}") for server in (master, node)] == [digest, digest]
    manifest = json.loads(raws[0])
    assert len(manifest["layers"]) == 6 and sum(layer["size"] for layer in manifest["layers"]) > 100_000_000
    assert_blobs_are_right((master, node), "team/app", manifest)


def test_skopeo(image, layout, master, node, area, crane):
    skopeo = Skopeo(area)
    skopeo.push(layout, f"{master.address}/by/skopeo:v1")
    for server in (master, node):
        assert oci.digest_of(skopeo.pull(f"{server.address}/by/skopeo:v1")) == image[1]
    assert json.loads(skopeo.run("list-tags", "--tls-verify=false", f"docker://{node.address}/by/skopeo"))["Tags"] == ["v1"]
    skopeo.run("delete", "--tls-verify=false", f"docker://{master.address}/by/skopeo:v1")
    assert Registry(master.address).get_manifest("by/skopeo", "v1").status == 404


def test_skopeo_as_docker_schema_2(layout, master, node, area):
    skopeo = Skopeo(area)
    skopeo.run("copy", "--format", "v2s2", "--dest-tls-verify=false", layout, f"docker://{master.address}/by/skopeo-docker:v1")
    raws = [skopeo.inspect(f"{server.address}/by/skopeo-docker:v1") for server in (master, node)]
    assert raws[0] == raws[1] and json.loads(raws[0])["mediaType"] == oci.DOCKER_MANIFEST


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah(image, master, node, area, crane, program):
    client = Podman(area, program)
    first = client.pull(f"{master.address}/{image[0]}")
    pushed = client.push(f"{master.address}/{image[0]}", f"{master.address}/by/{program}:v1")
    client.forget()
    assert client.pull(f"{node.address}/{image[0]}") == first
    client.forget()
    for server in (master, node):
        assert crane.digest(f"{server.address}/by/{program}:v1") == pushed
    assert client.pull(f"{node.address}/by/{program}:v1") == first
    manifest = Registry(master.address).get_manifest(f"by/{program}", "v1").json
    assert_blobs_are_right((node,), f"by/{program}", manifest)


def test_ctr_of_containerd(image, master, node, area, crane, run_server):
    containerd = run_server(Containerd(area))
    assert containerd.pull(f"{master.address}/{image[0]}") == image[1]
    containerd.push(f"{master.address}/{image[0]}", f"{master.address}/by/ctr:v1")
    assert crane.digest(f"{master.address}/by/ctr:v1") == image[1]
    containerd.forget()
    for name in (image[0], "by/ctr:v1"):
        assert containerd.pull(f"{node.address}/{name}") == image[1]
        containerd.forget()


def test_crane(image, layout, master, node, area, crane):
    for server in (master, node):
        target = area / f"{server.name}-pulled"
        crane.run("pull", "--format=oci", f"{server.address}/{image[0]}", target)
        assert json.loads((target / "index.json").read_text())["manifests"][0]["digest"] == image[1]
        crane.run("validate", "--remote", f"{server.address}/{image[0]}")
    crane.run("push", area / f"{node.name}-pulled", f"{master.address}/by/crane:v1")
    crane.run("copy", f"{node.address}/{image[0]}", f"{master.address}/by/crane:copied")
    crane.run("tag", f"{master.address}/by/crane:v1", "more")
    for server in (master, node):
        assert sorted(crane.run("ls", f"{server.address}/by/crane").split()) == ["copied", "more", "v1"]
        for tag in ("v1", "copied", "more"):
            assert crane.digest(f"{server.address}/by/crane:{tag}") == image[1]
    assert "by/crane" in crane.run("catalog", master.address).split()


def test_oras(image, layout, master, node, area, crane):
    oras = Oras(area)
    oras.run("cp", "--from-oci-layout", layout.removeprefix("oci:"), "--to-plain-http", f"{master.address}/by/oras:v1")
    for server in (master, node):
        descriptor = json.loads(oras.run("manifest", "fetch", "--descriptor", "--plain-http", f"{server.address}/by/oras:v1"))
        assert descriptor["digest"] == image[1]
    copy = area / "copied"
    oras.run("cp", "--from-plain-http", f"{node.address}/by/oras:v1", "--to-oci-layout", f"{copy}:v1")
    assert json.loads((copy / "index.json").read_text())["manifests"][0]["digest"] == image[1]
    assert oras.run("repo", "tags", "--plain-http", f"{node.address}/by/oras").split() == ["v1"]


def test_oras_keeps_artifacts_and_finds_referrers_at_both_ends(image, master, node, area):
    oras = Oras(area)
    (area / "sbom.json").write_text('{"packages":[]}')
    (area / "notes.txt").write_text("a note\n" * 1000)
    subject = f"{master.address}/by/oras-artifacts:v1"
    oras.run("cp", "--from-plain-http", f"{master.address}/{image[0]}", "--to-plain-http", subject)
    attach = ["attach", "--plain-http", "--disable-path-validation", "--artifact-type"]
    oras.run(*attach, "application/vnd.example.sbom", subject, f"{area}/sbom.json:application/json")
    oras.run(*attach, "application/vnd.example.notes", "--annotation", "by=tests", subject, f"{area}/notes.txt:text/plain")
    for server in (master, node):
        name = f"{server.address}/by/oras-artifacts:v1"
        found = json.loads(oras.run("discover", "--plain-http", "--format", "json", name))
        entries = found.get("referrers") or found["manifests"]
        assert sorted(entry["artifactType"] for entry in entries) == [
            "application/vnd.example.notes", "application/vnd.example.sbom",
        ]  # fmt: skip
        only = oras.run(
            "discover", "--plain-http", "--format", "json", "--artifact-type", "application/vnd.example.notes", name
        )
        [entry] = json.loads(only).get("referrers") or json.loads(only)["manifests"]
        assert entry["annotations"]["by"] == "tests"
        pulled = area / f"{server.name}-notes"
        reference = f"{server.address}/by/oras-artifacts@{entry['digest']}"
        oras.run("pull", "--plain-http", "--allow-path-traversal", "-o", pulled, reference)
        files = [path for path in [*pulled.rglob("notes.txt"), area / "notes.txt"] if path.is_file()]
        assert all(path.read_text() == "a note\n" * 1000 for path in files)


def test_a_multi_platform_index_is_the_same_at_both_ends(master, node, area, crane):
    small = {}
    for number, platform in enumerate(("linux/amd64", "linux/arm64")):
        folder = area / platform.replace("/", "-")
        folder.mkdir()
        source = make_image(folder, [200_000], seed=number)
        config_flag = ["--image", source.removeprefix("oci:"), "--architecture", platform.split("/")[1]]
        run("umoci", "config", *config_flag, area=area)
        Skopeo(area).push(source, f"{master.address}/multi/app:{platform.replace('/', '-')}")
        small[platform] = crane.digest(f"{master.address}/multi/app:{platform.replace('/', '-')}")
    crane.run(
        "index", "append", *[word for digest in small.values() for word in ("-m", f"{master.address}/multi/app@{digest}")],
        "-t", f"{master.address}/multi/app:all",
    )  # fmt: skip
    index = Registry(master.address).get_manifest("multi/app", "all")
    assert index.json["mediaType"] in (oci.OCI_INDEX, oci.DOCKER_LIST)
    assert sorted(entry["digest"] for entry in index.json["manifests"]) == sorted(small.values())
    assert Registry(node.address).get_manifest("multi/app", "all").body == index.body
    for server in (master, node):
        name = f"{server.address}/multi/app:all"
        assert crane.digest(name) == oci.digest_of(index.body)
        for platform, digest in small.items():
            assert crane.run("digest", "--platform", platform, name) == digest
        # skopeo may write the index in another form, over the same children
        children = json.loads(Skopeo(area).pull(name))["manifests"]
        assert sorted(entry["digest"] for entry in children) == sorted(small.values())
    Podman(area).pull(f"{node.address}/multi/app:all")


def test_an_image_of_another_registry_pulls_through_a_node(layout, area, run_server, crane):
    """docker-registry as the parent; and skopeo copies from it to a master through the node."""
    foreign = run_server(DockerRegistry(area))
    node = run_server(Node(area, foreign.url))
    master = run_server(Master(area))
    skopeo = Skopeo(area)
    skopeo.push(layout, f"{foreign.address}/team/app:v1")
    digest = crane.digest(f"{foreign.address}/team/app:v1")
    assert crane.digest(f"{node.address}/team/app:v1") == digest
    assert oci.digest_of(skopeo.pull(f"{node.address}/team/app:v1")) == digest
    skopeo.run(
        "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
        f"docker://{node.address}/team/app:v1", f"docker://{master.address}/team/app:v1",
    )  # fmt: skip
    assert crane.digest(f"{master.address}/team/app:v1") == digest
