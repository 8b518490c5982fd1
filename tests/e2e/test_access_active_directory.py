"""People of an Active Directory: a real domain controller, asked as master/identity/ldap/README.md says."""

import shutil

import pytest

from wherry.access import (
    Caller,
    ClosedMaster,
    ClosedNode,
    add_project,
    administrator,
    basic,
    bearer,
    claims_of,
    token_answer,
)
from wherry.active_directory import (
    BASE,
    DISABLED,
    DOMAIN,
    GROUPS,
    NORMAL,
    PEOPLE,
    ActiveDirectory,
    change,
    computer,
    deletion,
    entry,
    group,
    group_dn,
    person,
    person_dn,
    rename,
)
from wherry.certificate import Authority
from wherry.process import wait_until

PUSH = "repository:team/app:pull,push"
FILTER = "(&(objectCategory=person)(objectClass=user)(sAMAccountName={login}))"
READER_DN = f"CN=wherry,OU=services,{BASE}"
READER_PASSWORD = "Wherry-secret-1"
JANE = "Doe\\, Jane"  # as a DN has it


def password_of(name):
    return f"{name.title()}-sécret-1"


@pytest.fixture(scope="module")
def domain(session_area):
    area = session_area / "domain"
    area.mkdir()
    directory = ActiveDirectory(area, Authority(area))
    try:
        directory.start(ready_within=120).apply(
            *(entry(dn, objectClass="organizationalUnit") for dn in (PEOPLE, GROUPS, f"OU=services,{BASE}")),
            person("wherry", READER_PASSWORD, dn=READER_DN),
            *(person(name, password_of(name)) for name in ("dora", "junior", "theo", "Kim.Lee", "eve", "nora", "mira", "sam")),
            person("jdoe", password_of("jdoe"), dn=person_dn(JANE), userPrincipalName=f"Jane.Doe@{DOMAIN}"),
            person("barred", password_of("barred"), userAccountControl=DISABLED),
            person("late", password_of("late"), pwdLastSet="0"),
            person("former", password_of("former"), accountExpires="1"),
            computer("desk", password_of("desk$")),
            group("juniors", person_dn("junior")),
            group("interns", group_dn("juniors")),
            group("developers", *map(person_dn, ("dora", "nora", JANE)), group_dn("interns")),
            group("testers", person_dn("theo"), person_dn("Kim.Lee")),
            group("impostors", person_dn("eve"), dn=f"CN=developers,{PEOPLE}"),
        )
        (area / "reader-password").write_text(READER_PASSWORD + "\n")
        yield directory
    finally:
        directory.end()
        shutil.rmtree(area)


def settings(domain, **other):
    return {
        "url": domain.ldaps_url,
        "ca-file": str(domain.authority),
        "bind-dn": READER_DN,
        "bind-password-file": str(domain.folder.parent / "reader-password"),
        "search-base": BASE,
        "filter": FILTER,
        "login-attribute": "sAMAccountName",
        "id-attribute": "objectGUID",
        "group-base": BASE,
        "group-filter": "(&(objectClass=group)(member={dn}))",
        "group-name-attribute": "sAMAccountName",
        "timeout": "20s",
        **other,
    }


class House:
    def __init__(self, area, run_server, ldap):
        self.area, self.run_server = area, run_server
        self.master = run_server(ClosedMaster(area, settings={"ldap": ldap}))
        self.admin = administrator(self.master)
        for name in ("developers", "testers"):
            self.admin.made("POST", "groups", {"name": name, "source": "ldap", "external_name": name})
        add_project(self.admin, "team", developer="group:developers", guest="group:testers")

    def who(self, name, password=None):
        return Caller(self.master.address, basic(name, password or password_of(name)))

    def answer(self, name, password=None):
        """Of the token server."""
        return token_answer(self.master.address, [PUSH], (name, password or password_of(name)))

    def granted(self, name, password=None):
        """What a login now gives in team/app."""
        token = self.answer(name, password).json["token"]
        return {action for access in claims_of(token)["access"] for action in access["actions"]}

    def users(self):
        return {user["name"]: user for user in self.admin.made("GET", "users")["items"]}

    def join(self, name):
        token = self.admin.made("POST", "nodes", {"name": name})["join_token"]
        node = self.run_server(ClosedNode(self.area, self.master.url, name), extra=["--join", token])
        wait_until(lambda: node.status()["feed"]["complete"], "the node follows")
        return node


