"""Large blobs are shared by the nodes beside one another."""

import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.link import Link
from wherry.process import wait_until
from wherry.pulls import together
from wherry.swarm import LEAST, Site, counted, leased, received

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


def test_a_neighbour_that_sends_wrong_bytes_is_shut_out_and_the_blob_is_right(site):
    digest, blob = push(site)
    liar = site.node("liar")
    assert pull(liar, "team/app", digest).body == blob
    file = liar.blob_file(digest)
    wait_until(file.exists, "it is kept")
    with open(file, "r+b") as damaged:
        damaged.write(oci.random_bytes(SIZE))
    node = site.node("paris")
    assert pull(node, "team/app", digest).body == blob
    wait_until(node.blob_file(digest).exists, "it is kept")
    assert node.blob_file(digest).read_bytes() == blob
    wait_until(lambda: counted(node, "wherry_swarm_banned_total") > 0, "the liar is banned", 30)


def test_a_neighbour_that_drips_keeps_nobody_waiting(site):
    digest, blob = push(site)
    slow = site.node("slow", **{"upload-bytes-per-second": 1024})
    assert pull(slow, "team/app", digest).body == blob
    node = site.node("paris")
    assert pull(node, "team/app", digest).body == blob
    assert received(node, "neighbours") < 0.5 * SIZE


def test_a_swarm_finishes_although_the_parent_is_dead(site):
    digest, blob = push(site)
    first = site.node("paris", **{"upload-bytes-per-second": 2 << 20})
    assert pull(first, "team/app", digest).body == blob
    second = site.node("lyon")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(pull, second, "team/app", digest)
        wait_until(lambda: counted(second, "wherry_swarm_neighbours") > 0, "it has met the first")
        site.master.kill()
        assert answer.result(60).body == blob
    assert received(second, "parent") == 0


def test_a_tier_that_still_gathers_gives_its_children_what_has_come(site):
    digest, blob = push(site)
    with contextlib.closing(Link(site.master.address)) as link:
        region = site.node("region", parent=link)
        nodes = [site.node(f"node-{number}", parent=region) for number in range(3)]
        link.bytes_per_second = SIZE // 4
        with ThreadPoolExecutor() as threads:
            pulls = [threads.submit(pull, node, "team/app", digest) for node in nodes]
            wait_until(lambda: all(received(node, "neighbours") > 0 for node in nodes), "they share")
            assert received(region, "parent") < 0.8 * SIZE, "the region has it, or nearly"
            assert all(one.result(60).body == blob for one in pulls)
    assert leased(site.master) == SIZE
    assert leased(region) < 1.3 * SIZE


def test_what_came_to_a_tier_by_itself_is_shared_from_when_it_is_whole(site):
    """Its pieces are not known before: until then children are sent what there is, and the rest leaves it once."""
    size = 5 * SIZE  # much more than lies in sockets on the way
    digest, blob = push(site, size=size)
    with contextlib.closing(Link(site.master.address)) as link:
        region = site.node("region", parent=link, listen=None)
        links = [Link(region.address) for _ in range(3)]
        nodes = [site.node(f"node-{number}", parent=thin) for number, thin in enumerate(links)]
        for thin in links:
            thin.bytes_per_second = size // 50
        link.bytes_per_second = size

        def pull_or_widen(number):
            if number < len(nodes):
                return pull(nodes[number], "team/app", digest)
            wait_until(region.blob_file(digest).exists, "the region has all of it", 60)
            for thin in links:
                thin.bytes_per_second = size // 5

        for answer in together(len(nodes) + 1, pull_or_widen)[:-1]:
            assert answer.body == blob
    assert leased(site.master) == 0
    assert 0.2 * size < leased(region) < size
    assert all(received(node, "neighbours") > 0.1 * size for node in nodes)


