"""What is shared is seen: by the node that shares it, by its parent, by metrics."""

import json
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.process import BIN, wait_until
from wherry.swarm import Site, counted, leased

SIZE = 6_000_000  # 92 pieces, the last of them short
PIECES = 92
SLOW = {"download-bytes-per-second": 1 << 20}


@pytest.fixture
def site(area, run_server):
    return Site(area, run_server)


def push(site, repository="team/app"):
    blob = oci.random_bytes(SIZE)
    assert site.registry.push_blob(repository, blob).status == 201
    return oci.digest_of(blob), blob


def pull(node, digest, repository="team/app"):
    return Registry(node.address).get(f"/v2/{repository}/blobs/{digest}")


def command(program, *words):
    return subprocess.run([str(BIN / program), *map(str, words)], capture_output=True, text=True, timeout=60)


def of_node(node, *words):
    answer = command("wherry-node", "swarm", "--observe", f"127.0.0.1:{node.observe_port}", *words)
    assert answer.returncode == 0 and not answer.stderr, answer
    return answer.stdout


def of_master(master, *words):
    answer = command("wherry-master", "swarm", "--server", master.url, *words)
    assert answer.returncode == 0 and not answer.stderr, answer
    return answer.stdout


def shared(node):
    """The one blob that it shares, or None."""
    listed = json.loads(of_node(node, "--json"))["listed"]
    assert len(listed) <= 1
    return listed[0] if listed else None


