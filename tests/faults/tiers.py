"""Tiers under a storm of pushes: who pushes, who watches that no tag goes backwards, and who compares the tiers at rest."""

import json
import math
import random
import struct
import threading
import time

from administrator import add_node
from oracle import KeptRegistry
from wherry import oci, raw
from wherry.client import Broken, Registry
from wherry.exposition import value
from wherry.link import Link
from wherry.process import Master, Node, wait_until

HEALED_WITHIN = 60.0  # seconds
CONFIG = b"{}"


class Tiers:
    """A master, a region below it, a branch below that; a link above each node. Registered, or open to all."""

    def __init__(self, area, run_server, config=None, registered=False):
        self.area, self.run_server = area, run_server
        self.master = Master(area)
        if config is None:
            run_server(self.master)
        else:
            self.configure(config)
            run_server(self.master, extra=self.master_extra)
        self.links = [Link(self.master.address)]
        self.region = self._run_node("region", registered)
        self.links.append(Link(self.region.address))
        self.branch = self._run_node("branch", registered)
        self.registry = Registry(self.master.address)
        for node in self.nodes:
            follows(node)

    nodes = property(lambda self: [self.region, self.branch])
    servers = property(lambda self: [self.master, self.region, self.branch])

    def _run_node(self, name, registered):
        extra = ["--join", add_node(self.master.address, name)] if registered else []
        return self.run_server(Node(self.area, self.links[-1].url, name), extra=extra)

    def configure(self, config):
        """From the master's next start on."""
        file = self.area / "master.yaml"
        file.write_text(json.dumps(config))
        self.master_extra = ["--config", file]

    def start_master(self):
        self.master.start(extra=getattr(self, "master_extra", ()))

    def restart_master(self, while_down=None):
        self.master.stop()
        if while_down:
            while_down()
        self.start_master()

    def close(self):
        for link in self.links:
            link.close()


def feed_of(node):
    return node.status()["feed"]


def follows(node, seconds=20):
    wait_until(node.follows, f"{node.name} follows", seconds)


def reach(master, nodes, within=HEALED_WITHIN):
    """Waits until the nodes have applied what the master has now; gives the seconds that they needed."""
    begin = time.monotonic()
    registry = Registry(master.address)
    registry.put_blob("settle/marks", CONFIG)
    mark = f"m{time.monotonic_ns():020}"
    before = f"m{int(mark[1:]) - 1:020}"
    registry.put_manifest("settle/marks", mark, oci.image_manifest(CONFIG))

    def there(node):
        # A list is of what the node itself has applied. A manifest may be its parent's answer, and that one's position
        # says nothing here: after a new epoch it is the lower one.
        try:
            answer = Registry(node.address).get(f"/v2/settle/marks/tags/list?n=1&last={before}")
            return answer.status == 200 and answer["Wherry-Position"] is not None and answer.json["tags"] == [mark]
        except Broken:
            return False

    for node in nodes:
        left = within - (time.monotonic() - begin)
        try:
            wait_until(lambda node=node: there(node), f"{node.name} has what the master has", left, 0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}; its feed: {feed_of(node)}") from None
    return time.monotonic() - begin


def converge(master, nodes):
    """The same, at rest: and then the nodes are the master's equals."""
    took = reach(master, nodes)
    for node in nodes:
        found = differences(master, node)
        assert not found, f"{node.name} is not as the master is: {found[:10]}"
    return took


def names_of(address, must_follow=False):
    """All repositories and tags, with the digests, as that server answers."""
    registry = KeptRegistry(address)
    state = {}
    pages = registry.pages("/v2/_catalog?n=1000")
    for repository in [name for page in pages for name in page.json["repositories"]]:
        state[repository] = {}
        for page in registry.pages(f"/v2/{repository}/tags/list?n=1000"):
            for tag in page.json["tags"]:
                answer = registry.call("HEAD", registry.manifest_path(repository, tag), headers={"Accept": oci.OCI_MANIFEST})
                assert answer.status == 200, f"{repository}:{tag} is listed and not there: {answer}"
                assert not must_follow or answer["Wherry-Position"], f"{repository}:{tag} is not answered from the feed"
                state[repository][tag] = answer["Docker-Content-Digest"]
    registry.close()
    return state


