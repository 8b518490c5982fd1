"""The servers of the benches: a master and nodes, each on a Machine of its own or on loopback; and what runs instead of a master."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]
from peers import DockerRegistry  # noqa: E402
from wherry.access import PASSWORD, ClosedMaster, ClosedNode, add_project, administrator  # noqa: E402
from wherry.process import Server, wait_until  # noqa: E402

CLIENTS_PORT = 5000
SWARM_PORT = 5881


def cpu_seconds(server):
    """Of all threads that it has, since they began."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def value_of(server, name, **labels):
    """Of a metric: all its series that have these labels, together."""
    wanted = set(labels.items())
    return sum(value for (series, has), value in server.metrics().items() if series == name and wanted <= set(has))


class OnMachine:
    """A server that runs on a machine and is asked there."""

    def __init__(self, machine, ip, *how, **more):
        super().__init__(*how, **more)
        self.machine, self.ip, self.port, self.observe_port = machine, ip, CLIENTS_PORT, 5001

    address = property(lambda self: f"{self.ip}:{self.port}")

    def command(self):
        return self.machine.words(super().command())

    def answers(self, port, path):
        with self.machine.inside():
            return super().answers(port, path)

    def observed(self, path, timeout=10):
        with self.machine.inside():
            return super().observed(path, timeout)

    def cpu_seconds(self):
        return cpu_seconds(self)

    def sum_of(self, part):
        """Of all metrics whose name holds `part`: by name."""
        sums = {}
        for (name, _), value in self.metrics().items():
            if part in name and name.endswith("_total"):
                sums[name] = sums.get(name, 0) + value
        return sums

    stop, end = Server.stop, Server.end


class LoopbackMaster(ClosedMaster):
    stop, end = Server.stop, Server.end


class LoopbackNode(ClosedNode):
    stop, end = Server.stop, Server.end

    def join(self, admin):
        """Registers with the master whose administrator that is, and follows it."""
        token = admin.made("POST", "nodes", {"name": self.name, "projects": []})["join_token"]
        self.start(extra=["--join", token])
        wait_until(self.follows, f"{self.name} follows", interval=0.1)


class BedMaster(OnMachine, ClosedMaster):
    """Asks everybody who he is, for it is at an address that others reach; its one project is public."""

    def __init__(self, area, machine, min_bytes):
        """`min_bytes`: swarm.min-bytes."""
        settings = {"access-log": False, "access": {"behind-tls": True}, "swarm": {"min-bytes": min_bytes}}
        super().__init__(machine, machine.ip, area, settings=settings)

    def set_up(self):
        with self.machine.inside():
            self.admin = administrator(self, PASSWORD)
            add_project(self.admin, "bench", public=True)

    def push(self, blob):
        """As an image; from its own machine, so the link carries nothing."""
        with self.machine.inside():
            self.admin.put_image("bench/data", "v1", [blob])

    def push_blob(self, data):
        with self.machine.inside():
            self.admin.put_blob("bench/data", data)

    def push_manifest(self, data):
        with self.machine.inside():
            self.admin.put_manifest("bench/data", "v1", data)

    def position(self):
        with self.machine.inside():
            answer = self.admin.call("HEAD", "/v2/bench/data/manifests/v1", headers={"Wherry-Follows": "1"})
            return int(answer["Wherry-Position"])

    def add_node(self, name):
        with self.machine.inside():
            return self.admin.made("POST", "nodes", {"name": name, "projects": []})["join_token"]

    def remove_node(self, name):
        with self.machine.inside():
            self.admin.made("DELETE", f"nodes/{name}")


class BedRegistry(DockerRegistry):
    """docker-registry in a master's place, and on its machine."""

    def __init__(self, area, machine, name):
        super().__init__(name, area, machine)

    def command(self):
        return ["setpriv", "--pdeathsig", "KILL", *super().command()]  # it ends with the bench

    def start(self):
        with self.inside.inside():
            return super().start()

    def push_blob(self, data):
        with self.inside.inside():
            self.take_blob(data)

    def push_manifest(self, data):
        with self.inside.inside():
            self.take_manifest(data)


class BedNode(OnMachine, ClosedNode):
    """Clients on its machine reach it by loopback, its peers by the machine's address."""

    def __init__(self, area, machine, master, name, swarm):
        """`swarm`: of its configuration; None: it takes all from its parent."""
        settings = {"access-log": False, **({"swarm": {"listen": f"{machine.ip}:{SWARM_PORT}", **swarm}} if swarm else {})}
        super().__init__(machine, "127.0.0.1", area, master.url, name, settings=settings)


def wait_all(nodes, predicate, what, seconds):
    """Until it holds for each; asks no more often than a few times a second, for the machines share the cores."""
    deadline = time.monotonic() + seconds
    left = list(nodes)
    while left:
        left = [node for node in left if not predicate(node)]
        if left and time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds} s: {left[0].name} {what}\n{left[0].tail(20)}")
        if left:
            time.sleep(0.3)
