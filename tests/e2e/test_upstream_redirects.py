"""Redirects of an upstream are followed by hand: where a node goes, with what, and where it never goes."""

import os

import pytest
from wherry.certificate import make_certificate
from wherry.client import Registry
from wherry.fixtures import unique
from wherry.gatekeeper import Elsewhere
from wherry.process import Node
from wherry.proxy import CountingProxy
from wherry.pulls import Pull

NAME = "front.example"


class Redirecting:
    """An upstream that redirects all blobs, a server that they are redirected to, and a node."""

    def __init__(self, area, run_server, origin, **settings):
        self.front, self.store = CountingProxy(origin.address), Elsewhere(origin.address)
        self.registry = Registry(origin.address)
        upstream = {"name": NAME, "url": self.front.url, "negative-age": "0s", **settings}
        if settings.get("redirects"):
            upstream["redirects"] = [self.store.address]
        self.edge = Registry(run_server(Node(area, settings={"upstreams": [upstream]})).address)
        self.location = lambda handler: self.store.url + handler.path
        self.status = 307
        self.front.answers = self.redirect

    def redirect(self, handler):
        return "/blobs/" in handler.path and handler.answer(self.status, Location=self.location(handler))

    def put(self, size=300_000):
        data = os.urandom(size)
        repository = unique()
        return f"/v2/{repository}/blobs/{self.registry.put_blob(repository, data)}?ns={NAME}", data

    def close(self):
        self.front.close()
        self.store.close()


@pytest.fixture
def allowed(area, run_server, origin):
    redirecting = Redirecting(area, run_server, origin, redirects=True)
    yield redirecting
    redirecting.close()


@pytest.fixture
def strict(area, run_server, origin):
    redirecting = Redirecting(area, run_server, origin)
    yield redirecting
    redirecting.close()


def test_a_redirect_to_an_address_that_is_not_public_is_refused(strict):
    port = strict.store.address.split(":")[1]
    hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0", "127.1", "127.0.0.1."]
    for host in hosts:
        strict.location = lambda handler, host=host: f"http://{host}:{port}{handler.path}"
        for method in ("GET", "HEAD"):
            path, _ = strict.put(100)
            answer = strict.edge.call(method, path)
            assert answer.status in (403, 502), (host, answer)
            assert method == "HEAD" or answer.code
    assert not strict.store.seen
    strict.front.answers = None
    path, data = strict.put()
    assert strict.edge.get(path).body == data


def test_a_redirect_is_followed_where_it_is_allowed(allowed):
    for status in (301, 302, 303, 307, 308):
        allowed.status = status
        path, data = allowed.put()
        assert allowed.edge.get(path).body == data
        assert allowed.edge.head(allowed.put()[0]).status == 200
    assert all("Authorization" not in seen.headers and "Cookie" not in seen.headers for seen in allowed.store.seen)
    assert {seen.headers["Host"] for seen in allowed.store.seen} == {allowed.store.address}


def test_a_fetch_that_broke_goes_on_by_range_through_the_redirect(allowed):
    path, data = allowed.put(3_000_000)
    broke = []

    def break_once(handler):
        if "Range" in handler.headers or broke:
            return False
        broke.append(1)
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:1_000_000])
        handler.close_connection = True
        return True

    allowed.store.answers = break_once
    assert allowed.edge.get(path).body == data
    ranges = [seen.headers.get("Range") for seen in allowed.store.seen]
    assert ranges[0] is None and ranges[1].startswith("bytes=") and 0 < int(ranges[1][6:-1]) <= 1_000_000
    assert [seen.headers.get("Range") for seen in allowed.front.seen if "/blobs/" in seen.path] == ranges


RELATIVE = {
    "a path": lambda handler: "/elsewhere" + handler.path, "a neighbour": lambda handler: "./" + handler.path.rsplit("/", 1)[1] + "?moved",
    "a network path": lambda handler: f"//{handler.headers['Host']}{handler.path}?moved",
    "with a fragment": lambda handler: f"{handler.path}?moved#part", "only a query": lambda handler: "?moved",
}  # fmt: skip


@pytest.mark.parametrize("case", RELATIVE)
def test_a_relative_location_is_followed(strict, case):
    strict.location = RELATIVE[case]

    def redirect(handler):
        if "moved" in handler.path or handler.path.startswith("/elsewhere"):
            return handler.answer(200, data, Content_Type="application/octet-stream")
        return strict.redirect(handler)

    strict.front.answers = redirect
    path, data = strict.put()
    assert strict.edge.get(path).body == data
    assert "#" not in strict.front.seen[-1].path


