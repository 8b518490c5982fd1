"""The token dance: one token for any number of clients, strange token servers, and credentials that never leave."""

import json
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.gatekeeper import Elsewhere, Gatekeeper
from wherry.process import DockerRegistry, Node, wait_until
from wherry.proxy import CountingProxy
from wherry.pulls import Pull, together

NAME = "gate.example"


def credentials_file(folder, credentials):
    descriptor, name = tempfile.mkstemp(prefix="credentials-", dir=folder)
    with open(descriptor, "w") as file:
        file.write(credentials)
    return name


class Gate:
    """A registry that wants tokens, and nodes in front of it."""

    def __init__(self, area, run_server, origin, **how):
        self.area, self.run_server = area, run_server
        self.origin = origin
        self.registry = Registry(origin.address)
        self.keeper = Gatekeeper(self.origin.address, **how)
        self.nodes = 0

    def upstream(self, credentials=f"{Gatekeeper.USER}:{Gatekeeper.PASSWORD}", **settings):
        """What a node's settings say of it."""
        upstream = {"name": NAME, "url": self.keeper.url, "silence": "2s", "negative-age": "0s", **settings}
        if credentials:
            upstream["credentials-file"] = credentials_file(self.area, credentials)
        return upstream

    def node(self, *credentials, **settings):
        self.nodes += 1
        upstream = self.upstream(*credentials, **settings)
        settings = {"upstreams": [upstream], "freshness": [{"match": ["*"]}]}  # tags are asked for each time
        node = self.run_server(Node(self.area, name=f"node-{self.nodes}", settings=settings))
        return Registry(node.address)


@pytest.fixture
def gate(area, run_server, origin):
    gate = Gate(area, run_server, origin)
    yield gate
    gate.keeper.close()


def identity_file(host):
    entry = {"auth": "bm9kZTo=", "identitytoken": Gatekeeper.IDENTITY_TOKEN}
    return json.dumps({"auths": {host: entry}})


def pull(edge, repository, what, timeout=60):
    headers = {"Accept": f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}"}
    return edge.call("GET", f"/v2/{repository}/{what}?ns={NAME}", headers=headers, timeout=timeout)


def put(gate, number, repository="team/app"):
    layer = os.urandom(20_000)
    config = json.dumps({"os": "linux", "architecture": "amd64", "random": os.urandom(8).hex()}).encode()
    manifest, _ = gate.registry.put_image(repository, f"v{number}", [layer], config)
    return f"manifests/v{number}", manifest, f"blobs/{oci.digest_of(layer)}", layer


def put_many(gate, count, repository="team/app"):
    return together(count, lambda number: put(gate, number, repository))


@pytest.mark.parametrize("refusal", [404, 405])
def test_a_token_server_that_knows_posts_alone_gets_the_password_in_one(gate, refusal):
    gate.keeper.token_answer = lambda handler: handler.command == "GET" and handler.answer(refusal, b"")
    edge = gate.node()
    images = put_many(gate, 3)
    for image in images:
        assert pull(edge, "team/app", image[0]).body == image[1] and pull(edge, "team/app", image[2]).body == image[3]
    assert [seen.method for seen in gate.keeper.token_requests] == ["GET", "POST"]


def test_a_token_server_that_is_not_there_is_told_no_password_in_a_form(gate):
    gate.keeper.token_answer = lambda handler: handler.answer(404, b"")
    edge = gate.node(None)
    assert pull(edge, "team/app", put(gate, 0)[0]).status in (403, 502)
    assert {seen.method for seen in gate.keeper.token_requests} == {"GET"}


@pytest.mark.parametrize("way", ["password", "identity token", "anonymous"])
def test_two_hundred_clients_cost_one_token(area, run_server, origin, way):
    gate = Gate(area, run_server, origin, anonymous=way == "anonymous")
    credentials = {"password": f"{Gatekeeper.USER}:{Gatekeeper.PASSWORD}\n", "identity token": identity_file(NAME), "anonymous": None}
    edge = gate.node(credentials[way])
    images = put_many(gate, 20)
    gets = [(path, data) for image in images for path, data in (image[:2], image[2:])] * 5
    answers = together(len(gets), lambda number: pull(edge, "team/app", gets[number][0]))
    assert [answer.status for answer in answers] == [200] * 200
    assert all(answer.body == data for answer, (_, data) in zip(answers, gets))
    assert len(gate.keeper.token_requests) == 1
    [request] = gate.keeper.token_requests
    assert request.method == ("POST" if way == "identity token" else "GET")
    assert request.headers.get("Authorization") == (gate.keeper.basic if way == "password" else None)
    put(gate, "later")
    assert pull(edge, "team/app", "manifests/vlater").status == 200
    assert len(gate.keeper.token_requests) == 1
    put(gate, 1, "team/other")
    assert pull(edge, "team/other", "manifests/v1").status == 200
    assert len(gate.keeper.token_requests) == 2, "a token is for one repository"
    gate.keeper.close()


