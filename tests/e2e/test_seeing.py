"""What an operator sees of a node: the access log, metrics, the status, traces; and pulls that warm its cache."""

import fcntl
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from wherry import exposition, oci, raw
from wherry.client import Registry
from wherry.process import BIN, Master, Node, wait_until
from wherry.proxy import CountingProxy
from wherry.pulls import Pull

MEBIBYTE = 1 << 20
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Tier:
    def __init__(self, area, run_server):
        self.master = run_server(Master(area))
        self.proxy = CountingProxy(self.master.address)
        self.node = run_server(Node(area, self.proxy.url, settings=Node.ASKING))
        self.registry = Registry(self.master.address)
        self.edge = Registry(self.node.address)
        self.status = self.node.status
        self.metrics = self.node.metrics


@pytest.fixture
def tier(area, run_server):
    tier = Tier(area, run_server)
    yield tier
    tier.proxy.close()


def requests_of(server):
    return [line for line in server.log_lines() if line.get("message") == "request"]


def request_line(server, **wanted):
    """The first line of the access log that has these values."""

    def find():
        for line in requests_of(server):
            if all(line.get(key) == value for key, value in wanted.items()):
                return line
        return None

    return wait_until(find, f"a line with {wanted}", 5)


def command(*words, **how):
    return subprocess.run([str(BIN / "wherry-node"), *map(str, words)], capture_output=True, text=True, timeout=60, **how)


# The access log


def test_a_line_says_where_the_answer_came_from(tier):
    layer = os.urandom(2 * MEBIBYTE)
    _, digest = tier.registry.put_image("a/b", "v1", [layer])
    blob = oci.digest_of(layer)
    gate = threading.Event()
    tier.proxy.gate = (blob, MEBIBYTE, gate)
    path = tier.edge.blob_path("a/b", blob)
    readers = [
        threading.Thread(target=tier.edge.call, args=("GET", path), kwargs={"headers": {"X-Request-Id": name}})
        for name in ("leader", "follower")
    ]
    readers[0].start()
    wait_until(lambda: tier.proxy.gets_of(blob), "the fill began")
    readers[1].start()
    time.sleep(0.3)
    gate.set()
    for reader in readers:
        reader.join()
    wait_until(lambda: not tier.status()["fills"]["count"], "it is kept")
    tier.edge.call("GET", path, headers={"X-Request-Id": "later"})
    for name, source in (("leader", "filled"), ("follower", "joined"), ("later", "hit")):
        line = request_line(tier.node, request_id=name)
        assert line["source"] == source and line["bytes"] == len(layer) and line["status"] == 200, line
        assert line["method"] == "GET" and line["path"] == path and re.fullmatch(r"127\.0\.0\.1:\d+", line["remote"])
        assert 0 < line["ttfb_ms"] <= line["took_ms"]
    leader = request_line(tier.node, request_id="leader")
    assert leader["took_ms"] > 250 > leader["ttfb_ms"], "bytes came while the parent still sent"

    for name, source in (("cold", "filled"), ("warm", "hit")):
        tier.edge.get_manifest("a/b", digest, x_request_id=name)
        assert request_line(tier.node, request_id=name)["source"] == source
    for name, source in (("cold-tag", "filled"), ("tag", "hit")):
        tier.edge.get_manifest("a/b", "v1", x_request_id=name)
        assert request_line(tier.node, request_id=name)["source"] == source
    tier.proxy.close()
    assert tier.edge.get_manifest("a/b", "v1", x_request_id="old").stale
    assert request_line(tier.node, request_id="old")["source"] == "stale"
    assert tier.edge.get_manifest("a/b", "other", x_request_id="gone").status >= 500
    assert request_line(tier.node, request_id="gone")["source"] == "none"


def test_many_on_one_cold_manifest_are_one_fill_and_joins(tier):
    manifest, digest = tier.registry.put_image("a/b", "v1", [b"layer"])
    gate = threading.Event()
    tier.proxy.gate = (digest, 1, gate)
    readers = [threading.Thread(target=tier.edge.get_manifest, args=("a/b", digest)) for _ in range(10)]
    for reader in readers:
        reader.start()
    wait_until(lambda: tier.proxy.gets_of(digest), "the fetch began")
    time.sleep(0.3)
    gate.set()
    for reader in readers:
        reader.join()
    wait_until(lambda: len(requests_of(tier.node)) >= 10, "all lines are there")
    sources = [line["source"] for line in requests_of(tier.node)]
    assert sorted(sources) == ["filled"] + ["joined"] * 9
    seen = tier.metrics()
    assert exposition.value(seen, "wherry_cache_answers_total", kind="manifest", source="filled") == 1
    assert exposition.value(seen, "wherry_cache_answers_total", kind="manifest", source="joined") == 9


