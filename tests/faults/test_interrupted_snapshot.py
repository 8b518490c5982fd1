"""A node that is killed while a snapshot is put in the place of what it had."""

import json
import signal

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.feed import master_position, position_of, settle
from wherry.process import Master, Node, wait_until


@pytest.fixture
def behind(area, run_server):
    """A master whose log was compacted beyond where its node is: names were set, moved and deleted meanwhile."""
    settings = area / "settings.yaml"
    settings.write_text(json.dumps({"feed": {"keep-entries": 3}}))
    master = run_server(Master(area))
    registry = Registry(master.address)
    for number in range(20):
        registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": number}))
    node = run_server(Node(area, master.url))
    settle(master, node)
    for number in range(20):  # cached, so that there is something to be put right
        assert Registry(node.address).get_manifest("team/app", f"v{number}").status == 200
    node.stop()
    for number in range(0, 20, 2):
        path = registry.manifest_path("team/app", f"v{number}")
        assert registry.call("DELETE", path).status == 202
    for number in range(1, 20, 4):
        registry.put_image("team/app", f"v{number}", [b"layer"], config=oci.encode({"n": -number}))
    registry.put_image("team/new", "v1", [b"layer"])
    master.restart(extra=["--config", settings])

    def is_compacted():
        with registry.open("GET", "/wherry/v1/feed?from=2") as stream:
            return stream.status == 410

    wait_until(is_compacted, "the log is compacted")
    return master, node


def names(address):
    registry = Registry(address)
    repositories = registry.get("/v2/_catalog").json["repositories"]
    return {repository: registry.get(f"/v2/{repository}/tags/list").json["tags"] for repository in repositories}


# The first synced writes of a node that joins: that a swap begins, that what was is gone, that all is in place.
@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_swap_that_a_crash_broke_off_is_finished_without_the_parent(behind, write):
    master, node = behind
    position, there = master_position(master), names(master.address)
    node.start(env={"WHERRY_FAILPOINT": f"batch-written:{write}"}, ready_within=None)
    assert node.wait_end() == -signal.SIGKILL
    master.stop()
    node.start()
    wait_until(lambda: position_of(node) == position, "the snapshot is in place", 20)
    assert names(node.address) == there
    edge = Registry(node.address)
    for number in range(0, 20, 2):
        assert edge.get_manifest("team/app", f"v{number}").status == 404
    for number in range(3, 20, 4):  # held since before
        assert edge.get_manifest("team/app", f"v{number}").status == 200
    master.start()
    settle(master, node)
