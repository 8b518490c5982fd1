"""One blob at two upstreams: a fill goes on with the other one, and nobody suffers from an upstream that is not his."""

import http.client
import os
import threading
import time

import pytest
from wherry import liar as lies
from wherry.client import Broken, Registry
from wherry.liar import Liar
from wherry.process import Node, wait_until
from wherry.pulls import Pull

MEBIBYTE = 1 << 20
NAMES = ("one.example", "two.example")


class Pair:
    """A node before two upstreams that can misbehave."""

    def __init__(self, area):
        self.upstreams = {name: Liar() for name in NAMES}
        settings = {"upstreams": [{"name": name, "url": each.url, "negative-age": "0s"} for name, each in self.upstreams.items()]}
        self.node = Node(area, name="between", settings=settings).start()
        self.edge = Registry(self.node.address)

    def put(self, data, first=(), second=()):
        """A blob at both, each with its ways to answer; gives its path."""
        for each, script in zip(self.upstreams.values(), (first, second)):
            digest = each.add_blob(data, script)
        return f"/v2/a/b/blobs/{digest}"

    def begin(self, name, path):
        return Pull(self.edge, f"{path}?ns={name}")

    def pull(self, name, path):
        """The bytes; None when there was no good answer."""
        try:
            answer = self.edge.get(f"{path}?ns={name}")
        except Broken:
            return None
        return answer.body if answer.status == 200 else None

    def gets(self, name, path):
        return [seen for seen in self.upstreams[name].seen if seen.method == "GET" and path in seen.path]

    def end(self):
        self.node.end()
        for each in self.upstreams.values():
            each.close()


@pytest.fixture(scope="module")
def pair(session_area):
    pair = Pair(session_area)
    yield pair
    pair.end()


def half_then(gate, end):
    """Half of it, and when the gate opens an end of another kind."""

    def way(handler, data, headers):
        handler.start(200, len(data), headers)
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        gate.wait(30)
        end(handler)

    return way


def gone(handler, data, headers):
    handler.answer(404, b"{}", {"Content-Type": "application/json"})


def denied(handler, data, headers):
    handler.answer(403, b"{}", {"Content-Type": "application/json"})


@pytest.mark.parametrize("then", [lies.reset_at_once, gone, lies.server_error])
def test_a_fill_goes_on_by_range_with_the_upstream_of_another_client(pair, then):
    data = os.urandom(4 * MEBIBYTE)
    gate = threading.Event()
    path = pair.put(data, first=[half_then(gate, lambda handler: handler.hang_up(reset=True)), then])
    one = pair.begin("one.example", path)
    wait_until(lambda: pair.gets("one.example", path), "the first is asked", 10)
    two = http.client.HTTPConnection(*pair.node.address.split(":"), timeout=60)
    two.request("GET", f"{path}?ns=two.example")
    joined = two.getresponse()  # the head alone
    assert joined.status == 200 and not pair.gets("two.example", path), "one fill for both"
    gate.set()
    assert one.end().response is not None and one.response.body == data
    assert joined.read() == data
    two.close()
    (resumed,) = pair.gets("two.example", path)
    start = int(resumed.headers["Range"].removeprefix("bytes=").rstrip("-"))
    assert 0 < start <= len(data) // 2
    assert len(pair.gets("one.example", path)) == 1, "no pause while there is another one"


def test_who_does_not_have_it_gets_nothing_of_the_fill_of_another(pair):
    data = os.urandom(MEBIBYTE)
    gate = threading.Event()
    path = f"/v2/a/b/blobs/{pair.upstreams['one.example'].add_blob(data, [half_then(gate, lambda handler: handler.hang_up()), lies.honest])}"
    one = pair.begin("one.example", path)
    wait_until(lambda: pair.gets("one.example", path), "it is asked", 10)
    assert pair.edge.get(f"{path}?ns=two.example").status == 404
    gate.set()
    assert one.end().response.body == data


