"""Large blobs are shared by the nodes beside one another."""

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.process import wait_until
from wherry.pulls import together
from wherry.swarm import Site, leased, received

SIZE = 6_000_000  # 92 pieces, the last of them short


@pytest.fixture
def site(area, run_server):
    return Site(area, run_server)


def push(site, repository="team/app", size=SIZE):
    blob = oci.random_bytes(size)
    assert site.registry.push_blob(repository, blob).status == 201
    return oci.digest_of(blob), blob


def pull(node, repository, digest):
    return Registry(node.address).get(f"/v2/{repository}/blobs/{digest}")


def test_a_node_that_is_alone_leases_all_and_keeps_it(site):
    digest, blob = push(site)
    node = site.node("paris")
    assert pull(node, "team/app", digest).body == blob
    assert received(node, "parent") == SIZE and received(node, "neighbours") == 0
    wait_until(node.blob_file(digest).exists, "it is kept")
    assert node.blob_file(digest).read_bytes() == blob
    assert pull(node, "team/app", digest).body == blob


def test_what_a_neighbour_has_does_not_leave_the_parent_again(site):
    digest, blob = push(site)
    first, second = site.node("paris"), site.node("lyon")
    assert pull(first, "team/app", digest).body == blob
    assert pull(second, "team/app", digest).body == blob
    assert received(second, "neighbours") > 0.8 * SIZE
    assert leased(site.master) < 1.2 * SIZE


def test_nodes_that_want_it_at_once_get_one_copy_from_the_parent(site):
    digest, blob = push(site)
    nodes = [site.node(f"node-{number}") for number in range(5)]
    for answer in together(len(nodes), lambda number: pull(nodes[number], "team/app", digest)):
        assert answer.body == blob
    assert leased(site.master) < 1.3 * SIZE