def differences(master, node, manifests=()):
    """What a node's names say otherwise than the master's, in words; `manifests`: (repository, digest) to compare too."""
    wanted, found = names_of(master.address), names_of(node.address, must_follow=True)
    said = [f"{name} is at the master alone" for name in wanted.keys() - found.keys()]
    said += [f"{name} is at the node alone" for name in found.keys() - wanted.keys()]
    for name in wanted.keys() & found.keys():
        for tag in sorted(wanted[name].keys() | found[name].keys()):
            there, here = wanted[name].get(tag), found[name].get(tag)
            if there != here:
                said.append(f"{name}:{tag} is {here}, at the master {there}")
    registries = KeptRegistry(master.address), KeptRegistry(node.address)
    for repository, digest in manifests:
        there, here = (registry.get_manifest(repository, digest).status for registry in registries)
        if there != here:
            said.append(f"{repository}@{digest} is {here}, at the master {there}")
    for registry in registries:
        registry.close()
    return said


def alarms_of(node):
    return value(node.metrics(), "wherry_feed_alarms_total")


def snapshots_of(node):
    return value(node.metrics(), "wherry_feed_snapshots_total")


def is_compacted(registry, position):
    with registry.open("GET", f"/wherry/v1/feed?from={position}") as answer:
        return answer.status == 410


def position_at(master):
    """Where the feed is, as its next stream says."""
    with raw.connect(master.address) as connection:
        raw.send(connection, b"GET /wherry/v1/feed?from=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while not (record := first_head(data)):
            data += connection.recv(65536)
        return record


def first_head(data):
    """The position that the first signed head in the beginning of an answer says; None while it is not there."""
    _, mark, body = data.partition(b"\r\n\r\n")
    records = b""
    while mark and b"\r\n" in body:
        line, _, body = body.partition(b"\r\n")
        size = int(line or b"0", 16)
        records, body = records + body[:size], body[size + 2 :]
    while len(records) >= 5:
        size = struct.unpack(">I", records[:4])[0]
        if records[4:5] == b"H" and len(records) >= 5 + size:
            return struct.unpack(">Q", records[13:21])[0]
        records = records[5 + size :]
    return None


def version_of(body):
    return int(json.loads(body)["annotations"]["version"])


def put_version(registry, tag, version, repository="team/app"):
    registry.put_blob(repository, CONFIG)
    return registry.put_manifest(repository, tag, oci.image_manifest(CONFIG, annotations={"version": str(version)}))


def version_at(server, tag, repository="team/app"):
    answer = Registry(server.address).get_manifest(repository, tag)
    return version_of(answer.body) if answer.status == 200 else answer.status


class Storm:
    """Pushes and deletes until it is told to stop. The versions of a tag are counted; what has no answer is done again."""

    def __init__(self, address, repository, tags=4, seed=1, pause=0.005, deletes=True):
        self.address, self.repository, self.pause, self.deletes = address, repository, pause, deletes
        self.tags = [f"t{number}" for number in range(tags)]
        self.version = 0
        self.known = {}  # tag -> the version that was acknowledged, None: its deletion was
        self.operations = 0
        self.complaint = None
        self._random = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self):
        Registry(self.address).put_blob(self.repository, CONFIG)
        for tag in self.tags:
            self._push(Registry(self.address), tag)
        self._thread.start()
        return self

    def let_end(self):
        self._end.set()

    def stop(self):
        self.let_end()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a push gets neither an answer nor a broken connection"
        assert self.complaint is None, self.complaint

    def check(self, address):
        """The server has what was acknowledged last."""
        registry = Registry(address)
        for tag, version in self.known.items():
            answer = registry.get_manifest(self.repository, tag)
            found = None if answer.status == 404 else version_of(answer.body)
            assert found == version, f"{self.repository}:{tag} is {found}, acknowledged was {version}"

    def layer(self, version):
        return f"{self.repository} {version}".encode()

    def _push(self, registry, tag):
        self.version += 1
        layer = self.layer(self.version)
        manifest = oci.image_manifest(CONFIG, [layer], annotations={"version": str(self.version)})
        self._until(201, lambda: registry.push_blob(self.repository, layer))
        self._until(201, lambda: registry.push_manifest(self.repository, tag, manifest))
        self.known[tag] = self.version

    def _delete(self, registry, tag):
        # The deletion that had no answer may be done: then it is not found.
        self._until((202, 404), lambda: registry.call("DELETE", registry.manifest_path(self.repository, tag)))
        self.known[tag] = None

    def _until(self, wanted, send):
        while True:
            try:
                answer = send()
                if answer.status < 500:
                    assert answer.status in (wanted if isinstance(wanted, tuple) else (wanted,)), answer
                    self.operations += 1
                    return
            except Broken:
                pass
            self._end.wait(0.02)

    def _run(self):
        registry = KeptRegistry(self.address)
        try:
            while not self._end.wait(self.pause):
                tag = self._random.choice(self.tags)
                if self.deletes and self.known[tag] and self._random.random() < 0.1:
                    self._delete(registry, tag)
                else:
                    self._push(registry, tag)
        except BaseException as complaint:  # noqa: BLE001  stop() raises it again
            self.complaint = complaint
        finally:
            registry.close()


