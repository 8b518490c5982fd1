"""Who may do what at nodes: decided by the feed, on line and cut off."""

import time
from urllib.parse import urlencode

import pytest

from wherry.access import (
    PASSWORD,
    Caller,
    ClosedMaster,
    ClosedNode,
    add_project,
    add_user,
    administrator,
    basic,
    bearer,
    claims_of,
    token,
    token_answer,
)
from wherry.client import Registry
from wherry.process import wait_until
from wherry.proxy import CountingProxy

ROLES = ("guest", "puller", "developer", "maintainer", "administrator")
PULL = "repository:team/app:pull"


class Tiers:
    """A master, a region behind a proxy that can be cut, and a branch behind that."""

    def __init__(self, area, run_server, **access):
        self.master = run_server(ClosedMaster(area, settings={"access": access}))
        self.admin = administrator(self.master)
        self.dev = add_user(self.admin, "dev")
        self.tester = add_user(self.admin, "tester")
        self.stranger = add_user(self.admin, "stranger")
        add_project(self.admin, "team", developer="user:dev", guest="user:tester")
        for role in ROLES:
            add_user(self.admin, role)
            self.admin.made("POST", "projects/team/grants", {"subject": f"user:{role}", "role": role})
        add_user(self.admin, "auditor", auditor=True)
        add_project(self.admin, "open", public=True, developer="user:dev")
        for repository in ("team/app", "open/app"):
            self.dev.put_image(repository, "v1", [b"layer of " + repository.encode()])
        self.link = CountingProxy(self.master.address)
        self.region = self.join(area, run_server, "region", self.link.url)
        self.branch = self.join(area, run_server, "branch", self.region.url)

    def join(self, area, run_server, name, parent_url):
        answer = self.admin.made("POST", "nodes", {"name": name})
        node = run_server(ClosedNode(area, parent_url, name), extra=["--join", answer["join_token"]])
        wait_until(node.follows, f"{name} follows", 20)
        return node

    def reach(self):
        """Waits until both tiers have what the master has."""
        self.dev.put_image("open/marks", f"m{time.monotonic_ns()}", [])
        newest = int(
            self.dev.get_manifest("open/app", "v1", **{"wherry-follows": "1"})["Wherry-Position"]
        )
        for node in (self.region, self.branch):
            wait_until(lambda node=node: node.status()["feed"]["position"] >= newest, f"{node.name} has come along", 20)


@pytest.fixture(scope="module")
def tiers(session_area):
    started = []

    def run_server(server, extra=()):
        started.append(server)
        return server.start(extra=extra)

    yield Tiers(session_area / "access-tiers", run_server, **{"cache-passwords": True, "offline-grace": "1h"})
    for server in started:
        server.end()


def nodes_of(tiers):
    return (tiers.region, tiers.branch)


def test_public_content_is_not_challenged(tiers):
    for node in nodes_of(tiers):
        nobody = Caller(node.address)
        assert nobody.get_manifest("open/app", "v1").status == 200
        assert nobody.get("/v2/open/app/tags/list").status == 200


def test_private_content_is_for_those_who_may(tiers):
    for node in nodes_of(tiers):
        assert Caller(node.address).get_manifest("team/app", "v1").status == 401
        answer = Registry(node.address).get("/v2/")
        assert f'realm="http://{node.address}/wherry/v1/token"' in answer["WWW-Authenticate"]
        for name in ("dev", "tester"):
            client = bearer(node.address, PULL, credentials=(name, PASSWORD))
            manifest = client.get_manifest("team/app", "v1")
            assert manifest.status == 200, manifest
            for layer in manifest.json["layers"]:
                assert client.get_blob("team/app", layer["digest"]).status == 200
            assert Caller(node.address, basic(name, PASSWORD)).get_manifest("team/app", "v1").status == 200
        assert bearer(node.address, PULL, credentials=("stranger", PASSWORD)).get_manifest("team/app", "v1").status == 403
        assert token_answer(node.address, [PULL], ("dev", "wrong")).status == 401