def test_strangers_get_nothing_from_the_swarms_port(site):
    digest, blob = push(site)
    node = site.node("paris")
    assert pull(node, "team/app", digest).body == blob
    with socket.create_connection(("127.0.0.1", node.swarm_port), timeout=10) as plain:
        plain.sendall(b"\x13BitTorrent protocol" + bytes(48))
        try:
            assert plain.recv(100) == b""
        except ConnectionResetError:
            pass
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    for name in (None, "0" * 40):
        with socket.create_connection(("127.0.0.1", node.swarm_port), timeout=10) as plain:
            with pytest.raises(OSError):
                with anybody.wrap_socket(plain, server_hostname=name) as encrypted:
                    encrypted.sendall(b"\x13BitTorrent protocol" + bytes(48))
                    if not encrypted.recv(100):
                        raise ConnectionError("closed without a byte")


def test_nobody_stays_in_a_swarm_with_a_node_that_was_removed(site):
    digest, blob = push(site)
    removed = site.node("paris")
    assert pull(removed, "team/app", digest).body == blob
    assert site.api("DELETE", "/api/v1/nodes/paris").status == 204
    node = site.node("lyon")
    assert pull(node, "team/app", digest).body == blob
    assert received(node, "neighbours") == 0 and received(node, "parent") == SIZE
    # Its own asks are of no avail any more.
    assert Registry(removed.address).get(f"/v2/team/app/blobs/{digest}").body == blob  # it has it
    other, _ = push(site)
    pull(removed, "team/app", other)
    assert leased(site.master) == 2 * SIZE


def test_who_shows_nothing_is_neither_introduced_nor_given_a_lease(site):
    digest, _ = push(site)
    anybody = Registry(site.master.address)
    place = f"/wherry/v1/swarm/{digest}"
    assert anybody.get(f"/v2/team/app/blobs/{digest}", wherry_swarm="1").status == 200
    assert anybody.call("POST", f"{place}?repository=team/app&until=1&ticket=00&port=1&key=00").status == 401
    for member in ("", "0" * 32):
        assert anybody.call("POST", f"{place}/lease", b"", {"Wherry-Member": member}).status == 404
    assert anybody.call("POST", "/wherry/v1/swarm/members", b"nonsense").status == 400
    assert anybody.get(place).status == 405
    assert counted(site.master, "wherry_swarm_introductions_total") == 0


def test_small_blobs_and_parts_come_from_the_parent_alone(site):
    digest, blob = push(site, size=100_000)
    node = site.node("paris")
    assert pull(node, "team/app", digest).body == blob
    assert leased(site.master) == 0


def test_what_is_evicted_is_given_to_nobody_any_more(site):
    digests = [push(site)[0] for _ in range(2)]
    node = site.node("paris", more={"cache": {"max-bytes": 2 * SIZE - 1}})
    for digest in digests:
        assert pull(node, "team/app", digest).status == 200
        wait_until(node.blob_file(digest).exists, "it is kept")
    wait_until(lambda: not node.blob_file(digests[0]).exists(), "the first one is evicted")
    wait_until(lambda: counted(node, "wherry_swarm_blobs") == 1, "the second one alone is shared")
    wait_until(lambda: counted(site.master, "wherry_swarm_holdings") == 1, "it alone is said to be held", 30)


def test_a_tier_that_evicted_a_blob_gives_it_on_when_it_comes_again(site):
    digest, blob = push(site)
    with contextlib.closing(Link(site.master.address)) as link:
        region = site.node("region", parent=link, more={"cache": {"max-bytes": 3 * SIZE - 1}})
        first, second = [site.node(name, parent=region, site=name) for name in ("paris", "lyon")]
        assert pull(first, "team/app", digest).body == blob
        wait_until(region.blob_file(digest).exists, "it is kept")

        def is_evicted():
            other, _ = push(site)
            for _ in range(4):  # what is read more often stays longer
                assert pull(region, "team/app", other).status == 200
            return not region.blob_file(digest).exists()

        wait_until(is_evicted, "others take its place")
        before = received(region, "parent")
        link.bytes_per_second = SIZE // 4
        with ThreadPoolExecutor() as threads:
            answer = threads.submit(pull, second, "team/app", digest)
            wait_until(lambda: counted(second, "wherry_swarm_received_pieces_total") > 10, "the second has some")
            assert received(region, "parent") - before < 0.8 * SIZE, "the region has it, or nearly"
            assert answer.result(60).body == blob