def test_an_answer_that_breaks_off_says_who_broke_it(tier):
    layer = os.urandom(8 * MEBIBYTE)
    tier.registry.put_image("a/b", "v1", [layer])
    blob = oci.digest_of(layer)
    gate = threading.Event()
    tier.proxy.gate = (blob, MEBIBYTE, gate)
    path = tier.edge.blob_path("a/b", blob)
    host, port = tier.node.address.split(":")
    leaves = socket.create_connection((host, int(port)))
    leaves.sendall(f"GET {path} HTTP/1.1\r\nHost: {tier.node.address}\r\nX-Request-Id: leaves\r\n\r\n".encode())
    assert leaves.recv(1000).startswith(b"HTTP/1.1 200")
    stays = Pull(tier.edge, path, x_request_id="stays")
    wait_until(lambda: exposition.value(tier.metrics(), "wherry_connections") >= 2, "both are served")
    time.sleep(0.2)
    leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    leaves.close()
    tier.proxy.close()
    tier.master.end()
    gate.set()
    assert stays.end(120).broken
    assert request_line(tier.node, request_id="stays")["cut"] == "source"
    assert request_line(tier.node, request_id="leaves")["cut"] == "client"
    seen = tier.metrics()
    for by in ("client", "source"):
        assert exposition.value(seen, "wherry_http_cut_answers_total", by=by) == 1
    ended_well = tier.edge.get("/v2/", x_request_id="well")
    assert ended_well.status == 200 and "cut" not in request_line(tier.node, request_id="well")


def test_a_master_logs_too_and_a_request_without_an_id_gets_one(registry, master, repository):
    registry.get(f"/v2/{repository}/tags/list", user_agent="curl/8")
    line = request_line(master, path=f"/v2/{repository}/tags/list")
    assert line["status"] == 404 and line["user_agent"] == "curl/8" and line["source"] == "none"
    assert re.fullmatch(r"[0-9a-f]{16}", line["request_id"]) and line["ttfb_ms"] >= 0


def test_hostile_text_in_a_request_neither_breaks_a_line_nor_grows_the_metrics(tier):
    before = {key for key in tier.metrics()}
    for number in range(50):
        path = "/v2/" + "x" * 3000 + f'{number}/"}},{{"level":"error/\\u0000%0a%1b[2J{number}'
        agent = '"}\\ \xff' + "u" * 1000
        head = f"GET {path} HTTP/1.1\r\nHost: h{number}\r\nUser-Agent: {agent}\r\nX-Request-Id: a b\"{number}\r\nConnection: close\r\n\r\n"
        raw.exchange(tier.node.address, head.encode("latin-1"))
        for method in (f"M{number}", "PUT", "DELETE"):
            tier.edge.call(method, f"/v2/r{number}/tags/list?ns=evil{number}.example")
            tier.edge.call(method, f"/v2/r{number}/manifests/t{number}")
    wait_until(lambda: len(requests_of(tier.node)) >= 350, "all lines are there")
    for text in tier.node.text().splitlines():
        assert len(text) < 6000
        line = json.loads(text)
        if line["message"] == "request":
            assert set(line) <= {
                "time", "level", "message", "request_id", "method", "path", "status", "bytes", "source", "ttfb_ms",
                "took_ms", "remote", "user_agent", "trace_id",
            }  # fmt: skip
            assert len(line["path"]) <= 512 and len(line["user_agent"]) <= 128
    assert {key for key in tier.metrics()} == before, "no series was added"


def test_the_access_log_can_be_turned_off(area, run_server):
    config = area / "config.yaml"
    config.write_text("access-log: false\n")
    server = run_server(Master(area), extra=["--config", config])
    Registry(server.address).get("/v2/")
    server.stop()
    assert server.log_lines() and not requests_of(server)


