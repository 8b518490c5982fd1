"""How much of an upstream a node uses: fetches at a time, bytes a second, manifests a window, and what it does when told to stop."""

import http.client
import math
import os
import subprocess
import threading
import time

import pytest
from wherry import exposition, oci
from wherry.client import Registry
from wherry.process import BIN, DockerRegistry, Node, wait_until
from wherry.proxy import CountingProxy

NAME = "limited.example"
MEBIBYTE = 1 << 20


class Limited:
    def __init__(self, area, origin, limits=None, **settings):
        self.registry = Registry(origin.address)
        self.proxy = CountingProxy(origin.address)
        upstream = {"name": NAME, "url": self.proxy.url, "negative-age": "0s", **settings}
        if limits:
            upstream["limits"] = limits
        rules = [{"match": ["*"]}]  # tags are asked for each time
        self.node = Node(area, name="limited-node", settings={"upstreams": [upstream], "freshness": rules}).start()
        self.edge = Registry(self.node.address)

    def get(self, path):
        headers = {"Accept": f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}"}
        return self.edge.call("GET", f"{path}?ns={NAME}", headers=headers, timeout=60)

    def manifest(self, repository, reference):
        return self.get(f"/v2/{repository}/manifests/{reference}")

    def put_manifests(self, repository, count):
        made = {}
        for number in range(count):
            made[f"v{number}"] = self.registry.put_image(repository, f"v{number}", [b"a layer"], annotations={"n": str(number)})[0]
        return made

    def waiting(self):
        (upstream,) = self.node.status()["upstreams"]
        return upstream["blobs_waiting"]

    def shown(self):
        """What status and metrics say, and `wherry-node status` shows: manifests left, blobs waiting."""
        (upstream,) = self.node.status()["upstreams"]
        left, waiting = upstream["manifests_left"], upstream["blobs_waiting"]
        seen = self.node.metrics()
        assert exposition.value(seen, "wherry_upstream_manifests_left", upstream=NAME) == (math.inf if left is None else left)
        assert exposition.value(seen, "wherry_upstream_blobs_waiting", upstream=NAME) == waiting
        table = subprocess.run(
            [BIN / "wherry-node", "status", "--observe", f"127.0.0.1:{self.node.observe_port}"], capture_output=True, text=True, timeout=30
        ).stdout
        assert (left is None) == ("manifests left" not in table) and (not waiting) == ("waiting" not in table), table
        return left, waiting

    def end(self):
        self.node.end()
        self.proxy.close()


@pytest.fixture(scope="module")
def origin(session_area):
    server = DockerRegistry(session_area, "behind-limits").start()
    yield server
    server.end()


@pytest.fixture
def limited(area, origin):
    mine = []

    def make(limits=None, **settings):
        mine.append(Limited(area, origin, limits, **settings))
        return mine[-1]

    yield make
    for each in mine:
        each.end()


class Getting(threading.Thread):
    def __init__(self, limited, path):
        super().__init__()
        self.limited, self.path, self.answer, self.ended = limited, path, None, None
        self.start()

    def run(self):
        self.answer = self.limited.get(self.path)
        self.ended = time.monotonic()


def test_no_more_blobs_are_fetched_at_a_time_than_configured_and_small_images_are_not_last(limited, repository):
    site = limited({"concurrent": 3})
    assert site.shown() == (None, 0)
    running, most, lock, order = [0], [0], threading.Lock(), []

    def watch(handler):
        if handler.command != "GET" or "/blobs/" not in handler.path:
            return False
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            order.append(handler.path)
        time.sleep(0.2)
        with lock:
            running[0] -= 1
        return False

    site.proxy.answers = watch
    many = [(oci.random_bytes(1000 + number, number)) for number in range(40)]
    few = oci.random_bytes(5000, "few")
    paths = {f"/v2/{repository}-many/blobs/{site.registry.put_blob(repository + '-many', data)}": data for data in many}
    small = f"/v2/{repository}-few/blobs/{site.registry.put_blob(repository + '-few', few)}"
    pulls = [Getting(site, path) for path in paths]
    wait_until(lambda: len(order) >= 3, "all slots are taken", 10)
    last = Getting(site, small)
    manifest = site.put_manifests(repository, 1)["v0"]
    begin = time.monotonic()
    assert site.manifest(repository, "v0").body == manifest
    assert time.monotonic() - begin < 1, "names do not wait for blobs"
    for pull in [*pulls, last]:
        pull.join(60)
    assert all(pull.answer.status == 200 and pull.answer.body == paths[pull.path] for pull in pulls)
    assert last.answer.body == few
    assert most[0] == 3
    assert order.index(small) < 20, "a repository of one blob waits for its turn, not for all of another's"