def test_basic_is_shown_to_a_registry_that_wants_it(area, run_server):
    origin = run_server(DockerRegistry(area, users={"node": "pass:word"}))
    proxy = CountingProxy(origin.address)
    file = Path(credentials_file(area, "node:pass:word\n"))
    settings = {"upstreams": [{"name": NAME, "url": proxy.url, "credentials-file": str(file)}]}
    edge = Registry(run_server(Node(area, settings=settings)).address)
    layer = os.urandom(1000)
    basic = {"Authorization": "Basic bm9kZTpwYXNzOndvcmQ="}

    class WithPassword(Registry):
        def open(self, method, path, body=None, headers=None, timeout=60):
            return super().open(method, path, body, {**(headers or {}), **basic}, timeout)

    manifest, _ = WithPassword(origin.address).put_image("team/app", "v1", [layer])
    assert pull(edge, "team/app", "manifests/v1").body == manifest
    assert pull(edge, "team/app", f"blobs/{oci.digest_of(layer)}").body == layer
    assert sum("Authorization" not in seen.headers for seen in proxy.seen) == 1
    file.write_text("node:wrong\n")
    other = Registry(run_server(Node(area, name="other", settings=settings)).address)
    before = len(proxy.seen)
    for _ in range(3):
        answer = pull(other, "team/app", "manifests/v1")
        assert answer.status == 403 and answer.code == "DENIED" and b"credentials" in answer.body
        assert b"wrong" not in answer.body
    assert len(proxy.seen) - before <= 2, "a password that was refused is not tried for each client"
    proxy.close()


def test_a_token_that_is_revoked_is_replaced_once_and_nobody_notices(gate):
    edge = gate.node()
    first = put(gate, "first")
    assert pull(edge, "team/app", first[0]).body == first[1]
    images = put_many(gate, 50, "team/app")
    gate.keeper.revoke()
    answers = together(len(images), lambda number: pull(edge, "team/app", images[number][0]))
    assert [answer.status for answer in answers] == [200] * len(images)
    assert all(answer.body == image[1] for answer, image in zip(answers, images))
    assert len(gate.keeper.token_requests) == 2


def test_a_token_that_is_refused_ever_again_ends_in_an_error_and_not_in_a_loop(gate):
    edge = gate.node()
    image = put(gate, 0)
    gate.keeper.answers = lambda handler: gate.keeper.give_token(handler) if "/token" in handler.path else gate.keeper.challenge(handler)
    answer = pull(edge, "team/app", image[0])
    assert answer.status == 403 and answer.code == "DENIED"
    assert len(gate.keeper.seen) <= 4
    gate.keeper.answers = gate.keeper.judge
    assert pull(edge, "team/app", image[0]).body == image[1]


SAYS = {
    "an hour ago": {"issued_at": "2001-01-01T00:00:00Z", "expires_in": 300},
    "in the future": {"issued_at": "2101-01-01T00:00:00Z", "expires_in": 300},
    "issued at nonsense": {"issued_at": "yesterday", "expires_in": 300},
    "expires in 0": {"expires_in": 0},
    "expires before it begins": {"expires_in": -5},
    "expires never": {"expires_in": 10**30},
    "expires in text": {"expires_in": "300"},
    "expires in nothing": {"expires_in": None},
    "expires in a list": {"expires_in": [300]},
    "expires in 1e308": {"expires_in": 1e308},
    "says no more": {},
}


@pytest.mark.parametrize("case", SAYS)
def test_what_a_token_server_says_of_time_never_makes_a_node_ask_for_each_client(gate, case):
    gate.keeper.more = SAYS[case]
    edge = gate.node()
    images = put_many(gate, 5)
    for image in images:
        assert pull(edge, "team/app", image[0]).body == image[1]
        assert pull(edge, "team/app", image[2]).body == image[3]
    assert len(gate.keeper.token_requests) == 1


def page(handler):
    return handler.answer(200, b"<html>Please log in</html>", Content_Type="text/html")


def slow(handler):
    time.sleep(30)
    return handler.answer(200, b"{}")


def huge(handler):
    return handler.answer(200, b'{"token":"' + b"x" * (1 << 20) + b'"}')