def test_lines_of_the_last_requests_are_there_after_the_end(area, run_server):
    server = run_server(Master(area))
    registry = Registry(server.address)
    for number in range(200):
        registry.get("/v2/", x_request_id=f"n{number}")
    server.stop()
    assert sorted(line["request_id"] for line in requests_of(server)) == sorted(f"n{number}" for number in range(200))


# Traces


def test_a_trace_goes_on_to_the_upstream_and_into_the_log(tier):
    layer = os.urandom(1000)
    tier.registry.put_image("a/b", "v1", [layer])
    for _ in range(2):
        tier.edge.get_manifest("a/b", "v1", traceparent=TRACE)
    tier.edge.get_blob("a/b", oci.digest_of(layer), traceparent=TRACE)
    sent = {seen.method + " " + seen.path.split("/")[4]: seen.headers.get("traceparent") for seen in tier.proxy.seen}
    assert sent == {"HEAD manifests": TRACE, "GET manifests": TRACE, "GET blobs": TRACE}
    assert request_line(tier.node, trace_id="4bf92f3577b34da6a3ce929d0e0e4736")


@pytest.mark.parametrize("bad", [TRACE.upper(), TRACE + "-x", "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:], "x", "x" * 4000])
def test_what_is_no_traceparent_is_not_passed_on(tier, bad):
    tier.registry.put_image("a/b", "v1", [b"layer"])
    assert tier.edge.get_manifest("a/b", "v1", traceparent=bad).status == 200
    assert tier.proxy.seen and not any("traceparent" in seen.headers for seen in tier.proxy.seen)
    assert "trace_id" not in request_line(tier.node, method="GET")


# Metrics


def test_the_metrics_tell_hits_fills_upstreams_and_times_and_are_in_order(tier):
    layers = [os.urandom(size) for size in (10_000, 100_000)]
    tier.registry.put_image("a/b", "v1", layers)
    for _ in range(2):
        tier.edge.get_manifest("a/b", "v1")
        for layer in layers:
            tier.edge.get_blob("a/b", oci.digest_of(layer))
            wait_until(lambda: not tier.status()["fills"]["count"], "it is kept")
    tier.edge.get_manifest("a/b", "none")
    seen = tier.metrics()

    def value(name, **labels):
        return exposition.value(seen, name, **labels)

    assert value("wherry_cache_answers_total", kind="blob", source="filled") == 2
    assert value("wherry_cache_answers_total", kind="blob", source="hit") == 2
    assert value("wherry_cache_answers_total", kind="manifest", source="filled") == 1
    assert value("wherry_cache_answers_total", kind="manifest", source="hit") == 1
    assert value("wherry_cache_answered_bytes_total", source="filled") >= 110_000
    assert value("wherry_upstream_calls_total", upstream="parent", code="2xx") == 3
    assert value("wherry_upstream_calls_total", upstream="parent", code="304") == 1
    assert value("wherry_upstream_calls_total", upstream="parent", code="404") >= 1
    assert value("wherry_upstream_up", upstream="parent") == 1
    assert value("wherry_fill_seconds_count") == 2 and value("wherry_fill_first_byte_seconds_count") == 2
    assert value("wherry_http_first_byte_seconds_count", kind="blob") == 4
    assert value("wherry_cache_blobs") == 2 and value("wherry_fills") == 0
    assert value("wherry_cache_bytes") >= 110_000
    wait_until(lambda: exposition.value(tier.metrics(), "wherry_connections") == 0, "connections that ended are not counted")
    wait_until(lambda: exposition.value(tier.metrics(), "wherry_loop_lag_seconds_count") >= 2, "loops are watched")
    tier.proxy.close()
    tier.edge.get_manifest("a/b", "v1")
    seen = tier.metrics()
    assert value("wherry_upstream_calls_total", upstream="parent", code="unreachable") >= 1
    assert value("wherry_upstream_up", upstream="parent") == 0
    if shutil.which("promtool"):
        text = tier.node.observed("/metrics").encode()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        assert checked.returncode == 0, checked.stderr


# The status


def test_the_status_shows_a_fill_that_is_under_way_and_the_upstream(tier):
    layer = os.urandom(4 * MEBIBYTE)
    tier.registry.put_image("team/app", "v1", [layer])
    digest = oci.digest_of(layer)
    gate = threading.Event()
    tier.proxy.gate = (digest, 2 * MEBIBYTE, gate)
    assert tier.status()["upstreams"][0]["state"] == "not asked yet"
    reader = threading.Thread(target=tier.edge.get_blob, args=("team/app", digest))
    reader.start()
    observe = f"127.0.0.1:{tier.node.observe_port}"

    def half_way():
        fills = json.loads(command("status", "--observe", observe, "--json").stdout)["fills"]
        return fills if fills["count"] and fills["listed"][0]["done_bytes"] >= MEBIBYTE else None

    fill = wait_until(half_way, "half of it came")["listed"][0]
    assert fill["digest"] == digest and fill["repository"] == "team/app" and fill["total_bytes"] == len(layer)
    assert fill["done_bytes"] <= 2 * MEBIBYTE and fill["bytes_per_second"] > 0
    table = command("status", "--observe", observe)
    assert table.returncode == 0 and not table.stderr
    assert re.search(rf"{digest[:19]}  \[=+> +\]  [3-5]\d%  [12]\.\d MiB of 4\.0 MiB  .*/s  team/app\n", table.stdout), table.stdout
    gate.set()
    reader.join()
    wait_until(lambda: tier.status()["fills"] == {"count": 0, "listed": []}, "the fill is over")
    status = tier.status()
    assert status["cache"]["blobs"] == 1 and status["cache"]["bytes"] >= len(layer) and status["cache"]["max_bytes"] is None
    (upstream,) = status["upstreams"]
    assert upstream["name"] == "parent" and upstream["url"] == tier.proxy.url and upstream["state"] == "up"
    assert upstream["calls"]["2xx"] >= 1 and upstream["last_error"] is None
    tier.proxy.close()
    tier.edge.get_manifest("team/app", "v1")
    (upstream,) = tier.status()["upstreams"]
    assert upstream["state"] == "down" and upstream["last_error"] and upstream["calls"]["unreachable"] >= 1
    assert "down since" in command("status", "--observe", observe).stdout


def test_the_list_of_fills_is_bounded(tier):
    layers = [os.urandom(3000) for _ in range(80)]
    tier.registry.put_image("a/b", "v1", layers)
    gate = threading.Event()
    tier.proxy.gate = ("/blobs/", 1000, gate)
    readers = [threading.Thread(target=tier.edge.get_blob, args=("a/b", oci.digest_of(layer))) for layer in layers]
    for reader in readers:
        reader.start()
    wait_until(lambda: tier.status()["fills"]["count"] == 80, "all are under way")
    assert len(tier.status()["fills"]["listed"]) == 64
    assert "and 16 more" in command("status", "--observe", f"127.0.0.1:{tier.node.observe_port}").stdout
    gate.set()
    for reader in readers:
        reader.join()


def test_the_status_is_for_the_observe_address_alone_and_its_absence_is_said(tier, area):
    assert tier.edge.get("/status.json").status == 404 and tier.edge.get("/metrics").status == 404
    config = area / "node.yaml"
    config.write_text(f"observe: 127.0.0.1:{tier.node.observe_port}\nlisten: {tier.node.address}\n")
    assert command("status", "--config", config).returncode == 0
    tier.node.stop()
    gone = command("status", "--config", config)
    assert gone.returncode == 1 and gone.stderr.startswith("wherry-node status: ") and gone.stderr.count("\n") == 1
    assert command("status").returncode == 64
    assert command("status", "--observe", "nowhere").returncode == 64


# Pulls that warm


def index_of(tier, repository, platforms):
    """Pushes an index of an image for each platform (and an attestation); gives {platform: (digest, layers)}."""
    images, entries = {}, []
    for number, platform in enumerate(platforms):
        os_name, architecture, *variant = platform.split("/")
        config = json.dumps({"os": os_name, "architecture": architecture, "n": number}).encode()
        layers = [os.urandom(50_000), os.urandom(MEBIBYTE)]
        manifest, digest = tier.registry.put_image(repository, f"p{number}", layers, config)
        images[platform] = (digest, [config, *layers])
        about = {"os": os_name, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        entries.append(oci.descriptor(manifest, oci.OCI_MANIFEST, platform=about))
    tier.registry.put_manifest(repository, "v1", oci.image_index(entries), oci.OCI_INDEX)
    return images


def assert_warm(tier, repository, digest, blobs):
    assert tier.edge.get_manifest(repository, digest).status == 200
    for blob in blobs:
        assert tier.edge.get_blob(repository, oci.digest_of(blob)).body == blob


def test_a_pull_warms_what_a_later_pull_needs_with_the_upstream_dead(tier):
    images = index_of(tier, "team/app", ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"])
    single = [os.urandom(10_000)]
    tier.registry.put_image("team/one", "v2", single)
    done = command("pull", "--node", tier.node.url, "--platform", "linux/arm64", "--platform", "linux/arm/v7", "team/app:v1", "team/one:v2")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"team/app:v1: 3 manifests, 6 blobs, 2\.1 MiB in \d+\.\d s\nteam/one:v2: 1 manifest, 2 blobs, .* in .* s\n", done.stderr
    ), done.stderr
    gets = tier.proxy.count("GET")
    assert command("pull", "--node", tier.node.url, "--platform", "linux/arm64", "team/app:v1").returncode == 0
    assert tier.proxy.count("GET") == gets, "the second one fetched nothing"
    tier.proxy.close()
    assert tier.edge.get_manifest("team/app", "v1").status == 200
    for platform in ("linux/arm64/v8", "linux/arm/v7"):
        assert_warm(tier, "team/app", *images[platform])
    assert tier.edge.get_manifest("team/app", images["linux/amd64"][0]).status >= 500, "nobody asked for that"


def test_all_platforms_and_a_platform_that_is_not_there(tier):
    images = index_of(tier, "team/app", ["linux/amd64", "linux/arm64"])
    none = command("pull", "--node", tier.node.url, "--platform", "linux/s390x", "team/app:v1")
    assert none.returncode == 1 and none.stderr.count("\n") == 1
    assert "linux/s390x" in none.stderr and "linux/amd64, linux/arm64" in none.stderr
    assert command("pull", "--node", tier.node.url, "--all-platforms", "team/app:v1").returncode == 0
    tier.proxy.close()
    for digest, blobs in images.values():
        assert_warm(tier, "team/app", digest, blobs)


def test_failures_are_a_line_each_and_the_rest_is_pulled(tier):
    layers = [os.urandom(10_000) for _ in range(2)]
    tier.registry.put_image("a/b", "v1", layers)
    tier.master.blob_file(oci.digest_of(layers[0])).unlink()
    done = command("pull", "--node", tier.node.url, "a/none:v1", "a/b:v1")
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 2, done.stderr
    assert lines[0].startswith("a/none:v1: ") and lines[1].startswith(f"a/b:v1: {oci.digest_of(layers[0])}: ")
    tier.proxy.close()
    assert tier.edge.get_blob("a/b", oci.digest_of(layers[1])).body == layers[1]


def test_wrong_use_of_pull_ends_with_64_and_a_dead_node_with_1(tier):
    for words in (["--node", tier.node.url], ["a/b"], ["--node", "x", "a/b"], ["--node", tier.node.url, "A/b"],
                  ["--node", tier.node.url, "--platform", "linux", "a/b"],
                  ["--node", tier.node.url, "--platform", "linux/amd64", "--all-platforms", "a/b"]):  # fmt: skip
        done = command("pull", *words)
        assert done.returncode == 64 and done.stderr.count("\n") == 1, (words, done.stderr)
    tier.node.stop()
    assert command("pull", "--node", tier.node.url, "a/b").returncode == 1


def test_on_a_terminal_a_bar_moves(tier):
    layer = os.urandom(4 * MEBIBYTE)
    tier.registry.put_image("team/app", "v1", [layer])
    tier.proxy.bytes_per_second = 4 * MEBIBYTE
    seen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    words = [str(BIN / "wherry-node"), "pull", "--node", tier.node.url, "team/app:v1"]
    process = subprocess.Popen(words, stderr=terminal, stdout=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(seen, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert process.wait(30) == 0
    text = shown.decode()
    assert len({share for share in re.findall(r"(\d+)%", text)}) >= 4, text
    assert re.search(r"\[=+> +\] +\d+%  .* of 4\.0 MiB  .*/s  \d/2 blobs  team/app:v1", text), text
    assert "team/app:v1: 1 manifest, 2 blobs, 4.0 MiB in" in text
