"""kill -9 at any moment: what was acknowledged is there, what was not is wholly there or wholly not."""

import os
import random
import shutil
import threading
import time

import pytest
from harm import files_below
from oracle import Clients
from wherry import liar as lies
from wherry import oci
from wherry.client import Broken, Registry
from wherry.liar import Liar
from wherry.process import Master, Node, wait_until

MEBIBYTE = 1 << 20
ROUNDS = 100


def kill_after(server, seconds):
    time.sleep(seconds)  # the moment of the fault; nothing waits for anything here
    server.kill()


@pytest.mark.timeout(200)
def test_100_kills_lose_nothing_that_was_acknowledged(area, run_server):
    rand = random.Random(1)
    clients = Clients(4, seed=1)
    master = run_server(Master(area))
    for number in range(ROUNDS):
        clients.start(master.address)
        kill_after(master, rand.uniform(0.1, 0.5))
        clients.join()
        master.start(ready_within=20)
        assert master.ready_after <= 2, f"round {number}: ready only after {master.ready_after} s"
        clients.check(master.address)
        clients.check_temporary(master)
    assert clients.check(master.address, everything=True) > 1000
    clients.check_lists(master.address)
    assert clients.acknowledged > 2000
    assert clients.sent > clients.acknowledged, "no kill met an operation on its way"
    assert not list((master.data / "quarantine").iterdir())
    print(f"{clients.acknowledged} acknowledged of {clients.sent} sent")


def everything_of(address):
    """All that can be asked of a registry, as one value."""
    registry = Registry(address)
    state = {}
    for repository in registry.get("/v2/_catalog?n=1000").json["repositories"]:
        for tag in registry.tags(repository):
            response = registry.get_manifest(repository, tag)
            assert response.status == 200 and oci.digest_of(response.body) == response["Docker-Content-Digest"]
            state[repository, tag] = response["Docker-Content-Digest"]
    return state


