"""Real clients log in, and do what they may; and the commands of an administrator."""

import json
import os
import subprocess

import pytest

from wherry.access import PASSWORD, ClosedMaster, ClosedNode, add_project, add_user, administrator
from wherry.clients import Containerd, run
from wherry.image import make_image
from wherry.process import BIN, wait_until


class House:
    def __init__(self, area, run_server):
        self.area = area
        self.master = run_server(ClosedMaster(area))
        self.admin = administrator(self.master)
        for name in ("dev", "tester"):
            add_user(self.admin, name)
        add_project(self.admin, "team", developer="user:dev", guest="user:tester", maintainer="user:admin")
        self.image = make_image(area / "image", [100_000, 2_000])
        self.login_file = area / "logins.json"
        token = self.admin.made("POST", "nodes", {"name": "edge"})["join_token"]
        self.node = run_server(ClosedNode(area, self.master.url, "edge"), extra=["--join", token])
        wait_until(lambda: self.node.status()["feed"]["complete"], "the node follows", 20)

    def run(self, *words):
        return run(*words, area=self.area, REGISTRY_AUTH_FILE=str(self.login_file), DOCKER_CONFIG=str(self.area / "docker"))

    def refused(self, *words):
        with pytest.raises(AssertionError) as failed:
            self.run(*words)
        return str(failed.value)


@pytest.fixture(scope="module")
def house(session_area):
    started = []

    def run_server(server, extra=()):
        started.append(server)
        return server.start(extra=extra)

    area = session_area / "access-clients"
    area.mkdir()
    yield House(area, run_server)
    for server in started:
        server.end()


def skopeo_login(house, address, name, password=PASSWORD):
    return house.run("skopeo", "login", "--tls-verify=false", "-u", name, "-p", password, address)


def copy(house, source, target):
    return ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", source, target]


def test_skopeo_logs_in_pushes_and_pulls(house):
    assert "invalid" in house.refused(
        "skopeo", "login", "--tls-verify=false", "-u", "dev", "-p", "wrong password", house.master.address
    )
    skopeo_login(house, house.master.address, "dev")
    house.run(*copy(house, house.image, f"docker://{house.master.address}/team/app:v1"))
    skopeo_login(house, house.master.address, "tester")
    house.run(*copy(house, f"docker://{house.master.address}/team/app:v1", f"dir:{house.area / 'pulled'}"))
    said = house.refused(*copy(house, house.image, f"docker://{house.master.address}/team/app:v2"))
    assert "denied" in said and "tester has no right to push to team/app" in said, said
    house.run("skopeo", "logout", house.master.address)
    said = house.refused(*copy(house, f"docker://{house.master.address}/team/app:v1", f"dir:{house.area / 'not'}"))
    assert "unauthorized" in said or "authentication required" in said, said


def test_skopeo_logs_in_to_a_node(house):
    skopeo_login(house, house.master.address, "dev")
    house.run(*copy(house, house.image, f"docker://{house.master.address}/team/edge:v1"))
    skopeo_login(house, house.node.address, "tester")
    house.run(*copy(house, f"docker://{house.node.address}/team/edge:v1", f"dir:{house.area / 'from-edge'}"))


def test_podman_logs_in_and_pulls(house):
    skopeo_login(house, house.master.address, "dev")
    house.run(*copy(house, house.image, f"docker://{house.master.address}/team/pod:v1"))
    policy = house.area / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    podman = ["podman", "--root", house.area / "p", "--runroot", house.area / "pr", "--storage-driver", "vfs"]
    for address in (house.master.address, house.node.address):
        house.run(*podman, "login", "--tls-verify=false", "-u", "tester", "-p", PASSWORD, address)
        house.run(*podman, "pull", "-q", "--tls-verify=false", "--signature-policy", policy, f"{address}/team/pod:v1")