def shape(value):
    """The names of all members, and what kind each is, without what is null now and then."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def test_who_shares_nothing_says_so(site):
    node = site.node("paris")
    assert of_node(node) == f"swarms     none now; at 127.0.0.1:{node.swarm_port}\n"
    assert of_master(site.master) == "nobody shares a blob now\n"
    assert json.loads(of_node(node, "--json"))["listed"] == []
    assert json.loads(of_master(site.master, "--json"))["totals"]["swarms"] == 0
    outside = site.node("outside", listen="")
    assert of_node(outside) == "swarms     this node takes part in none: swarm.listen is not set\n"


def test_what_gathers_is_shown_with_its_progress_and_then_it_gives(site):
    digest, blob = push(site)
    first, second = site.node("paris"), site.node("lyon", **SLOW)
    assert pull(first, digest).body == blob
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(pull, second, digest)

        def half_way():
            seen = shared(second)
            return seen if seen and seen["state"] == "gathering" and seen["held_bytes"] > SIZE // 4 else None

        seen = wait_until(half_way, "a part of it came")
        table = of_node(second)
        assert not answer.done()
        assert answer.result(60).body == blob
    assert seen["digest"] == digest and seen["repository"] == "team/app" and seen["size_bytes"] == SIZE
    assert seen["pieces"] == PIECES and 0 < seen["held_pieces"] < PIECES and seen["held_bytes"] < SIZE
    assert seen["neighbours"] == 1 and seen["from_neighbours_bytes"] > 0 and seen["sent_bytes"] == 0
    assert 100_000 < seen["received_bytes_per_second"] < 4_000_000
    assert table.startswith(f"swarms     1: 1 gathering, 0 giving; at 127.0.0.1:{second.swarm_port}\n")
    row = rf"{digest[:19]}  gathering  \[=+> +\]  \d\d%  \d\.\d MiB of 5\.7 MiB .* 1  +\d+\.\d [KM]iB/s  0 B/s  .* team/app\n"
    assert re.search(row, table), table
    gives = wait_until(lambda: (seen := shared(second)) and seen["state"] == "giving" and seen, "it gives")
    assert gives["held_pieces"] == PIECES and gives["held_bytes"] == SIZE and gives["since"] > seen["since"]
    assert gives["from_neighbours_bytes"] + gives["from_parent_bytes"] >= SIZE
    assert re.search(r"giving +\[=+\] 100%  5\.7 MiB of 5\.7 MiB", of_node(second))
    given = shared(first)
    assert given["state"] == "giving" and given["sent_bytes"] >= gives["from_neighbours_bytes"] > 0.8 * SIZE
    wait_until(lambda: shared(second)["received_bytes_per_second"] == 0, "nothing comes any more", 15)


def test_what_the_documents_say_has_one_form(site):
    """Programs read it: the same members of the same kinds in every state."""
    digest, blob = push(site)
    assert pull(site.node("paris"), digest).body == blob
    node = site.node("lyon", **SLOW)
    empty = json.loads(of_node(node, "--json"))
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(pull, node, digest)
        wait_until(lambda: (seen := shared(node)) and seen["held_pieces"], "a part of it came")
        gathering = json.loads(of_node(node, "--json"))
        map_before = json.loads(of_master(site.master, "--json"))
        assert answer.result(60).body == blob
    wait_until(lambda: shared(node)["state"] == "giving", "it gives")
    giving = json.loads(of_node(node, "--json"))
    assert [each["listed"][0]["state"] for each in (gathering, giving)] == ["gathering", "giving"]
    assert shape(gathering) == shape(giving)
    assert {**shape(empty), "listed": shape(giving)["listed"]} == shape(giving)
    assert shape(map_before) == shape(json.loads(of_master(site.master, "--json")))
    assert list(giving) == list(node.status()["swarms"])
    assert list(giving["listed"][0]) == [
        "digest", "repository", "state", "since", "size_bytes", "held_bytes", "pieces", "held_pieces", "from_parent_bytes",
        "from_neighbours_bytes", "sent_bytes", "neighbours", "received_bytes_per_second", "sent_bytes_per_second",
    ]  # fmt: skip


def test_the_master_shows_all_sites_and_who_is_there(site):
    digest, blob = push(site)
    nodes = [site.node(name, site=name[:5], bridge=name != "tokyo-1") for name in ("paris-1", "paris-2", "tokyo-1")]
    for node in nodes:
        assert pull(node, digest).body == blob

    def all_give():
        seen = site.api("GET", "/api/v1/swarms").json
        return seen if seen["totals"]["giving"] == 3 else None

    seen = wait_until(all_give, "all have said that they have it", 30)
    assert seen["totals"] | {"leased_bytes": 0, "copies": 0} == {
        "swarms": 1, "sites": 2, "nodes": 3, "gathering": 0, "giving": 3, "held_bytes": 3 * SIZE, "whole_bytes": 3 * SIZE,
        "leased_bytes": 0, "copies": 0,
    }  # fmt: skip
    paris, tokyo = seen["sites"]["listed"]
    assert (paris["site"], paris["swarms"], paris["giving"]) == ("paris", 1, 2)
    assert [node["name"] for node in paris["nodes"]["listed"]] == ["paris-1", "paris-2"] and paris["nodes"]["count"] == 2
    assert (tokyo["site"], tokyo["leased_bytes"], tokyo["copies"]) == ("tokyo", SIZE, 1)
    assert SIZE <= paris["leased_bytes"] < 1.3 * SIZE and 1 <= paris["copies"] < 1.3
    assert seen["totals"]["leased_bytes"] == paris["leased_bytes"] + SIZE == leased(site.master)
    (swarm,) = seen["swarms"]["listed"]
    assert (swarm["digest"], swarm["repository"], swarm["size_bytes"]) == (digest, "team/app", SIZE)
    assert [each["site"] for each in swarm["sites"]["listed"]] == ["paris", "tokyo"]
    table = of_master(site.master)
    assert re.search(r"paris +2 +1 +0 +2 +11\.4 MiB of 11\.4 MiB +[567]\.\d MiB +1\.[012]\d\n", table), table
    assert re.search(r"tokyo +1 +1 +0 +1 +5\.7 MiB of 5\.7 MiB +5\.7 MiB +1\.00\n", table), table
    assert [node["bridges"] for node in paris["nodes"]["listed"] + tokyo["nodes"]["listed"]] == [1, 1, 0]
    assert re.search(r"paris-2 +paris +0 +1 +1 +5\.7 MiB", table) and f"{digest[:19]}  5.7 MiB" in table, table


def test_a_node_shows_who_shares_below_it(site, area, run_server):
    digest, blob = push(site)
    above = site.node("paris")
    assert pull(above, digest).body == blob
    wait_until(above.blob_file(digest).exists, "it is kept")
    below = site.node("cellar", parent=above, site="cellar")
    assert pull(below, digest).body == blob
    children = json.loads(of_node(above, "--json"))["children"]
    assert [each["name"] for each in children["sites"]["listed"][0]["nodes"]["listed"]] == ["cellar"]
    table = of_node(above)
    assert "\nbelow this node\nSITE" in table and re.search(r"cellar +cellar", table), table
    assert "below" not in of_node(below)


def test_metrics_tell_bytes_pieces_peers_and_copies(site):
    digest, blob = push(site)
    first, second = site.node("paris"), site.node("lyon", **SLOW)
    assert pull(first, digest).body == blob
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(pull, second, digest)
        wait_until(lambda: counted(second, "wherry_swarm_neighbours") == 1, "they have met")
        assert answer.result(60).body == blob
    for node in (first, second):
        assert counted(node, "wherry_swarm_received_pieces_total") == PIECES
        assert counted(node, "wherry_swarm_banned_total") == 0
    assert counted(first, "wherry_swarm_received_bytes_total", **{"from": "parent"}) == SIZE
    assert counted(first, "wherry_swarm_sent_bytes_total") > 0.8 * SIZE
    assert counted(site.master, "wherry_swarm_leased_pieces_total") >= PIECES
    assert counted(site.master, "wherry_swarm_scattered_total") == 1
    assert counted(site.master, "wherry_swarm_scattered_bytes_total") == SIZE
    assert 1 <= leased(site.master) / SIZE < 1.2


def test_a_watched_node_is_shown_again_and_again(site):
    digest, blob = push(site)
    node = site.node("paris")
    words = [BIN / "wherry-node", "swarm", "--watch", "--observe", f"127.0.0.1:{node.observe_port}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watching:
        late = threading.Timer(30, watching.kill)
        late.start()
        assert watching.stdout.readline().startswith("swarms     none now")
        assert pull(node, digest).body == blob
        assert any(line.startswith(f"{digest[:19]}  giving ") for line in watching.stdout)
        late.cancel()
        watching.terminate()


def test_a_wrong_command_line_and_a_node_that_is_away_are_said(site):
    node = site.node("paris")
    assert command("wherry-node", "swarm").returncode == 64
    node.stop()
    gone = command("wherry-node", "swarm", "--observe", f"127.0.0.1:{node.observe_port}")
    assert gone.returncode == 1 and gone.stderr.startswith("wherry-node swarm: ") and gone.stderr.count("\n") == 1
    site.master.stop()
    gone = command("wherry-master", "swarm", "--server", site.master.url)
    assert gone.returncode == 1 and gone.stderr.startswith("wherry-master swarm: ")
