"""Nodes that follow: the feed of names from the master to the tiers below it."""

import json
import os
import time
import zlib

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.exposition import value
from wherry.feed import position_of, settle
from wherry.process import Master, Node, wait_until
from wherry.proxy import CountingProxy


class Tiers:
    """A master, a region below it, a branch below that; a counting proxy before each parent."""

    def __init__(self, area, run_server):
        self.master = run_server(Master(area))
        self.above_region = CountingProxy(self.master.address)
        self.region = run_server(Node(area, self.above_region.url, "region"))
        self.above_branch = CountingProxy(self.region.address)
        self.branch = run_server(Node(area, self.above_branch.url, "branch"))
        self.registry = Registry(self.master.address)
        self.edges = [Registry(self.region.address), Registry(self.branch.address)]

    def nodes(self):
        return [self.region, self.branch]

    def settle(self):
        """Waits until both nodes have applied all that the master has."""
        settle(self.master, *self.nodes())

    def close(self):
        self.above_region.close()
        self.above_branch.close()


@pytest.fixture
def tiers(area, run_server):
    tiers = Tiers(area, run_server)
    for node in tiers.nodes():
        wait_until(lambda node=node: node.status()["feed"]["complete"], f"{node.name} follows")
    yield tiers
    tiers.close()


def test_a_tag_that_moves_is_answered_anew_in_every_tier_without_a_question_upwards(tiers):
    for round_ in range(5):
        manifest, digest = tiers.registry.put_image("team/app", "latest", [os.urandom(100)])
        for edge in tiers.edges:
            edge.get_manifest("team/app", digest)  # now it is held
        tiers.settle()
        asked_before = [proxy.count(part="/manifests/latest") for proxy in (tiers.above_region, tiers.above_branch)]
        for edge in tiers.edges:
            answer = edge.get_manifest("team/app", "latest")
            assert answer.body == manifest and answer["Docker-Content-Digest"] == digest
            assert int(answer["Wherry-Position"]) > round_ and int(answer["Age"]) < 30 and not answer.stale
        asked = [proxy.count(part="/manifests/latest") for proxy in (tiers.above_region, tiers.above_branch)]
        assert asked == asked_before


def test_tags_and_repositories_are_listed_out_of_the_feed(tiers):
    tiers.registry.put_image("team/app", "one", [b"layer"])
    tiers.registry.put_image("team/app", "two", [b"layer"])
    tiers.settle()
    for edge in tiers.edges:
        tags = edge.get("/v2/team/app/tags/list")
        assert tags.json == {"name": "team/app", "tags": ["one", "two"]} and tags["Wherry-Position"]
        catalog = edge.get("/v2/_catalog")
        assert catalog.json["repositories"] == ["settle/marks", "team/app"] and catalog["Wherry-Position"]
    assert tiers.above_branch.count(part="/tags/list") == 0 and tiers.above_branch.count(part="/_catalog") == 0


def test_what_is_deleted_is_gone_in_every_tier(tiers):
    _, first = tiers.registry.put_image("team/app", "one", [b"layer 1"])
    _, second = tiers.registry.put_image("team/app", "two", [b"layer 2"])
    for edge in tiers.edges:
        assert edge.get_manifest("team/app", "one").status == 200
        assert edge.get_manifest("team/app", "two").status == 200
    assert tiers.registry.call("DELETE", "/v2/team/app/manifests/one").status == 202
    assert tiers.registry.call("DELETE", f"/v2/team/app/manifests/{second}").status == 202
    tiers.settle()
    for edge in tiers.edges:
        assert edge.get_manifest("team/app", "one").code == "MANIFEST_UNKNOWN"
        assert edge.get_manifest("team/app", "two").code == "MANIFEST_UNKNOWN"
        assert edge.get_manifest("team/app", second).code == "MANIFEST_UNKNOWN"
        assert edge.get_manifest("team/app", first).status == 200  # the tag alone was deleted
        assert edge.get("/v2/team/app/tags/list").json["tags"] == []


def test_a_node_answers_tags_with_its_parent_dead_and_after_a_restart_and_says_how_old_it_is(tiers):
    manifest, digest = tiers.registry.put_image("team/app", "v1", [b"layer"])
    for edge in tiers.edges:
        assert edge.get_manifest("team/app", digest).status == 200
    tiers.settle()
    position = position_of(tiers.branch)
    tiers.master.kill()
    tiers.region.kill()
    tiers.branch.restart()
    edge = tiers.edges[1]
    answer = edge.get_manifest("team/app", "v1")
    assert answer.body == manifest and int(answer["Wherry-Position"]) == position
    assert edge.get_manifest("team/app", "never-was").code == "MANIFEST_UNKNOWN"
    assert edge.get("/v2/team/app/tags/list").json["tags"] == ["v1"]
    assert tiers.branch.status()["feed"]["state"] != "following"
    # The tiers above come back, and it goes on where it was.
    tiers.master.start()
    tiers.region.start()
    tiers.registry.put_image("team/app", "v2", [b"layer 2"])
    tiers.settle()
    assert edge.get("/v2/team/app/tags/list").json["tags"] == ["v1", "v2"]
    assert position_of(tiers.branch) > position