def test_crane_as_a_robot(house):
    made = house.admin.made("POST", "projects/team/robots", {"name": "crane", "role": "developer"})
    house.run("crane", "auth", "login", house.master.address, "-u", made["login"], "-p", made["secret"])
    house.run("crane", "--insecure", "push", house.area / "image/layout", f"{house.master.address}/team/by-crane:v1")
    assert house.run("crane", "--insecure", "digest", f"{house.master.address}/team/by-crane:v1").startswith("sha256:")
    assert "v1" in house.run("crane", "--insecure", "ls", f"{house.master.address}/team/by-crane")
    assert "team/by-crane" in house.run("crane", "--insecure", "catalog", house.master.address)
    said = house.refused("crane", "--insecure", "delete", f"{house.master.address}/team/by-crane:v1")
    assert "DENIED" in said or "denied" in said, said


def test_ctr_with_a_user(house, run_server):
    skopeo_login(house, house.master.address, "dev")
    house.run(*copy(house, house.image, f"docker://{house.master.address}/team/ctr:v1"))
    containerd = run_server(Containerd(house.area))
    pull = ["images", "pull", "--plain-http", "--snapshotter", "native"]
    for address in (house.master.address, house.node.address):
        containerd.run(*pull, "--user", f"tester:{PASSWORD}", f"{address}/team/ctr:v1")
        with pytest.raises(AssertionError):
            containerd.run(*pull, f"{address}/team/other:v1")


def command(house, *words, stdin=None, fails=False):
    done = subprocess.run(
        [str(BIN / "wherry-master"), *map(str, words), "--server", house.master.url],
        input=stdin, capture_output=True, text=True, timeout=60,
        env={**os.environ, "XDG_CONFIG_HOME": str(house.area / "config")},
    )  # fmt: skip
    assert (done.returncode != 0) == fails, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def test_an_administrator_at_the_command_line(house):
    assert "log in" in command(house, "user", "list", fails=True)
    assert "wrong" in command(house, "login", "--user", "admin", "--password-file", "-", stdin="no\n", fails=True)
    command(house, "login", "--user", "admin", "--password-file", "-", stdin=PASSWORD + "\n")
    kept = house.area / "config/wherry/sessions.json"
    assert kept.stat().st_mode & 0o777 == 0o600 and PASSWORD not in kept.read_text()
    assert command(house, "whoami") == "admin\n"
    command(house, "user", "add", "carla", "--new-password-file", "-", stdin=PASSWORD + "-carla\n")
    assert "carla" in command(house, "user", "list")
    command(house, "group", "add", "crew")
    command(house, "group", "join", "crew", "carla")
    command(house, "project", "add", "ships")
    command(house, "role", "set", "pusher", "--permission", "repository.pull", "--permission", "repository.push")
    command(house, "grant", "add", "ships", "group:crew", "--role", "pusher", "--repository", "ships/new/**")
    assert "group:crew" in command(house, "grant", "list", "ships")
    [grant] = json.loads(command(house, "grant", "list", "ships", "--json"))
    login, secret = command(house, "robot", "add", "ships", "bot", "--role", "developer").split()
    assert login == "robot$ships+bot" and len(secret) > 30
    again = command(house, "robot", "rotate", "ships", "bot", "--overlap-hours", "1").split()[1]
    assert again != secret and "ships+bot" in command(house, "robot", "list", "ships")
    command(house, "grant", "remove", "ships", grant["id"])
    command(house, "user", "password", "carla", "--password-file", house_file(house, PASSWORD + "-carla"),
            "--new-password-file", house_file(house, PASSWORD + "-new"))  # fmt: skip
    command(house, "user", "set", "carla", "--disable")
    command(house, "user", "logout", "carla")
    command(house, "user", "remove", "carla")
    command(house, "robot", "remove", "ships", "bot")
    command(house, "role", "remove", "pusher")
    command(house, "group", "remove", "crew")
    command(house, "project", "remove", "ships")
    command(house, "logout")
    assert "log in" in command(house, "user", "list", fails=True)


def house_file(house, text):
    file = house.area / f"secret-{len(list(house.area.glob('secret-*')))}"
    file.write_text(text + "\n")
    return file
