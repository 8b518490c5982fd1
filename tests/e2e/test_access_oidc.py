"""People whom an OpenID provider knows log in at the command line."""

import json
import os
import subprocess
import time

import pytest

from wherry.access import PASSWORD, ClosedMaster, add_project, add_user, administrator
from wherry.process import BIN, free_port, wait_until
from wherry.provider import Provider


class OpenIdMaster(ClosedMaster):
    def __init__(self, area, issuer):
        super().__init__(area)
        self.issuer = issuer

    def command(self):
        file = self.folder / "settings.yaml"
        file.write_text(json.dumps({"oidc": {"issuer": self.issuer, "client-id": Provider.CLIENT}}))
        return [*super().command(), "--config", file]


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
    assert "only-the-master-knows" not in line + out + master.text()


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