@pytest.fixture(scope="module")
def house(session_area, domain):
    """One that all tests share, which asks as is recommended: a test keeps to people of its own."""
    servers = []

    def run_server(server, **how):
        servers.append(server)
        return server.start(**how)

    yield House(session_area / "house", run_server, settings(domain))
    for server in reversed(servers):
        server.end()


def may_write(caller, tag="v1"):
    """Whether it pushes; refused it is as one who may read."""
    answer = caller.call("POST", "/v2/team/app/blobs/uploads/", headers={"Content-Length": "0"})
    if answer.status != 202:
        assert answer.status == 403 and answer.code == "DENIED", answer
        return False
    caller.put_image("team/app", tag, [tag.encode()])
    return True


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])  # the latter with StartTLS
def test_developers_read_and_write_and_testers_only_read(area, run_server, domain, scheme):
    house = House(area, run_server, settings(domain, url=f"{scheme}://{domain.host}"))
    assert may_write(house.who("dora"))
    assert may_write(house.who("junior"))  # in a group of a group of the group
    assert may_write(house.who("jdoe"))  # whose name has a comma
    assert not may_write(house.who("theo"))
    assert house.who("theo").get_manifest("team/app", "v1").status == 200
    client = bearer(house.master.address, PUSH, credentials=("theo", password_of("theo")))
    assert client.get_manifest("team/app", "v1").status == 200
    dora = house.users()["dora"]
    assert dora["source"] == "ldap" and dora["mail"] == f"dora@{DOMAIN}" and not dora["administrator"]


def test_who_may_not_come_in_is_refused(house, domain):
    before, said_before = house.users(), len(house.master.text())
    for name, password in (
        ("desk$", password_of("desk$")),
        ("dora", "wrong"),
        ("nobody", "x"),
        ("*", password_of("dora")),
        ("dora)(sAMAccountName=*", password_of("dora")),
        (f"dora@{DOMAIN}", password_of("dora")),  # who the filter does not find
        ("EXAMPLE\\dora", password_of("dora")),
        *((name, password_of(name)) for name in ("barred", "late", "former")),
    ):
        answer = house.answer(name, password)
        assert answer.status == 401, (name, answer)
    assert token_answer(house.master.address, [PUSH], ("dora", "")).status == 401
    assert house.users() == before
    assert "vouches" not in house.master.text()[said_before:]  # the directory did not, for a computer neither
    domain.apply(change(person_dn("barred"), userAccountControl=NORMAL))
    assert house.answer("barred").status == 200  # so it was not for the password


def test_a_name_in_any_case_is_one_user(house):
    for name in ("kim.lee", "Kim.Lee", "KIM.LEE"):
        assert house.granted(name, password_of("Kim.Lee")) == {"pull"}, name
    assert [name for name in house.users() if name.lower() == "kim.lee"] == ["kim.lee"]


def test_a_group_of_the_same_cn_elsewhere_is_another_one(house):
    assert house.granted("dora") == {"pull", "push"}
    assert house.granted("eve") == set()


def test_what_changes_in_the_directory_holds_from_the_next_login(house, domain):
    assert house.granted("nora") == {"pull", "push"}
    domain.apply(change(group_dn("developers"), delete={"member": person_dn("nora")}))
    assert house.granted("nora") == set()
    domain.apply(change(person_dn("nora"), userAccountControl=DISABLED))
    assert house.answer("nora").status == 401


