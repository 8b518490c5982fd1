"""Who may do what at a master: the first start, logins, tokens, roles, projects."""

import base64
import json
import socket
import threading
import time
from urllib.parse import quote

import pytest

from wherry import oci
from wherry.access import (
    PASSWORD,
    Caller,
    ClosedMaster,
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

CONFIG = b"{}"
INDEX = "application/vnd.oci.image.index.v1+json"
ROLES = ("guest", "puller", "developer", "maintainer", "administrator")


@pytest.fixture(scope="module")
def house(session_area):
    """A master with a project of each kind, and a user for each role, in the project `team`."""

    class House:
        pass

    house = House()
    house.master = ClosedMaster(session_area, "access-master").start()
    house.address = house.master.address
    house.admin = administrator(house.master)
    house.user = {role: add_user(house.admin, role) for role in ROLES}
    house.user["stranger"] = add_user(house.admin, "stranger")
    house.user["auditor"] = add_user(house.admin, "auditor", auditor=True)
    add_project(house.admin, "team", **{role: f"user:{role}" for role in ROLES})
    add_project(house.admin, "other", developer="user:stranger")
    add_project(house.admin, "open", public=True, developer="user:developer")
    for repository in ("team/app", "open/app"):
        push(house.user["developer"], repository, "v1")
    push(house.user["stranger"], "other/app", "v1")
    yield house
    house.master.end()


def push(caller, repository, tag, data=b"layer"):
    caller.put_blob(repository, data)
    caller.put_blob(repository, CONFIG)
    return caller.put_manifest(repository, tag, manifest_of(data))


def put(caller, repository, tag, manifest):
    """A manifest by somebody who may be refused."""
    kind = json.loads(manifest)["mediaType"]
    return caller.call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": kind})


def manifest_of(data, **more):
    return oci.image_manifest(CONFIG, [data], **more)


def test_the_first_start_makes_an_administrator_who_must_change_the_password(area, run_server):
    master = run_server(ClosedMaster(area))
    file = master.data / "initial-admin-password"
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text().strip()
    assert len(first) >= 20
    assert str(file) in master.text() and first not in master.text()
    early = Caller(master.address, basic("admin", first))
    answer = early.api("GET", "users")
    assert answer.status == 403 and "change the password" in answer.json["detail"], answer
    assert token_answer(master.address, ["registry:api:*"], ("admin", first)).status == 403
    refused = early.api("PUT", "users/admin/password", {"old_password": "wrong", "new_password": PASSWORD})
    assert refused.status == 401
    for bad in ("short", first, "a" * 20):
        refused = early.api("PUT", "users/admin/password", {"old_password": first, "new_password": bad})
        assert refused.status == 400 and "new_password" in refused.json["detail"], refused
    admin = administrator(master)
    assert not file.exists()
    assert [user["name"] for user in admin.made("GET", "users")["items"]] == ["admin"]
    master.restart()
    assert admin.made("GET", "me")["name"] == "admin"
    assert Caller(master.address, basic("admin", first)).api("GET", "me").status == 401


def test_nobody_is_let_in_without_a_word(house):
    answer = Registry(house.address).get("/v2/")
    assert answer.status == 401 and answer.code == "UNAUTHORIZED"
    challenge = answer["WWW-Authenticate"]
    assert challenge == f'Bearer realm="http://{house.address}/wherry/v1/token",service="wherry"'
    answer = Registry(house.address).get("/v2/team/app/manifests/v1")
    assert answer.status == 401
    assert 'scope="repository:team/app:pull"' in answer["WWW-Authenticate"]


def test_a_token_grants_what_was_asked_and_is_allowed(house):
    scopes = ["repository:team/app:pull,push,delete", "repository:other/app:pull", "registry:catalog:*"]
    text = token(house.address, *scopes, credentials=("developer", PASSWORD))
    claims = claims_of(text)
    assert claims["access"] == [
        {
            "type": "repository",
            "name": "team/app",
            "actions": ["pull", "push"],
            "project": house.admin.made("GET", "projects/team")["id"],
        },
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]
    assert claims["exp"] - claims["iat"] == 300
    client = Caller(house.address, "Bearer " + text)
    assert client.get("/v2/").status == 200
    assert client.get_manifest("team/app", "v1").status == 200
    assert client.get_manifest("other/app", "v1").status == 403
    # One that was asked for less does less, and is told which would do more.
    narrow = bearer(house.address, "repository:team/app:pull", credentials=("developer", PASSWORD))
    answer = narrow.call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"})
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    assert 'scope="repository:team/app:pull,push"' in answer["WWW-Authenticate"]


def test_tokens_are_given_to_posts_as_to_gets(house):
    def form(**fields):
        return Registry(house.address).call(
            "POST",
            "/wherry/v1/token",
            "&".join(f"{name}={value}" for name, value in fields.items()).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )

    scope = "repository%3Ateam%2Fapp%3Apull+repository%3Aopen%2Fapp%3Apull"
    answer = form(grant_type="password", username="puller", password=PASSWORD.replace(" ", "+"), scope=scope,
                  service="wherry", client_id="t", access_type="offline")  # fmt: skip
    assert answer.status == 200, answer
    assert len(claims_of(answer.json["token"])["access"]) == 2
    again = form(grant_type="refresh_token", refresh_token=answer.json["refresh_token"], scope=scope, service="wherry")
    assert again.status == 200 and len(claims_of(again.json["access_token"])["access"]) == 2
    assert form(grant_type="refresh_token", refresh_token="nobody-has-this").status == 401
    assert form(grant_type="password", username="puller", password="wrong").status == 401
    assert form(grant_type="client_credentials").status == 400


def can(answer):
    """Whether an answer is not a refusal."""
    assert answer.status < 500, answer
    return answer.status not in (401, 403)


# What each role may do with its own project; whoever is in no row of it may nothing. Written by hand.
MATRIX = {
    "list": {"guest", "developer", "maintainer", "administrator", "admin", "auditor"},
    "pull": {"guest", "puller", "developer", "maintainer", "administrator", "admin"},
    "push": {"developer", "maintainer", "administrator", "admin"},
    "overwrite": {"developer", "maintainer", "administrator", "admin"},
    "delete": {"maintainer", "administrator", "admin"},
}


@pytest.mark.parametrize("who", [*ROLES, "admin", "auditor", "stranger", "anonymous"])
def test_the_registry_side_of_the_matrix(house, who):
    caller = {**house.user, "admin": house.admin, "anonymous": Caller(house.address)}[who]
    layer = oci.digest_of(b"layer")
    expected = {what: who in allowed for what, allowed in MATRIX.items()}
    tries = {
        "list": [caller.get("/v2/team/app/tags/list"), caller.get("/v2/team/app/_wherry/manifests")],
        "pull": [
            caller.get_manifest("team/app", "v1"),
            caller.head("/v2/team/app/manifests/v1"),
            caller.get_blob("team/app", layer),
            caller.head(f"/v2/team/app/blobs/{layer}"),
            caller.get(f"/v2/team/app/referrers/{layer}"),
        ],
        "push": [
            caller.call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"}),
            put(caller, "team/app", f"new-{who}", manifest_of(b"layer")),
        ],
        "overwrite": [
            put(caller, "team/app", f"new-{who}", manifest_of(b"layer", annotations={"who": who})),
        ],
    }
    tries["delete"] = [
        caller.call("DELETE", "/v2/team/app/manifests/nothing-of-that-name"),
        caller.call("DELETE", "/v2/team/app/blobs/" + oci.digest_of(b"no such blob")),
    ]
    found = {what: {can(answer) for answer in answers} for what, answers in tries.items()}
    assert found == {what: {may} for what, may in expected.items()}
    for what, answers in tries.items():
        for answer in answers:
            if not expected[what]:
                assert answer.status == (401 if who == "anonymous" else 403), (what, answer)


def test_a_refusal_says_why(house):
    answer = house.user["guest"].call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"})
    assert answer.code == "DENIED"
    message = answer.json["errors"][0]["message"]
    assert "guest" in message and "repository.push" in message and "team" in message


def test_what_is_there_and_what_is_not_are_refused_alike(house):
    there, not_there, no_project = (
        house.user["stranger"].get_manifest(name, "v1") for name in ("team/app", "team/none", "nowhere/app")
    )
    texts = {
        answer.body.replace(name.encode(), b"NAME")
        for answer, name in ((there, "team/app"), (not_there, "team/none"), (no_project, "nowhere/app"))
    }
    assert there.status == not_there.status == no_project.status == 403
    assert len(texts) == 1, texts


def test_public_content_needs_no_token(house):
    nobody = Caller(house.address)
    assert nobody.get_manifest("open/app", "v1").status == 200
    assert nobody.get_blob("open/app", oci.digest_of(b"layer")).status == 200
    assert nobody.get("/v2/open/app/tags/list").status == 200
    assert nobody.call("POST", "/v2/open/app/blobs/uploads/", headers={"Content-Length": "0"}).status == 401
    # A token for something else is no hindrance.
    assert bearer(house.address, "repository:team/app:pull").get_manifest("open/app", "v1").status == 200


def test_lists_name_what_one_may_see(house):
    def repositories(caller):
        answer = caller.get("/v2/_catalog")
        assert answer.status == 200, answer
        return answer.json["repositories"]

    assert Caller(house.address).get("/v2/_catalog").status == 401
    assert bearer(house.address, "registry:catalog:*").get("/v2/_catalog").status == 401
    assert repositories(house.user["stranger"]) == ["open/app", "other/app"]
    assert repositories(house.user["developer"]) == ["open/app", "team/app"]
    assert repositories(house.admin) == ["open/app", "other/app", "team/app"]
    page = house.admin.get("/v2/_catalog?n=2")
    assert page.json["repositories"] == ["open/app", "other/app"]
    assert house.admin.get(page.next).json["repositories"] == ["team/app"]


def test_pages_of_a_list_show_and_name_only_what_one_may_see(house):
    """Also in their links, and none that leads nowhere."""
    admin = house.admin
    few, reader = add_user(admin, "few"), add_user(admin, "page-reader")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    seen = {"few": [], "page-reader": []}
    for number in range(30):
        project = f"pages{number:02}"
        add_project(admin, project)
        for name in ("", "/a", "/b/c", "-x/a"):
            answer = admin.call("PUT", f"/v2/{project}{name}/manifests/v1", index, {"Content-Type": INDEX})
            assert answer.status == 201, answer
        if number % 10 == 5:
            admin.made("POST", f"projects/{project}/grants", {"subject": "user:page-reader", "role": "guest"})
            seen["page-reader"] += [project, project + "/a", project + "/b/c"]
    grant = {"subject": "user:few", "role": "guest", "repository": "pages17/b/*"}
    admin.made("POST", "projects/pages17/grants", grant)
    seen["few"] = ["pages17/b/c"]
    for caller, names in ((few, seen["few"]), (reader, seen["page-reader"])):
        expected = ["open/app", *names]
        for n in (1, 2, 5, 1000):
            pages = list(caller.pages(f"/v2/_catalog?n={n}"))
            listed = [page.json["repositories"] for page in pages]
            assert [name for page in listed for name in page] == expected, n
            assert all(len(page) == n for page in listed[:-1]) and 1 <= len(listed[-1]) <= n
            for page, these in zip(pages[:-1], listed):
                assert page.next == f"/v2/_catalog?n={n}&last={quote(these[-1], safe='')}"
        assert caller.get("/v2/_catalog?n=5&last=pages17-x/a").json["repositories"] == [
            name for name in expected if name > "pages17-x/a"
        ][:5]
    # The same of the projects themselves.
    page = reader.made("GET", "projects?n=2")
    assert [project["name"] for project in page["items"]] == ["open", "pages05"] and page["next"] == "pages05"
    page = reader.made("GET", "projects?n=2&last=pages05")
    assert [project["name"] for project in page["items"]] == ["pages15", "pages25"] and page["next"] is None


def test_a_mount_needs_a_right_on_its_source(house):
    digest = house.user["stranger"].put_blob("other/secret", b"secret layer")
    before = house.user["developer"].call(
        "POST", f"/v2/team/app/blobs/uploads/?mount={digest}&from=other/secret", headers={"Content-Length": "0"}
    )
    assert before.status == 202  # as if it were not there
    assert house.user["developer"].head(f"/v2/team/app/blobs/{digest}").status == 404
    after = house.user["developer"].call(
        "POST", f"/v2/open/app/blobs/uploads/?mount={oci.digest_of(b'layer')}&from=team/app", headers={"Content-Length": "0"}
    )
    assert after.status == 201


def test_an_upload_session_is_of_who_began_it(house):
    mine = house.user["developer"].start_upload("team/app")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        path = mine + ("?digest=" + oci.digest_of(b"x") if method == "PUT" else "")
        answer = house.user["maintainer"].call(method, path, b"x" if method in ("PATCH", "PUT") else None)
        assert answer.status == 404 and answer.code == "BLOB_UPLOAD_UNKNOWN", answer
    assert house.user["developer"].finish(mine, oci.digest_of(b"mine"), b"mine").status == 201


def test_who_may_make_tags_may_not_move_them(house):
    house.admin.made("PUT", "roles/creator", {"permissions": ["repository.pull", "repository.push"]})
    creator = add_user(house.admin, "creator")
    house.admin.made("POST", "projects/team/grants", {"subject": "user:creator", "role": "creator"})
    push(creator, "team/made", "latest", b"one")
    creator.put_blob("team/made", b"two")
    moved = put(creator, "team/made", "latest", manifest_of(b"two"))
    assert moved.status == 403 and "tag.overwrite" in moved.json["errors"][0]["message"]
    assert put(creator, "team/made", "latest", manifest_of(b"one")).status == 201  # is there already
    assert put(creator, "team/made", "next", manifest_of(b"two")).status == 201


def test_a_grant_on_some_repositories_is_for_those(house):
    painter = add_user(house.admin, "painter")
    house.admin.made(
        "POST", "projects/team/grants", {"subject": "user:painter", "role": "developer", "repository": "team/paint/**"}
    )
    push(painter, "team/paint/blue", "v1")
    assert painter.get_manifest("team/app", "v1").status == 403
    bad = house.admin.api(
        "POST", "projects/team/grants", {"subject": "user:painter", "role": "developer", "repository": "other/**"}
    )
    assert bad.status == 400


def test_what_was_taken_back_is_gone_at_once(house):
    caller = add_user(house.admin, "leaving")
    house.admin.made("POST", "groups", {"name": "leavers"})
    house.admin.made("PUT", "groups/leavers/members/leaving")
    house.admin.made("POST", "projects/team/grants", {"subject": "group:leavers", "role": "guest"})
    credentials = ("leaving", PASSWORD)
    client = bearer(house.address, "repository:team/app:pull", credentials=credentials)
    assert client.get_manifest("team/app", "v1").status == 200
    house.admin.made("DELETE", "groups/leavers/members/leaving")
    answer = client.get_manifest("team/app", "v1")
    assert answer.status == 401 and 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert bearer(house.address, "repository:team/app:pull", credentials=credentials).get_manifest("team/app", "v1").status == 403
    assert caller.get_manifest("team/app", "v1").status == 403
    house.admin.made("PATCH", "users/leaving", {"disabled": True})
    assert token_answer(house.address, [], credentials).status == 401
    assert caller.get("/v2/").status == 401


def test_nothing_is_left_to_one_of_the_same_name(house):
    old = add_user(house.admin, "twice")
    add_project(house.admin, "again", developer="user:twice")
    push(old, "again/app", "v1")
    client = bearer(house.address, "repository:again/app:pull", credentials=("twice", PASSWORD))
    assert client.get_manifest("again/app", "v1").status == 200
    house.admin.made("DELETE", "projects/again")
    assert client.get_manifest("again/app", "v1").status == 403
    add_project(house.admin, "again")
    assert client.get_manifest("again/app", "v1").status == 403
    house.admin.made("POST", "projects/again/grants", {"subject": "user:twice", "role": "guest"})
    assert client.get_manifest("again/app", "v1").status == 401  # its token is for the project that was
    house.admin.made("DELETE", "users/twice")
    new = add_user(house.admin, "twice")
    assert new.get_manifest("again/app", "v1").status == 403
    assert client.get_manifest("again/app", "v1").status == 401
    assert house.admin.made("GET", "projects/again/grants")["items"] == []


def test_robots_have_secrets_that_rotate(house):
    maintainer = house.user["maintainer"]
    made = maintainer.made("POST", "projects/team/robots", {"name": "ci", "role": "developer", "expires_in_days": 30})
    login, secret = made["login"], made["secret"]
    assert login == "robot$team+ci"
    robot = Caller(house.address, basic(login, secret))
    push(robot, "team/by-robot", "v1")
    assert robot.get_manifest("other/app", "v1").status == 403
    assert "secret" not in maintainer.made("GET", "projects/team/robots/ci")
    assert maintainer.made("GET", "projects/team/robots/ci")["last_used"]
    newer = maintainer.made("POST", "projects/team/robots/ci/secrets", {"overlap_hours": 1})["secret"]
    for each in (secret, newer):
        assert token_answer(house.address, [], (login, each)).status == 200
    newest = maintainer.made("POST", "projects/team/robots/ci/secrets")["secret"]
    assert [token_answer(house.address, [], (login, each)).status for each in (secret, newer, newest)] == [401, 401, 200]
    client = bearer(house.address, "repository:team/app:pull", credentials=(login, newest))
    assert client.get_manifest("team/app", "v1").status == 200
    # It is of this project alone, and nobody hands out more than he has.
    assert house.user["stranger"].api("GET", "projects/team/robots/ci").status == 404
    assert house.admin.api("GET", "projects/other/robots/ci").status == 404
    assert maintainer.api("POST", "projects/team/robots", {"name": "boss", "role": "administrator"}).status == 403
    maintainer.made("PATCH", "projects/team/robots/ci", {"disabled": True})
    assert client.get_manifest("team/app", "v1").status == 401
    maintainer.made("DELETE", "projects/team/robots/ci")


def part(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_forged_tokens_are_refused(house):
    good = token(house.address, "repository:team/app:pull", credentials=("guest", PASSWORD))
    header, payload, signature = good.split(".")
    claims = claims_of(good)
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]

    def forged(head=None, body=None, sign=signature):
        return ".".join([part({"alg": "ES256", "kid": kid, **(head or {})}), payload if body is None else part(body), sign])

    def without(name):
        return {key: value for key, value in claims.items() if key != name}

    zeros = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()
    attacks = {
        "none": forged({"alg": "none"}, sign=""),
        "None": forged({"alg": "None"}, sign=""),
        "HS256": forged({"alg": "HS256"}),
        "RS256": forged({"alg": "RS256"}),
        "jwk": forged({"jwk": {"kty": "EC"}}),
        "jku": forged({"jku": "http://127.0.0.1:1/keys"}),
        "x5u": forged({"x5u": "http://127.0.0.1:1/keys"}),
        "x5c": forged({"x5c": ["MIIB"]}),
        "crit": forged({"crit": ["exp"]}),
        "kid path": forged({"kid": "../../../dev/null"}),
        "kid list": forged({"kid": [kid]}),
        "zeros": forged(sign=zeros),
        "no signature": forged(sign=""),
        "more rights": forged(body={**claims, "access": [{"type": "repository", "name": "team/app", "actions": ["push"]}]}),
        **{f"no {name}": forged(body=without(name)) for name in ("aud", "iat", "exp", "sub", "jti", "access")},
        "dots": "." * 8000,
        "two parts": ".".join([header, payload]),
        "four parts": good + "." + signature,
        "padded": good + "=",
        "spaces": good + " x",
        "empty": "",
    }
    for name, text in attacks.items():
        answer = Caller(house.address, "Bearer " + text).get_manifest("team/app", "v1")
        assert answer.status == 401, (name, answer)
        assert Caller(house.address, "Bearer " + text).api("GET", "me").status == 401, name
    assert Caller(house.address, "Bearer " + good).get_manifest("team/app", "v1").status == 200


def test_wrong_passwords_cost_time(area, run_server):
    master = run_server(ClosedMaster(area))
    admin = administrator(master)
    add_user(admin, "victim")
    answers = [token_answer(master.address, [], ("victim", f"wrong {i}")) for i in range(8)]
    assert [answer.status for answer in answers[:6]] == [401] * 6
    last = answers[-1]
    assert last.status == 429 and int(last["Retry-After"]) >= 1, last
    assert token_answer(master.address, [], ("victim", PASSWORD)).status == 429
    wait_until(lambda: token_answer(master.address, [], ("victim", PASSWORD)).status == 200, "it may be tried again", 20, 0.2)


def test_unknown_and_privileged_members_are_refused(house):
    for document in (
        {"name": "x", "password": PASSWORD, "administrator": True},
        {"name": "x", "password": PASSWORD, "has_admin_role": True},
        {"name": "x", "password": PASSWORD, "id": "u-1"},
    ):
        answer = house.admin.api("POST", "users", document)
        assert answer.status == 400 and "no such member" in answer.json["detail"], answer
    assert house.user["administrator"].api("PATCH", "users/administrator", {"administrator": True}).status == 403
    assert house.user["developer"].api("PUT", "users/guest/password", {"new_password": PASSWORD + "!"}).status == 401


def test_a_change_of_what_was_changed_meanwhile_is_refused(house):
    house.admin.made("POST", "projects", {"name": "versioned"})
    first = house.admin.api("GET", "projects/versioned")["ETag"]
    changed = house.admin.api("PATCH", "projects/versioned", {"public": True}, {"If-Match": first})
    assert changed.status == 200 and changed["ETag"] != first
    again = house.admin.api("PATCH", "projects/versioned", {"public": False}, {"If-Match": first})
    assert again.status == 412, again
    assert house.admin.made("GET", "projects/versioned")["public"] is True
    assert house.admin.api("POST", "projects", {"name": "versioned"}).status == 409


def test_of_a_change_that_is_refused_nothing_stays(house):
    """A project's document has to fit an entry of the feed: the grant with which it does not is not there after."""
    add_project(house.admin, "crowded")
    number, answer = 0, None
    while answer is None or answer.status == 201:
        number += 1
        pattern = f"crowded/{number:04}/" + "x" * 220
        grant = {"subject": "user:guest", "role": "guest", "repository": pattern}
        answer = house.admin.api("POST", "projects/crowded/grants", grant)
    assert answer.status == 413 and number > 100, answer
    shown = house.admin.made("GET", "projects/crowded/grants")["items"]
    assert len(shown) == number - 1 and pattern not in {each["repository"] for each in shown}
    etag = house.admin.api("GET", "projects/crowded")["ETag"]
    assert etag == f'"{number}"'
    house.admin.made("DELETE", f"projects/crowded/grants/{shown[0]['id']}")


def test_somebody_is_always_in_charge(house):
    assert house.admin.api("DELETE", "users/admin").status == 403
    assert house.admin.api("PATCH", "users/admin", {"administrator": False}).status == 403
    assert house.admin.api("PATCH", "users/admin", {"disabled": True}).status == 403


# Every route x every kind of caller. Who may: named, or "project:PERMISSION" for what a role of the project has.
API = {
    ("GET", "openapi.json"): {"anonymous", "stranger", "guest", "maintainer", "administrator", "auditor", "admin"},
    ("GET", "me"): {"stranger", "guest", "maintainer", "administrator", "auditor", "admin"},
    ("GET", "users"): {"auditor", "admin"},
    ("GET", "users/guest"): {"auditor", "admin"},
    ("POST", "users"): {"admin"},
    ("PATCH", "users/nobody-of-that-name"): {"admin"},
    ("DELETE", "users/nobody-of-that-name"): {"admin"},
    ("POST", "users/nobody-of-that-name/logout"): {"admin"},
    ("POST", "revocations"): {"admin"},
    ("GET", "groups"): {"auditor", "admin"},
    ("POST", "groups"): {"admin"},
    ("GET", "groups/none"): {"auditor", "admin"},
    ("DELETE", "groups/none"): {"admin"},
    ("PUT", "groups/none/members/guest"): {"admin"},
    ("DELETE", "groups/none/members/guest"): {"admin"},
    ("GET", "projects"): {"stranger", "guest", "maintainer", "administrator", "auditor", "admin"},
    ("POST", "projects"): {"admin"},
    ("GET", "projects/team"): {"maintainer", "administrator", "auditor", "admin"},
    ("PATCH", "projects/team"): {"maintainer", "administrator", "admin"},
    ("GET", "projects/team/grants"): {"maintainer", "administrator", "auditor", "admin"},
    ("POST", "projects/team/grants"): {"administrator", "admin"},
    ("DELETE", "projects/team/grants/n-none"): {"administrator", "admin"},
    ("DELETE", "projects/none"): {"admin"},
    ("GET", "projects/team/robots"): {"maintainer", "administrator", "admin"},
    ("POST", "projects/team/robots"): {"maintainer", "administrator", "admin"},
    ("GET", "projects/team/robots/none"): {"maintainer", "administrator", "admin"},
    ("PATCH", "projects/team/robots/none"): {"maintainer", "administrator", "admin"},
    ("DELETE", "projects/team/robots/none"): {"maintainer", "administrator", "admin"},
    ("POST", "projects/team/robots/none/secrets"): {"maintainer", "administrator", "admin"},
    ("GET", "roles"): {"stranger", "guest", "maintainer", "administrator", "auditor", "admin"},
    ("PUT", "roles/guest"): {"admin"},
    ("DELETE", "roles/none"): {"admin"},
    ("GET", "audit"): {"auditor", "admin"},
    ("GET", "nodes"): {"auditor", "admin"},
    ("POST", "nodes"): {"admin"},
    ("DELETE", "nodes/none"): {"admin"},
    ("GET", "swarms"): {"auditor", "admin"},
    ("GET", "replication/policies"): {"auditor", "admin"},
    ("POST", "replication/policies"): {"admin"},
    ("GET", "replication/fill-ahead"): {"auditor", "admin"},
    ("PUT", "replication/fill-ahead/none"): {"admin"},
    ("DELETE", "replication/fill-ahead/none"): {"admin"},
}


@pytest.mark.parametrize("who", ["anonymous", "stranger", "guest", "maintainer", "administrator", "auditor", "admin"])
def test_the_administration_side_of_the_matrix(house, who):
    caller = {**house.user, "admin": house.admin, "anonymous": Caller(house.address)}[who]
    wrong = {}
    for (method, path), allowed in API.items():
        # A document that no endpoint takes: what may go on is refused for that, and changes nothing.
        document = {"no such member": 1} if method in ("POST", "PUT", "PATCH") else None
        answer = caller.api(method, path, document)
        assert answer.status < 500, answer
        foreign = path.startswith("projects/") and answer.status == 404 and "or you have no right" in answer.json["detail"]
        refused = answer.status in (401, 403) or foreign
        if refused == (who in allowed):
            wrong[method, path] = answer.status
        if refused and answer.status != 404:
            assert (answer.status == 401) == (who == "anonymous"), (method, path, answer)
        if refused:
            assert answer["Content-Type"] == "application/problem+json"
    assert not wrong


def test_every_route_is_in_the_matrix(house):
    documented = {
        (method.upper(), path.removeprefix("/api/v1/"))
        for path, methods in Registry(house.address).get("/api/v1/openapi.json").json["paths"].items()
        for method in methods
    }

    def fits(pattern, path):
        parts, others = pattern.split("/"), path.split("/")
        return len(parts) == len(others) and all(a.startswith("{") or a == b for a, b in zip(parts, others))

    def is_covered(method, pattern):
        return any(method == other and fits(pattern, path) for other, path in API)

    open_by_design = {("PUT", "users/{name}/password")}  # shows the present password itself
    missing = {
        each for each in documented - open_by_design
        if not is_covered(*each) and not each[1].startswith("replication/")  # those have the default of their method
    }  # fmt: skip
    assert not missing


def test_a_token_says_when_it_holds(house):
    answer = token_answer(house.address, ["repository:team/app:pull"], ("guest", PASSWORD))
    assert answer.json["expires_in"] == 300
    assert abs(time.time() - claims_of(answer.json["token"])["iat"]) < 30


# What a hostile review found, each by its own name.


def test_a_maintainer_does_not_become_administrator_by_a_robot(house):
    made = house.admin.made("POST", "projects/team/robots", {"name": "boss", "role": "administrator"})
    maintainer = house.user["maintainer"]
    for path, method, document in (
        ("projects/team/robots/boss/secrets", "POST", {}),
        ("projects/team/robots/boss", "PATCH", {"disabled": False}),
    ):
        assert maintainer.api(method, path, document).status == 403
    assert token_answer(house.address, [], (made["login"], made["secret"])).status == 200
    house.admin.made("DELETE", "projects/team/robots/boss")


def test_to_publish_a_project_is_to_grant(house):
    assert house.user["maintainer"].api("PATCH", "projects/team", {"public": True}).status == 403
    assert house.admin.made("GET", "projects/team")["public"] is False


def test_what_was_taken_back_while_a_body_came_counts(house):
    second = add_user(house.admin, "second", administrator=True)
    body = json.dumps({"name": "by-second", "password": PASSWORD}).encode()
    head = (
        f"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {second.authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, port = house.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.2)
        house.admin.made("PATCH", "users/second", {"disabled": True})
        connection.sendall(body[5:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 401")
    assert house.admin.api("GET", "users/by-second").status == 404


def test_logins_under_way_do_not_outlive_a_change_of_the_password(house):
    add_user(house.admin, "careful")
    stop, kept = threading.Event(), []

    def log_in():
        while not stop.is_set():
            answer = token_answer(house.address, ["registry:api:*"], ("careful", PASSWORD), offline_token="true")
            if answer.status == 200:
                kept.append(answer.json["refresh_token"])

    threads = [threading.Thread(target=log_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: kept, "somebody is logged in", 20)
    changed = Caller(house.address).api(
        "PUT", "users/careful/password", {"old_password": PASSWORD, "new_password": PASSWORD + "!"}
    )
    time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert changed.status == 204 and kept
    for text in kept:
        form = f"grant_type=refresh_token&refresh_token={text}".encode()
        answer = Registry(house.address).call(
            "POST", "/wherry/v1/token", form, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status == 401, answer


def test_logins_under_way_do_not_outlive_their_user(house):
    add_user(house.admin, "fleeting")
    house.admin.made("POST", "projects/team/grants", {"subject": "user:fleeting", "role": "guest"})
    stop, kept = threading.Event(), []

    def log_in():
        while not stop.is_set():
            answer = token_answer(house.address, ["repository:team/app:pull"], ("fleeting", PASSWORD))
            if answer.status == 200:
                kept.append(answer.json["token"])

    threads = [threading.Thread(target=log_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: kept, "somebody is logged in", 20)
    house.admin.made("DELETE", "users/fleeting")
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert kept
    for text in {*kept[:20], *kept[-20:]}:
        assert Caller(house.address, "Bearer " + text).get_manifest("team/app", "v1").status == 401
    assert "user:fleeting" not in {each["subject"] for each in house.admin.made("GET", "projects/team/grants")["items"]}


def test_a_client_whose_name_is_no_text_gets_its_token(house):
    path = "/wherry/v1/token?offline_token=true&client_id=%FF%FE"
    answer = Registry(house.address).call("GET", path, headers={"Authorization": basic("guest", PASSWORD)})
    assert answer.status == 200 and answer.json["refresh_token"]


def test_the_robots_of_a_project_end_with_it(house):
    add_project(house.admin, "brief")
    made = house.admin.made("POST", "projects/brief/robots", {"name": "ci", "role": "developer"})
    house.admin.made("POST", "projects/other/grants", {"subject": "robot:brief+ci", "role": "guest"})
    assert Caller(house.address, basic(made["login"], made["secret"])).get_manifest("other/app", "v1").status == 200
    house.admin.made("DELETE", "projects/brief")
    assert token_answer(house.address, [], (made["login"], made["secret"])).status == 401
    assert "robot:brief+ci" not in {each["subject"] for each in house.admin.made("GET", "projects/other/grants")["items"]}
    add_project(house.admin, "brief")
    house.admin.made("POST", "projects/brief/robots", {"name": "ci", "role": "developer"})


def test_a_secret_that_was_rotated_ends_what_it_gave(house):
    made = house.admin.made("POST", "projects/team/robots", {"name": "rotated", "role": "guest"})
    client = bearer(house.address, "repository:team/app:pull", credentials=(made["login"], made["secret"]))
    assert client.get_manifest("team/app", "v1").status == 200
    newer = house.admin.made("POST", "projects/team/robots/rotated/secrets")["secret"]
    assert client.get_manifest("team/app", "v1").status == 401
    assert Caller(house.address, basic(made["login"], made["secret"])).get("/v2/").status == 401
    assert Caller(house.address, basic(made["login"], newer)).get_manifest("team/app", "v1").status == 200


def test_patterns_that_cost_much_are_refused(house):
    for pattern in ("team/" + "a*" * 20, "team/" + "x" * 300):
        grant = {"subject": "user:guest", "role": "guest", "repository": pattern}
        assert house.admin.api("POST", "projects/team/grants", grant).status == 400
        robot = {"name": "slow", "role": "guest", "repository": pattern}
        assert house.admin.api("POST", "projects/team/robots", robot).status == 400


def test_others_wrong_passwords_do_not_lock_out_who_was_right(area, run_server):
    master = run_server(ClosedMaster(area))
    admin = administrator(master)
    add_user(admin, "honest")
    assert token_answer(master.address, [], ("honest", PASSWORD)).status == 200
    answers = [token_answer(master.address, [], (f"invented{i}", "a guess of somebody")).status for i in range(40)]
    assert 429 in answers
    assert token_answer(master.address, [], ("honest", PASSWORD)).status == 200
    time.sleep(0.1)
    assert admin.api("GET", "me").status == 200