class Watcher:
    """Pulls tags through a node again and again: no tag goes backwards, no image is broken.

    What a node answers by asking, since its feed has no such tag (yet), may be ahead of the feed and is not compared here:
    see test_a_tag_that_was_asked_for_ahead_of_the_feed_does_not_go_back.
    """

    def __init__(self, node, images, again_after_deletion=False):
        """`images`: [(repository, tags)]. With `again_after_deletion` a version may come back after the tag was gone."""
        self.node, self.images, self.again = node, images, again_after_deletion
        self.answers = self.failures = 0
        self.slowest = 0.0
        self.complaint = None
        self._least = {}
        self._whole = set()  # images of which all was pulled
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self):
        self._thread.start()
        return self

    def let_end(self):
        self._end.set()

    def stop(self):
        self.let_end()
        self._thread.join(90)
        assert not self._thread.is_alive(), f"a pull through {self.node.name} gets neither an answer nor a broken connection"
        assert self.complaint is None, f"{self.node.name}: {self.complaint}"
        return self

    def _run(self):
        registry = KeptRegistry(self.node.address)
        try:
            while not self._end.wait(0.002):
                for repository, tags in self.images:
                    for tag in tags:
                        self._look(registry, repository, tag)
        except BaseException as complaint:  # noqa: BLE001  stop() raises it again
            self.complaint = complaint
        finally:
            registry.close()

    def _look(self, registry, repository, tag):
        begin = time.monotonic()
        try:
            answer = registry.get_manifest(repository, tag)
        except Broken:
            self.failures += 1
            self._end.wait(0.01)
            return
        self.slowest = max(self.slowest, time.monotonic() - begin)
        least = self._least.get((repository, tag), 0)
        if answer.status == 404:
            if least and not self.again:
                self._least[repository, tag] = math.floor(least) + 0.5
            return
        if answer.status != 200:
            self.failures += 1
            return
        self.answers += 1
        assert oci.digest_of(answer.body) == answer["Docker-Content-Digest"], f"{repository}:{tag} is not its digest"
        if answer["Wherry-Position"] is not None:
            version = version_of(answer.body)
            assert version >= least, f"{repository}:{tag} went back to {version} from {least}: {answer!r}"
            self._least[repository, tag] = version
        if answer["Docker-Content-Digest"] not in self._whole:
            self._pull(registry, repository, json.loads(answer.body))
            self._whole.add(answer["Docker-Content-Digest"])

    def _pull(self, registry, repository, manifest):
        for blob in [manifest["config"], *manifest["layers"]]:
            try:
                answer = registry.get_blob(repository, blob["digest"])
            except Broken:
                continue
            assert answer.status != 404, f"{repository}: {blob} of an image that is there is not there"
            assert answer.status != 200 or oci.digest_of(answer.body) == blob["digest"], f"{repository}: {blob} is broken"


class Weather:
    """Storms over a master and watchers at nodes, for as long as it is open; then everything converges."""

    def __init__(self, master, nodes, repositories=("storm/a", "storm/b"), deletes=True):
        self.master, self.nodes = master, nodes
        self.storms = [Storm(master.address, name, seed=name, deletes=deletes) for name in repositories]
        self.watchers = [Watcher(node, [(storm.repository, storm.tags) for storm in self.storms]) for node in nodes]

    def __enter__(self):
        for storm in self.storms:
            storm.start()
        reach(self.master, self.nodes)
        for watcher in self.watchers:
            watcher.start()
        return self

    def __exit__(self, kind, *_):
        for end in [*self.storms, *self.watchers]:
            end.let_end()
        if kind is None:
            for storm in self.storms:
                storm.stop()
            for watcher in self.watchers:
                watcher.stop()

    def clears_up(self):
        """All is well again: the storms end, the tiers become equal, and are what was acknowledged."""
        for storm in self.storms:
            storm.stop()
        took = converge(self.master, self.nodes)
        for watcher in self.watchers:
            watcher.stop()
        for storm in self.storms:
            storm.check(self.master.address)
            for node in self.nodes:
                storm.check(node.address)
        pushed = sum(storm.operations for storm in self.storms)
        seen = [f"{w.node.name}: {w.answers} answers, {w.failures} failures, slowest {w.slowest:.2f} s" for w in self.watchers]
        print(f"{pushed} operations; converged {took:.2f} s after healing; {', '.join(seen)}")
        for watcher in self.watchers:
            assert watcher.answers > 5, f"{watcher.node.name} was hardly looked at"
