"""Nodes of one site that share what they pull."""

import json

from .client import Registry
from .process import Master, Node, free_port, wait_until

LEAST = 128 << 10  # bytes of a blob that is shared in these tests


class Site:
    """A master and nodes below it that know each other through it alone."""

    def __init__(self, area, run_server):
        self.area, self.run_server = area, run_server
        self.master = run_server(Master(area, settings={"swarm": {"min-bytes": LEAST}}))
        self.registry = Registry(self.master.address)

    def api(self, method, path, document=None):
        body = json.dumps(document).encode() if document is not None else None
        return self.registry.call(method, path, body, {"Content-Type": "application/json"})

    def token(self, name):
        answer = self.api("POST", "/api/v1/nodes", {"name": name})
        assert answer.status == 201, answer
        return answer.json["join_token"]

    def node(self, name, more=None, parent=None, **swarm):
        """more: of its settings, beside those of the swarm; parent: a server or a link to one. listen=None: it takes
        part in none."""
        port = free_port()
        swarm = {"listen": f"127.0.0.1:{port}", "min-bytes": LEAST, **swarm}
        settings = {"swarm": {key: value for key, value in swarm.items() if value is not None}, **(more or {})}
        node = Node(self.area, (parent or self.master).url, name, settings=settings)
        node.swarm_port = port
        self.run_server(node, extra=["--join", self.token(name)])
        wait_until(lambda: node.status()["feed"]["state"] == "following", f"{name} follows")
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
