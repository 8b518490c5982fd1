"""How long a tag is believed, what is said when nobody can be asked, and what is never mixed up."""

import itertools
import json
import os
import socket
import threading
import time

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.process import Node, wait_until
from wherry.proxy import CountingProxy
from wherry.pulls import Pull, together

NAME = "fresh.example"
RULES = [
    {"match": ["*:short-age"], "max-age": "500ms"},
    {"match": ["*:behind"], "stale-while-revalidate": "1h"},
    {"match": ["*:short"], "stale-if": {"unreachable": "1s", "5xx": "1s", "429": "1s"}},
    {"match": ["*:denied"], "stale-if": {"denied": "1s"}},
    {"match": ["*:gone"], "stale-if": {"not-found": "1s"}},
    {"match": ["*:never"], "stale-if": {"unreachable": "0s", "5xx": "0s", "429": "0s"}},
    {"match": ["*:long-age"], "max-age": "1h"},
    {"match": ["*"]},  # asked each time
]


class Fresh:
    """A node with a rule for each tag, a proxy that can play any upstream, and a registry behind it."""

    def __init__(self, area, origin, **settings):
        self.registry = Registry(origin.address)
        self.proxy = CountingProxy(origin.address)
        upstream = {"name": NAME, "url": self.proxy.url, "negative-age": "0s", **settings}
        self.node = Node(area, name="fresh-node", settings={"upstreams": [upstream], "freshness": RULES})
        self.node.start()
        self.edge = Registry(self.node.address)

    def put(self, repository, tag):
        config = json.dumps({"os": "linux", "architecture": "amd64", "random": os.urandom(8).hex()}).encode()
        return self.registry.put_image(repository, tag, [os.urandom(100)], config)[0]

    def pull(self, repository, tag):
        path = f"/v2/{repository}/manifests/{tag}?ns={NAME}"
        return self.edge.call("GET", path, headers={"Accept": f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}"})

    def asked(self, repository, method=None):
        return self.proxy.count(method, f"/v2/{repository}/")

    def end(self):
        self.node.end()
        self.proxy.close()


@pytest.fixture(scope="module")
def shared(session_area, origin):
    fresh = Fresh(session_area, origin)
    yield fresh
    fresh.end()


@pytest.fixture
def fresh(shared):
    shared.proxy.answers = None
    yield shared
    shared.proxy.answers = None


@pytest.fixture
def own(area, origin):
    """One of the test's own, to be killed and blackholed."""
    fresh = Fresh(area, origin)
    yield fresh
    fresh.end()


def test_within_max_age_the_upstream_is_not_asked(fresh, repository):
    manifest = fresh.put(repository, "long-age")
    assert fresh.pull(repository, "long-age").body == manifest
    fresh.put(repository, "long-age")
    before = fresh.asked(repository)
    for _ in range(20):
        answer = fresh.pull(repository, "long-age")
        assert answer.body == manifest and not answer.stale and int(answer["Age"]) <= 60
    assert fresh.asked(repository) == before


def test_after_max_age_a_head_is_enough(fresh, repository):
    assert fresh.pull(repository, "short-age").status == 404
    fresh.put(repository, "short-age")
    assert fresh.pull(repository, "short-age").status == 200
    moved = fresh.put(repository, "short-age")
    wait_until(lambda: fresh.pull(repository, "short-age").body == moved, "the moved tag is seen", 5, 0.05)
    gets, heads = fresh.asked(repository, "GET"), fresh.asked(repository, "HEAD")
    begin, pulls = time.monotonic(), itertools.count()

    def asked_again():
        assert fresh.pull(repository, "short-age").body == moved
        next(pulls)
        return fresh.asked(repository, "HEAD") >= heads + 2

    wait_until(asked_again, "it is asked twice more", 5, 0.02)
    assert time.monotonic() - begin >= 0.5, "one max-age lies between two questions"
    assert next(pulls) > fresh.asked(repository, "HEAD") - heads
    assert fresh.asked(repository, "GET") == gets


def test_a_head_says_what_is_known_and_304_is_enough(fresh, repository):
    manifest = fresh.put(repository, "v1")
    digest = oci.digest_of(manifest)
    assert fresh.pull(repository, "v1").body == manifest
    gets = fresh.asked(repository, "GET")
    seen = []

    def unchanged(handler):
        if repository in handler.path:
            seen.append(handler.headers.get("If-None-Match"))
            return handler.answer(304)

    fresh.proxy.answers = unchanged
    answer = fresh.pull(repository, "v1")
    assert answer.status == 200 and answer.body == manifest and not answer.stale and answer["Docker-Content-Digest"] == digest
    assert seen == [f'"{digest}"'] and fresh.asked(repository, "GET") == gets


def test_stale_while_revalidate_answers_at_once_and_asks_behind_the_answer(fresh, repository):
    manifest = fresh.put(repository, "behind")
    assert fresh.pull(repository, "behind").body == manifest
    moved = fresh.put(repository, "behind")
    slow = threading.Event()

    def slowly(handler):
        slow.wait(20)

    fresh.proxy.answers = slowly
    for _ in range(5):
        begin = time.monotonic()
        answer = fresh.pull(repository, "behind")
        assert answer.body == manifest and answer["Age"] is not None
        assert time.monotonic() - begin < 1
    asked = fresh.asked(repository, "HEAD")
    slow.set()
    assert asked <= 2, "the question behind is asked once"
    fresh.proxy.answers = None
    wait_until(lambda: fresh.pull(repository, "behind").body == moved, "the moved tag is known", 5, 0.05)


def test_lists_of_a_dead_upstream_fail_fast_and_a_list_alone_finds_out_that_it_is_well(own, repository):
    own.put(repository, "v1")
    path = f"/v2/{repository}/tags/list?ns={NAME}"
    assert own.edge.get(path).json["tags"] == ["v1"]
    own.proxy.answers = hang_up
    wait_until(lambda: own.edge.get(path).status == 502, "it is down", 5, 0.05)
    asked = own.asked(repository)
    begin = time.monotonic()
    answers = [own.edge.get(path) for _ in range(50)]
    took = time.monotonic() - begin
    assert all(answer.status == 502 and answer.code for answer in answers)
    assert own.asked(repository) - asked <= 3 + took / 0.05, "while it rests nobody asks"
    assert took < 5
    own.proxy.answers = None
    wait_until(lambda: own.edge.get(path).status == 200, "the next list is the question that finds out", 5, 0.05)


def status(number, **headers):
    return lambda handler: handler.answer(number, b"", **headers)


def hang_up(handler):
    handler.close_connection = True
    return True


FAILURES = {
    "unreachable": ("short", hang_up, 502), "500": ("short", status(500), 502), "503": ("short", status(503), 502),
    "401": ("denied", status(401), 403), "403": ("denied", status(403), 403), "404": ("gone", status(404), 404),
}  # fmt: skip


def pull_while(fresh, repository, tag, manifest, failure):
    """Confirms a tag, lets its upstream fail and pulls again, all within the limit of 1 s; gives the answer and the time of confirmation."""
    for _ in range(10):
        fresh.proxy.answers = None
        confirmed_at = time.monotonic()
        assert fresh.pull(repository, tag).body == manifest
        fresh.proxy.answers = lambda handler: repository in handler.path and failure(handler)
        answer = fresh.pull(repository, tag)
        if time.monotonic() - confirmed_at < 1:
            return answer, confirmed_at
    raise AssertionError("two pulls never took less than a second")


@pytest.mark.parametrize("case", FAILURES)
def test_a_stale_answer_says_so_and_ends_with_the_limit_of_its_kind(fresh, repository, case):
    tag, failure, after = FAILURES[case]
    manifest = fresh.put(repository, tag)
    answer, confirmed_at = pull_while(fresh, repository, tag, manifest, failure)
    assert answer.status == 200 and answer.body == manifest
    assert answer.stale and int(answer["Age"]) <= 1

    def over():
        answer = fresh.pull(repository, tag)
        assert answer.status in (200, after), answer
        return answer.status == after and answer.code

    wait_until(over, "it is an error after the limit", 5, 0.05)
    assert time.monotonic() - confirmed_at >= 1
    fresh.proxy.answers = None
    wait_until(lambda: fresh.pull(repository, tag).body == manifest, "well again", 10, 0.05)


MIXED = {
    "404 is told although the tag would be stale for a month": ("v1", status(404), 404, "MANIFEST_UNKNOWN"),
    "401 is told as a refusal": ("v1", status(401), 403, "DENIED"), "403 is told as a refusal": ("v1", status(403), 403, "DENIED"),
    "5xx with a limit of nothing": ("never", status(500), 502, "UNAVAILABLE"),
    "out of reach with a limit of nothing": ("never", hang_up, 502, "UNAVAILABLE"),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXED)
def test_deleted_refused_and_down_are_never_mixed_up(own, repository, case):
    tag, failure, code, word = MIXED[case]
    manifest = own.put(repository, tag)
    assert own.pull(repository, tag).body == manifest
    own.proxy.answers = failure
    answer = own.pull(repository, tag)
    assert answer.status == code and answer.code == word
    by_digest = own.pull(repository, oci.digest_of(manifest))
    assert by_digest.body == manifest, "a digest is what it is"
    # What is known afterwards: a deleted tag nothing, a refused one all that was known before.
    own.proxy.answers = status(500)
    later = own.pull(repository, tag)
    remembered = code == 403 or tag == "never"
    assert later.status == (502 if tag == "never" or not remembered else 200)
    if tag == "v1" and remembered:
        assert later.body == manifest and later.stale
    own.proxy.answers = None
    assert wait_until(lambda: (a := own.pull(repository, tag)).status == 200 and a, "well again", 20, 0.1).body == manifest


def test_a_tag_whose_new_manifest_is_not_there_yet_is_not_deleted(own, repository):
    """As of an upstream of several machines that do not know the same."""
    manifest = own.put(repository, "v1")
    assert own.pull(repository, "v1").body == manifest
    moved = own.put(repository, "v1")
    own.proxy.answers = lambda handler: oci.digest_of(moved) in handler.path and handler.answer(404)
    for _ in range(3):
        answer = own.pull(repository, "v1")
        assert answer.status == 200 and answer.body == manifest and answer.stale
    own.proxy.answers = None
    assert own.pull(repository, "v1").body == moved


def test_a_deleted_tag_is_forgotten_even_when_the_upstream_dies_then(own, repository):
    manifest = own.put(repository, "v1")
    assert own.pull(repository, "v1").body == manifest
    own.proxy.answers = status(404)
    assert own.pull(repository, "v1").status == 404
    own.proxy.close()
    for _ in range(3):
        assert own.pull(repository, "v1").status == 502


def test_a_restart_keeps_ages(own, repository):
    manifests = {tag: own.put(repository, tag) for tag in ("long-age", "short")}
    for tag, manifest in manifests.items():
        assert own.pull(repository, tag).body == manifest
    confirmed_at = time.monotonic()
    own.node.restart()
    before = len(own.proxy.seen)
    answer = own.pull(repository, "long-age")
    assert answer.body == manifests["long-age"] and int(answer["Age"]) <= time.monotonic() - confirmed_at + 2
    assert len(own.proxy.seen) == before
    own.proxy.close()
    wait_until(lambda: own.pull(repository, "short").status == 502, "the limit is over", 5)
    assert time.monotonic() - confirmed_at >= 1 - 0.1, "ages are kept, and do not begin anew"
    assert own.pull(repository, "long-age").body == manifests["long-age"]


@pytest.fixture
def own_with(area, origin):
    mine = []

    def make(**settings):
        mine.append(Fresh(area, origin, **settings))
        return mine[-1]

    yield make
    for each in mine:
        each.end()


def test_what_is_not_there_is_asked_for_once_by_many(own_with, repository):
    own = own_with(**{"negative-age": "10s"})
    own.put(repository, "v1")
    digest = oci.digest_of(b"nothing")
    questions = [(method, f"manifests/{reference}") for method in ("GET", "HEAD") for reference in (f"none-{method}", digest)]
    for method, what in [*questions, ("GET", f"blobs/{digest}")]:
        release = threading.Event()
        own.proxy.answers = lambda handler, release=release: release.wait(20) and False
        before = len(own.proxy.seen)
        path = f"/v2/{repository}/{what}?ns={NAME}"
        threading.Timer(0.2, release.set).start()  # while it is on its way, the others come
        assert together(30, lambda _, method=method, path=path: own.edge.call(method, path).status) == [404] * 30
        assert len(own.proxy.seen) - before <= 1, path
    assert own.proxy.count("GET", "none-GET") + own.proxy.count("HEAD", "none-GET") == 1


def test_what_is_not_there_is_believed_for_a_while_and_no_longer(own_with, repository):
    own = own_with(**{"negative-age": "1s"})
    own.put(repository, "v1")
    path = f"/v2/{repository}/manifests/none?ns={NAME}"
    asked_at = time.monotonic()
    assert own.edge.get(path).status == 404
    own.put(repository, "none")
    asked = own.asked(repository)
    answer = own.edge.get(path)
    assert answer.status == 404 or time.monotonic() - asked_at > 1
    assert own.asked(repository) == asked or time.monotonic() - asked_at > 1
    wait_until(lambda: own.edge.get(path).status == 200, "it is seen after negative-age", 3, 0.05)
    assert time.monotonic() - asked_at >= 1


def test_an_upstream_that_is_silent_about_one_thing_is_not_out_of_reach(own_with, repository):
    own = own_with(silence="2s")
    manifest = own.put(repository, "v1")
    assert own.pull(repository, "v1").body == manifest
    own.proxy.answers = lambda handler: "/stuck/" in handler.path and time.sleep(4) is None
    stuck = Pull(own.edge, f"/v2/stuck/app/manifests/v1?ns={NAME}")
    begin = time.monotonic()
    while time.monotonic() - begin < 3.5:  # lists are not worth a wait for who is out of reach
        answer = own.edge.get(f"/v2/{repository}/tags/list?ns={NAME}")
        assert answer.status == 200 and not answer.stale, time.monotonic() - begin
        time.sleep(0.02)
    assert stuck.end().response.status == 504


class Blackhole:
    """A port where nobody answers, not even the kernel: its backlog is full."""

    def __init__(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            self.fillers.append(filler)
        time.sleep(0.1)

    def close(self):
        for each in [*self.fillers, self.listener]:
            each.close()


def test_a_blackholed_upstream_is_found_out_once_and_what_is_held_stays_fast(own_with, repository):
    own = own_with(**{"connect-time": "1s"})
    hole = None
    try:
        made = together(100, lambda number: own.put(repository, f"v{number}"))
        manifests = {f"v{number}": manifest for number, manifest in enumerate(made)}
        for tag, manifest in manifests.items():
            assert own.pull(repository, tag).body == manifest
        layer = oci.digest_of(manifests["v0"])
        port = int(own.proxy.address.split(":")[1])
        own.proxy.close()
        own.node.restart()  # its connections are gone
        hole = Blackhole(port)
        begin = time.monotonic()
        answer = own.pull(repository, "v0")
        assert answer.body == manifests["v0"] and answer.stale
        assert 0.75 < time.monotonic() - begin < 5, "the first finds out"
        times = []
        for _ in range(2):
            for tag, manifest in manifests.items():
                begin = time.monotonic()
                answer = own.pull(repository, tag)
                times.append(time.monotonic() - begin)
                assert answer.body == manifest and answer.stale
        times.sort()
        assert times[len(times) * 95 // 100] < 0.05 and times[-1] < 0.5, times[-5:]
        cold = time.monotonic()
        assert own.pull(repository, "cold").status in (502, 504)
        assert own.pull("other/app", layer).status in (502, 504)
        assert time.monotonic() - cold < 6
        hole.close()
        own.proxy.reopen()
        moved = own.put(repository, "v1")
        wait_until(lambda: own.pull(repository, "v1").body == moved, "it is found to be back", 20, 0.1)
    finally:
        if hole:
            hole.close()