def test_blobs_that_wait_for_their_turn_have_no_files_open(limited, repository):
    site = limited({"concurrent": 1})
    blobs = [os.urandom(1000 + number) for number in range(60)]
    paths = [f"/v2/{repository}/blobs/{site.registry.put_blob(repository, data)}" for data in blobs]
    gate = threading.Event()
    site.proxy.answers = lambda handler: gate.wait(30) and False
    before = len(os.listdir(f"/proc/{site.node.process.pid}/fd"))
    pulls = [Getting(site, path) for path in paths]
    wait_until(lambda: site.waiting() == len(blobs) - 1, "all but one wait", 20, 0.1)
    assert len(os.listdir(f"/proc/{site.node.process.pid}/fd")) - before < len(blobs) + 20, "beside their clients' connections"
    gate.set()
    for pull, data in zip(pulls, blobs):
        pull.join(60)
        assert pull.answer.body == data


def test_a_client_that_wants_much_does_not_hold_up_another_one(limited, repository):
    site = limited({"concurrent": 1})
    order, gate = [], threading.Event()

    def watch(handler):
        if handler.command == "GET" and "/blobs/" in handler.path:
            order.append(handler.path)
            gate.wait(30)
        return False

    blobs = [os.urandom(1000) for _ in range(12)]
    paths = [f"/v2/{repository}-{n}/blobs/{site.registry.put_blob(f'{repository}-{n}', data)}" for n, data in enumerate(blobs)]
    mine = os.urandom(1000)
    path = f"/v2/{repository}-z/blobs/{site.registry.put_blob(f'{repository}-z', mine)}"
    site.proxy.answers = watch
    pulls = [Getting(site, each) for each in paths]
    wait_until(lambda: site.waiting() == 11, "the others wait", 10)
    host, port = site.node.address.split(":")
    another = http.client.HTTPConnection(host, int(port), timeout=60, source_address=("127.0.0.2", 0))
    another.request("GET", f"{path}?ns={NAME}")
    wait_until(lambda: site.waiting() == 12, "and so does another client", 10)
    assert site.shown() == (None, 12)
    gate.set()
    assert another.getresponse().read() == mine
    for pull, data in zip(pulls, blobs):
        pull.join(60)
        assert pull.answer.body == data
    assert len(order) == 13 and order.index(path) <= 2


def test_bytes_per_second_are_kept(limited, repository):
    site = limited({"bytes-per-second": "2MiB"})
    blobs = [os.urandom(3 * MEBIBYTE) for _ in range(2)]
    paths = [f"/v2/{repository}/blobs/{site.registry.put_blob(repository, data)}" for data in blobs]
    begin = time.monotonic()
    pulls = [Getting(site, path) for path in paths]
    for pull, data in zip(pulls, blobs):
        pull.join(60)
        assert pull.answer.body == data
    took = time.monotonic() - begin
    assert 1.5 < took < 12
    begin = time.monotonic()
    for path, data in zip(paths, blobs):
        assert site.get(path).body == data
    assert time.monotonic() - begin < took / 2, "what is held is not counted"


