"""Registered nodes: how they join, what they see, what the master knows of them, and how they are removed."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.feed import settle
from wherry.process import Master, Node, wait_until
from wherry.proxy import CountingProxy


class Owner:
    """A master whose feed only registered nodes read."""

    def __init__(self, area, run_server):
        self.area, self.run_server = area, run_server
        self.master = run_server(
            Master(area, settings={"feed": {"registered-only": True}}),
        )
        self.registry = Registry(self.master.address)

    def api(self, method, path, document=None):
        body = json.dumps(document).encode() if document is not None else None
        return self.registry.call(method, path, body, {"Content-Type": "application/json"})

    def add(self, name, projects=()):
        answer = self.api("POST", "/api/v1/nodes", {"name": name, "projects": list(projects)})
        assert answer.status == 201, answer
        return answer.json["join_token"]

    def node(self, name, token, parent_url=None):
        return self.run_server(Node(self.area, parent_url or self.master.url, name), extra=["--join", token])

    def nodes(self):
        return {node["name"]: node for node in self.api("GET", "/api/v1/nodes").json}


@pytest.fixture
def owner(area, run_server):
    return Owner(area, run_server)


def test_a_node_joins_with_its_token_and_is_listed_with_what_it_says_of_itself(owner):
    owner.registry.put_image("team/app", "v1", [b"layer"])
    node = owner.node("paris", owner.add("paris"))
    wait_until(node.follows, "it follows")

    def reported():
        report = owner.nodes()["paris"]["report"]
        return report if report and report["feed"]["position"] > 0 else None

    listed = wait_until(reported, "it has reported where it is", 30)
    assert listed["version"] and "bytes" in listed["cache"]
    assert owner.nodes()["paris"]["joined"] and owner.nodes()["paris"]["last_seen"]
    [joined] = owner.api("GET", "/api/v1/audit?action=node.join").json["items"]
    assert joined["target"] == "node/paris" and joined["actor"]["kind"] == "node" and joined["remote"] == "127.0.0.1"
    identity = node.data / "node-identity.pem"
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    # It is the same one after a restart, without its token.
    node.stop()
    node.start()
    wait_until(node.follows, "it follows again")


def test_nobody_else_reads_the_feed(owner):
    assert owner.registry.get("/wherry/v1/feed?from=1").status == 401
    assert owner.registry.get("/wherry/v1/snapshot").status == 401
    stranger = owner.run_server(Node(owner.area, owner.master.url, "stranger"))
    owner.registry.put_image("team/app", "v1", [b"layer"])
    assert Registry(stranger.address).get_manifest("team/app", "v1").status == 200  # it asks
    assert stranger.status()["feed"]["position"] == 0


def test_a_token_works_once(owner):
    token = owner.add("paris")
    wait_until(owner.node("paris", token).follows, "the first one follows")
    second = owner.node("other", token)
    wait_until(lambda: "join token was refused" in second.text(), "the second one is refused")
    assert not second.follows()
    for wrong in ("wjt1.paris.00.11", "nonsense"):
        node = Node(owner.area, owner.master.url, f"wrong-{len(wrong)}")
        node.start(extra=["--join", wrong], ready_within=None)
        assert node.wait_end() == 78 and "join token" in node.text()


def test_a_removed_node_loses_its_stream_and_its_certificate_in_every_tier(owner):
    region = owner.node("region", owner.add("region"))
    branch = owner.node("branch", owner.add("branch"), region.url)
    for node in (region, branch):
        wait_until(node.follows, f"{node.name} follows")
    assert owner.api("DELETE", "/api/v1/nodes/branch").status == 204
    wait_until(lambda: branch.status()["feed"]["state"] != "following", "its stream has ended", 10)
    wait_until(lambda: "removed" in branch.status()["feed"].get("trouble", ""), "it is told why", 30)
    assert "branch" not in owner.nodes()
    before = branch.status()["feed"]["position"]
    owner.registry.put_image("team/app", "v1", [b"layer"])
    wait_until(lambda: region.status()["feed"]["position"] > before, "the region has followed")
    assert branch.status()["feed"]["position"] == before
    assert owner.api("DELETE", "/api/v1/nodes/region").status == 204
    wait_until(lambda: region.status()["feed"]["state"] != "following", "the region's stream has ended too", 10)
    # One of the same name is another one.
    assert owner.add("branch")
    assert not branch.follows()


def test_a_node_sees_its_projects_alone_and_so_does_what_is_below_it(owner):
    owner.registry.put_image("seen/app", "v1", [b"layer"])
    owner.registry.put_image("hidden/app", "v1", [b"layer"])
    region = owner.node("region", owner.add("region"))
    branch = owner.node("branch", owner.add("branch", ["se*"]), region.url)
    leaf = owner.node("leaf", owner.add("leaf", ["seen"]))
    wait_until(region.follows, "the region follows")
    for node in (branch, leaf):
        wait_until(node.follows, f"{node.name} follows")
        edge = Registry(node.address)
        assert edge.get("/v2/_catalog").json["repositories"] == ["seen/app"]
        assert edge.get_manifest("seen/app", "v1")["Wherry-Position"]
        assert b"hidden" not in read_log(node)
    assert Registry(region.address).get("/v2/_catalog").json["repositories"] == ["hidden/app", "seen/app"]


def read_log(node):
    """The feed as a child of this node would read it, as far as it goes now."""
    registry = Registry(node.address)
    with registry.open("GET", "/wherry/v1/feed?from=1") as stream:
        return stream.read1(1 << 20) + stream.read1(1 << 20)


def test_what_is_below_a_node_is_shown_beneath_it(owner):
    region = owner.node("region", owner.add("region"))
    wait_until(region.follows, "the region follows")
    owner.node("branch", owner.add("branch"), region.url)

    def branch_is_seen():
        report = owner.nodes()["region"]["report"] or {}
        return [child["name"] for child in report.get("children", [])] == ["branch"]

    wait_until(branch_is_seen, "the region tells of the branch", 40)


def test_two_at_once_of_one_name_are_one_node(owner):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: owner.api("POST", "/api/v1/nodes", {"name": "paris"}), range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [400] * 7
    token = next(answer.json["join_token"] for answer in answers if answer.status == 201)
    wait_until(owner.node("paris", token).follows, "the token of the one that was told works")


def test_a_node_that_was_removed_joins_again_by_a_new_token(owner):
    owner.registry.put_image("team/app", "v1", [b"layer"])
    node = owner.node("paris", owner.add("paris"))
    wait_until(node.follows, "it follows")
    assert owner.api("DELETE", "/api/v1/nodes/paris").status == 204
    wait_until(lambda: "removed" in node.status()["feed"].get("trouble", ""), "it is told that it was removed", 30)
    node.stop()
    owner.registry.put_image("team/app", "v2", [b"another"])
    node.start(extra=["--join", owner.add("rome")])
    settle(owner.master, node)
    assert node.follows() and owner.nodes()["rome"]["joined"]
    # The token is used up, the identity is what counts.
    node.stop()
    node.start(extra=["--join", owner.add("unused")])
    wait_until(node.follows, "it follows as who it is")
    assert not owner.nodes()["unused"]["joined"]


def test_a_node_that_is_registered_for_other_projects_sees_those_and_no_more(owner):
    owner.registry.put_image("old/app", "v1", [b"old"])
    owner.registry.put_image("new/app", "v1", [b"new"])
    node = owner.node("paris", owner.add("paris", ["old"]))
    wait_until(node.follows, "it follows")
    edge = Registry(node.address)
    assert edge.get("/v2/_catalog").json["repositories"] == ["old/app"]
    assert owner.api("DELETE", "/api/v1/nodes/paris").status == 204
    node.stop()
    node.start(extra=["--join", owner.add("paris", ["new"])])
    edge = Registry(node.address)
    wait_until(lambda: edge.get("/v2/_catalog").json["repositories"] == ["new/app"], "it sees the new project alone", 30)
    owner.registry.put_image("new/app", "v2", [b"newer"])
    owner.registry.put_image("old/app", "v2", [b"older"])
    settle(owner.master, node)
    assert edge.get("/v2/new/app/tags/list").json["tags"] == ["v1", "v2"]
    assert edge.get("/v2/_catalog").json["repositories"] == ["new/app"]
    assert b"old/app" not in read_log(node)


def test_that_nobody_else_reads_the_feed_holds_in_every_tier(owner):
    region = owner.node("region", owner.add("region"))
    wait_until(region.follows, "the region follows")
    edge = Registry(region.address)
    wait_until(lambda: edge.get("/wherry/v1/snapshot").status == 401, "the region lets no stranger in")
    # A stream answers with its first byte; a refusal at once.
    assert edge.get("/wherry/v1/feed?from=1").status == 401
    stranger = owner.run_server(Node(owner.area, region.url, "stranger"))
    owner.registry.put_image("team/app", "v1", [b"layer"])
    settle(owner.master, region)
    assert Registry(stranger.address).get_manifest("team/app", "v1").status == 200  # it asks
    assert stranger.status()["feed"]["position"] == 0


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": ""},
        {"name": "Paris"},
        {"name": "a" * 64},
        {"name": "-a"},
        {"name": "../x"},
        {"name": 7},
        {"name": "ok", "projects": "team"},
        {"name": "ok", "projects": ["a,DNS:evil"]},
        {"name": "ok", "projects": ["a/b"]},
        {"name": "ok", "projects": [""]},
    ],
)
def test_a_node_that_cannot_be_is_not_added(owner, document):
    answer = owner.api("POST", "/api/v1/nodes", document)
    assert answer.status == 400 and answer["Content-Type"].startswith("application/problem+json"), answer


def test_a_request_that_was_signed_for_something_else_is_refused(owner):
    proxy = CountingProxy(owner.master.address)
    node = owner.node("paris", owner.add("paris"), proxy.url)
    wait_until(node.follows, "it follows")
    seen = next(s for s in proxy.seen if "/wherry/v1/feed" in s.path and "Authorization" in s.headers)
    header = {"Authorization": seen.headers["Authorization"]}
    assert owner.registry.call("GET", "/wherry/v1/snapshot", headers=header).status == 401
    assert owner.registry.call("POST", "/wherry/v1/nodes/report", b"{}", header).status == 401
    broken = {"Authorization": seen.headers["Authorization"].replace('time="1', 'time="2')}
    assert owner.registry.call("GET", seen.path, headers=broken).status == 401
    proxy.close()


def test_joins_and_reports_that_are_not_in_their_form_are_refused(owner):
    for body in (b"", b"[]", b"{", b"[" * 100_000, b'{"name": 1}', os.urandom(100)):
        answer = owner.registry.call("POST", "/wherry/v1/nodes/join", body)
        assert answer.status in (400, 401) and answer["Content-Type"] == "application/problem+json", answer
    assert owner.registry.call("POST", "/wherry/v1/nodes/report", b"{}").status == 401
    assert owner.registry.call("GET", "/wherry/v1/nodes/join").status == 404
    assert oci.digest_of(b"")  # the master lives


def test_images_that_a_policy_wants_are_at_a_node_before_anybody_asks(owner):
    proxy = CountingProxy(owner.master.address)
    paris = owner.node("paris", owner.add("paris"), proxy.url)
    rome = owner.node("rome", owner.add("rome"))
    for node in (paris, rome):
        wait_until(node.follows, f"{node.name} follows")
    path = "/api/v1/replication/fill-ahead"
    policy = {"repositories": ["team/**"], "tags": ["v*"], "nodes": ["paris"]}
    assert owner.api("PUT", f"{path}/prod", policy).status == 200
    assert owner.api("PUT", f"{path}/bad", {"repositories": "team"}).status == 400
    assert owner.api("GET", path).json == {"prod": policy}

    layers = [os.urandom(200_000), os.urandom(300_000)]
    manifest, digest = owner.registry.put_image("team/deep/app", "v1", layers)
    index = oci.image_index([{**oci.descriptor(manifest, oci.OCI_MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}}])
    owner.registry.put_manifest("team/deep/app", "v2", index, oci.OCI_INDEX)
    owner.registry.put_image("team/deep/app", "latest", [b"not wanted"])
    owner.registry.put_image("other/app", "v1", [b"not wanted either"])
    wait_until(lambda: all(paris.blob_file(oci.digest_of(layer)).exists() for layer in layers), "the layers are there")
    wait_until(lambda: index_is_held(paris, oci.digest_of(index)), "the index is there")
    assert not paris.blob_file(oci.digest_of(b"not wanted")).exists()
    assert not paris.blob_file(oci.digest_of(b"not wanted either")).exists()
    assert not rome.blob_file(oci.digest_of(layers[0])).exists()
    asked = len(proxy.seen)
    edge = Registry(paris.address)
    assert edge.get_manifest("team/deep/app", "v1").body == manifest
    assert edge.get_blob("team/deep/app", oci.digest_of(layers[0])).body == layers[0]
    assert [seen.path for seen in proxy.seen[asked:] if "/v2/" in seen.path] == []

    assert owner.api("DELETE", f"{path}/prod").status == 204
    assert owner.api("DELETE", f"{path}/prod").status == 404
    owner.registry.put_image("team/deep/app", "v3", [b"too late"])
    settle(owner.master, paris)
    assert not paris.blob_file(oci.digest_of(b"too late")).exists()
    proxy.close()


def index_is_held(node, digest):
    return node.metrics()[("wherry_fill_ahead_images_total", frozenset({("outcome", "brought")}))] >= 2
