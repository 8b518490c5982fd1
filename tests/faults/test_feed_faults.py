"""The feed and the nodes that follow it, in bad times: what is cut, stopped, killed, slow, full or put back.

Each time: no tag goes backwards at a node, no image is broken, all tiers are the master's equals within 60 s of healing.
WHERRY_FAULT_SCALE=10 makes storms and floods that much longer.
"""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from administrator import Administrator, add_node, remove_node
from clocks import Clocks
from names_state import check_same_state
from oracle import Client, Clients, KeptRegistry
from tiers import (
    CONFIG, Tiers, Watcher, Weather, alarms_of, converge, differences, feed_of, follows, is_compacted, position_at,
    put_version, reach, snapshots_of, version_at,
)  # fmt: skip
from wherry import oci, raw
from wherry.client import Registry
from wherry.disk import Disk
from wherry.process import BIN, Master, Node, wait_until

BYTES_OF_AN_ENTRY = 150  # or so, with its part of a head
SCALE = float(os.environ.get("WHERRY_FAULT_SCALE", "1"))
PHASES = 8  # of the random operations: a start of the master each; even, so that strangers may read the feed in the end


@pytest.fixture
def tiers(area, run_server):
    tiers = Tiers(area, run_server)
    yield tiers
    tiers.close()


@pytest.mark.timeout(120)
def test_links_that_are_cut_and_held_for_a_while(tiers):
    rand = random.Random(1)
    with Weather(tiers.master, tiers.nodes) as weather:
        for round_ in range(int(4 * SCALE)):
            link = tiers.links[round_ % 2]
            held = round_ >= 2
            link.hold() if held else link.cut()
            time.sleep(rand.uniform(1, 2))  # the fault's time
            link.release() if held else link.mend()
        weather.clears_up()


@pytest.mark.timeout(120)
def test_a_tier_that_is_stopped_holds_nobody_up_who_has_the_tag(tiers):
    with Weather(tiers.master, tiers.nodes, deletes=False) as weather:
        for server in (tiers.master, tiers.region):
            held = [storm.repository for storm in weather.storms]
            below = tiers.nodes if server is tiers.master else [tiers.branch]
            server.signal(signal.SIGSTOP)
            try:
                end = time.monotonic() + 2 * SCALE
                while time.monotonic() < end:
                    for node in below:
                        begin = time.monotonic()
                        tags = Registry(node.address).get(f"/v2/{held[0]}/tags/list")
                        assert tags.status == 200 and tags["Wherry-Position"] and time.monotonic() - begin < 2
            finally:
                server.signal(signal.SIGCONT)
        weather.clears_up()


@pytest.mark.timeout(120)
def test_kills_of_any_tier_during_a_storm(tiers):
    rand = random.Random(2)
    with Weather(tiers.master, tiers.nodes) as weather:
        for _ in range(int(9 * SCALE)):
            server = rand.choice(tiers.servers)
            time.sleep(rand.uniform(0.1, 0.5))
            server.kill()
            time.sleep(rand.uniform(0, 0.3))
            server.start()
        weather.clears_up()


@pytest.mark.timeout(120)
def test_a_follower_at_a_tenth_of_the_feeds_speed(tiers):
    with Weather(tiers.master, tiers.nodes) as weather:
        before = position_at(tiers.master)
        time.sleep(1)
        entries_per_second = position_at(tiers.master) - before
        tiers.links[0].bytes_per_second = max(entries_per_second * BYTES_OF_AN_ENTRY / 10, 100)
        time.sleep(5 * SCALE)
        behind = position_at(tiers.master) - feed_of(tiers.region)["position"]
        assert behind > 50, "it is not slow"
        tiers.links[0].bytes_per_second = None
        weather.clears_up()