def test_who_holds_a_blob_and_gives_it_to_nobody_is_woken_when_it_is_wanted(site):
    """So that an office behind a thin link fetches it once, however long ago that was."""
    digest, blob = push(site)
    holder = site.node("paris")
    assert pull(holder, "team/app", digest).body == blob
    wait_until(lambda: counted(site.master, "wherry_swarm_holdings") == 1, "it has said what it holds", 30)
    holder.stop()
    holder.start()
    assert counted(holder, "wherry_swarm_blobs") == 0
    before = leased(site.master)
    with contextlib.closing(Link(site.master.address)) as link:
        node = site.node("lyon", parent=link)
        stranger = site.node("tokyo", site="tokyo", bridge=False)
        link.bytes_per_second = SIZE // 4
        assert pull(node, "team/app", digest).body == blob
        link.bytes_per_second = None
        assert counted(holder, "wherry_swarm_blobs") == 1
        assert received(node, "neighbours") > 0.5 * SIZE and leased(site.master) - before < 0.6 * SIZE
        assert pull(stranger, "team/app", digest).body == blob
        assert received(stranger, "neighbours") == 0
        # A parent that forgot is told again.
        site.master.kill()
        site.master.start()
        wait_until(lambda: counted(site.master, "wherry_swarm_holdings") == 3, "all have said what they hold", 30)


def test_who_has_just_stopped_to_give_a_blob_is_woken_at_once(site):
    digest, blob = push(site)
    holder = site.node("paris", **{"seed-time": "1s"})
    assert pull(holder, "team/app", digest).body == blob
    wait_until(lambda: counted(site.master, "wherry_swarm_holdings") == 1, "it has said what it holds", 30)
    wait_until(lambda: counted(holder, "wherry_swarm_blobs") == 0, "nobody takes it", 30)
    with contextlib.closing(Link(site.master.address)) as link:
        node = site.node("lyon", parent=link)
        link.bytes_per_second = SIZE // 8
        assert pull(node, "team/app", digest).body == blob
    assert received(node, "neighbours") > 0.5 * SIZE
    # Nobody is in its swarm any more: the parent forgets it, although nobody else is introduced.
    other = site.node("nice")
    assert pull(other, "team/app", push(site)[0]).status == 200
    for each in (holder, node):
        each.stop()

    def shared():
        return [each["digest"] for each in site.api("GET", "/api/v1/swarms").json["swarms"]["listed"]]

    assert digest in shared()
    wait_until(lambda: digest not in shared(), "it is over", 90)


def test_of_many_blobs_that_nobody_takes_few_stay_in_the_session(site):
    node = site.node("paris")
    digests = [push(site, size=LEAST)[0] for _ in range(300)]
    for digest in digests:
        assert pull(node, "team/app", digest).status == 200
    assert counted(node, "wherry_swarm_blobs") == 300
    wait_until(lambda: counted(node, "wherry_swarm_blobs") <= 256, "the oldest are left alone", 40)


def test_a_parent_that_starts_again_introduces_all_anew(site):
    digest, blob = push(site)
    first = site.node("paris", **{"upload-bytes-per-second": 1 << 20})
    assert pull(first, "team/app", digest).body == blob
    site.master.kill()
    site.master.start()
    second = site.node("lyon")
    assert pull(second, "team/app", digest).body == blob
    assert received(second, "parent") == SIZE  # nobody else is known to this parent yet
