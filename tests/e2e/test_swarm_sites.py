"""Sites share large blobs by their bridges, and nobody waits for a bridge that is none."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from wherry import oci
from wherry.client import Broken, Registry
from wherry.link import Link
from wherry.process import free_port, wait_until
from wherry.pulls import together
from wherry.swarm import Site, counted, leased, received

SIZE = 24_000_000
SLOW = {"download-bytes-per-second": 4 << 20}


@pytest.fixture
def site(area, run_server):
    return Site(area, run_server)


@pytest.fixture
def thin(site):
    """The parent's link, which all nodes share: a copy for each of three sites takes 18 s."""
    with contextlib.closing(Link(site.master.address)) as link:
        site.parent_url = link.url
        yield link


def push(site):
    blob = oci.random_bytes(SIZE)
    assert site.registry.push_blob("team/app", blob).status == 201
    return oci.digest_of(blob), blob


def pull(node, digest):
    return Registry(node.address).get(f"/v2/team/app/blobs/{digest}")


def pull_all(nodes, digest, blob):
    for answer in together(len(nodes), lambda number: pull(nodes[number], digest)):
        assert answer.body == blob


def nodes_of(site, places, **swarm):
    return [site.node(f"{place}-{number}", site=place, **swarm) for number in range(2) for place in places]


def bridges(site):
    """Of each node: of how many swarms it is one."""
    sites = site.api("GET", "/api/v1/swarms").json["sites"]["listed"]
    return {node["name"]: node["bridges"] for each in sites for node in each["nodes"]["listed"]}


def test_sites_get_from_one_another_what_left_the_parent_for_one_of_them(site, thin):
    digest, blob = push(site)
    nodes = nodes_of(site, ("paris", "rome", "oslo"))
    thin.shared_bytes_per_second = SIZE // 6
    pull_all(nodes, digest, blob)
    assert leased(site.master) < 1.5 * SIZE  # three times without bridges
    assert set(bridges(site).values()) == {1}  # of two nodes both are


def test_a_site_meets_another_one_by_two_of_its_nodes_alone(site, thin):
    digest, blob = push(site)
    first = [site.node(f"paris-{number}", site="paris") for number in range(4)]
    pull_all(first, digest, blob)
    far = site.node("rome", site="rome", **SLOW)
    thin.shared_bytes_per_second = SIZE // 6
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(pull, far, digest)
        wait_until(lambda: counted(far, "wherry_swarm_neighbours") == 2, "it knows two of Paris")
        assert answer.result(60).body == blob
    assert received(far, "neighbours") > 0.3 * SIZE  # it came late: the parent sends it what it can meanwhile
    assert sorted(bridges(site).values()) == [0, 0, 1, 1, 1]
    assert json.loads(far.observed("/status.json"))["swarms"]["count"] == 1


@pytest.mark.parametrize("how", ["that are not to meet", "whose nodes reach nobody"])
def test_sites_get_all_from_the_parent(site, how):
    """As they did when nobody knew of bridges, and no later."""
    digest, blob = push(site)
    if how == "that are not to meet":
        paris, rome = nodes_of(site, ("paris",), bridge=False), nodes_of(site, ("rome",), bridge=False)
    else:  # nobody listens at the address that the parent sees
        paris = nodes_of(site, ("paris",))
        rome = [site.node(f"rome-{number}", site="rome", listen=f"127.0.0.9:{free_port()}") for number in range(2)]
        for node in paris:
            node.stop()
            node.settings["swarm"]["listen"] = f"127.0.0.8:{free_port()}"
            node.start()
    pull_all([*paris, *rome], digest, blob)
    assert leased(site.master) >= 2 * SIZE
    if how == "that are not to meet":
        assert leased(site.master) < 2.6 * SIZE
        assert set(bridges(site).values()) == {0}
    else:
        assert sum(received(node, "neighbours") for node in (*paris, *rome)) == 0


def test_a_bridge_that_is_killed_keeps_its_site_from_nothing(site, thin):
    digest, blob = push(site)
    paris, rome = [[site.node(f"{place}-{number}", site=place) for number in range(3)] for place in ("paris", "rome")]
    nodes = [*paris, *rome]
    thin.shared_bytes_per_second = SIZE // 6
    with ThreadPoolExecutor(len(nodes)) as threads:
        pulls = {node: threads.submit(pull, node, digest) for node in nodes}
        wait_until(lambda: sum(received(node, "neighbours") for node in rome) > SIZE // 2, "they share", 30)
        named = bridges(site)
        killed = next(node for node in rome if named.get(node.name))
        killed.kill()
        with pytest.raises((OSError, Broken)):
            pulls.pop(killed).result(60)
        for each in pulls.values():
            assert each.result(60).body == blob
