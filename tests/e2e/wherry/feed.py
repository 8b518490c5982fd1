"""How far nodes have followed their master's feed."""

from . import oci
from .client import Registry
from .process import wait_until


def master_position(master):
    """Where the feed ends at a master: at least where it ended when this was called."""
    registry = Registry(master.address)
    registry.put_blob("settle/marks", b"{}")
    registry.put_manifest("settle/marks", "mark", oci.image_manifest(layers=[]))
    path = registry.manifest_path("settle/marks", "mark")
    return int(registry.call("HEAD", path, headers={"Wherry-Follows": "1"})["Wherry-Position"])


def position_of(node):
    return node.status()["feed"]["position"]


def settle(master, *nodes, seconds=60):
    """Waits until the nodes have applied what the master has now."""
    position = master_position(master)
    for node in nodes:
        wait_until(lambda node=node: position_of(node) >= position, f"{node.name} has followed", seconds)
