"""Streams of the feed on which nothing comes any more, though nobody has closed them.

The nodes' own clocks say that the time of Follower::kSilence has gone by; nobody waits for it.
"""

import pytest
from clocks import Clocks
from tiers import alarms_of, converge, feed_of, follows, put_version, version_at
from wherry.client import Registry
from wherry.exposition import value
from wherry.link import Link
from wherry.process import Master, Node, wait_until

SILENCE = 40  # seconds: longer than a node bears it


def streams_of(node):
    return value(node.metrics(), "wherry_feed_streams_total")


def serves(node, tags):
    """From its feed alone, at once."""
    edge = Registry(node.address)
    listed = edge.get("/v2/team/app/tags/list", timeout=5)
    assert listed.json["tags"] == sorted(tags) and listed["Wherry-Position"]
    for tag in tags:
        answer = edge.get("/v2/team/app/manifests/" + tag, timeout=5, accept="*/*")
        assert answer.status == 200 and answer["Wherry-Position"] and int(answer["Age"]) >= 0, answer


def silence_is_noticed(node):
    return "nothing came for" in feed_of(node).get("trouble", "")


class Partition:
    """A region behind a link that passes nothing on, and a branch below the region whose link is whole."""

    def __init__(self, area, run_server):
        self.master = run_server(Master(area))
        self.link = Link(self.master.address)
        self.clocks = [Clocks(area, name) for name in ("region", "branch")]
        self.region = run_server(Node(area, self.link.url, "region"), env=self.clocks[0].env)
        self.branch = run_server(Node(area, self.region.url, "branch"), env=self.clocks[1].env)
        self.nodes = [self.region, self.branch]
        self.registry = Registry(self.master.address)
        for node in self.nodes:
            follows(node)
        for version in (1, 2):
            put_version(self.registry, f"v{version}", version)
        converge(self.master, self.nodes)

    def time_passes(self):
        for clocks in self.clocks:
            clocks.pass_by(SILENCE)

    def heal(self):
        self.link.release()
        converge(self.master, self.nodes)


@pytest.fixture
def partition(area, run_server):
    partition = Partition(area, run_server)
    yield partition
    partition.link.close()


@pytest.mark.timeout(120)
def test_a_stream_on_which_nothing_comes_is_given_up_and_begun_anew(partition):
    region = partition.region
    before = streams_of(region), feed_of(region)["position"]
    partition.link.hold()
    put_version_at_master_alone(partition, "v3", 3)
    assert not silence_is_noticed(region)
    partition.clocks[0].pass_by(SILENCE)
    wait_until(lambda: silence_is_noticed(region), "the region gives the stream up")
    serves(region, ["v1", "v2"])
    # What it asks anew is not answered either, and is given up in its turn.
    wait_until(lambda: feed_of(region)["state"] == "connecting", "it asks again")
    partition.clocks[0].pass_by(SILENCE)
    serves(region, ["v1", "v2"])
    assert (streams_of(region), feed_of(region)["position"]) == before
    partition.heal()
    assert version_at(region, "v3") == 3 and streams_of(region) == before[0] + 1
    assert feed_of(region)["state"] == "following" and "trouble" not in feed_of(region)
    assert [alarms_of(node) for node in partition.nodes] == [0, 0]


def put_version_at_master_alone(partition, tag, version):
    position = feed_of(partition.region)["position"]
    put_version(partition.registry, tag, version)
    assert feed_of(partition.region)["position"] == position


@pytest.mark.timeout(120)
def test_a_branch_below_a_region_that_hears_nothing_goes_on_and_asks_once_each_time(partition):
    """Only the master can sign that it lives: the region has nothing to say, and the branch asks it again in vain."""
    branch = partition.branch
    partition.link.hold()
    put_version_at_master_alone(partition, "v3", 3)
    for round_ in range(3):
        streams = streams_of(branch)
        partition.time_passes()
        wait_until(lambda: streams_of(branch) > streams, f"the branch asks anew, round {round_}")
        wait_until(lambda: feed_of(branch)["state"] == "following", "it is answered with the head that it knows")
        for node in partition.nodes:
            serves(node, ["v1", "v2"])
        assert streams_of(branch) == streams + 1
    partition.heal()
    assert [version_at(node, "v3") for node in partition.nodes] == [3, 3]
    assert [alarms_of(node) for node in partition.nodes] == [0, 0]
