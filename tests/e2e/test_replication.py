"""Replication policies between real registries: what is to be the same is, whatever happens on the way."""

import json
import os
import time

import pytest

from wherry import oci
from wherry.certificate import make_certificate
from wherry.client import Registry
from wherry.gatekeeper import Gatekeeper
from wherry.link import Link
from wherry.process import DockerRegistry, Master, Zot, wait_until
from wherry.proxy import CountingProxy
from wherry.replication import Replication, whole

MEBIBYTE = 1 << 20


@pytest.fixture
def docker(area, run_server):
    return run_server(DockerRegistry(area, "docker"))


@pytest.fixture
def zot(area, run_server):
    return run_server(Zot(area))


KINDS = ["docker", "there", pytest.param("zot", marks=pytest.mark.skipif(not Zot.PROGRAM.exists(), reason="there is no zot here"))]


def config_of(seed, architecture="amd64", labels=None, created="2026-01-01T00:00:00Z"):
    document = {"architecture": architecture, "os": "linux", "created": created, "seed": seed}
    if labels:
        document["config"] = {"Labels": labels}
    return oci.encode(document)


def put_image(registry, repository, tag, seed=1, sizes=(1000, 2000), **how):
    layers = [oci.random_bytes(size, f"{seed}-{number}") for number, size in enumerate(sizes)]
    return registry.put_image(repository, tag, layers, config_of(seed, **how))


def put_index(registry, repository, tag, seed):
    """An index of two images; gives the digests of index and images."""
    children = []
    for architecture in ("amd64", "arm64"):
        passing = f"tmp-{architecture}"
        manifest, _ = put_image(registry, repository, passing, f"{seed}{architecture}", architecture=architecture)
        platform = {"os": "linux", "architecture": architecture}
        children.append(oci.descriptor(manifest, oci.OCI_MANIFEST, platform=platform))
        assert registry.call("DELETE", registry.manifest_path(repository, passing)).status == 202
    index = oci.image_index(children)
    return registry.put_manifest(repository, tag, index, oci.OCI_INDEX), [child["digest"] for child in children]


def put_signature(registry, repository, manifest, media_type=oci.OCI_MANIFEST, kind="application/x.signature"):
    registry.put_blob(repository, oci.EMPTY_JSON)
    signature = oci.artifact(oci.descriptor(manifest, media_type), kind)
    return registry.put_manifest(repository, oci.digest_of(signature), signature)


def referrers(registry, repository, digest):
    response = registry.referrers(repository, digest)
    if response.status == 404:  # it has no such API: then there is the tag that stands for it
        response = registry.get_manifest(repository, digest.replace(":", "-"))
        if response.status == 404:
            return set()
    return {entry["digest"] for entry in response.json["manifests"]}


def fill(registry):
    """An image, an index, a signature of each and of an image in the index; gives {signed digest: signature}."""
    manifest, digest = put_image(registry, "team/app", "v1", 1)
    index_digest, children = put_index(registry, "team/app", "multi", 2)
    put_image(registry, "team/sub/tool", "v1", 3)
    put_image(registry, "other/app", "v1", 4)
    signed = {digest: put_signature(registry, "team/app", manifest)}
    for other, media_type in ((index_digest, oci.OCI_INDEX), (children[1], oci.OCI_MANIFEST)):
        body = registry.get_manifest("team/app", other).body
        signed[other] = put_signature(registry, "team/app", body, media_type)
    return signed