STRANGE = {
    "a page": (page, 502), "an empty token": (lambda h: h.answer(200, b'{"token":""}'), 502),
    "a token with a line break": (lambda h: h.answer(200, b'{"token":"a\\r\\nX-Evil: 1"}'), 502),
    "a number": (lambda h: h.answer(200, b'{"token":5}'), 502), "a list": (lambda h: h.answer(200, b"[1]"), 502),
    "deep nesting": (lambda h: h.answer(200, b"[" * 100_000), 502), "a huge token": (huge, 502),
    "500": (lambda h: h.answer(500, b"oops"), 502), "401": (lambda h: h.answer(401, b"{}"), 403),
    "403": (lambda h: h.answer(403, b"{}"), 403), "404": (lambda h: h.answer(404, b"{}"), 502),
    "429": (lambda h: h.answer(429, b"{}", Retry_After="1"), 503), "a redirect": (lambda h: h.answer(302, Location="/token?again"), 502),
    "slow": (slow, 504),
}  # fmt: skip


class Strange:
    """A node before a strange token server of each kind, asked for a manifest and a blob behind it: all at once, for each takes its tries."""

    def __init__(self, area, run_server, origin):
        self.gates = {case: Gate(area, run_server, origin) for case in STRANGE}
        upstreams = [
            gate.upstream(name=f"strange{number}.example", silence="1s" if case == "slow" else "2s")
            for number, (case, gate) in enumerate(self.gates.items())
        ]
        self.edge = Registry(run_server(Node(area, name="strange-node", settings={"upstreams": upstreams})).address)
        self.images, self.pulls = {}, {}
        for number, (case, gate) in enumerate(self.gates.items()):
            gate.keeper.token_answer = STRANGE[case][0]
            path, data, blob_path, blob = put(gate, "v1", f"team/strange{number}")
            self.images[case] = {
                f"/v2/team/strange{number}/{what}?ns=strange{number}.example": is_it for what, is_it in ((path, data), (blob_path, blob))
            }
        for case, image in self.images.items():
            self.pulls[case] = [Pull(self.edge, path) for path in image]


@pytest.fixture(scope="module")
def strange(session_area, origin):
    servers = []

    def run(server):
        servers.append(server)
        return server.start()

    strange = Strange(session_area, run, origin)
    yield strange
    for server in servers:
        server.end()
    for gate in strange.gates.values():
        gate.keeper.close()


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_token_server_is_an_error_in_words_and_is_forgotten_when_it_is_well(strange, case):
    status = STRANGE[case][1]
    for begun in strange.pulls[case]:
        answer = begun.end().response
        assert answer.status == status and answer.code, answer
        assert Gatekeeper.PASSWORD.encode() not in answer.body
        assert begun.seconds < 20
        assert status != 503 or int(answer["Retry-After"]) >= 1
    strange.gates[case].keeper.token_answer = None
    for path, data in strange.images[case].items():
        answer = wait_until(lambda: (got := strange.edge.get(path)).status == 200 and got, "it pulls again", 5, 0.1)
        assert answer.body == data


@pytest.mark.parametrize("says", [lambda h: h.answer(404, b"{}"), lambda h: h.answer(402, b"{}"), page], ids=["404", "402", "a page"])
def test_what_a_token_server_says_of_one_repository_is_nothing_to_the_others(gate, says):
    edge = gate.node()
    put(gate, 0)
    gate.keeper.token_answer = lambda handler: "team/secret" in unquote(handler.path + handler.body.decode()) and says(handler)
    for _ in range(3):
        assert pull(edge, "team/secret", "manifests/v0").status == 502
        assert "v0" in pull(edge, "team/app", "tags/list").json["tags"], "lists wait for nobody who is down"
        gate.keeper.revoke()


def test_a_token_server_that_wants_fewer_requests_is_left_alone(gate):
    edge = gate.node()
    image = put(gate, 0)
    gate.keeper.token_answer = lambda handler: handler.answer(429, b"{}", Retry_After="3")
    assert pull(edge, "team/app", image[0]).status == 503
    before = len(gate.keeper.seen)
    for _ in range(10):
        answer = pull(edge, "team/app", image[0])
        assert answer.status == 503 and 1 <= int(answer["Retry-After"]) <= 3
    assert len(gate.keeper.seen) == before
    gate.keeper.token_answer = None
    wait_until(lambda: pull(edge, "team/app", image[0]).status == 200, "it is asked again", 8, 0.1)