def test_who_is_renamed_is_the_same_user(house, domain):
    node = house.join("edge")
    assert house.answer("mira").status == 200
    house.admin.made("POST", "projects/team/grants", {"subject": "user:mira", "role": "developer"})
    before = house.users()["mira"]
    domain.apply(
        change(person_dn("mira"), sAMAccountName="Mira.Married", userPrincipalName=f"mira.married@{DOMAIN}"),
        rename(person_dn("mira"), "CN=Mira Married"),
    )
    password = password_of("mira")
    assert may_write(house.who("mira.married", password))
    assert house.answer("mira", password).status == 401
    after = house.users()["mira.married"]
    assert after["id"] == before["id"] and "mira" not in house.users()
    [renamed] = house.admin.made("GET", "audit?action=user.rename")["items"]
    assert renamed["target"] == "user/mira" and renamed["after"] == {"name": "mira.married"}, renamed
    assert renamed["actor"]["id"] == before["id"]
    client = bearer(node.address, PUSH, credentials=("mira.married", password))
    assert client.get_manifest("team/app", "v1").status == 200
    domain.apply(person("mira", password_of("another mira")))
    assert house.granted("mira", password_of("another mira")) == set()
    assert house.users()["mira"]["id"] != before["id"]


def test_who_is_made_anew_under_an_old_name_gets_nothing_of_it(house, domain):
    assert house.answer("sam").status == 200
    house.admin.made("POST", "projects/team/grants", {"subject": "user:sam", "role": "developer"})
    assert house.granted("sam") == {"pull", "push"}
    domain.apply(deletion(person_dn("sam")), person("sam", password_of("sam")))
    assert house.answer("sam").status == 401
    house.admin.made("DELETE", "users/sam")
    assert house.granted("sam") == set()


@pytest.mark.parametrize("rule, of_junior", [("", set()), (":1.2.840.113556.1.4.1941:", {"pull", "push"})])
def test_the_directory_itself_follows_groups_of_groups(area, run_server, domain, rule, of_junior):
    group_filter = f"(&(objectClass=group)(member{rule}={{dn}}))"
    house = House(area, run_server, settings(domain, **{"group-filter": group_filter, "nested-groups": 0}))
    assert house.granted("dora") == {"pull", "push"}
    assert house.granted("junior") == of_junior


def test_people_and_the_search_account_have_principal_names(area, run_server, domain):
    house = House(
        area,
        run_server,
        settings(
            domain,
            **{
                "bind-dn": f"wherry@{DOMAIN}",
                "filter": FILTER.replace("sAMAccountName", "userPrincipalName"),
                "login-attribute": "userPrincipalName",
            },
        ),
    )
    for name in (f"jane.doe@{DOMAIN}", f"Jane.Doe@{DOMAIN.upper()}"):
        assert house.granted(name, password_of("jdoe")) == {"pull", "push"}, name
    assert set(house.users()) == {"admin", f"jane.doe@{DOMAIN}"}
    assert house.answer("jdoe").status == 401


def test_what_the_server_does_not_grant_is_said_in_the_log(area, run_server, domain):
    wrong = area / "wrong-password"
    wrong.write_text("not-its-password")
    for number, (other, said) in enumerate(
        [
            ({"url": domain.ldap_url, "start-tls": False, "insecure-plain": True}, "Strong(er) authentication required"),
            ({"bind-dn": "", "bind-password-file": ""}, "Operations error"),
            ({"bind-password-file": str(wrong)}, "Invalid credentials"),
        ]
    ):
        with_plain = {"ca-file": ""} if "insecure-plain" in other else {}
        house = House(area / str(number), run_server, settings(domain, **other, **with_plain))
        answer = house.answer("dora")
        assert answer.status == 503 and domain.host not in answer.body.decode(), answer
        wait_until(lambda house=house, said=said: said in house.master.text(), said)
