"""A master with as many entries as its log keeps, and nodes that come to it."""

import random

import pytest
from names_state import append_tags, check_same_state
from tiers import CONFIG, Tiers, converge, feed_of, follows, is_compacted, put_version, snapshots_of, version_at
from wherry import oci
from wherry.client import Registry
from wherry.exposition import value
from wherry.process import Master, Node, wait_until

KEPT = 1_000_000  # feed.keep-entries, when nothing is said
MOST_MEMORY = 256 << 20
MOST_DISK = 320 << 20
MOST_READ = 2 << 30  # of files and sockets; a look-up that reads a table's whole filter makes it a hundred times as much


def applied_by(node):
    """Entries that came by a stream since the process began."""
    return value(node.metrics(), "wherry_feed_entries_applied_total")


def most_memory_of(server):
    """Bytes, of a process that runs."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def read_by(server):
    with open(f"/proc/{server.process.pid}/io") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("rchar"))


def check_bounds(server):
    used = sum(file.stat().st_blocks * 512 for file in server.data.rglob("*") if file.is_file())
    assert used < MOST_DISK, f"{server.name} takes {used >> 20} MiB of the disk"
    assert most_memory_of(server) < MOST_MEMORY, f"{server.name} took {most_memory_of(server) >> 20} MiB of memory"
    assert read_by(server) < MOST_READ, f"{server.name} read {read_by(server) >> 20} MiB"
    print(f"{server.name}: {used >> 20} MiB of disk, {most_memory_of(server) >> 20} of memory, {read_by(server) >> 20} read")


def check_sample(node, digest, numbers):
    edge = Registry(node.address)
    for number in numbers:
        answer = edge.call("HEAD", edge.manifest_path("many/app", f"f{number}"), headers={"Accept": oci.OCI_MANIFEST})
        assert answer.status == 200 and answer["Wherry-Position"], f"{node.name}: f{number}: {answer}"
        assert answer["Docker-Content-Digest"] == digest


@pytest.mark.timeout(180)
def test_a_million_entries_to_catch_up_with_also_by_a_node_that_is_killed_and_by_one_that_comes_too_late(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    registry.put_blob("many/app", CONFIG)
    digest = registry.put_manifest("many/app", "first", oci.image_manifest(CONFIG))
    before = int(registry.call("HEAD", "/v2/many/app/manifests/first", headers={"Wherry-Follows": "1"})["Wherry-Position"])
    master.stop()
    append_tags(master, "many/app", digest, KEPT - before)
    master.start()

    region = run_server(Node(area, master.url, "region"))
    wait_until(lambda: feed_of(region)["position"] > KEPT // 4, "it is in the middle of it", 60)
    reached = feed_of(region)["position"]
    region.kill()
    assert reached < KEPT, "it was too fast to be killed"
    region.start()
    assert feed_of(region)["position"] >= reached
    wait_until(lambda: feed_of(region)["position"] >= KEPT, "it has caught up", 60)
    assert feed_of(region)["position"] == KEPT and feed_of(region)["complete"]
    assert applied_by(region) <= KEPT - reached, "it began anew"
    assert snapshots_of(region) == 0
    sample = [0, KEPT - before - 1, *random.Random(1).sample(range(KEPT - before), 200)]
    check_sample(region, digest, sample)
    check_bounds(region)

    # One more, and the log does not go back to the first.
    registry.put_manifest("many/app", "one-more", oci.image_manifest(CONFIG))
    wait_until(lambda: feed_of(region)["position"] > KEPT, "the region has it")
    master.restart()
    wait_until(lambda: is_compacted(registry, 1), "the log is compacted")
    late = run_server(Node(area, master.url, "late"))
    follows(late, 60)
    assert snapshots_of(late) == 1 and applied_by(late) == 0
    check_sample(late, digest, sample)
    check_bounds(late)
    check_bounds(master)

    for server in (late, region, master):
        server.stop()
    state = check_same_state(master, [region, late])
    assert state["rows"] > KEPT - before and state["position"] == KEPT + 1


@pytest.mark.timeout(120)
def test_a_new_node_below_a_log_that_was_compacted_takes_a_snapshot_in_every_tier(area, run_server):
    tiers = Tiers(area, run_server, {"feed": {"keep-entries": 10}})
    tiers.region.end()
    tiers.branch.end()
    for number in range(50):
        put_version(tiers.registry, f"v{number}", number)
    tiers.restart_master()
    wait_until(lambda: is_compacted(tiers.registry, 1), "the log is compacted")
    region = run_server(Node(area, tiers.links[0].url, "new-region"))
    follows(region)
    branch = run_server(Node(area, region.url, "new-branch"))
    follows(branch)
    put_version(tiers.registry, "v50", 50)
    converge(tiers.master, [region, branch])
    for node in (region, branch):
        assert snapshots_of(node) == 1 and version_at(node, "v7") == 7 and version_at(node, "v50") == 50
    tiers.close()
    for server in (branch, region, tiers.master):
        server.stop()
    check_same_state(tiers.master, [region, branch])