def test_a_node_that_joins_late_answers_from_its_first_second_and_catches_up(area, run_server, tiers):
    for number in range(50):
        tiers.registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": number}))
    late = run_server(Node(area, tiers.region.url, "late"))
    edge = Registry(late.address)
    assert edge.get_manifest("team/app", "v7").status == 200
    wait_until(lambda: late.status()["feed"]["complete"], "it has caught up")
    assert edge.get_manifest("team/app", "v7")["Wherry-Position"]
    assert len(edge.get("/v2/team/app/tags/list").json["tags"]) == 50


def is_compacted(registry):
    with registry.open("GET", "/wherry/v1/feed?from=2") as stream:
        return stream.status == 410


def test_a_node_that_joins_a_master_whose_log_was_compacted_takes_a_snapshot(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    for number in range(20):
        registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": number}))
    settings = area / "settings.yaml"
    settings.write_text(json.dumps({"feed": {"keep-entries": 3}}))
    master.restart(extra=["--config", settings])
    wait_until(lambda: is_compacted(registry), "the log is compacted")
    node = run_server(Node(area, master.url))
    wait_until(lambda: node.status()["feed"]["complete"], "it follows")
    assert len(Registry(node.address).get("/v2/team/app/tags/list").json["tags"]) == 20


def test_a_node_that_is_told_not_to_follow_asks_for_each_tag(area, run_server):
    master = run_server(Master(area))
    proxy = CountingProxy(master.address)
    node = run_server(Node(area, proxy.url, settings={"parent": {"follow": False}}))
    registry, edge = Registry(master.address), Registry(node.address)
    registry.put_image("team/app", "v1", [b"layer"])
    for _ in range(3):
        assert edge.get_manifest("team/app", "v1")["Wherry-Position"] is None
    assert proxy.count(part="/manifests/v1") == 3 and proxy.count(part="/wherry/") == 0
    proxy.close()


def test_a_feed_that_another_key_signs_is_not_believed(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    manifest, _ = registry.put_image("team/app", "v1", [b"layer"])
    node = run_server(Node(area, master.url, settings={"parent": {"feed-key": "ab" * 31 + "cd"}}))
    edge = Registry(node.address)
    wait_until(lambda: node.status()["feed"]["state"] == "alarmed", "it says that the feed is not the master's")
    assert edge.get_manifest("team/app", "v1").body == manifest  # by asking
    assert position_of(node) == 0
    assert value(node.metrics(), "wherry_feed_alarms_total") > 0


def test_the_key_of_the_first_contact_is_the_key_from_then_on(area, run_server):
    master = run_server(Master(area, "first"))
    node = run_server(Node(area, master.url))
    wait_until(lambda: node.status()["feed"]["complete"], "it follows")
    port = master.port
    master.stop()
    other = Master(area, "other")
    other.port = port
    run_server(other)
    Registry(other.address).put_image("team/app", "v1", [b"layer"])
    wait_until(lambda: node.status()["feed"]["state"] == "alarmed", "it notices that this is not the master that it knew")


def test_a_master_that_ends_ends_its_streams_at_once(tiers):
    begin = time.monotonic()
    assert tiers.master.stop() == 0
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("query", ["from=0", "from=x", "from=-1", "from=99999999999999999999"])
def test_a_position_that_is_none_is_refused(master, query):
    answer = Registry(master.address).get(f"/wherry/v1/feed?{query}")
    assert answer.status == 400 and answer["Content-Type"] == "application/problem+json"


def test_a_follower_that_is_ahead_of_the_master_or_of_another_history_is_told_so(master):
    registry = Registry(master.address)
    assert registry.get("/wherry/v1/feed?from=99999999").status == 409
    assert registry.get(f"/wherry/v1/feed?from=2&chain={'00' * 32}").status == 409
    assert registry.get("/wherry/v1/nothing").status == 404
    assert registry.call("POST", "/wherry/v1/feed").status == 405


def first_head(registry, position):
    """The position of the first head that a stream from there tells (a record: length, letter, then epoch, position...)."""
    with registry.open("GET", f"/wherry/v1/feed?from={position}") as stream:
        assert stream.status == 200, position
        while True:
            size, kind = int.from_bytes(stream.read(4), "big"), stream.read(1)
            payload = stream.read(size)
            if kind == b"H":
                return int.from_bytes(payload[8:16], "big")


def test_a_stream_begins_with_a_head_that_covers_all_that_was_answered_before(master):
    registry = Registry(master.address)
    manifest, _ = registry.put_image("team/app", "v", [b"layer"])
    path = registry.manifest_path("team/app", "v")
    position = int(registry.call("HEAD", path, headers={"Wherry-Follows": "1"})["Wherry-Position"])
    for number in range(200):
        registry.put_manifest("team/app", f"v{number}", manifest)
        assert first_head(registry, position + 1) == position + 1 + number


def records_of(data):
    """(kind, payload) of each whole record of a feed's bytes."""
    records = []
    while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[:4], "big"):
        size = int.from_bytes(data[:4], "big")
        records.append((data[4:5], data[5 : 5 + size]))
        data = data[5 + size :]
    return records


def entries_of(stream, count, unpack):
    """The payloads of the first `count` entries of a stream, read as far as they go and no further."""
    data, entries = b"", []
    while len(entries) < count:
        data += unpack(stream.read1(1 << 16))
        entries = [payload for kind, payload in records_of(data) if kind == b"E"]
    return entries[:count]


def test_the_feed_and_its_snapshot_come_compressed_for_who_accepts_that(tiers):
    for number in range(30):
        tiers.registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": number}))
    tiers.settle()
    gzip = {"Accept-Encoding": "gzip"}
    for registry in (tiers.registry, *tiers.edges):
        with registry.open("GET", "/wherry/v1/feed?from=1") as stream:
            assert stream.headers["Content-Encoding"] is None and stream.headers["Vary"] == "Accept-Encoding"
            plain = entries_of(stream, 60, lambda piece: piece)
        with registry.open("GET", "/wherry/v1/feed?from=1", headers=gzip) as stream:
            assert stream.headers["Content-Encoding"] == "gzip"
            assert entries_of(stream, 60, zlib.decompressobj(31).decompress) == plain
        whole = registry.get("/wherry/v1/snapshot")
        packed = registry.call("GET", "/wherry/v1/snapshot", headers=gzip)
        assert whole["Content-Encoding"] is None and packed["Content-Encoding"] == "gzip"
        rows = [record for record in records_of(whole.body) if record[0] == b"R"]
        assert rows == [record for record in records_of(zlib.decompress(packed.body, 31)) if record[0] == b"R"]
        assert len(rows) > 60 and len(packed.body) < 0.8 * len(whole.body)


@pytest.mark.parametrize("settings", [{}, {"feed": {"keep-entries": 3}}], ids=["stream", "snapshot"])
def test_a_node_behind_a_thin_link_follows_a_compressed_feed(area, run_server, settings):
    master = run_server(Master(area))
    registry = Registry(master.address)
    for number in range(20):
        registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": number}))
    if settings:
        file = area / "settings.yaml"
        file.write_text(json.dumps(settings))
        master.restart(extra=["--config", file])
        wait_until(lambda: is_compacted(registry), "the log is compacted")
    proxy = CountingProxy(master.address)
    node = run_server(Node(area, proxy.url, settings={"parent": {"compress-feed": True}}))
    wait_until(lambda: node.status()["feed"]["complete"], "it follows")
    asked = [seen for seen in proxy.seen if "/wherry/v1/" in seen.path]
    assert asked and all(seen.headers["Accept-Encoding"] == "gzip" for seen in asked)
    assert ("/wherry/v1/snapshot" in [seen.path for seen in asked]) == bool(settings)
    assert len(Registry(node.address).get("/v2/team/app/tags/list").json["tags"]) == 20
    registry.put_image("team/app", "live", [b"layer"])
    settle(master, node)  # each piece is readable as it comes
    assert Registry(node.address).get_manifest("team/app", "live")["Wherry-Position"]
    proxy.close()


def test_a_parent_that_ends_each_stream_at_once_is_asked_less_and_less(area, run_server, tiers):
    proxy = CountingProxy(tiers.master.address)
    asked = []

    def end_at_once(handler):
        if "/wherry/v1/feed" not in handler.path:
            return False
        asked.append(time.monotonic())
        return handler.answer(200, b"", Content_Type="application/vnd.wherry.feed.v1")

    proxy.answers = end_at_once
    node = run_server(Node(area, proxy.url, "patient"))
    wait_until(lambda: len(asked) >= 7, "it has asked again and again", 30)
    # The pauses are at least 50, 100, 200, 400, 800 and 1600 ms.
    assert asked[6] - asked[0] > 3
    proxy.answers = None
    wait_until(lambda: node.status()["feed"]["complete"], "it follows once it can", 30)
    proxy.close()