def flood(address, repository, count, connections=16):
    """Sets that many tags as fast as it goes: requests that are sent without waiting for answers."""
    registry = Registry(address)
    registry.put_blob(repository, CONFIG)
    manifest = oci.image_manifest(CONFIG)
    digest = registry.put_manifest(repository, "first", manifest)
    complaints = []

    def push(number):
        with raw.connect(address, 120) as connection:
            def send():
                for tag in range(number, count, connections):
                    head = f"PUT /v2/{repository}/manifests/f{tag} HTTP/1.1\r\nHost: x\r\nContent-Type: {oci.OCI_MANIFEST}\r\n"
                    raw.send(connection, f"{head}Content-Length: {len(manifest)}\r\n\r\n".encode() + manifest)

            sender = threading.Thread(target=send)
            sender.start()
            left, pending = len(range(number, count, connections)), b""
            while left:
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                pending += piece
                left -= pending.count(b"HTTP/1.1 201")
                pending = pending[-11:] if not pending.endswith(b"HTTP/1.1 201") else b""
            sender.join()
            if left:
                complaints.append(f"{left} pushes were not taken")

    pushers = [threading.Thread(target=push, args=[number]) for number in range(connections)]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    assert not complaints, complaints
    return digest


@pytest.mark.timeout(180)
def test_many_entries_to_catch_up_with(area, run_server, tiers):
    count = int(10_000 * SCALE)
    tiers.links[0].cut()
    begin = time.monotonic()
    flood(tiers.master.address, "flood/app", count)
    pushed = time.monotonic() - begin
    before = feed_of(tiers.branch)["position"]
    tiers.links[0].mend()
    begin = time.monotonic()
    wait_until(lambda: feed_of(tiers.branch)["position"] >= before + count, "the branch has caught up", 60)
    caught_up = time.monotonic() - begin
    late = run_server(Node(area, tiers.branch.url, "late"))
    follows(late)
    Registry(late.address).get("/v2/flood/app/tags/list")
    print(f"{count} pushes in {pushed:.1f} s; the branch had them {caught_up:.2f} s after healing")
    lists = [Registry(server.address).pages("/v2/flood/app/tags/list?n=5000") for server in (tiers.master, tiers.branch, late)]
    tags = [sorted(tag for page in pages for tag in page.json["tags"]) for pages in lists]
    assert len(tags[0]) == count + 1 and tags[0] == tags[1] == tags[2]


@pytest.mark.timeout(120)
def test_a_follower_with_a_full_disk_goes_on_when_there_is_room(area, run_server):
    disk = Disk(area, 128)
    master = run_server(Master(area))
    node = run_server(Node(area, master.url, "small", data=disk.path / "data"))
    below = run_server(Node(area, node.url, "below"))
    follows(node)
    follows(below)
    try:
        with Weather(master, [node, below]) as weather:
            disk.fill()
            end = time.monotonic() + 4 * SCALE
            while time.monotonic() < end:
                disk.fill()
                time.sleep(0.1)
            (disk.path / "filler").unlink()
            if not node.running():
                assert node.wait_end() == 74
                node.start()
            weather.clears_up()
    finally:
        node.end()
        below.end()
        disk.close()


@pytest.mark.timeout(120)
def test_clocks_that_jump(area, run_server):
    clocks = {name: Clocks(area, name) for name in ("master", "region", "branch")}
    master = run_server(Master(area), env=clocks["master"].env)
    region = run_server(Node(area, master.url, "region"), env=clocks["region"].env)
    branch = run_server(Node(area, region.url, "branch"), env=clocks["branch"].env)
    for node in (region, branch):
        follows(node)
    rand = random.Random(3)
    with Weather(master, [region, branch]) as weather:
        for _ in range(int(6 * SCALE)):
            clocks[rand.choice(list(clocks))].jump(rand.choice([-7 * 86400, -3600, 3600, 7 * 86400]))
            time.sleep(0.4)
        region.restart(env=clocks["region"].env)  # its newest head is of another day than its clock
        clocks["branch"].jump(-400 * 86400)
        branch.restart(env=clocks["branch"].env)
        weather.clears_up()