def test_a_slow_budget_does_not_hold_up_the_end(limited, repository):
    site = limited({"bytes-per-second": "16KiB"})
    path = f"/v2/{repository}/blobs/{site.registry.put_blob(repository, os.urandom(8 * MEBIBYTE))}"
    site.node.stop()
    site.node.settings["drain-time"] = "1s"
    site.node.start()
    broken = []

    def pull():
        try:
            site.get(path)
        except Exception as error:
            broken.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    wait_until(lambda: site.proxy.count("GET", path), "it is fetched", 10)
    begin = time.monotonic()
    assert site.node.stop(20) == 0
    assert time.monotonic() - begin < 10
    thread.join(10)
    assert broken, "the client is told"


def test_manifests_of_a_window_are_counted_and_the_reserve_is_for_what_is_cold(limited, repository):
    site = limited({"manifests": 6, "reserve": 2, "window": "1h"})
    made = site.put_manifests(repository, 10)
    assert site.shown() == (6, 0)
    for tag in ("v0", "v1", "v2", "v3"):
        assert site.manifest(repository, tag).body == made[tag]
    assert site.shown() == (2, 0)
    moved = site.registry.put_image(repository, "v0", [b"moved"])[0]
    gets = site.proxy.count("GET", "/manifests/")
    answer = site.manifest(repository, "v0")
    assert answer.status == 200 and answer.body == made["v0"] and answer.stale, "refreshing leaves the reserve alone"
    assert site.proxy.count("GET", "/manifests/") == gets == 4
    for tag in ("v4", "v5"):
        assert site.manifest(repository, tag).body == made[tag]
    for tag in ("v6", "v7"):
        answer = site.manifest(repository, tag)
        assert answer.status == 503 and answer.code and int(answer["Retry-After"]) > 1
    assert site.proxy.count("GET", "/manifests/") == 6
    assert site.manifest(repository, "v5").body == made["v5"] and moved
    assert site.manifest(repository, oci.digest_of(made["v1"])).body == made["v1"]


def test_a_question_that_is_never_answered_costs_nothing(limited, repository):
    site = limited({"manifests": 2, "reserve": 0, "window": "1h"})
    made = site.put_manifests(repository, 3)
    site.proxy.close()
    for tag in ("v0", "v1", "v2"):
        assert site.manifest(repository, tag).status == 502
    assert site.shown() == (2, 0)
    site.proxy.reopen()
    site.proxy.answers = lambda handler: handler.answer(401, WWW_Authenticate=f'Bearer realm="{site.proxy.url}/token"')
    for tag in ("v0", "v1", "v2"):
        assert site.manifest(repository, tag).status == 403, "its token server gives no token"
    assert site.shown() == (2, 0)
    site.proxy.answers = lambda handler: "/token" in handler.path and handler.answer(200, b'{"token":"a-token"}')
    for tag in ("v0", "v1"):
        assert site.manifest(repository, tag).body == made[tag]
    assert site.shown() == (0, 0)


def test_referrers_of_an_upstream_that_knows_only_their_tag_cost_one_manifest_for_all(limited, repository):
    site = limited({"manifests": 3, "reserve": 0, "window": "1h"}, **{"negative-age": "10s"})
    subject = oci.digest_of(site.put_manifests(repository, 1)["v0"])
    path = f"/v2/{repository}/referrers/{subject}"
    for _ in range(5):
        answer = site.get(path)
        assert answer.status == 200 and answer.json["manifests"] == []
    assert site.shown() == (3, 0), "that there is none is asked for by a HEAD"
    assert site.proxy.count(part=subject.replace(":", "-")) == 1 and site.proxy.count(part="/referrers/") == 1
    signature = oci.artifact({"mediaType": oci.OCI_MANIFEST, "digest": subject, "size": 1}, "application/signature")
    listed = oci.descriptor(signature, oci.OCI_MANIFEST, artifactType="application/signature")
    signed = oci.digest_of(site.put_manifests(repository, 2)["v1"])
    site.registry.put_blob(repository, oci.EMPTY_JSON)
    site.registry.put_manifest(repository, oci.digest_of(signature), signature, oci.OCI_MANIFEST)
    site.registry.put_manifest(repository, signed.replace(":", "-"), oci.image_index([listed]), oci.OCI_INDEX)
    for _ in range(5):
        answer = site.get(f"/v2/{repository}/referrers/{signed}")
        assert [each["digest"] for each in answer.json["manifests"]] == [oci.digest_of(signature)]
    assert site.shown() == (2, 0)