ENDLESS = {
    "to itself": lambda handler: handler.path, "ever longer": lambda handler: handler.path + "x",
    "to and fro": lambda handler: handler.path.replace("?b", "?a") if "?b" in handler.path else handler.path + "?b",
}  # fmt: skip

NO_PLACES = [
    "", "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "http://", "http:///x", "javascript:1",
    "http://user:secret@127.0.0.1/", "http://a b/", "http://[::1/", "x" * 20_000, "data:,x",
]  # fmt: skip


class Astray:
    """A node before an upstream for each location that leads nowhere, asked for a blob of each: all at once, for each takes its tries."""

    def __init__(self, area, origin):
        self.store = Elsewhere(origin.address)
        self.fronts, self.paths, self.data, upstreams = {}, {}, {}, []
        locations = {**ENDLESS, **{place: lambda _, place=place: place for place in NO_PLACES}}
        for number, (case, location) in enumerate(locations.items()):
            front = CountingProxy(origin.address)
            front.answers = lambda handler, location=location: handler.answer(307, Location=location(handler))
            upstreams.append({"name": f"front{number}.example", "url": front.url, "negative-age": "0s", "redirects": [self.store.address]})
            self.data[case] = os.urandom(300_000)
            repository = unique()
            digest = Registry(origin.address).put_blob(repository, self.data[case])
            self.fronts[case], self.paths[case] = front, f"/v2/{repository}/blobs/{digest}?ns=front{number}.example"
        self.node = Node(area, name="astray-node", settings={"upstreams": upstreams}).start()
        self.edge = Registry(self.node.address)
        self.pulls = {case: Pull(self.edge, path) for case, path in self.paths.items()}

    def assert_heals(self, case):
        self.fronts[case].answers = None
        assert self.edge.get(self.paths[case]).body == self.data[case]

    def close(self):
        self.node.end()
        for proxy in [self.store, *self.fronts.values()]:
            proxy.close()


@pytest.fixture(scope="module")
def astray(session_area, origin):
    astray = Astray(session_area, origin)
    yield astray
    astray.close()


@pytest.mark.parametrize("case", ENDLESS)
def test_redirects_without_an_end_are_given_up(astray, case):
    answer = astray.pulls[case].end().response
    assert answer.status == 502 and answer.code
    assert len(astray.fronts[case].seen) <= 30
    astray.assert_heals(case)


@pytest.mark.parametrize("location", NO_PLACES, ids=range(len(NO_PLACES)))
def test_a_location_that_is_no_place_is_an_error(astray, location):
    answer = astray.pulls[location].end().response
    assert answer.status in (403, 404, 502) and answer.code
    assert b"secret" not in answer.body and len(answer.body) < 4096 + 20_000
    assert not astray.store.seen
    astray.assert_heals(location)


def test_what_a_redirect_signs_is_in_no_log_and_no_answer(allowed, area):
    allowed.location = lambda handler: f"{allowed.store.url}{handler.path}?X-Signature=s3cr3t"
    allowed.store.answers = lambda handler: handler.answer(500)
    answer = allowed.edge.get(allowed.put()[0])
    assert answer.status == 502 and b"s3cr3t" not in answer.body
    allowed.store.close()
    assert b"s3cr3t" not in allowed.edge.get(allowed.put()[0]).body
    assert "s3cr3t" not in (area / "node" / "log").read_text()


def test_an_upstream_over_tls_is_not_left_for_plain_http(area, run_server, origin):
    """A proxy with TLS before the registry, that redirects to http, where it is allowed otherwise."""
    certificate = make_certificate(area, "IP:127.0.0.1")
    front, store = CountingProxy(origin.address, certificate), Elsewhere(origin.address)
    upstream = {
        "name": NAME, "url": front.url, "ca-file": str(certificate[0]), "redirects": [store.address], "negative-age": "0s",
        "realms": [store.address],
    }  # fmt: skip
    edge = Registry(run_server(Node(area, settings={"upstreams": [upstream]})).address)
    data = os.urandom(1000)
    path = f"/v2/team/app/blobs/{Registry(origin.address).put_blob('team/app', data)}?ns={NAME}"
    front.answers = lambda handler: handler.answer(307, Location=store.url + handler.path)
    answer = edge.get(path)
    assert answer.status == 403 and b"https to http" in answer.body
    front.answers = lambda handler: handler.answer(401, WWW_Authenticate=f'Bearer realm="{store.url}/token",service="s"')
    assert edge.get(path).status == 403
    assert not store.seen
    front.answers = None
    assert edge.get(path).body == data
    front.close()
    store.close()