def offline(verb, master, *more):
    done = subprocess.run([BIN / "wherry-master", verb, "--data", master.data, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(180)
def test_a_master_out_of_an_old_backup_is_told_of_until_its_epoch_is_raised(tiers):
    put_version(tiers.registry, "moved", 1)
    converge(tiers.master, tiers.nodes)
    backup = tiers.area / "backup"
    tiers.restart_master(lambda: shutil.copytree(tiers.master.data, backup, symlinks=True))
    put_version(tiers.registry, "moved", 2)
    for number in range(20):
        put_version(tiers.registry, f"later{number}", number)
    converge(tiers.master, tiers.nodes)
    assert [version_at(node, "moved") for node in tiers.nodes] == [2, 2]

    def put_back():
        shutil.rmtree(tiers.master.data)
        shutil.copytree(backup, tiers.master.data, symlinks=True)

    tiers.restart_master(put_back)
    assert version_at(tiers.master, "moved") == 1
    wait_until(lambda: feed_of(tiers.region)["state"] == "alarmed", "the region shouts", 20)
    # The master goes on from its backup, under what the nodes have and then beyond it.
    for number in range(40):
        put_version(tiers.registry, f"other{number}", number)
        assert [version_at(node, "moved") for node in tiers.nodes] == [2, 2]
    wait_until(lambda: feed_of(tiers.region)["state"] == "alarmed", "the region shouts still", 20)
    assert alarms_of(tiers.region) > 0
    assert [version_at(node, "moved") for node in tiers.nodes] == [2, 2]
    tiers.restart_master(lambda: offline("epoch", tiers.master))
    converge(tiers.master, tiers.nodes)
    assert [version_at(node, "moved") for node in tiers.nodes] == [1, 1]
    assert [feed_of(node)["epoch"] for node in tiers.nodes] == [2, 2]


@pytest.mark.timeout(180)
def test_a_higher_epoch_at_a_lower_position_reaches_every_tier(tiers):
    put_version(tiers.registry, "moved", 1)
    converge(tiers.master, tiers.nodes)
    backup = tiers.area / "backup"
    tiers.restart_master(lambda: shutil.copytree(tiers.master.data, backup, symlinks=True))
    for number in range(100):
        put_version(tiers.registry, "moved", 2 + number)
    converge(tiers.master, tiers.nodes)

    def put_back():
        shutil.rmtree(tiers.master.data)
        shutil.copytree(backup, tiers.master.data, symlinks=True)
        offline("epoch", tiers.master)

    tiers.restart_master(put_back)
    for node in tiers.nodes:
        wait_until(lambda node=node: feed_of(node)["epoch"] == 2, f"{node.name} is of the new epoch", 60)
    converge(tiers.master, tiers.nodes)
    assert [version_at(node, "moved") for node in tiers.nodes] == [1, 1]


@pytest.mark.timeout(120)
def test_a_node_that_was_away_for_longer_than_the_log_takes_a_snapshot(area, run_server):
    tiers = Tiers(area, run_server, {"feed": {"keep-entries": 50}})
    for number in range(30):
        put_version(tiers.registry, f"v{number}", number)
    converge(tiers.master, tiers.nodes)
    tiers.region.stop()
    tiers.branch.stop()
    for number in range(100):
        put_version(tiers.registry, f"v{number % 40}", 100 + number)
    assert tiers.registry.call("DELETE", "/v2/team/app/manifests/v3").status == 202
    put_version(tiers.registry, "only", 1, "other/app")
    tiers.restart_master()
    wait_until(lambda: is_compacted(tiers.registry, 5), "the log is compacted", 20)
    tiers.region.start()
    tiers.branch.start()
    converge(tiers.master, tiers.nodes)
    for node in tiers.nodes:
        assert snapshots_of(node) >= 1, node.name
        assert version_at(node, "v3") == 404 and version_at(node, "only", "other/app") == 1
    put_version(tiers.registry, "v0", 1000)
    converge(tiers.master, tiers.nodes)
    tiers.close()


@pytest.mark.timeout(120)
def test_a_node_whose_parent_begins_where_it_is_takes_no_snapshot(area, run_server):
    """Its parent took one at the very position that the node is at: then nothing is missing."""
    tiers = Tiers(area, run_server, {"feed": {"keep-entries": 10}})
    tiers.region.stop()
    tiers.branch.stop()
    for number in range(50):
        put_version(tiers.registry, f"v{number}", number)
    tiers.restart_master()
    wait_until(lambda: is_compacted(tiers.registry, 2), "the log is compacted", 20)
    tiers.region.start()
    wait_until(lambda: snapshots_of(tiers.region) == 1, "the region took a snapshot", 20)
    tiers.branch.start()
    wait_until(lambda: snapshots_of(tiers.branch) >= 1, "the branch took one", 20)
    time.sleep(3)  # in which it takes others, if it does
    assert snapshots_of(tiers.branch) == 1 and snapshots_of(tiers.region) == 1
    follows(tiers.branch)
    tiers.close()


@pytest.mark.timeout(120)
def test_a_new_key_is_followed_by_who_knew_the_old_one(tiers):
    put_version(tiers.registry, "v", 1)
    converge(tiers.master, tiers.nodes)
    before = offline_key(tiers)
    tiers.restart_master(lambda: offline("feed-key", tiers.master, "--rotate"))
    put_version(tiers.registry, "v", 2)
    converge(tiers.master, tiers.nodes)
    tiers.restart_master(lambda: offline("feed-key", tiers.master, "--rotate"))
    tiers.region.restart()
    tiers.branch.restart()
    put_version(tiers.registry, "v", 3)
    converge(tiers.master, tiers.nodes)
    assert [version_at(node, "v") for node in tiers.nodes] == [3, 3]
    assert [alarms_of(node) for node in tiers.nodes] == [0, 0]
    assert offline_key(tiers) != before
    late = tiers.run_server(Node(tiers.area, tiers.region.url, "late", settings={"parent": {"feed-key": before.strip()}}))
    follows(late)


def offline_key(tiers):
    keys = []
    tiers.restart_master(lambda: keys.append(offline("feed-key", tiers.master)))
    return keys[0]


class Namer(Client):
    """Changes names alone: a push is a manifest over a config that is there."""

    def push_image(self, registry):
        if self.blobs.get(oci.digest_of(self.CONFIG)) != {"there"}:
            self.push_blob(registry, self.CONFIG)
        self.number = getattr(self, "number", 0) + 1
        manifest = oci.image_manifest(self.CONFIG, annotations={"version": str(self.number)})
        digest, tag = oci.digest_of(manifest), self.random.choice(self.TAGS)
        self.last_manifest = manifest  # whether it is answered or not: no older one is moved to a tag after it
        self._operate(
            [(self.manifests, digest, "there"), (self.tags, tag, digest)],
            lambda: registry.push_manifest(self.repository, tag, manifest),
            201,
        )

    def operations(self):
        return [(self.push_image, 6), (self.move_tag, 3), (self.delete_tag, 2), (self.delete_manifest, 1)]


def guest_comes_and_goes(tiers, number, rand):
    """A node joins below one of the tiers, follows, and is removed: the tiers are told that its certificate counts no more."""
    parent = rand.choice(tiers.servers)
    name = f"guest{number}"
    guest = tiers.run_server(Node(tiers.area, parent.url, name), extra=["--join", add_node(tiers.master.address, name)])
    follows(guest, 30)
    remove_node(tiers.master.address, name)
    wait_until(lambda: feed_of(guest)["state"] != "following", f"{name} is let go", 30)
    guest.end()
    shutil.rmtree(guest.folder)


@pytest.mark.timeout(400)
def test_10_000_random_operations_with_cuts_and_kills_leave_equal_tiers(area, run_server):
    """Names, policies and nodes change; who may read the feed is another one after each start of the master."""
    rand = random.Random(4)
    tiers = Tiers(area, run_server, registered=True)
    stranger = run_server(Node(area, tiers.master.url, "stranger"))
    follows(stranger)
    wanted = int(10_000 * SCALE)
    clients = Clients(6, seed=4, kind=Namer)
    namers, administrator = list(clients.clients), Administrator("administrator", seed=4)
    clients.clients.append(administrator)
    images = [(client.repository, client.TAGS) for client in namers]
    watchers = [Watcher(node, images, again_after_deletion=True).start() for node in tiers.nodes]
    kinds = ["cut", "hold", "region", "branch", "guest"]
    faults = guests = 0
    for phase in range(1, PHASES + 1):
        clients.start(tiers.master.address)
        least = faults + 2
        while clients.acknowledged < wanted * phase // PHASES or faults < least:
            if faults % len(kinds) == 0:
                rand.shuffle(kinds)
            fault = kinds[faults % len(kinds)]
            faults += 1
            if fault in ("cut", "hold"):
                link = rand.choice(tiers.links)
                link.cut() if fault == "cut" else link.hold()
                time.sleep(rand.uniform(0.1, 1))
                link.mend()
                link.release()
            elif fault == "guest":
                guests += 1
                guest_comes_and_goes(tiers, guests, rand)
            else:
                server = tiers.region if fault == "region" else tiers.branch
                server.kill()
                time.sleep(rand.uniform(0, 0.5))
                server.start()
            time.sleep(rand.uniform(0, 0.5))
            assert not any(client.complaint for client in clients.clients), [client.complaint for client in clients.clients]
        tiers.master.kill()
        clients.join()
        registered_only = phase % 2 == 1
        tiers.configure({"feed": {"registered-only": registered_only}})
        tiers.start_master()
        clients.check(tiers.master.address)
        if registered_only:
            wait_until(lambda: tiers.registry.get("/wherry/v1/snapshot").status == 401, "no stranger reads the feed")
    took = converge(tiers.master, [*tiers.nodes, stranger])
    for watcher in watchers:
        watcher.stop()
    manifests = [(client.repository, digest) for client in namers for digest in rand.sample(list(client.manifests), 50)]
    for node in tiers.nodes:
        assert not differences(tiers.master, node, manifests)
        clients.check_lists(node.address)
    clients.check(tiers.master.address, everything=True)
    tiers.close()
    for server in (stranger, tiers.branch, tiers.region, tiers.master):
        server.stop()
    policies = check_same_state(tiers.master, [*tiers.nodes, stranger])["policies"]
    fill_ahead = {name: policy for name, policy in policies.items() if name.startswith("fill-ahead.")}
    assert fill_ahead == administrator.fed_policies()
    assert "feed.registered-only" not in policies and len(policies) - len(fill_ahead) == guests
    print(
        f"{clients.acknowledged} operations, {administrator.acknowledged} of them on policies and nodes, {faults} faults, {guests} "
        f"guests, {len(policies)} policies in the end; equal {took:.2f} s after the last start"
    )


def test_the_checker_finds_a_policy_that_is_at_one_tier_alone(tiers):
    converge(tiers.master, tiers.nodes)
    administrator, registry = Administrator("administrator", seed=1), KeptRegistry(tiers.master.address)
    administrator.put_policy(registry)
    converge(tiers.master, tiers.nodes)
    tiers.branch.stop()
    tiers.links[0].cut()
    administrator.put_policy(registry)
    registry.close()
    tiers.region.stop()
    tiers.master.stop()
    check_same_state(tiers.region, [tiers.branch])
    for node in tiers.nodes:
        with pytest.raises(AssertionError, match="policies"):
            check_same_state(tiers.master, [node])


def test_the_checker_finds_each_kind_of_difference(area, run_server, tiers):
    for tag in ("one", "two"):
        put_version(tiers.registry, tag, 1)
    put_version(tiers.registry, "kept", 1, "other/app")
    converge(tiers.master, tiers.nodes)
    tiers.links[0].cut()
    assert differences(tiers.master, tiers.region) == []
    # The node stays behind, and is different in a way of its own for each change.
    moved = put_version(tiers.registry, "one", 2)
    [said] = differences(tiers.master, tiers.region)
    assert "team/app:one" in said and moved in said
    assert tiers.registry.call("DELETE", "/v2/team/app/manifests/two").status == 202
    put_version(tiers.registry, "three", 3)
    put_version(tiers.registry, "v", 1, "new/app")
    said = differences(tiers.master, tiers.region, [("team/app", moved)])
    parts = ["team/app:one is", "team/app:two is", "team/app:three is None", "new/app is at the master alone"]
    for part in [*parts, f"team/app@{moved} is"]:
        assert any(part in line for line in said), (part, said)
    tiers.links[0].mend()
    converge(tiers.master, tiers.nodes)