def check_same(source, target, signed, prefix=""):
    for repository in ("team/app", "team/sub/tool"):
        there = whole(target, prefix + repository)
        at_target = {tag: body for tag, body in there.items() if not tag.startswith("sha256-")}
        assert at_target == whole(source, repository)
    for digest, signature in signed.items():
        assert referrers(target, prefix + "team/app", digest) == {signature}
        assert target.get_manifest(prefix + "team/app", signature).status == 200
    assert target.get(f"/v2/{prefix}other/app/tags/list").status == 404


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_has_the_same_images_indexes_and_signatures_and_nothing_is_sent_twice(here, replication, kind, request):
    target_server = request.getfixturevalue(kind)
    source, target = Registry(here.address), Registry(target_server.address)
    signed = fill(source)
    replication.put("p", target_server.url, filters={"repositories": ["team/**"]}, deletions=True)
    first = replication.run("p")
    assert first["differences"] == 0
    assert first["progress"]["failed"] == 0 and first["progress"]["tasks"] >= 3, first
    check_same(source, target, signed)
    again = replication.run("p")
    assert again["progress"]["tasks"] == 0, replication.tasks(again["id"])
    assert again["progress"]["bytes"] == 0

    # A signature that comes later comes along, though the image is there already.
    manifest = source.get_manifest("team/app", "v1").body
    late = put_signature(source, "team/app", manifest, kind="application/x.attestation")
    replication.run("p")
    assert late in referrers(target, "team/app", oci.digest_of(manifest))

    # What goes at the source goes at the target: a tag, and all of a repository.
    assert source.call("DELETE", source.manifest_path("team/app", "multi")).status == 202
    assert source.call("DELETE", source.manifest_path("team/sub/tool", "v1")).status == 202
    replication.run("p")
    assert "multi" not in whole(target, "team/app") and "v1" in whole(target, "team/app")
    assert whole(target, "team/sub/tool") == {}
    assert replication.run("p")["progress"]["tasks"] == 0


