"""People of an LDAP directory: who they are is known there, what they may do is granted here."""


import pytest

from wherry.access import (
    PASSWORD,
    Caller,
    ClosedMaster,
    add_project,
    add_user,
    administrator,
    basic,
    bearer,
    token_answer,
)
from wherry.certificate import Authority
from wherry.process import wait_until
from wherry.slapd import BASE, Slapd, group, person

PULL = "repository:team/app:pull"


class House:
    def __init__(self, area, run_server):
        authority = Authority(area)
        self.slapd = Slapd(area, authority.issue("IP:127.0.0.1")).load(
            person("dora", "dora-secret"),
            person("theo", "theo-secret"),
            person("junior", "junior-secret"),
            person("local", "ldap-secret"),
            person("Robin.Hood", "robins-secret", "robin"),
            person("mallory", "mallorys-secret", "Keeper"),
            group("developers", "uid=dora,ou=people", "cn=juniors,ou=groups"),
            group("juniors", "uid=junior,ou=people"),
            group("testers", "uid=theo,ou=people"),
        )
        run_server(self.slapd)
        self.master = run_server(
            ClosedMaster(
                area,
                settings={
                    "ldap": {
                        "url": f"ldap://127.0.0.1:{self.slapd.port}",
                        "ca-file": str(authority.file),
                        "search-base": f"ou=people,{BASE}",
                        "group-base": f"ou=groups,{BASE}",
                        "timeout": "5s",
                    }
                },
            )
        )
        self.admin = administrator(self.master)
        for name in ("developers", "testers"):
            self.admin.made("POST", "groups", {"name": name, "source": "ldap", "external_name": name})
        add_project(self.admin, "team", developer="group:developers", guest="group:testers")
        add_user(self.admin, "local")

    def who(self, name, password=None):
        return Caller(self.master.address, basic(name, password or f"{name}-secret"))


@pytest.fixture
def house(area, run_server):
    return House(area, run_server)


def test_developers_read_and_write_and_testers_only_read(house):
    dora, theo, junior = (house.who(name) for name in ("dora", "theo", "junior"))
    dora.put_image("team/app", "v1", [b"layer"])
    assert theo.get_manifest("team/app", "v1").status == 200
    refused = theo.call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"})
    assert refused.status == 403 and refused.code == "DENIED"
    junior.put_image("team/app", "v2", [b"another layer"])  # in a group of the group
    client = bearer(house.master.address, PULL, credentials=("theo", "theo-secret"))
    assert client.get_manifest("team/app", "v2").status == 200
    users = {user["name"]: user for user in house.admin.made("GET", "users")["items"]}
    assert users["dora"]["source"] == "ldap" and users["dora"]["mail"] == "dora@example.org"
    assert not users["dora"]["administrator"]


def test_wrong_empty_and_crafted_names_are_refused(house):
    for name, password in (
        ("dora", "wrong"),
        ("dora", ""),
        ("nobody", "x"),
        ("*", "dora-secret"),
        ("dora)(uid=*", "dora-secret"),
        ("", "dora-secret"),
    ):
        answer = token_answer(house.master.address, [PULL], (name, password))
        assert answer.status == 401, (name, password, answer)
    assert {user["name"] for user in house.admin.made("GET", "users")["items"]} == {"admin", "local"}


def test_nobody_takes_over_an_account_of_the_same_name(house):
    assert token_answer(house.master.address, [PULL], ("local", "ldap-secret")).status == 401
    assert token_answer(house.master.address, [PULL], ("local", PASSWORD)).status == 200
    house.who("theo").get("/v2/")
    taken = house.admin.api("POST", "users", {"name": "theo", "password": PASSWORD})
    assert taken.status == 409
    assert token_answer(house.master.address, [PULL], ("theo", "theo-secret")).status == 200
    house.admin.made("PATCH", "users/theo", {"disabled": True})
    assert token_answer(house.master.address, [PULL], ("theo", "theo-secret")).status == 401
    changed = house.admin.api("PUT", "users/dora/password", {"new_password": PASSWORD})
    assert changed.status in (400, 404)


def test_somebody_with_several_names_is_one_user_of_the_first(house):
    for name in ("ROBIN.hood", "robin", "Robin.Hood"):
        assert token_answer(house.master.address, [PULL], (name, "robins-secret")).status == 200, name
    assert {user["name"] for user in house.admin.made("GET", "users")["items"]} == {"admin", "local", "robin.hood"}


def test_a_password_of_the_directory_does_not_let_one_try_those_of_local_users(house):
    add_user(house.admin, "keeper")
    assert token_answer(house.master.address, [PULL], ("mallory", "mallorys-secret")).status == 200
    for name, other_case, password in (("local", "LOCAL", "ldap-secret"), ("keeper", "KEEPER", "mallorys-secret")):
        answers = []
        for _ in range(12):
            answers.append(token_answer(house.master.address, [PULL], (name, "wrong")).status)
            # By this name in any case the directory is not asked, who else may have it there.
            assert token_answer(house.master.address, [PULL], (other_case, password)).status in (401, 429)
        assert 429 in answers, name
    users = {user["name"]: user["source"] for user in house.admin.made("GET", "users")["items"]}
    assert users == {"admin": "local", "local": "local", "keeper": "local", "mallory": "ldap"}


def test_a_directory_that_is_away_is_said_and_comes_back(house):
    house.who("dora").put_image("team/app", "v1", [b"layer"])
    house.slapd.stop()
    answer = token_answer(house.master.address, [PULL], ("theo", "theo-secret"))
    assert answer.status == 503, answer
    assert str(house.slapd.port) not in answer.body.decode()
    assert token_answer(house.master.address, [PULL], ("local", PASSWORD)).status == 200
    house.slapd.start()
    wait_until(
        lambda: token_answer(house.master.address, [PULL], ("theo", "theo-secret")).status == 200, "the directory is back", 20
    )
    assert "dora-secret" not in house.master.text() and "theo-secret" not in house.master.text()