@pytest.mark.timeout(60)
def test_20_kills_inside_of_start_up_leave_what_one_clean_start_leaves(area, run_server):
    rand = random.Random(2)
    clients = Clients(3, seed=2)
    master = run_server(Master(area))
    clients.start(master.address)
    kill_after(master, 1)
    clients.join()
    uploads = [name for name in files_below(master.data / "tmp")]

    clean = Master(area, "clean")
    shutil.copytree(master.data, clean.data, symlinks=True)
    run_server(clean)
    for _ in range(20):
        master.start(ready_within=None)
        kill_after(master, rand.uniform(0, 1.2 * clean.ready_after))
    master.start()
    assert master.ready_after <= 2
    assert everything_of(master.address) == everything_of(clean.address) != {}
    for folder in ("blobs", "tmp", "trash", "quarantine"):
        assert files_below(master.data / folder) == files_below(clean.data / folder), (folder, uploads)
    assert clients.check(master.address, everything=True) > 50
    registry = Registry(master.address)
    registry.put_image("after/all", "v1", [b"a layer"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["a chunk of stated range", "a stream"])
def test_an_upload_goes_on_from_the_acknowledged_offset_after_kills(area, run_server, how):
    master = run_server(Master(area))
    registry = Registry(master.address)
    data = oci.random_bytes(4 * MEBIBYTE + 4321, seed=3)
    location = registry.start_upload("a/b")
    sent = 0
    for size in (1, 700_000, MEBIBYTE, 333_333, 2 * MEBIBYTE):
        response = registry.patch(location, data[sent : sent + size], sent)
        assert response.status == 202, response
        location, sent = registry.location(response), sent + size

        cut = data[sent : sent + 100_000]  # a chunk that is under way when the process dies
        dying = threading.Event()

        def chunk():
            yield cut[:50_000]
            master.kill()
            dying.set()
            yield cut[50_000:]

        headers = {"Content-Type": "application/octet-stream"}
        if how == "a chunk of stated range":
            headers |= {"Content-Range": f"{sent}-{sent + len(cut) - 1}", "Content-Length": str(len(cut))}
        with pytest.raises(Broken):
            registry.call("PATCH", location, chunk(), headers)
        assert dying.is_set()
        master.start()
        status = registry.get(location)
        assert status.status == 204 and status["Range"] == f"0-{sent - 1}", (sent, status)
        wrong = registry.patch(location, b"too far", sent + 1)
        assert wrong.status == 416 and wrong["Range"] == f"0-{sent - 1}", wrong
    digest = oci.digest_of(data)
    assert registry.finish(location, digest, data[sent:], sent).status == 201
    master.kill()
    master.start()
    assert registry.get_blob("a/b", digest).body == data
    assert not list((master.data / "tmp").iterdir())


def test_a_blob_in_one_post_that_a_kill_cuts_leaves_nothing_behind(area, run_server):
    """Its client never learned of a session that it could go on with."""
    master = run_server(Master(area))
    registry = Registry(master.address)
    data = oci.random_bytes(3 * MEBIBYTE, seed=4)
    path = f"/v2/a/b/blobs/uploads/?digest={oci.digest_of(data)}"

    def cut():
        yield data[: 2 * MEBIBYTE]
        wait_until(lambda: any(file.stat().st_size for file in (master.data / "tmp").iterdir()), "bytes are in tmp/", 10)
        master.kill()
        yield data[2 * MEBIBYTE :]

    with pytest.raises(Broken):
        registry.call("POST", path, cut(), {"Content-Length": str(len(data))})
    assert files_below(master.data / "tmp"), "the kill came while it was on its way"
    master.start()
    assert not files_below(master.data / "tmp")
    assert registry.get_blob("a/b", oci.digest_of(data)).status == 404
    assert registry.call("POST", path, data).status == 201
    assert registry.get_blob("a/b", oci.digest_of(data)).body == data
    assert not files_below(master.data / "tmp")


def pull(edge, digest, results):
    try:
        results.append(edge.get_blob("a/b", digest))
    except Broken as broken:
        results.append(broken)


@pytest.mark.timeout(90)
def test_a_node_killed_in_the_middle_of_fills_never_serves_a_half_as_a_whole(area, run_server):
    rand = random.Random(4)
    parent = Liar()
    node = run_server(Node(area, parent.url))
    edge = Registry(node.address)
    pushed = {}
    broken = 0
    try:
        for number in range(20):
            blobs = [oci.random_bytes(size, seed=number * 10 + size) for size in (5000, 2 * MEBIBYTE, 4 * MEBIBYTE + 1)]
            digests = [parent.add_blob(data, [lies.slowly(8 * MEBIBYTE)]) for data in blobs]
            pushed |= dict(zip(digests, blobs))
            results = []
            pulls = [threading.Thread(target=pull, args=[edge, digest, results]) for digest in digests * 2]
            for thread in pulls:
                thread.start()
            kill_after(node, rand.uniform(0.02, 0.6))
            for thread in pulls:
                thread.join(60)
            for result in results:
                broken += isinstance(result, Broken)
                assert isinstance(result, Broken) or oci.digest_of(result.body) in digests
            node.start()
            assert node.ready_after <= 2
            assert not list((node.data / "tmp").iterdir())
            for digest in digests:
                parent.scripts.pop(digest)
                if node.blob_file(digest).exists():
                    assert oci.digest_of(node.blob_file(digest).read_bytes()) == digest
                response = edge.get_blob("a/b", digest)
                assert response.status == 200 and response.body == pushed[digest]
    finally:
        parent.close()
    assert broken > 10, "the kills met no fill"
    # A fill's row follows its client's last byte, and its file's way out of tmp/: only then is it kept.
    wait_until(lambda: node.status()["fills"]["count"] == 0, "all fills are at their end", 10)
    assert not list((node.data / "tmp").iterdir())
    node.kill()  # and with no parent at all, all that it took in is there
    node.start()
    for digest, data in pushed.items():
        assert edge.get_blob("a/b", digest).body == data
    assert not os.listdir(node.data / "quarantine")