def test_a_new_window_gives_more(limited, repository):
    site = limited({"manifests": 2, "reserve": 0, "window": "3s"})
    made = site.put_manifests(repository, 5)
    begin = time.monotonic()
    for tag in ("v0", "v1"):
        assert site.manifest(repository, tag).body == made[tag]
    answer = site.manifest(repository, "v2")
    assert answer.status == 503 or time.monotonic() - begin > 2.5
    wait_until(lambda: site.manifest(repository, "v2").body == made["v2"], "the next window", 8, 0.1)
    assert site.proxy.count("GET", "/manifests/") == 3


@pytest.mark.parametrize("field", ["RateLimit-Remaining", "ratelimit-remaining"])
def test_what_the_upstream_says_is_left_is_kept_for_what_is_cold_and_ends_with_its_window(limited, repository, field):
    site = limited({"reserve": 5})
    made = site.put_manifests(repository, 3)
    assert site.manifest(repository, "v0").body == made["v0"]
    site.registry.put_image(repository, "v0", [b"moved"])
    left = ["5;w=3"]

    def with_limits(handler):
        send = handler.send_response_only

        def told(status, message=None):
            send(status, message)
            handler.send_header(field, left[0])

        handler.send_response_only = told

    site.proxy.answers = with_limits
    before = site.proxy.count("GET", "/manifests/")
    told_at = time.monotonic()
    answer = site.manifest(repository, "v0")
    assert answer.body == made["v0"] and answer.stale
    assert site.manifest(repository, "v1").body == made["v1"], "what is cold comes out of the reserve"
    left[0] = "0;w=3"
    assert site.manifest(repository, "v0").stale, "its HEAD tells that nothing is left"
    answer = site.manifest(repository, "v2")
    assert answer.status == 503 and answer.code and int(answer["Retry-After"]) >= 1
    assert site.proxy.count("GET", "/manifests/") - before == 1
    left[0] = "100;w=3"
    wait_until(lambda: site.manifest(repository, "v2").body == made["v2"], "more is left", 8, 0.1)
    assert site.manifest(repository, "v0").json["layers"][0]["size"] == len(b"moved")
    assert time.monotonic() - told_at < 60


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize("when", ["seconds", "date"])
def test_429_is_heeded_and_passed_on_as_503(limited, repository, what, when):
    site = limited()
    made = site.put_manifests(repository, 3)
    assert site.manifest(repository, "v0").body == made["v0"]
    blob = site.registry.put_blob(repository, os.urandom(1000))
    path = {"manifests": f"/v2/{repository}/manifests/v1", "blobs": f"/v2/{repository}/blobs/{blob}"}[what]
    wait = "4" if when == "seconds" else time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 5))
    site.proxy.answers = lambda handler: handler.answer(429, b"{}", Retry_After=wait)
    begin = time.monotonic()
    answer = site.get(path)
    assert answer.status == 503 and answer.code and 2 <= int(answer["Retry-After"]) <= 5, answer
    asked = len(site.proxy.seen)
    for other in (path, f"/v2/{repository}/manifests/v2", f"/v2/{repository}/manifests/{oci.digest_of(b'x')}", f"/v2/{repository}/blobs/{oci.digest_of(b'y')}"):
        for _ in range(5):
            answer = site.get(other)
            assert answer.status == 503 and int(answer["Retry-After"]) >= 1
    held = site.manifest(repository, "v0")
    assert held.body == made["v0"] and held.stale
    if time.monotonic() - begin < 3:
        assert len(site.proxy.seen) == asked, "it is left alone"
    site.proxy.answers = None
    wait_until(lambda: site.get(path).status == 200, "it is asked again", 15, 0.1)
    assert time.monotonic() - begin >= 2
