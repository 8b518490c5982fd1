"""Nodes of one site that share what they pull."""

import json

from .access import ClosedMaster, ClosedNode, administrator
from .client import Registry
from .process import Master, Node, free_port, wait_until

LEAST = 128 << 10  # bytes of a blob that is shared in these tests


class Site:
    """A master and nodes below it that know each other through it alone."""

    def __init__(self, area, run_server, closed=False, **how):
        """closed: only who may is let in, and `registry` is the administrator's; how: the master is started."""
        self.area, self.run_server, self.closed = area, run_server, closed
        master = (ClosedMaster if closed else Master)(area, settings={"swarm": {"min-bytes": LEAST}})
        self.master = run_server(master, **how)
        self.registry = administrator(self.master) if closed else Registry(self.master.address)
        self.parent_url = self.master.url  # of nodes that are made from now on

    def api(self, method, path, document=None):
        body = json.dumps(document).encode() if document is not None else None
        return self.registry.call(method, path, body, {"Content-Type": "application/json"})

    def token(self, name, **record):
        answer = self.api("POST", "/api/v1/nodes", {"name": name, **record})
        assert answer.status == 201, answer
        return answer.json["join_token"]

    def node(self, name, more=None, parent=None, data=None, env=None, **swarm):
        """more: of its settings, beside those of the swarm; parent: a server or a link to one. listen=None: it takes
        part in none."""
        port = free_port()
        swarm = {"listen": f"127.0.0.1:{port}", "min-bytes": LEAST, **swarm}
        settings = {"swarm": {key: value for key, value in swarm.items() if value is not None}, **(more or {})}
        url = parent.url if parent else self.parent_url
        node = (ClosedNode if self.closed else Node)(self.area, url, name, data, settings)
        node.swarm_port = port
        self.run_server(node, extra=["--join", self.token(name)], env=env)
        wait_until(node.follows, f"{name} follows")
        return node


def counted(server, name, **labels):
    """The sum of a metric's series with those labels."""
    return sum(
        value
        for (series, has), value in server.metrics().items()
        if series == name and set(labels.items()) <= set(has)
    )


def received(node, source):
    return counted(node, "wherry_swarm_received_bytes_total", **{"from": source})


def leased(parent):
    return counted(parent, "wherry_swarm_leased_bytes_total")