def test_two_masters_are_identical_with_untagged_manifests_and_deleted_signatures(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    manifest, digest = put_image(source, "team/app", "v1", 1)
    signature = put_signature(source, "team/app", manifest)
    loose, loose_digest = put_image(source, "team/app", "gone", 2)
    assert source.call("DELETE", source.manifest_path("team/app", "gone")).status == 202
    replication.put("p", there.url, deletions=True)
    replication.run("p")
    assert target.get_manifest("team/app", loose_digest).body == loose
    assert referrers(target, "team/app", digest) == {signature}
    assert source.call("DELETE", source.manifest_path("team/app", signature)).status == 202
    assert source.call("DELETE", source.manifest_path("team/app", loose_digest)).status == 202
    replication.run("p")
    assert referrers(target, "team/app", digest) == set()
    assert target.get_manifest("team/app", signature).status == 404
    assert target.get_manifest("team/app", loose_digest).status == 404
    assert whole(target, "team/app") == {"v1": manifest}


@pytest.mark.parametrize("kind", KINDS)
def test_one_more_layer_replicates_that_layer_its_config_and_its_manifest(here, replication, kind, request):
    target_server = request.getfixturevalue(kind)
    source, target = Registry(here.address), Registry(target_server.address)
    base = oci.random_bytes(50 * MEBIBYTE, "base")
    more = oci.random_bytes(MEBIBYTE, "more")
    source.put_image("team/big", "v1", [base], config_of("v1"))
    replication.put("p", target_server.url)
    first = replication.run("p")
    assert first["progress"]["bytes"] == len(base) + len(config_of("v1"))
    manifest, digest = source.put_image("team/big", "v2", [base, more], config_of("v2"))
    second = replication.run("p")
    assert second["progress"]["bytes"] == len(more) + len(config_of("v2"))
    assert second["progress"]["blobs"] == 2 and second["progress"]["manifests"] == 2
    assert whole(target, "team/big")["v2"] == manifest
    # Another repository of the same registry gets it without a byte: what is there is mounted.
    source.put_image("team/copy", "v2", [base, more], config_of("v2"))
    put_image(source, "team/copy", "small", 9)
    third = replication.run("p")
    assert target.get_manifest("team/copy", "v2").body == manifest
    known = 0 if kind == "zot" else len(config_of("v2"))  # asked for a blob, zot takes what another repository has
    assert third["progress"]["bytes"] == 3000 + len(config_of(9)) + known, "layers were mounted"


def put_layers(registry, repository, sizes, seed):
    """Pushes layers of random bytes, one at a time in memory; gives their descriptors."""
    descriptors = []
    for number, size in enumerate(sizes):
        layer = oci.random_bytes(size, f"{seed}-{number}")
        registry.put_blob(repository, layer, "stream")
        descriptors.append(oci.descriptor(layer, oci.OCI_LAYER))
    return descriptors


def put_manifest_of(registry, repository, tag, config, layers):
    registry.put_blob(repository, config)
    document = {"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "config": oci.descriptor(config, oci.OCI_CONFIG), "layers": layers}
    manifest = oci.encode(document)
    registry.put_manifest(repository, tag, manifest)
    return manifest


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_one_more_layer_on_a_large_image_is_all_that_goes_over_the_wire(here, there, replication, direction):
    """WHERRY_IMAGE_MIB=1024 makes the image that large."""
    size = int(os.environ.get("WHERRY_IMAGE_MIB", "64")) * MEBIBYTE
    source, target = (Registry(server.address) for server in ((here, there) if direction == "push" else (there, here)))
    base = put_layers(source, "team/big", [size // 8] * 8, "base")
    put_manifest_of(source, "team/big", "v1", config_of("v1"), base)
    replication.put("p", there.url, direction=direction)
    first = replication.run("p", seconds=300)
    assert first["progress"]["bytes"] == sum(layer["size"] for layer in base) + len(config_of("v1"))

    [more] = put_layers(source, "team/big", [MEBIBYTE], "more")
    manifest = put_manifest_of(source, "team/big", "v2", config_of("v2"), [*base, more])
    link = Link(there.address)
    replication.put("p", link.url, direction=direction)
    second = replication.run("p", seconds=300)
    link.close()
    assert second["progress"]["bytes"] == more["size"] + len(config_of("v2"))
    assert whole(target, "team/big")["v2"] == manifest
    payload = more["size"] + len(config_of("v2")) + len(manifest)
    along, against = (link.bytes_up, link.bytes_down) if direction == "push" else (link.bytes_down, link.bytes_up)
    print(f"{direction}: {payload} bytes are new, {along} went along and {against} against, of {size} in the image")
    # Besides: requests, heads, lists of tags, and manifests that are compared.
    assert payload <= along < payload + 32 * 1024 and against < 32 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_pulled_from_another_registry(here, replication, kind, request):
    source_server = request.getfixturevalue(kind)
    source, target = Registry(source_server.address), Registry(here.address)
    signed = {}
    if kind == "there":
        signed = fill(source)
    else:
        for repository, seed in (("team/app", 1), ("team/sub/tool", 3), ("other/app", 4)):
            put_image(source, repository, "v1", seed, sizes=(100, 3 * MEBIBYTE))
    more = {"direction": "pull", "filters": {"repositories": ["team/**"]}, "destination": {"prefix": "mirror/"}}
    replication.put("p", source_server.url, deletions=True, **more)
    replication.run("p")
    check_same(source, target, signed, "mirror/")
    assert replication.run("p")["progress"]["tasks"] == 0
    put_image(source, "team/app", "v1", 7)
    put_image(target, "mirror/team/app", "mine", 8)
    replication.run("p")
    assert {t: b for t, b in whole(target, "mirror/team/app").items()} == whole(source, "team/app")


def test_a_push_is_replicated_soon_and_a_storm_of_pushes_makes_few_executions(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    put_image(source, "team/app", "v0", 0)
    replication.put("p", there.url, trigger={"on": "push"}, filters={"repositories": ["team/*"]}, deletions=True)
    wait_until(lambda: target.get_manifest("team/app", "v0").status == 200, "what was there before is replicated")
    manifest, digest = put_image(source, "team/app", "v1", 1)
    wait_until(lambda: target.get_manifest("team/app", "v1").status == 200, "the push is replicated", 10)
    before, begin = len(replication.executions("p")), time.monotonic()
    for number in range(100):
        source.put_manifest("team/app", f"storm{number}", manifest)
        time.sleep(0.01)
    wait_until(lambda: len(target.tags("team/app")) == 102, "the storm is replicated", 30)
    assert len(replication.executions("p")) - before <= 2 + 4 * (time.monotonic() - begin)
    put_image(source, "other/app", "v1", 3)
    assert source.call("DELETE", source.manifest_path("team/app", "v0")).status == 202
    wait_until(lambda: "v0" not in target.tags("team/app"), "the deletion is replicated", 10)
    assert target.get("/v2/other/app/tags/list").status == 404


def test_a_push_costs_what_it_changed_and_not_what_the_repository_holds(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    manifest, _ = put_image(source, "team/app", "v0", 0)
    for number in range(100):
        source.put_manifest("team/app", f"old{number}", manifest)
    proxy = CountingProxy(there.address)
    replication.put("p", proxy.url, trigger={"on": "push"}, deletions=True)
    wait_until(lambda: target.get_manifest("team/app", "v0").status == 200, "what was there before is replicated", 30)
    wait_until(lambda: replication.executions("p")[0]["state"] == "succeeded", "it has ended")
    before = len(proxy.seen)
    new, _ = put_image(source, "team/app", "v1", 1)
    signature = put_signature(source, "team/app", manifest)
    assert source.call("DELETE", source.manifest_path("team/app", "old7")).status == 202
    wait_until(lambda: {"v1", "old7"} & set(target.tags("team/app")) == {"v1"}, "it is replicated")
    wait_until(lambda: referrers(target, "team/app", oci.digest_of(manifest)) == {signature}, "its signature is, too")
    time.sleep(1)
    assert len(proxy.seen) - before < 60, [f"{seen.method} {seen.path}" for seen in proxy.seen[before:]]
    proxy.close()


def test_a_full_disk_holds_a_pull_up_until_there_is_room(area, there, run_server):
    source = Registry(there.address)
    manifest, _ = put_image(source, "team/app", "v1", 1, sizes=(MEBIBYTE,))
    free = os.statvfs(area)
    settings = area / "settings.yaml"
    settings.write_text(json.dumps({"space": {"low-water-bytes": int(free.f_bavail * free.f_frsize * 1.5)}}))
    master = Master(area, "full")
    run_server(master, extra=["--config", settings])
    replication = Replication(master)
    replication.put("p", there.url, direction="pull")
    number = replication.begin("p")
    wait_until(lambda: any("free" in task["error"] for task in replication.tasks(number)), "it says that there is no room")
    waiting = replication.execution(number)
    assert waiting["state"] == "running" and waiting["progress"]["bytes"] == 0, waiting
    assert whole(Registry(master.address), "team/app") == {}
    master.stop()
    master.start()
    replication.wait(number)
    assert whole(Registry(master.address), "team/app") == {"v1": manifest}


def test_the_api_describes_itself(replication):
    registry = replication.registry
    document = registry.get("/api/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert "/api/v1/replication/policies/{name}/run" in paths
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["operationId"] and operation["summary"], path
            for schema in json.dumps(operation).split('"#/components/schemas/')[1:]:
                assert schema.split('"')[0] in document["components"]["schemas"]
            if method == "get" and "{" not in path:
                assert registry.get(path).status == 200, path
    assert registry.get("/api/v1/replication/executions/99").status == 404
    assert registry.get("/api/v1/replication/executions?n=0").status == 400


def test_what_a_crash_broke_off_goes_on_inside_the_blob(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    layer = oci.random_bytes(80 * MEBIBYTE, "layer")
    manifest, _ = source.put_image("team/app", "v1", [layer], config_of(1))
    proxy = CountingProxy(there.address)
    sent = []
    proxy.answers = lambda handler: sent.append(len(handler.body)) and False
    replication.put("p", proxy.url, limits={"bytes-per-second": 24 * MEBIBYTE})
    number = replication.begin("p")
    wait_until(lambda: replication.execution(number)["progress"]["bytes"] >= 30 * MEBIBYTE, "some of it is there")
    here.kill()
    assert "v1" not in whole(target, "team/app")
    here.start()
    replication.wait(number)
    assert whole(target, "team/app") == {"v1": manifest}
    assert len(layer) <= sum(sent) <= len(layer) + 20 * MEBIBYTE, f"{sum(sent)} bytes were sent"
    proxy.close()


def test_a_pull_that_a_crash_broke_off_goes_on_inside_the_blob(here, there, replication):
    source, target = Registry(there.address), Registry(here.address)
    layer = oci.random_bytes(160 * MEBIBYTE, "layer")
    manifest, _ = source.put_image("team/app", "v1", [layer], config_of(1))
    proxy = CountingProxy(there.address)
    replication.put("p", proxy.url, direction="pull", limits={"bytes-per-second": 40 * MEBIBYTE})
    number = replication.begin("p")
    wait_until(lambda: replication.execution(number)["progress"]["bytes"] >= 60 * MEBIBYTE, "some of it is here")
    here.kill()
    here.start()
    replication.wait(number)
    assert whole(target, "team/app") == {"v1": manifest}
    ranges = [seen.headers.get("Range") for seen in proxy.seen if seen.method == "GET" and oci.digest_of(layer) in seen.path]
    assert len(ranges) == 2 and ranges[0] is None and int(ranges[1][6:-1]) >= 60 * MEBIBYTE, ranges
    proxy.close()


def test_a_target_that_fails_limits_and_resets_for_a_while_gets_everything(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    for number in range(8):
        put_image(source, "team/app", f"v{number}", number)
    proxy = CountingProxy(there.address)
    asked = []

    def misbehave(handler):
        asked.append(handler.path)
        turn = len(asked)
        if turn > 60 or turn % 3 == 0:
            return False
        if turn % 7 == 1:
            handler.close_connection = True  # without a word
            return True
        if turn == 20:
            return handler.answer(429, Retry_After="1")
        return handler.answer(503 if turn % 2 else 500)

    proxy.answers = misbehave
    replication.put("p", proxy.url)
    done = replication.run("p", seconds=120)
    assert done["progress"]["failed"] == 0
    assert whole(target, "team/app") == whole(source, "team/app")
    assert len(asked) > 60
    proxy.close()


def test_the_tag_comes_last_so_no_broken_image_is_ever_seen(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    index, _ = put_index(source, "team/app", "v1", 1)
    put_signature(source, "team/app", source.get_manifest("team/app", "v1").body, oci.OCI_INDEX)
    proxy = CountingProxy(there.address)
    replication.put("p", proxy.url, limits={"concurrent": 1})
    replication.run("p")
    puts = [seen.path.split("?")[0] for seen in proxy.seen if seen.method == "PUT"]
    manifests = [path for path in puts if "/manifests/" in path]
    assert manifests[-1].endswith("/manifests/v1") and len(manifests) == 5
    assert manifests[2].endswith(index)
    assert all("/blobs/" in path for path in puts[: puts.index(manifests[0])])
    proxy.close()


def test_an_execution_is_stopped_and_taken_up_again(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    manifest, _ = put_image(source, "team/app", "v1", 1, sizes=(20 * MEBIBYTE,))
    replication.put("p", there.url, limits={"bytes-per-second": 2 * MEBIBYTE})
    number = replication.begin("p")
    wait_until(lambda: replication.execution(number)["state"] == "running", "it runs")
    begin = time.monotonic()
    assert replication.call("POST", f"/executions/{number}/stop").status == 202
    replication.wait(number, "stopped", 10)
    assert time.monotonic() - begin < 5
    assert whole(target, "team/app") == {}
    replication.put("p", there.url)
    assert replication.call("POST", f"/executions/{number}/retry").status == 202
    replication.wait(number)
    assert whole(target, "team/app") == {"v1": manifest}


def test_bandwidth_is_what_was_said(here, there, replication):
    source = Registry(here.address)
    put_image(source, "team/app", "v1", 1, sizes=(8 * MEBIBYTE,))
    replication.put("p", there.url, limits={"bytes-per-second": 2 * MEBIBYTE})
    begin = time.monotonic()
    replication.run("p")
    assert 3 <= time.monotonic() - begin < 8


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_nothing_is_sent_outside_of_the_windows(here, there, replication, direction):
    source, target = Registry(here.address), Registry(there.address)
    if direction == "pull":
        source, target = target, source
    manifest, _ = put_image(source, "team/app", "v1", 1)
    now = time.gmtime()
    later = (now.tm_hour + 2) % 24
    window = {"from": f"{later:02}:00", "to": f"{(later + 1) % 24:02}:00"}
    proxy = CountingProxy(there.address)
    replication.put("p", proxy.url, direction=direction, windows=[window])
    number = replication.begin("p")
    time.sleep(2)
    assert replication.execution(number)["state"] in ("planning", "waiting") and not proxy.seen
    replication.call("POST", f"/executions/{number}/stop")
    replication.wait(number, "stopped")
    replication.put("p", proxy.url, direction=direction, windows=[{"from": "00:00", "to": "24:00"}])
    replication.run("p")
    assert whole(target, "team/app") == {"v1": manifest}
    proxy.close()


def test_filters_choose_by_tag_label_platform_and_age(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    put_image(source, "team/app", "v1", 1, labels={"stage": "prod"}, created="2026-01-01T00:00:00Z")
    put_image(source, "team/app", "v2", 2, labels={"stage": "test"}, created="2026-02-01T00:00:00Z")
    put_image(source, "team/app", "v3", 3, architecture="arm64", created="2026-03-01T00:00:00Z")
    put_image(source, "team/app", "nightly", 4, created="2026-04-01T00:00:00Z")
    for name, filters, expected in (
        ("label", {"labels": {"stage": "prod"}}, {"v1"}),
        ("platform", {"platforms": ["linux/arm64"]}, {"v3"}),
        ("tag", {"tags": ["v?"]}, {"v1", "v2", "v3"}),
        ("latest", {"tags": ["v*"], "latest": 2}, {"v2", "v3"}),
        ("type", {"media-types": [oci.OCI_INDEX]}, set()),
    ):
        replication.put(name, there.url, filters=filters, destination={"prefix": f"{name}/"})
        replication.run(name)
        assert set(whole(target, f"{name}/team/app")) == expected, name


def test_without_overwrite_a_tag_of_the_target_stays(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    put_image(source, "team/app", "v1", 1)
    theirs, _ = put_image(target, "team/app", "v1", 2)
    replication.put("p", there.url, overwrite=False)
    assert replication.run("p")["progress"]["tasks"] == 0
    assert whole(target, "team/app") == {"v1": theirs}


def test_a_target_does_not_send_content_elsewhere(here, there, docker, replication):
    source = Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    proxy = CountingProxy(there.address)

    def send_away(handler):
        if handler.command == "POST":
            return handler.answer(202, Location=f"{docker.url}/v2/stolen/blobs/uploads/x")
        return False

    proxy.answers = send_away
    replication.put("p", proxy.url)
    done = replication.run("p", "failed")
    assert "another server" in replication.tasks(done["id"])[0]["error"]
    proxy.close()


def test_a_target_behind_tls_and_passwords_gets_what_is_pushed(area, here, replication, run_server):
    users, certificate = {"mirror": "pass:word"}, make_certificate(area / "tls", "IP:127.0.0.1")
    target = run_server(DockerRegistry(area, "locked", users=users, certificate=certificate))
    source = Registry(here.address)
    put_image(source, "team/app", "v1", 1, sizes=(20 * MEBIBYTE,))
    secret = area / "secret"
    secret.write_text("mirror:pass:word\n")
    secret.chmod(0o600)
    remote = {"url": target.url, "credentials-file": str(secret), "ca-file": str(certificate[0])}
    replication.put("p", remote)
    assert replication.run("p")["progress"]["succeeded"] == 1
    secret.write_text("mirror:wrong\n")
    put_image(source, "team/app", "v2", 2)
    assert "credentials" in replication.run("p", "failed")["error"]
    secret.chmod(0o644)
    assert "chmod" in replication.run("p", "failed")["error"]


def test_a_target_that_wants_tokens_is_shown_one_for_pushing(area, here, there, replication):
    source = Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    put_image(source, "team/two", "v1", 1)
    keeper = Gatekeeper(there.address)
    secret = area / "secret"
    secret.write_text(f"{keeper.USER}:{keeper.PASSWORD}\n")
    secret.chmod(0o600)
    replication.put("p", {"url": keeper.url, "credentials-file": str(secret)})
    assert replication.run("p")["progress"]["failed"] == 0
    assert whole(Registry(there.address), "team/app") == whole(source, "team/app")
    scopes = [seen.path for seen in keeper.seen if "/token" in seen.path]
    assert any("pull%2Cpush" in path or "pull,push" in path for path in scopes), scopes
    keeper.close()


def test_policies_are_checked_and_errors_name_the_member(replication):
    good = {"name": "p", "direction": "push", "remote": {"url": "https://registry.example"}}
    for field, change in (
        ("name", {"name": "No Name"}),
        ("direction", {"direction": "sideways"}),
        ("remote.url", {"remote": {"url": "ftp://registry.example"}}),
        ("remote.urll", {"remote": {"url": "https://registry.example", "urll": 1}}),
        ("filters.repositories", {"filters": {"repositories": ["team/{a,b}"]}}),
        ("filters.platforms", {"filters": {"platforms": ["linux"]}}),
        ("trigger.cron", {"trigger": {"on": "schedule", "cron": "61 * * * *"}}),
        ("trigger.on", {"trigger": {"on": "never"}}),
        ("limits.concurrent", {"limits": {"concurrent": 0}}),
        ("windows[0].from", {"windows": [{"from": "25:00", "to": "26:00"}]}),
        ("priority", {"priority": "high"}),
        ("unknown", {"unknown": 1}),
    ):
        response = replication.call("POST", "/policies", {**good, **change})
        assert response.status == 400 and response["Content-Type"] == "application/problem+json", (field, response)
        assert response.json["field"] == field and response.json["detail"].startswith(field), response.json
    assert replication.call("POST", "/policies", good).status == 201
    assert replication.call("POST", "/policies", good).status == 409
    assert replication.call("DELETE", "/policies/p").status == 204
    assert replication.call("GET", "/policies/p").status == 404
    assert replication.call("PATCH", "/policies/p", {}).status == 405


def test_commands_apply_run_and_show(here, there, area, replication):
    source, target = Registry(here.address), Registry(there.address)
    put_image(source, "team/app", "v1", 1)
    file = area / "policy.yaml"
    file.write_text(f"name: p\ndirection: push\nremote:\n  url: {there.url}\nfilters:\n  repositories: ['team/**']\n")
    assert "in force" in replication.command("policy", "apply", "-f", str(file))
    assert "team/**" in replication.command("policy", "list")
    assert json.loads(replication.command("policy", "show", "p"))["direction"] == "push"
    said = replication.command("run", "p", "--wait")
    assert "succeeded" in said and "1/1" in said
    listed = json.loads(replication.command("executions", "--policy", "p", "--json"))
    assert [each["state"] for each in listed] == ["succeeded"]
    assert "team/app:v1" in replication.command("show", str(listed[0]["id"]))
    assert set(whole(target, "team/app")) == {"v1"}
    assert "no replication policy" in replication.command("run", "q", code=1)
    assert "direction" in replication.command("policy", "apply", "-f", "-", given='{"name": "x"}', code=1)
    replication.command("policy", "remove", "p")
    assert replication.call("GET", "/policies").json == []