@pytest.mark.parametrize("says, status", [(gone, 404), (denied, 403), (lies.reset_at_once, 502)])
def test_who_began_a_fill_of_what_he_may_not_have_gets_nothing_of_another_one(pair, says, status):
    """Also when the other one joins while his own upstream still thinks about it."""
    data = os.urandom(MEBIBYTE)
    gate = threading.Event()

    def late(handler, data, headers):
        gate.wait(30)
        says(handler, data, headers)

    path = pair.put(data, first=[late, says], second=[lies.honest])
    one = pair.begin("one.example", path)
    wait_until(lambda: pair.gets("one.example", path), "it is asked", 10)
    two = pair.begin("two.example", path)
    wait_until(lambda: [seen for seen in pair.upstreams["two.example"].seen if path in seen.path], "the other one is asked", 10)
    time.sleep(0.3)
    gate.set()
    assert one.end().response.status == status and one.response.code
    assert two.end().response.body == data
    wait_until(lambda: not pair.node.status()["fills"]["count"], "it is stored", 10)
    gets = len(pair.gets("two.example", path))
    assert pair.pull("two.example", path) == data and len(pair.gets("two.example", path)) == gets
    del pair.upstreams["one.example"].blobs[path.rpartition("/")[2]]
    assert pair.edge.get(f"{path}?ns=one.example").status == 404