def test_a_token_server_that_is_silent_is_found_out_once(gate):
    """What is held stays as fast as ever while the token server hangs."""
    gate.keeper.more = {"expires_in": 60}
    edge = gate.node(silence="1s")
    images = together(20, lambda number: put(gate, number, f"team/app{number}"))
    for number, image in enumerate(images):
        assert pull(edge, f"team/app{number}", image[0]).status == 200
    gate.keeper.revoke()
    gate.keeper.token_answer = slow
    together(20, lambda number: pull(edge, f"team/app{number}", images[number][0]))
    times = []
    for number, image in enumerate(images):
        begin = time.monotonic()
        answer = pull(edge, f"team/app{number}", image[0])
        times.append(time.monotonic() - begin)
        assert answer.status == 200 and answer.body == image[1] and answer.stale
    assert sorted(times)[len(times) // 2] < 0.05 and max(times) < 1


def test_a_realm_on_another_host_is_never_contacted_unless_it_is_named(gate):
    elsewhere = Elsewhere()
    elsewhere.answers = gate.keeper.give_token
    gate.keeper.realm = f"{elsewhere.url}/token"
    image = put(gate, 0)
    edge = gate.node()
    answer = pull(edge, "team/app", image[0])
    assert answer.status == 403 and answer.code == "DENIED" and elsewhere.address.encode() in answer.body
    assert pull(edge, "team/app", image[2]).status == 403
    assert not elsewhere.seen
    allowed = gate.node(realms=[elsewhere.address])
    assert pull(allowed, "team/app", image[0]).body == image[1]
    assert len(elsewhere.seen) == 1
    elsewhere.close()


@pytest.mark.parametrize(
    "realm",
    [
        "http://{other}/token", "http://{own}@{other}/token", "//{other}/token", "http://{other}#{own}", "file:///etc/passwd",
        "ftp://{other}/token", "http://{own}:80@{other}/", "http://{other}\\@{own}/token", "gopher://{other}/", "", "/token",
        "http://localhost:{other_port}/token", "http://[::ffff:127.0.0.1]:{other_port}/token", "http://2130706433:{other_port}/",
    ],
)  # fmt: skip
def test_no_trick_with_a_realm_leads_credentials_elsewhere(gate, realm):
    elsewhere = Elsewhere()
    port = elsewhere.address.split(":")[1]
    gate.keeper.realm = realm.format(own=gate.keeper.address, other=elsewhere.address, other_port=port)
    image = put(gate, 0)
    for edge in (gate.node(), gate.node(identity_file(NAME))):
        answer = pull(edge, "team/app", image[0])
        assert answer.status in (403, 502), answer
    assert not elsewhere.seen
    elsewhere.close()


def test_credentials_never_leave_their_host(gate):
    """Everything that an answer can point to leads to another server, which sees no credentials of any kind."""
    elsewhere = Elsewhere(gate.origin.address)
    away = elsewhere.address
    edge = gate.node(redirects=[away])
    with_identity = gate.node(identity_file(NAME), redirects=[away])

    def away_with_all(handler):
        if "/token" in handler.path or gate.keeper.judge(handler):
            return "/token" not in handler.path or gate.keeper.judge(handler)
        status = 307 if "/blobs/" in handler.path else 302
        return handler.answer(status, Location=elsewhere.url + handler.path)

    gate.keeper.answers = away_with_all
    for number, node in enumerate((edge, with_identity)):
        image = put(gate, number)
        assert pull(node, "team/app", image[0]).body == image[1]
        assert pull(node, "team/app", image[2]).body == image[3]
        assert node.get(f"/v2/team/app/tags/list?ns={NAME}").status == 200
    assert len(elsewhere.seen) >= 6
    assert not elsewhere.was_shown_credentials()
    # It asks for credentials itself, Basic and Bearer: it gets none, and an answer of 401 from there is no challenge.
    says = ('Basic realm="x"', f'Bearer realm="{elsewhere.url}/token",service="gate"', f'Bearer realm="{gate.keeper.url}/token",service="gate"')
    elsewhere.answers = lambda handler: handler.answer(401, b"{}", WWW_Authenticate=says[int(handler.path.split("/")[3])])
    images = [put(gate, "more", f"more/{number}") for number in range(len(says))]
    asked = len(elsewhere.seen)
    answers = together(len(says), lambda number: pull(edge, f"more/{number}", images[number][2]))
    assert all(answer.status in (403, 502) for answer in answers), answers
    assert {seen.path.split("/")[3] for seen in elsewhere.seen[asked:]} == {"0", "1", "2"}, "each was led there"
    # A token server that redirects: its credentials are not taken along either.
    gate.keeper.revoke()
    gate.keeper.token_answer = lambda handler: handler.answer(307, Location=elsewhere.url + handler.path)
    images = put_many(gate, 2, "team/last")
    answers = together(2, lambda number: pull((edge, with_identity)[number], "team/last", images[number][2]))
    assert all(answer.status in (403, 502) for answer in answers), answers
    assert not elsewhere.was_shown_credentials()
    elsewhere.close()


def test_credentials_are_in_no_log_and_no_answer(gate):
    edge = gate.node()
    image = put(gate, 0)
    gate.keeper.token_answer = lambda handler: handler.answer(401, b'{"details":"' + gate.keeper.basic.encode() + b'"}')
    answer = pull(edge, "team/app", image[0])
    said = answer.body.decode() + "".join(path.read_text() for path in gate.area.glob("node-*/log"))
    for secret in (Gatekeeper.PASSWORD, gate.keeper.basic, "Basic "):
        assert secret not in said
