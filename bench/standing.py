"""The rows that are not requests a second: idle connections, memory, start-up, cold pulls, zot's own zb."""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from peers import DockerMirror, go_build
from rows import wherry_load
from servers import BIN, TOOLS, WherryNode

IDLE = 5000
BLOBS = 100_000


def idle_connections(server, count=IDLE):
    """Bytes of memory that each connection takes which was used once and then says nothing."""
    server.stop()  # or what earlier work left free in its heap would be taken for them
    server.start()
    before = server.rss_bytes()
    words = [BIN / "wherry-load", "idle", "--server", server.address, "--clients", count, *(["--tls"] if server.tls else [])]
    holder = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = json.loads(holder.stdout.readline() or '{"errors": 1}')
    each = (server.rss_bytes() - before) / count
    holder.communicate("")
    return None if said["errors"] else each


def memory_at_pulls(server, path, clients=1000):
    """The most that the server holds while so many pull at once a blob that it has."""
    peak = 0
    ended = threading.Event()

    def watch():
        nonlocal peak
        while not ended.is_set():
            peak = max(peak, server.rss_bytes())
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    tls = ["--tls"] if server.tls else []
    said = wherry_load(["get", path, "--server", server.address, "--clients", clients, "--requests", clients * 2, *tls])
    ended.set()
    watching.join()
    return None if said["errors"] else peak


def start_up(server, count=BLOBS):
    """Seconds from the start of the process to its first answer, with that many blobs and a tenth of it in tags, the page
    cache dropped (if this is root)."""
    times = []
    for _ in range(3):
        server.stop()
        subprocess.run(["sh", "-c", "sync; echo 3 > /proc/sys/vm/drop_caches"], capture_output=True)
        begin = time.monotonic()
        server.start()
        while server.fetch("/v2/")[0] != 200:
            time.sleep(0.005)
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def fill_for_start_up(server, data, count=BLOBS):
    said = wherry_load(["push", "bench/many", "--size", 64, "--server", server.address, "--requests", count, "--clients", 64])
    if said["errors"]:
        sys.exit(f"{server.name}: {said['first_error']}")
    for blob in (data.config, *list(data.blobs.values())[:2]):
        server.take_blob(blob, "bench/many")
    connection = server.connect()
    for number in range(count // 10):
        server.take_manifest(data.manifest, f"tag-{number:05d}", "bench/many", connection)


def cold_pulls(make, origin, clients):
    """An image through a cache that is empty, by so many clients at once: the CPU of the cache, the time until all
    have it, both for each client, and what they saw."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as area:
        cache = make(Path(area), origin)
        cache.cores = origin.cores
        cache.start()
        try:
            before = cache.cpu_seconds()
            words = ["pull", "bench/data", "--reference", "image", "--server", cache.address, "--clients", clients]
            said = wherry_load([*words, "--requests", clients, "--verify"])
            if said["errors"]:
                return None, said["first_error"]
            cpu = cache.cpu_seconds() - before
            return {"cpu": cpu / clients, "wall": said["seconds"] / clients, "ms": said["ms"], "first_byte_ms": said["first_byte_ms"]}, None
        finally:
            cache.stop()


def node_of(area, origin):
    return WherryNode("node", area, origin)


def mirror_of(area, origin):
    return DockerMirror("mirror", area, origin)


# zb's tests, and so many requests of each: of pulls more, for the one push before them counts with them, and where chance chooses
# sizes enough that both servers get about the same ones.
ZB = {
    "Get Catalog": 60,
    **{f"{how} {size}": requests
       for how in ("Push Monolith", "Push Chunk Streamed", "Pull 75% and Push 25% Mixed")
       for size, requests in (("1MB", 50), ("10MB", 20), ("100MB", 5))},
    "Pull 1MB": 400, "Pull 10MB": 100, "Pull 100MB": 40,
    "Pull Mixed 20% 1MB, 70% 10MB, 10% 100MB": 60,
    "Push Monolith Mixed 20% 1MB, 70% 10MB, 10% 100MB": 60,
    "Push Chunk Mixed 33% 1MB, 33% 10MB, 33% 100MB": 60,
}  # fmt: skip
# The least times zot's server CPU over ours that we mean to hold; every other row: 2.
ZB_TARGETS = {
    "Push Monolith 1MB": 4, "Push Monolith 10MB": 2, "Push Monolith 100MB": 1 / 0.6,
    "Pull 1MB": 10, "Pull 10MB": 4, "Pull 100MB": 2,
}  # fmt: skip


def zb_obtain(options):
    if (TOOLS / "zb").exists():
        return None
    return go_build("zb", options.zot, "./cmd/zb") if options.zot else "no checkout of zot: --zot DIR"


def zb(server, test, requests, core=None):
    """One test of zot's own client, unchanged, and the server's CPU for each of its requests: pushing what it pulls and
    deleting it all again is in it, for every server alike. zb empties its working directory: it gets one of its own."""
    with tempfile.TemporaryDirectory(prefix="wherry-zb-") as area:
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        words = [*pinned, TOOLS / "zb", "-d", area, "-c", 1, "-n", requests, "-t", "^" + re.escape(test) + "$", f"http://{server.address}"]
        before = server.cpu_seconds()
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=area)
        cpu = server.cpu_seconds() - before
    failed = re.search(r"Failed requests:\s*(\d+)", done.stdout)
    if done.returncode != 0 or not failed or failed.group(1) != "0":
        return None, (done.stdout + done.stderr).strip()[-300:]
    return {"cpu": cpu / requests, "wall": 0}, None