def test_an_upstream_that_lies_about_bytes_spoils_only_the_pulls_of_its_own_clients(pair):
    data = os.urandom(2 * MEBIBYTE)
    gates = [threading.Event() for _ in range(3)]

    def wrong_after(gate):
        def way(handler, data, headers):
            handler.start(200, len(data), headers)
            handler.wfile.write(bytes(len(data) // 2))
            handler.wfile.flush()
            gate.wait(30)
            handler.wfile.write(bytes(len(data) - len(data) // 2))

        return way

    path = pair.put(data, first=[wrong_after(gate) for gate in gates])
    one = pair.begin("one.example", path)
    wait_until(lambda: len(pair.gets("one.example", path)) == 1, "it is asked", 10)
    gates[0].set()
    assert one.end().response is None
    for number in (1, 2):  # it goes on lying: while a fill of its bytes is under way, others get theirs all the same
        one = pair.begin("one.example", path)
        wait_until(lambda: len(pair.gets("one.example", path)) == number + 1, "it is asked again", 10)
        assert pair.pull("two.example", path) == data
        gates[number].set()
        assert one.end().response is None
    assert pair.pull("two.example", path) == data, "and then it is stored"
    gets = len(pair.gets("two.example", path))
    assert pair.pull("two.example", path) == data
    assert len(pair.gets("two.example", path)) == gets


def test_what_the_upstreams_of_others_refuse_is_told_to_nobody_else(area):
    """Seven repositories whose upstreams say yes and then no, one after the other, and one that has it."""
    names = [f"n{number}.example" for number in range(8)]
    upstreams = {name: Liar() for name in names}
    settings = {"upstreams": [{"name": name, "url": each.url, "negative-age": "0s"} for name, each in upstreams.items()]}
    node = Node(area, name="crowded", settings=settings).start()
    edge = Registry(node.address)

    def late_no(handler, data, headers):
        time.sleep(0.3)
        denied(handler, data, headers)

    try:
        for _ in range(6):
            data = os.urandom(100_000)
            for name, each in upstreams.items():
                digest = each.add_blob(data, [late_no] if name != names[4] else [])
            pulls = {}
            for name in names:
                pulls[name] = Pull(edge, f"/v2/a/b/blobs/{digest}?ns={name}")
                time.sleep(0.02)
            for name, pull in pulls.items():
                answer = pull.end().response
                if name == names[4]:
                    assert answer.status == 200 and answer.body == data, answer
                elif answer.status != 200:
                    assert not [other for other in names if other != name and upstreams[other].address.encode() in answer.body], name
    finally:
        node.end()
        for each in upstreams.values():
            each.close()


def test_who_is_refused_in_the_middle_of_his_fill_does_not_go_on_joining_it(pair):
    data = os.urandom(2 * MEBIBYTE)
    gate, end = threading.Event(), threading.Event()
    path = pair.put(data, first=[half_then(gate, lambda handler: handler.hang_up(reset=True)), gone])

    def rest_at_the_end(handler, data, headers):
        start = handler.range_start(len(data))
        handler.start(206, len(data) - start, {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        handler.wfile.write(data[start:-1])
        handler.wfile.flush()
        end.wait(30)
        handler.wfile.write(data[-1:])

    digest = path.rpartition("/")[2]
    # The second fails once too, so that the first is asked again, and refuses.
    pair.upstreams["two.example"].scripts[digest] = [lies.server_error, rest_at_the_end]
    one = pair.begin("one.example", path)
    wait_until(lambda: pair.gets("one.example", path), "the first is asked", 10)
    two = http.client.HTTPConnection(*pair.node.address.split(":"), timeout=60)
    two.request("GET", f"{path}?ns=two.example")
    joined = two.getresponse()
    assert joined.status == 200
    gate.set()
    wait_until(lambda: len(pair.gets("one.example", path)) == 2 and len(pair.gets("two.example", path)) == 2, "it is refused, and goes on", 20)
    del pair.upstreams["one.example"].blobs[digest]
    assert pair.edge.get(f"{path}?ns=one.example").status == 404
    assert pair.edge.head(f"{path}?ns=one.example").status == 404
    end.set()
    assert one.end().response.body == data and joined.read() == data
    two.close()
    assert pair.edge.get(f"{path}?ns=one.example").status == 404


def test_what_is_held_is_not_given_to_who_is_told_another_size(pair):
    data = os.urandom(MEBIBYTE)
    path = pair.put(data)
    assert pair.pull("one.example", path) == data
    wait_until(lambda: not pair.node.status()["fills"]["count"], "it is stored", 10)
    pair.upstreams["two.example"].blobs[path.rpartition("/")[2]] = data + b"more"
    assert pair.edge.get(f"{path}?ns=two.example").status == 502
    pair.put(data)
    assert pair.pull("two.example", path) == data and not pair.gets("two.example", path), "it has it too"


def test_a_fill_of_unknown_size_is_of_those_alone_who_said_what_it_came_to(pair):
    data = os.urandom(MEBIBYTE)
    gate = threading.Event()

    def chunked(handler, data, headers):
        handler.send_response_only(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        gate.wait(30)
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    path = pair.put(data, first=[chunked])
    pair.upstreams["two.example"].blobs[path.rpartition("/")[2]] = data + b"more"
    one = pair.begin("one.example", path)
    wait_until(lambda: pair.gets("one.example", path), "it is asked", 10)
    two = pair.begin("two.example", path)
    wait_until(lambda: [seen for seen in pair.upstreams["two.example"].seen if path in seen.path], "the other one is asked", 10)
    time.sleep(0.3)
    gate.set()
    assert one.end().response.body == data
    assert two.end().response is None, "what its own upstream sends is not that blob"
    wait_until(lambda: not pair.node.status()["fills"]["count"], "it is stored", 10)
    assert pair.pull("two.example", path) is None, "and is not held for it"


@pytest.mark.parametrize("known", [True, False])
def test_an_upstream_that_says_another_size_is_not_read_from(pair, known):
    data = os.urandom(MEBIBYTE + 10 * known)
    gate, head = threading.Event(), threading.Event()

    def late_longer(handler, data, headers):
        head.wait(30)
        longer(handler, data, headers)

    def longer(handler, data, headers):
        handler.start(200, len(data) + 1000, headers)
        handler.wfile.write(data)
        handler.wfile.flush()
        gate.wait(30)
        handler.hang_up()

    path = pair.put(data, first=[longer if known else late_longer])
    one = pair.begin("one.example", path)
    if known:
        sizes = lambda: [fill["total_bytes"] for fill in pair.node.status()["fills"]["listed"]]  # noqa: E731
        wait_until(lambda: len(data) + 1000 in sizes(), "its size is known", 10)
        assert pair.pull("two.example", path) == data
    else:
        wait_until(lambda: pair.gets("one.example", path), "it is asked", 10)
        two = pair.begin("two.example", path)
        wait_until(lambda: [seen for seen in pair.upstreams["two.example"].seen if path in seen.path], "and the other one too", 10)
        time.sleep(0.3)
        head.set()
        assert two.end().response.body == data
    gate.set()
    assert one.end(90).response is None
