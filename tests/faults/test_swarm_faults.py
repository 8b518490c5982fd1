"""Swarms in bad times: who scatters dies, those who gather die, neighbours are hostile, disks are full, clocks jump.

Each time: every honest node ends with the right blob, nothing wrong is stored, and strangers get no byte.
"""

import socket
import ssl
import time

import pytest
from clocks import Clocks
from hostile import KINDS, Liar
from member import HAVE_NONE, INTERESTED, LEAF, REQUEST, Member, Neighbour
from wherry import oci
from wherry.access import Caller, add_project
from wherry.client import Registry
from wherry.disk import Disk
from wherry.link import Link
from wherry.process import wait_until
from wherry.pulls import Pull
from wherry.swarm import Site, counted, leased, received

REPOSITORY = "team/app"
PIECE = 64 << 10
SIZE = 3_000_000  # 46 pieces, the last of them short
RATE = 600_000  # bytes a second of each connection to the parent: the whole takes some seconds


@pytest.fixture
def site(area, run_server):
    site = Site(area, run_server)
    site.link = Link(site.master.address)
    site.parent_url = site.link.url
    yield site
    site.link.close()


def push(site):
    blob = oci.random_bytes(SIZE)
    site.registry.put_blob(REPOSITORY, blob)
    return blob


def begin_pulls(nodes, blob):
    return [Pull(Registry(node.address), f"/v2/{REPOSITORY}/blobs/{oci.digest_of(blob)}") for node in nodes]


def has(node, blob):
    """And it is the right one."""
    file = node.blob_file(oci.digest_of(blob))
    wait_until(file.exists, f"{node.name} keeps it")
    assert file.read_bytes() == blob
    return True


def end_well(nodes, pulls, blob):
    for node, pull in zip(nodes, pulls, strict=True):
        pull.end()
        assert pull.response is not None, f"{node.name}: {pull.broken}"
        assert pull.response.status == 200 and pull.response.body == blob
        has(node, blob)


def first_leases(site):
    """Bytes that have left the parent, each counted once (or a little less)."""
    return leased(site.master) - PIECE * counted(site.master, "wherry_swarm_leased_again_total")


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_a_parent_that_is_killed_while_it_scatters_and_starts_again(site, percent):
    blob = push(site)
    nodes = [site.node(f"node-{number}") for number in range(5)]
    site.link.bytes_per_second = RATE
    pulls = begin_pulls(nodes, blob)
    wait_until(lambda: first_leases(site) >= SIZE * percent / 100, f"{percent} % have left the parent")
    site.master.kill()
    assert not any(node.blob_file(oci.digest_of(blob)).exists() for node in nodes)
    site.master.start()
    end_well(nodes, pulls, blob)


def test_a_parent_that_dies_before_all_has_left_it(area, site):
    blob = push(site)
    clocks = Clocks(area, "nodes")
    nodes = [site.node(f"node-{number}", env=clocks.env) for number in range(4)]
    site.link.bytes_per_second = RATE
    pulls = begin_pulls(nodes, blob)
    wait_until(lambda: sum(received(node, "parent") for node in nodes) >= SIZE / 4, "a quarter has come to the nodes")
    site.link.cut()  # with what is on its way
    site.master.kill()

    def all_have_ended():
        clocks.pass_by(1)
        return not any(pull.is_alive() for pull in pulls)

    wait_until(all_have_ended, "the readers are told", 60, 0.1)
    for node, pull in zip(nodes, pulls, strict=True):
        if pull.response is None:
            assert blob.startswith(pull.broken.partial) and len(pull.broken.partial) < SIZE
        else:
            assert pull.response.status >= 500 and pull.response.code, pull.response
        assert not node.blob_file(oci.digest_of(blob)).exists()
    site.master.start()
    site.link.bytes_per_second = None
    site.link.mend()
    end_well(nodes, begin_pulls(nodes, blob), blob)