def test_a_token_counts_in_every_tier(tiers):
    text = token(tiers.master.address, PULL, credentials=("tester", PASSWORD))
    for node in nodes_of(tiers):
        assert Caller(node.address, "Bearer " + text).get_manifest("team/app", "v1").status == 200
    of_branch = token(tiers.branch.address, PULL, credentials=("tester", PASSWORD))
    assert claims_of(of_branch)["iss"] == "wherry-master"
    assert Caller(tiers.master.address, "Bearer " + of_branch).get_manifest("team/app", "v1").status == 200


def ask_from(source, address, name, password=PASSWORD, **headers):
    """Asks for a token from an address of one's own, as containerd does."""
    client = Registry(address)
    client.source = source
    form = urlencode({"grant_type": "password", "username": name, "password": password, "service": "wherry"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return client.call("POST", "/wherry/v1/token", form.encode(), headers)


def last_login(tiers, name):
    """Where the audit log says that the last login of that name came from: the address and the node that vouches for it."""

    def found():
        logins = tiers.admin.made("GET", f"audit?action=login&target=account/{name}&n=1")["items"]
        return logins and (logins[-1]["remote"], logins[-1].get("via"))

    return wait_until(found, f"a login of {name} is written down", 10)


def test_the_master_sees_the_clients_behind_its_nodes(tiers):
    for at, (node, via) in enumerate([(tiers.region, "region"), (tiers.branch, "region"), (tiers.master, None)]):
        name, source = f"comes-from-{at}", f"127.0.0.{20 + at}"
        assert ask_from(source, node.address, name).status == 401
        assert last_login(tiers, name) == (source, via)
        caller = Caller(node.address, basic(name + "-basic", "wrong"))
        caller.source = source
        assert caller.get("/v2/").status == 401
        assert last_login(tiers, name + "-basic") == (source, via)


def test_an_address_that_nobody_vouches_for_counts_for_nothing(tiers):
    tiers.link.seen.clear()
    ask_from("127.0.0.30", tiers.region.address, "made-up-0")
    [signed] = [seen for seen in tiers.link.seen if seen.path == "/wherry/v1/token"]
    of_another = next(value for name, value in signed.headers.items() if name.lower() == "authorization")
    assert of_another.startswith("Wherry-Node ")
    for at, authorization in enumerate([None, 'Wherry-Node certificate="", time="1", signature=""', of_another], 1):
        forged = {"Wherry_Client": "198.51.100.9", **({"Authorization": authorization} if authorization else {})}
        for node, via in [(tiers.master, None), (tiers.region, "region"), (tiers.branch, "region")]:
            name = f"made-up-{at}-{node.name}"
            assert ask_from("127.0.0.31", node.address, name, **forged).status == 401
            assert last_login(tiers, name) == ("127.0.0.31", via)


def test_a_client_that_errs_does_not_lock_out_others_behind_its_node(tiers):
    def err(source):
        """Wrong passwords of many names, until no more are looked at."""
        for at in range(60):
            answer = ask_from(source, tiers.branch.address, f"guess-{source}-{at}", "wrong")
            if answer.status == 429:
                return at
            assert answer.status == 401, answer

    assert 31 <= err("127.0.0.40") < 40
    # Within the pause of the first: another client is let in at once, and errs as often as anybody.
    assert ask_from("127.0.0.41", tiers.branch.address, "stranger").status == 200
    assert 31 <= err("127.0.0.42") < 40
    assert ask_from("127.0.0.43", tiers.region.address, "auditor").status == 200


def test_a_token_of_a_node_counts_there_alone(tiers):
    anonymous = token(tiers.branch.address, "repository:open/app:pull")
    assert claims_of(anonymous)["iss"] == "wherry-node"
    assert Caller(tiers.branch.address, "Bearer " + anonymous).get_manifest("open/app", "v1").status == 200
    for other in (tiers.master, tiers.region):
        assert Caller(other.address, "Bearer " + anonymous).get_manifest("open/app", "v1").status == 401


def test_lists_name_what_one_may_see(tiers):
    for node in nodes_of(tiers):
        seen = Caller(node.address, basic("stranger", PASSWORD)).get("/v2/_catalog").json["repositories"]
        assert "open/app" in seen and "team/app" not in seen
        seen = Caller(node.address, basic("dev", PASSWORD)).get("/v2/_catalog").json["repositories"]
        assert "team/app" in seen


def test_who_is_no_registered_node_reads_no_feed(tiers):
    for server in (tiers.master, *nodes_of(tiers)):
        for path in ("/wherry/v1/feed?from=1", "/wherry/v1/snapshot"):
            assert Registry(server.address).get(path).status == 401
            assert Caller(server.address, tiers.admin.authorization).get(path).status == 401


def test_revocations_reach_the_last_tier(tiers):
    leaver = add_user(tiers.admin, "leaver")
    tiers.admin.made("POST", "projects/team/grants", {"subject": "user:leaver", "role": "guest"})
    tiers.reach()
    client = bearer(tiers.branch.address, PULL, credentials=("leaver", PASSWORD))
    assert client.get_manifest("team/app", "v1").status == 200
    at_region = Caller(tiers.region.address, client.authorization)
    assert at_region.get_manifest("team/app", "v1").status == 200
    tiers.admin.made("PATCH", "users/leaver", {"disabled": True})
    for caller in (at_region, client):
        wait_until(lambda c=caller: c.get_manifest("team/app", "v1").status == 401, "the tier refuses", 5, 0.002)
    assert leaver.get("/v2/").status == 401


def test_a_grant_and_its_end_reach_the_last_tier(tiers):
    client = bearer(tiers.branch.address, PULL, credentials=("stranger", PASSWORD))
    assert client.get_manifest("team/app", "v1").status == 403
    tiers.admin.made("POST", "projects/team/grants", {"subject": "user:stranger", "role": "puller"})
    tiers.reach()
    client = bearer(tiers.branch.address, PULL, credentials=("stranger", PASSWORD))
    wait_until(lambda: client.get_manifest("team/app", "v1").status == 200, "the grant has come", 5)
    for grant in tiers.admin.made("GET", "projects/team/grants")["items"]:
        if grant["subject"] == "user:stranger":
            tiers.admin.made("DELETE", f"projects/team/grants/{grant['id']}")
    wait_until(lambda: client.get_manifest("team/app", "v1").status == 403, "its end has come", 5)


# What each may do with the project `team` at a node, where nobody pushes. Written by hand.
MATRIX = {
    "list": {"guest", "developer", "maintainer", "administrator", "admin", "auditor"},
    "pull": {"guest", "puller", "developer", "maintainer", "administrator", "admin"},
    "push": {"developer", "maintainer", "administrator", "admin"},
}
EVERYBODY = [*ROLES, "admin", "auditor", "stranger", "anonymous"]


def deviations(node, layer, status_of_push):
    """Where the answers of a node are not those of the table."""
    wrong = {}
    for who in EVERYBODY:
        caller = Caller(node.address, None if who == "anonymous" else basic(who, PASSWORD))
        refusal = 401 if who == "anonymous" else 403
        expected = {what: 200 if who in allowed else refusal for what, allowed in MATRIX.items()}
        if expected["push"] == 200:
            expected["push"] = status_of_push
        found = {
            "list": {caller.get("/v2/team/app/tags/list").status},
            "pull": {
                caller.get_manifest("team/app", "v1").status,
                caller.head("/v2/team/app/manifests/v1").status,
                caller.get_blob("team/app", layer).status,
                caller.get(f"/v2/team/app/referrers/{layer}").status,
            },
            "push": {
                caller.call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"}).status,
                caller.call("PUT", "/v2/team/app/manifests/x", b"{}").status,
            },
        }
        wrong.update({(who, what): found[what] for what in found if found[what] != {expected[what]}})
        assert caller.get_manifest("open/app", "v1").status == 200
    return wrong


def cut_off(tiers):
    tiers.link.close()
    tiers.link.broken = True
    tiers.master.signal(19)  # SIGSTOP: streams that are open hear nothing either


def joined_again(tiers):
    tiers.master.signal(18)
    tiers.link.broken = False
    tiers.link.reopen()


def test_the_matrix_on_line_and_cut_off(tiers):
    layer = tiers.dev.get_manifest("team/app", "v1").json["layers"][0]["digest"]
    tiers.reach()
    for node in nodes_of(tiers):
        assert deviations(node, layer, 405) == {}, node.name
    cut_off(tiers)
    try:
        # Who is remembered for a minute by the loop that he came to says nothing of the policy: it is asked anew for all.
        for node in nodes_of(tiers):
            wait_until(
                lambda node=node: token_answer(node.address, [PULL], ("guest", PASSWORD)).status == 200, "it decides alone", 60
            )
        assert deviations(tiers.region, layer, 405) == {}
    finally:
        joined_again(tiers)


def test_a_tier_that_is_cut_off_goes_on_with_whom_it_knows(tiers):
    known = ("tester", PASSWORD)
    assert Caller(tiers.region.address, basic(*known)).get_manifest("team/app", "v1").status == 200
    assert Caller(tiers.region.address).get_manifest("open/app", "v1").status == 200
    cut_off(tiers)
    try:
        wait_until(lambda: token_answer(tiers.region.address, [PULL], known).status == 200, "it decides alone", 60, 0.5)
        client = bearer(tiers.region.address, PULL, credentials=known)
        assert claims_of(client.authorization.split()[1])["iss"] == "wherry-node"
        assert client.get_manifest("team/app", "v1").status == 200
        assert token_answer(tiers.region.address, [PULL], ("Tester", PASSWORD)).status == 200
        wrong = token_answer(tiers.region.address, [PULL], ("tester", "what no error says"))
        unknown = token_answer(tiers.region.address, [PULL], ("never-seen", PASSWORD))
        assert wrong.status == unknown.status == 503 and wrong.body == unknown.body
        assert Caller(tiers.region.address).get_manifest("open/app", "v1").status == 200
    finally:
        joined_again(tiers)


def test_after_the_grace_only_public_content_is_left(area, run_server):
    tiers = Tiers(area, run_server, **{"cache-passwords": True, "offline-grace": "3s"})
    client = bearer(tiers.region.address, PULL, credentials=("tester", PASSWORD))
    assert client.get_manifest("team/app", "v1").status == 200
    assert client.get_manifest("open/app", "v1").status == 200
    tiers.master.kill()
    assert client.get_manifest("team/app", "v1").status == 200
    wait_until(lambda: client.get_manifest("team/app", "v1").status == 401, "the grace is over", 30, 0.1)
    assert tiers.region.status()["feed"]["age_seconds"] >= 3
    assert Caller(tiers.region.address).get_manifest("open/app", "v1").status == 200
    assert client.get_manifest("open/app", "v1").status == 200
    tiers.master.start()
    wait_until(lambda: client.get_manifest("team/app", "v1").status == 200, "the master is back", 60, 0.1)


def test_a_node_that_follows_its_master_no_more_keeps_its_content_private(area, run_server):
    tiers = Tiers(area, run_server)
    assert Caller(tiers.region.address, basic("tester", PASSWORD)).get_manifest("team/app", "v1").status == 200
    tiers.region.stop()
    tiers.region.settings = {"parent": {"follow": False}}
    tiers.region.start()
    digest = tiers.dev.get_manifest("team/app", "v1")["Docker-Content-Digest"]
    for reference in ("v1", digest):
        assert Caller(tiers.region.address).get_manifest("team/app", reference).status == 401


def test_passwords_are_kept_nowhere_unless_the_policy_allows_it(area, run_server):
    tiers = Tiers(area, run_server)
    assert Caller(tiers.region.address, basic("tester", PASSWORD)).get_manifest("team/app", "v1").status == 200
    tiers.master.kill()
    assert token_answer(tiers.region.address, [PULL], ("tester", PASSWORD)).status == 503
