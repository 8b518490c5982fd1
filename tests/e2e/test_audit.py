"""The audit log: who did what, and that nothing of it can be changed unseen; no secret in it or anywhere else."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from wherry import canaries
from wherry.access import PASSWORD, Caller, ClosedMaster, add_project, add_user, administrator, basic, token_answer
from wherry.disk import Disk
from wherry.process import BIN, Master, wait_until


@pytest.fixture
def master(area, run_server):
    return run_server(ClosedMaster(area))


def audit(master, *words):
    done = subprocess.run(
        [str(BIN / "wherry-master"), "audit", *words, "--data", str(master.data)], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def events(master, **query):
    code, text = audit(master, "export", "--format", "json")
    assert code == 0, text
    found = [json.loads(line) for line in text.splitlines()]
    return [event for event in found if all(event.get(name) == value for name, value in query.items())]


def test_what_is_done_and_what_is_refused_is_written_down(master):
    admin = administrator(master)
    dev = add_user(admin, "dev")
    add_project(admin, "team", developer="user:dev")
    admin.made("PATCH", "projects/team", {"public": True})
    dev.put_image("team/app", "v1", [b"layer"])
    assert dev.call("DELETE", "/v2/team/app/manifests/v1").status == 403
    assert dev.api("DELETE", "users/admin").status == 403
    token_answer(master.address, [], ("dev", "wrong"))
    wait_until(lambda: events(master, action="login", result="denied"), "the wrong password is written down", 10)

    [changed] = events(master, action="api.changeProject")
    assert changed["actor"]["name"] == "admin" and changed["actor"]["kind"] == "user" and changed["remote"] == "127.0.0.1"
    assert changed["before"]["public"] is False and changed["after"]["public"] is True
    assert [event["target"] for event in events(master, action="manifest.push")] == ["repository/team/app:v1"]
    assert [event["result"] for event in events(master, action="manifest.delete")] == ["denied"]
    [denied] = events(master, action="api.deleteUser")
    assert denied["result"] == "denied" and denied["actor"]["name"] == "dev" and denied["reason"]

    page = admin.made("GET", "audit?action=manifest.")
    assert [event["action"] for event in page["items"]] == ["manifest.push", "manifest.delete"]
    code, said = audit(master, "verify")
    assert code == 0, said


def test_sessions_in_use_and_ones_own_password_are_written_down_with_whose_they_are(master):
    admin = administrator(master)
    [changed] = events(master, action="api.setPassword")
    assert changed["actor"]["name"] == "admin" and changed["actor"]["kind"] == "user" and changed["result"] == "ok"
    dev = add_user(admin, "dev")
    answer = token_answer(master.address, [], ("dev", PASSWORD), offline_token="true")
    for refresh in (answer.json["refresh_token"], "nobody-has-this"):
        form = f"grant_type=refresh_token&refresh_token={refresh}&service=wherry".encode()
        dev.call("POST", "/wherry/v1/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    [used] = wait_until(lambda: events(master, action="session.use"), "the session's use is written down", 10)
    assert used["actor"]["name"] == "dev" and used["target"] == "account/dev" and used["remote"] == "127.0.0.1"


def test_a_change_is_found(master):
    add_project(administrator(master), "team")
    master.stop()
    [file] = sorted((master.data / "audit").glob("*.jsonl"))
    text = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(text.replace(b'"admin"', b'"nadim"', 1))
    code, said = audit(master, "verify")
    assert code != 0 and file.name in said, said


@pytest.fixture
def small_disk(area):
    disk = Disk(area / "small", 16)
    yield disk
    disk.close()


def test_a_change_that_cannot_be_written_down_is_not_made(small_disk, master):
    admin = administrator(master)
    add_project(admin, "before")
    master.stop()
    try:
        folder = master.data / "audit"
        shutil.copytree(folder, small_disk.path / "audit")
        shutil.rmtree(folder)
        folder.symlink_to(small_disk.path / "audit")
        master.start()
        filler = small_disk.fill()
        for method, path, document in [
            ("POST", "projects", {"name": "team"}),
            ("PATCH", "projects/before", {"public": True}),
            ("DELETE", "projects/before", None),
            ("PUT", "users/admin/password", {"old_password": PASSWORD, "new_password": PASSWORD + "-new"}),
        ]:
            refused = admin.api(method, path, document)
            assert refused.status == 507, refused
            assert refused["Content-Type"] == "application/problem+json" and refused.json["status"] == 507
            assert "nothing was changed" in refused.json["detail"] and "audit log" in refused.json["detail"]
        assert admin.api("GET", "projects/team").status == 404
        assert admin.made("GET", "projects/before")["public"] is False
        filler.unlink()
        assert admin.made("PATCH", "projects/before", {"public": True})["public"] is True
        add_project(admin, "team")
        [made] = events(master, action="api.createProject", target="/api/v1/projects", result="ok")[1:]
        assert made["after"]["name"] == "team"
        [changed] = events(master, action="api.changeProject")
        assert changed["result"] == "ok" and changed["before"]["public"] is False and changed["after"]["public"] is True
        assert not events(master, action="api.deleteProject")
        code, said = audit(master, "verify")
        assert code == 0, said
    finally:
        master.end()


CANARY = "canary-7f3a9c-secret"


def test_no_secret_is_seen_anywhere(master):
    """Passwords, tokens and robots' secrets of all kinds of calls, good and bad, are in no log, error, metric, row of the
    audit or command line."""
    admin = administrator(master, CANARY + "-admin")
    secrets = [CANARY]
    add_user(admin, "dev", CANARY + "-dev")
    add_project(admin, "team", maintainer="user:dev")
    dev = Caller(master.address, basic("dev", CANARY + "-dev"))
    robot = dev.made("POST", "projects/team/robots", {"name": "ci", "role": "developer"})
    secrets += [robot["secret"], dev.made("POST", "projects/team/robots/ci/secrets")["secret"]]
    answer = token_answer(master.address, ["repository:team/app:pull"], ("dev", CANARY + "-dev"), offline_token="true")
    secrets += [answer.json["token"], answer.json["refresh_token"]]
    client = Caller(master.address, "Bearer " + answer.json["token"])
    seen = [
        client.get_manifest("team/app", "v1"),
        Caller(master.address, "Bearer " + answer.json["token"] + "x").get("/v2/"),
        Caller(master.address, basic("dev", CANARY + "-wrong")).get("/v2/"),
        token_answer(master.address, [], ("robot$team+ci", CANARY + "-wrong")),
        admin.api("POST", "users", {"name": "x", "password": CANARY, "extra": 1}),
        admin.api("POST", "users", {"name": "X X", "password": CANARY + "-long-enough"}),
        admin.api("PUT", "users/dev/password", {"new_password": CANARY[:3]}),
        admin.api("PUT", "users/dev/password", {"old_password": CANARY, "new_password": CANARY + "-new"}),
        Caller(master.address).get(f"/v2/?token={CANARY}"),
    ]
    wait_until(lambda: events(master, action="login", result="denied"), "the wrong passwords are written down", 10)
    line = Path(f"/proc/{master.process.pid}/cmdline").read_bytes().decode()
    places = {
        "log": master.text(),
        "metrics": master.observed("/metrics"),
        "status": master.observed("/status.json"),
        "errors": "".join(answer.body.decode(errors="replace") + str(answer.headers) for answer in seen),
        "audit": "".join(file.read_text() for file in (master.data / "audit").glob("*")),
        "command line": line,
    }
    for name, text in places.items():
        for secret in secrets:
            assert secret not in text, (name, secret[:12])
    # At rest there are hashes of them, and nothing else.
    for file in master.data.rglob("*"):
        if file.is_file() and os.path.getsize(file) < 64 << 20:
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in secrets), file


def test_a_secret_that_a_server_lets_be_seen_is_found_wherever_that_is(area):
    """As canaries look at every server of these tests; this one never ran."""
    server = Master(area)
    canaries.note("a label", "canary of the canaries")
    credentials = canaries.note_login("somebody", "canary of somebody")
    server.data.mkdir()
    (server.data / "blobs").mkdir()
    (server.data / "blobs" / "pushed").write_text("canary of the canaries")
    server.log.write_text("nothing is seen\n")
    canaries.look(server)
    assert canaries.complaints() == []
    server.log.write_text("GET /v2/?q=canary%20of%20the%20canaries\n")
    (server.data / "row").write_bytes(b"\0\1" + credentials.encode() + b"\2")
    server.shown["/metrics"] = b'{name="canary of somebody"}'
    canaries.note_error("GET /v2/", "canary+of+the+canaries is wrong")
    canaries.look(server)
    assert sorted(canaries.complaints()) == [
        f"master: a label is seen in {server.log}",
        "master: a label is seen in the answer to GET /v2/",
        f"master: the credentials of somebody is seen in {server.data / 'row'}",
        "master: the password of somebody is seen in /metrics",
    ]