def test_a_swarm_finishes_without_its_parent_once_all_has_left_it(site):
    blob = push(site)
    nodes = [site.node(f"node-{number}", **{"upload-bytes-per-second": 1 << 19}) for number in range(5)]
    pulls = begin_pulls(nodes, blob)

    def all_has_left():
        return first_leases(site) >= SIZE and sum(received(node, "parent") for node in nodes) >= leased(site.master)

    wait_until(all_has_left, "all pieces are with the nodes")
    site.master.kill()
    assert not any(node.blob_file(oci.digest_of(blob)).exists() for node in nodes)
    end_well(nodes, pulls, blob)


def test_a_third_of_the_nodes_killed_midway(site):
    blob = push(site)
    nodes = [site.node(f"node-{number}") for number in range(6)]
    site.link.bytes_per_second = RATE
    pulls = begin_pulls(nodes, blob)
    killed, left = nodes[::3], [node for at, node in enumerate(nodes) if at % 3]
    wait_until(lambda: all(received(node, "neighbours") > SIZE / 4 for node in killed), "they have a part of it")
    for node in killed:
        node.kill()
    end_well(left, [pull for at, pull in enumerate(pulls) if at % 3], blob)


def seconds_of_pulls(nodes, blob):
    begin = time.monotonic()
    end_well(nodes, begin_pulls(nodes, blob), blob)
    return time.monotonic() - begin


class Enemies:
    """So many of a kind, each with an address of its own, from here to the end of a block."""

    def __init__(self, site, kind, blob, count):
        self.members = [kind(site, f"enemy-{at}", REPOSITORY, blob, f"127.0.0.{66 + at}") for at in range(count)]

    def __enter__(self):
        return self.members

    def __exit__(self, *raised):
        for member in self.members:
            member.close()


def test_who_is_well_behaved_here_is_so_for_the_others_too(site):
    blob = push(site)
    node = site.node("paris")
    site.link.bytes_per_second = RATE
    with Enemies(site, Member, blob, 1) as [friend]:
        seconds_of_pulls([node], blob)
        assert friend.did["blocks sent"] and received(node, "neighbours") > SIZE / 2


without_enemies = {}  # seconds, by how many nodes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.lower())
def test_half_of_the_peers_are_hostile(site, kind):
    nodes = [site.node(f"node-{number}") for number in range(3)]
    site.link.bytes_per_second = RATE
    if not without_enemies:
        without_enemies[3] = seconds_of_pulls(nodes, push(site))
    blob = push(site)
    with Enemies(site, kind, blob, 3) as enemies:
        seconds = seconds_of_pulls(nodes, blob)
        did = [dict(each.did) for each in enemies]
        print(f"{kind.__name__}: {seconds:.1f} s, {without_enemies[3]:.1f} s without; {did}")
        assert sum(each.did["harm"] for each in enemies), "they came to do it"
        assert seconds < 40
        assert not any(each.did["asked for hashes"] for each in enemies)


def test_who_sends_wrong_pieces_is_shut_out_after_three_at_most(site):
    blob = push(site)
    node = site.node("paris")
    # The parent must not have sent all that he lies about before he is found out.
    site.link.bytes_per_second = RATE // 20
    with Enemies(site, Liar, blob, 1) as [liar]:
        pulls = begin_pulls([node], blob)
        wait_until(lambda: counted(node, "wherry_swarm_banned_total") == 1, "it is counted", 30)
        assert 1 <= liar.did["lies"] <= 3
        site.link.bytes_per_second = RATE
        end_well([node], pulls, blob)
        called = liar.did["called"]
        wait_until(lambda: liar.did["called"] >= called + 2, "it comes again")
    assert liar.did["lies"] <= 3


class Taker(Member):
    """Asks each whom it meets for his first block."""

    def begun(self, neighbour):
        neighbour.send(HAVE_NONE)
        neighbour.send(INTERESTED)

    def unchoked(self, neighbour):
        neighbour.send(REQUEST, 0, 0, LEAF)

    def given(self, neighbour, piece, begin, data):
        assert data == self.bytes_of(piece, begin, len(data))
        self.did["blocks taken"] += 1


