"""Who changes policies and nodes at the master while others push: an oracle's client of another kind."""

import json

from oracle import GONE, THERE, Client
from wherry.client import Registry

FILL_AHEAD = "/api/v1/replication/fill-ahead"
NODES = "/api/v1/nodes"


def call(registry, method, path, document=None):
    body = None if document is None else json.dumps(document).encode()
    return registry.call(method, path, body, {"Content-Type": "application/json"})


def add_node(address, name):
    """Gives its join token."""
    answer = call(Registry(address), "POST", NODES, {"name": name})
    assert answer.status == 201, answer
    return answer.json["join_token"]


def remove_node(address, name):
    answer = call(Registry(address), "DELETE", f"{NODES}/{name}")
    assert answer.status == 204, answer


class Administrator(Client):
    """Puts and removes fill-ahead policies, adds and removes nodes that never join; pushes nothing."""

    NAMES = [f"a{number}" for number in range(8)]

    def __init__(self, repository, seed):
        super().__init__(repository, seed)
        self.policies = {name: {GONE} for name in self.NAMES}
        self.nodes = {name: {GONE} for name in self.NAMES}

    def put_policy(self, registry):
        """Of a few images for some nodes, now and then one that is there already."""
        name = self.random.choice(self.NAMES)
        policy = {
            "repositories": [self.random.choice(["client/*", "client/n1", "nothing/**"])],
            "tags": [f"t{self.random.randrange(6)}"],
            "nodes": self.random.choice([["region"], ["branch"], ["elsewhere", "b*"]]),
        }
        send = lambda: call(registry, "PUT", f"{FILL_AHEAD}/{name}", policy)  # noqa: E731
        self._operate([(self.policies, name, json.dumps(policy))], send, 200)

    def remove_policy(self, registry):
        name = self.random.choice(self.NAMES)
        if len(self.policies[name]) == 1:
            expected = 404 if self.policies[name] == {GONE} else 204
            self._operate([(self.policies, name, GONE)], lambda: call(registry, "DELETE", f"{FILL_AHEAD}/{name}"), expected)

    def add_or_remove_node(self, registry):
        name = self.random.choice(self.NAMES)
        if self.nodes[name] == {GONE}:
            self._operate([(self.nodes, name, THERE)], lambda: call(registry, "POST", NODES, {"name": name}), 201)
        elif self.nodes[name] == {THERE}:
            self._operate([(self.nodes, name, GONE)], lambda: call(registry, "DELETE", f"{NODES}/{name}"), 204)

    def operations(self):
        return [(self.put_policy, 3), (self.remove_policy, 2), (self.add_or_remove_node, 1)]

    def check(self, registry, everything=False):
        assert self.complaint is None, self.complaint
        policies, nodes = registry.get(FILL_AHEAD).json, {node["name"] for node in registry.get(NODES).json}
        held = {name: json.dumps(policy) for name, policy in policies.items()}
        there = {name: THERE for name in nodes}
        for table, found in ((self.policies, held), (self.nodes, there)):
            for name, states in table.items():
                assert found.get(name, GONE) in states, f"{name}: {found.get(name)}, possible were {states}"
                table[name] = {found.get(name, GONE)}
        assert held.keys() <= self.policies.keys()
        return len(self.policies) + len(self.nodes)

    def fed_policies(self):
        """What every tier must have of them, once nothing is open any more."""
        return {f"fill-ahead.{name}": json.loads(only(states)) for name, states in self.policies.items() if states != {GONE}}


def only(states):
    [state] = states
    return state
