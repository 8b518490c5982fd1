"""People whom an OpenID provider knows log in at the command line, and by a browser."""

import os
import re
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from wherry import canaries
from wherry.access import PASSWORD, Caller, ClosedMaster, add_project, add_user, administrator, basic, token_answer
from wherry.client import Registry
from wherry.clients import run
from wherry.image import make_image
from wherry.process import BIN, free_port, wait_until
from wherry.provider import Provider


class OpenIdMaster(ClosedMaster):
    def __init__(self, area, issuer):
        super().__init__(area)
        secret = self.folder / "client-secret"
        secret.write_text(Provider.CLIENT_SECRET + "\n")
        secret.chmod(0o600)
        self.settings = {
            "oidc": {"issuer": issuer, "client-id": Provider.CLIENT, "client-secret-file": str(secret)},
        }


def command(master, area, *words):
    return subprocess.Popen(
        [str(BIN / "wherry-master"), *words, "--server", master.url],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(area / "config")},
    )  # fmt: skip


@pytest.fixture
def provider(area):
    provider = Provider(area, free_port())
    yield provider
    provider.close()


def test_a_person_of_the_provider_logs_in_and_has_the_rights_of_its_groups(area, run_server, provider):
    master = run_server(OpenIdMaster(area, provider.issuer))
    admin = administrator(master)
    admin.made("POST", "groups", {"name": "crew", "source": "oidc", "external_name": "crew-there"})
    add_project(admin, "ships", maintainer="group:crew")
    login = command(master, area, "login", "--oidc")
    line = login.stderr.readline()
    assert provider.issuer + "/activate" in line and "ABCD-EFGH" in line
    time.sleep(1.5)
    assert login.poll() is None  # it waits for somebody to type that in
    provider.person = {"sub": "1234", "preferred_username": "olga", "groups": ["crew-there", "others"]}
    out, err = login.communicate(timeout=30)
    assert login.returncode == 0, err
    whoami = command(master, area, "whoami").communicate(timeout=30)[0]
    assert whoami == "olga\n"
    out, err = command(master, area, "robot", "add", "ships", "bot", "--role", "developer").communicate(timeout=30)
    assert out.startswith("robot$ships+bot "), err
    refused = command(master, area, "user", "list").communicate(timeout=30)[1]
    assert "user.read" in refused
    assert Provider.DEVICE_CODE not in line + out + master.text()


def test_a_name_that_is_taken_is_not_taken_over(area, run_server, provider):
    master = run_server(OpenIdMaster(area, provider.issuer))
    admin = administrator(master)
    add_user(admin, "olga", administrator=True)
    provider.person = {"sub": "1234", "preferred_username": "olga"}
    login = command(master, area, "login", "--oidc")
    _, err = login.communicate(timeout=30)
    assert login.returncode != 0, err
    assert [user["source"] for user in admin.made("GET", "users")["items"] if user["name"] == "olga"] == ["local"]
    assert PASSWORD not in master.text()


def test_a_provider_that_is_away_is_said(area, run_server, provider):
    master = run_server(OpenIdMaster(area, provider.issuer))
    provider.close()
    login = command(master, area, "login", "--oidc")
    _, err = login.communicate(timeout=60)
    assert login.returncode != 0 and err.strip()
    wait_until(lambda: provider.issuer in master.text(), "the log says which", 10)


def log_in_by_browser(master, provider):
    """What a browser does; gives the page at the end, and the secret on it."""
    begun = Registry(master.address).get("/wherry/v1/login/start")
    assert begun.status == 307 and begun["Cache-Control"] == "no-store"
    there = Registry(urlsplit(provider.issuer).netloc).get(begun["Location"].removeprefix(provider.issuer))
    assert there.status == 302
    back = there["Location"].removeprefix(master.url)
    page = Registry(master.address).get(back, cookie=begun["Set-Cookie"].partition(";")[0])
    if page.status != 200:
        return page, None
    return page, canaries.note("the secret of a login by browser", re.search("<pre>([^<]*)</pre>", page.body.decode())[1])


def test_a_login_by_browser_gives_a_secret_that_podman_logs_in_with_until_the_user_is_disabled(area, run_server, provider):
    master = run_server(OpenIdMaster(area, provider.issuer))
    admin = administrator(master)
    admin.made("POST", "groups", {"name": "crew", "source": "oidc", "external_name": "crew-there"})
    add_project(admin, "ships", developer="group:crew", maintainer="user:admin")
    image = f"{master.address}/ships/app:v1"
    run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds", f"admin:{PASSWORD}",
        make_image(area / "image", [2_000]), f"docker://{image}", area=area)  # fmt: skip
    provider.person = {"sub": "1234", "preferred_username": "olga"}
    provider.userinfo = {"sub": "1234", "groups": ["crew-there"]}  # the ID token does not name them
    page, secret = log_in_by_browser(master, provider)
    text = page.body.decode()
    assert f"docker login -u olga {master.address}\n" in text and f"podman login -u olga {master.address}\n" in text
    assert page["Cache-Control"] == "no-store" and page["Content-Security-Policy"].startswith("default-src 'none'")
    assert page["Referrer-Policy"] == "no-referrer" and page["Location"] is None

    podman = ["podman", "--root", area / "p", "--runroot", area / "pr", "--storage-driver", "vfs"]
    policy = area / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    logins = {"REGISTRY_AUTH_FILE": str(area / "logins.json")}
    login = [*podman, "login", "--tls-verify=false", "-u", "olga", "-p", secret, master.address]
    pull = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{image}"]
    run(*login, area=area, **logins)
    run(*podman, "pull", "-q", "--tls-verify=false", "--signature-policy", policy, image, area=area, **logins)
    run(*pull, area=area, **logins)
    olga = Caller(master.address, basic("olga", secret))
    assert olga.put_blob("ships/app", b"another layer")

    for name, password in (("olga", secret + "x"), ("olga", PASSWORD), ("admin", secret)):
        assert token_answer(master.address, [], (name, password)).status == 401
    admin.made("PATCH", "users/olga", {"disabled": True})
    for words in (login, pull):
        with pytest.raises(AssertionError) as refused:
            run(*words, area=area, **logins)
        assert "unauthorized" in str(refused.value).lower() or "password" in str(refused.value), refused.value
    assert olga.get("/v2/").status == 401
    admin.made("PATCH", "users/olga", {"disabled": False})
    assert token_answer(master.address, [], ("olga", secret)).status == 401  # it does not come back
    page, secret = log_in_by_browser(master, provider)
    # After the pause that the wrong ones cost.
    wait_until(lambda: token_answer(master.address, [], ("olga", secret)).status == 200, "the next one counts", 20, 0.2)
    admin.made("POST", "users/olga/logout")
    assert token_answer(master.address, [], ("olga", secret)).status == 401

    logged = admin.made("GET", "audit?action=login&n=500")["items"]
    assert {"ok", "denied"} <= {event["result"] for event in logged if event["target"] == "account/olga"}


def test_userinfo_of_somebody_else_lets_nobody_in(area, run_server, provider):
    master = run_server(OpenIdMaster(area, provider.issuer))
    admin = administrator(master)
    provider.person = {"sub": "1234", "preferred_username": "olga"}
    provider.userinfo = {"sub": "1235", "groups": ["crew-there"]}
    page, secret = log_in_by_browser(master, provider)
    assert page.status == 401 and secret is None
    assert "olga" not in [user["name"] for user in admin.made("GET", "users")["items"]]
    assert Registry(master.address).get("/wherry/v1/login/callback?code=x&state=y").status == 403