def test_a_node_of_another_project_is_not_introduced_and_gets_no_byte(area, run_server):
    site = Site(area, run_server, closed=True)
    blobs = {"team/app": oci.random_bytes(SIZE), "other/app": oci.random_bytes(SIZE)}
    for repository, blob in blobs.items():
        add_project(site.registry, repository.split("/")[0])
        site.registry.put_blob(repository, blob)
    digest, digest_of_other = (oci.digest_of(blob) for blob in blobs.values())
    node = site.node("paris")
    reader = Caller(node.address, site.registry.authorization)
    wait_until(lambda: reader.get_blob("team/app", digest).status == 200, "it may be read")
    friend = Taker(site, "friend", "team/app", blobs["team/app"], "127.0.0.66", projects=["team"])
    stranger = Taker(site, "stranger", "other/app", blobs["other/app"], "127.0.0.67", projects=["other"])
    try:
        wait_until(lambda: friend.did["blocks taken"], "who belongs to it gets what it asks for")
        asks, identity = stranger.registry, stranger.identity
        assert identity.invited(asks, "team/app", digest).status in (401, 403, 404)
        # The invitation of another node, and its own to another swarm:
        invitation = friend.identity.invited(friend.registry, "team/app", digest)["Location"]
        own = identity.invited(asks, "other/app", digest_of_other)["Location"]
        own_here = own.replace(digest_of_other, digest)
        for place in (invitation, own_here, own_here.replace("other/", "team/")):
            assert identity.introduced(asks, place, 1).status == 403, place
        for place in ("lease", "neighbours?known=0"):
            assert asks.call("POST", f"/wherry/v1/swarm/{digest}/{place}", b"", stranger.shown()).status == 404
        # It was told by somebody where they meet, and by which name:
        with socket.create_connection(("127.0.0.1", node.swarm_port), 10, ("127.0.0.67", 0)) as connection:
            with pytest.raises(OSError):
                stranger.swarm.calls.verify_mode = ssl.CERT_NONE
                with stranger.swarm.calls.wrap_socket(connection, server_hostname=friend.swarm.hash.hex()) as encrypted:
                    Neighbour(encrypted, friend.swarm)
    finally:
        friend.close()
        stranger.close()


def test_a_disk_that_is_full_in_a_piece(area, site):
    blob = push(site)
    disk = Disk(area, 64)
    poor = site.node("poor", data=disk.path / "data")
    try:
        nodes = [site.node(f"node-{number}") for number in range(3)]
        site.link.bytes_per_second = RATE
        pulls = begin_pulls([poor, *nodes], blob)
        wait_until(lambda: received(poor, "parent") + received(poor, "neighbours") > SIZE / 8, "it has some")
        fillers = [disk.fill(), disk.fill("more")]
        pull = pulls[0].end()
        if pull.response is None:
            assert blob.startswith(pull.broken.partial)
        elif pull.response.status == 200:
            assert pull.response.body == blob
        else:
            assert pull.response.status >= 500 and pull.response.code, pull.response
        assert not poor.blob_file(oci.digest_of(blob)).exists()
        end_well(nodes, pulls[1:], blob)
        for filler in fillers:
            filler.unlink()
        end_well([poor], begin_pulls([poor], blob), blob)
    finally:
        poor.end()
        disk.close()


DAY = 86_400  # seconds


@pytest.mark.parametrize("whose", ["node", "parent"])
def test_a_clock_jumps_a_day_ahead_and_two_back(area, run_server, whose):
    clocks = Clocks(area, whose)
    site = Site(area, run_server, env=clocks.env if whose == "parent" else None)
    link = Link(site.master.address)
    site.parent_url = link.url
    try:
        blob = push(site)
        nodes = [site.node("node-0", env=clocks.env if whose == "node" else None)]
        nodes += [site.node(f"node-{number}") for number in (1, 2)]
        link.bytes_per_second = RATE
        pulls = begin_pulls(nodes, blob)
        for percent, seconds in [(25, DAY), (60, -DAY)]:
            wait_until(lambda at=percent: leased(site.master) >= SIZE * at / 100, f"{percent} % have left the parent")
            clocks.jump(seconds)
        end_well(nodes, pulls, blob)
        clocks.jump(0)
        late = site.node("late")
        link.bytes_per_second = None
        end_well([late], begin_pulls([late], blob), blob)
    finally:
        link.close()
