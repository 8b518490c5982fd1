"""Replication by the source's feed: a run costs what has changed, and only what can be believed counts."""

import http.client
import json
import shutil
import statistics
import subprocess
import time

import pytest

from wherry import oci
from wherry.client import Registry
from wherry.feed import settle
from wherry.gatekeeper import Gatekeeper
from wherry.process import BIN, DockerRegistry, Master, Node, wait_until
from wherry.proxy import CountingProxy
from wherry.replication import Replication, whole

MEBIBYTE = 1 << 20
PULL = {"direction": "pull", "filters": {"repositories": ["team/**"]}, "deletions": True}
FEED_TYPE = "application/vnd.wherry.feed.v1"


@pytest.fixture
def proxy(there):
    proxy = CountingProxy(there.address)
    yield proxy
    proxy.close()


def put_image(registry, repository, tag, seed):
    layer = oci.random_bytes(500, seed)
    return registry.put_image(repository, tag, [layer], oci.encode({"architecture": "amd64", "os": "linux", "seed": seed}))


def delete(registry, repository, reference):
    assert registry.call("DELETE", registry.manifest_path(repository, reference)).status == 202


def asked(proxy, since=0):
    return [f"{seen.method} {seen.path}" for seen in proxy.seen[since:]]


def run(replication, proxy, name="p", state="succeeded"):
    """An execution, and what the other side was asked for it."""
    before = len(proxy.seen)
    done = replication.run(name, state)
    return done, asked(proxy, before)


def command(*words):
    done = subprocess.run([BIN / "wherry-master", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout


def test_a_pull_asks_for_what_the_feed_names_and_for_nothing_of_other_repositories(here, there, replication, proxy):
    source, target = Registry(there.address), Registry(here.address)
    for number in range(20):
        put_image(source, f"team/app{number}", "v1", number)
    replication.put("p", proxy.url, **PULL)
    first, _ = run(replication, proxy)
    assert first["found"]["by"] == "full comparison" and first["found"]["because"], first
    assert first["progress"]["succeeded"] == 20

    nothing, seen = run(replication, proxy)
    assert nothing["found"]["by"] == "feed" and nothing["found"]["from"] == nothing["found"]["to"], nothing
    assert len(seen) == 1 and "/wherry/v1/feed?" in seen[0], seen

    put_image(source, "team/app3", "v2", "new")
    _, overridden = put_image(source, "team/app4", "v1", "overridden")
    moved, _ = put_image(source, "team/app4", "v1", "moved")
    put_image(source, "other/app", "v1", "other")
    third, seen = run(replication, proxy)
    assert third["found"]["from"] == nothing["found"]["to"] and third["found"]["to"] > third["found"]["from"], third
    assert third["progress"]["tasks"] == third["progress"]["succeeded"] == 3, replication.tasks(third["id"])
    assert target.get_manifest("team/app4", overridden).status == 200, "it has no tag any more"
    assert not [path for path in seen if "tags/list" in path or "_catalog" in path], seen
    named = {path.split("/v2/")[1].split("/manifests/")[0].split("/blobs/")[0] for path in seen if "/v2/" in path}
    assert {name.split("/referrers/")[0].split("/_wherry/")[0] for name in named} == {"team/app3", "team/app4"}, seen
    assert whole(target, "team/app4") == {"v1": moved}
    for number in range(20):
        assert whole(target, f"team/app{number}") == whole(source, f"team/app{number}")
    assert target.get("/v2/other/app/tags/list").status == 404


def test_deletions_of_tags_manifests_and_repositories_arrive_by_the_feed(here, there, replication, proxy):
    source, target = Registry(there.address), Registry(here.address)
    stays, _ = put_image(source, "team/app", "stays", 1)
    put_image(source, "team/app", "tag", 2)
    _, digest = put_image(source, "team/app", "manifest", 3)
    put_image(source, "team/gone", "v1", 4)
    put_image(source, "team/kept", "v1", 5)
    replication.put("p", proxy.url, **PULL)
    replication.put("additive", proxy.url, **{**PULL, "deletions": False, "destination": {"prefix": "all/"}})
    run(replication, proxy)
    run(replication, proxy, "additive")
    delete(source, "team/app", "tag")
    delete(source, "team/app", digest)
    delete(source, "team/gone", "v1")
    done, seen = run(replication, proxy)
    assert done["found"]["by"] == "feed", done
    assert not [path for path in seen if "tags/list" in path or "_catalog" in path or "team/kept" in path], seen
    assert whole(target, "team/app") == {"stays": stays}
    assert target.get_manifest("team/app", digest).status == 404
    assert whole(target, "team/gone") == {}
    assert run(replication, proxy, "additive")[0]["found"]["by"] == "feed"
    assert set(whole(target, "all/team/app")) == {"stays", "tag", "manifest"}


def manifests(registry, repository, query=""):
    """Every manifest that a repository has, page by page."""
    path, found = f"/v2/{repository}/_wherry/manifests?n=2{query}", []
    while path:
        response = registry.get(path)
        assert response.status == 200, response.body
        found += response.json["manifests"]
        link = response.headers.get("Link", "")
        path = link[link.find("<") + 1 : link.find(">")]
    assert len(found) == len(set(found))
    return set(found)


def put_untagged(registry, repository, seed):
    manifest = oci.image_manifest(oci.encode({"seed": seed}), [])
    registry.put_blob(repository, oci.encode({"seed": seed}))
    registry.put_manifest(repository, oci.digest_of(manifest), manifest)
    return oci.digest_of(manifest)


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_the_manifests_of_both_are_the_same_set_those_without_a_tag_too(here, there, replication, direction):
    server = {"pull": there, "push": here}[direction]
    source, target = Registry(server.address), Registry({"pull": here, "push": there}[direction].address)
    put_image(source, "team/app", "v1", 1)
    untagged = {put_untagged(source, "team/app", number) for number in range(5)}
    put_image(source, "team/gone", "v1", 2)
    same = lambda: [manifests(target, name) == manifests(source, name) for name in ("team/app", "team/gone", "team/mine")]
    assert manifests(source, "team/app", "&untagged=true") == untagged and len(manifests(source, "team/app")) == 6
    replication.put("p", there.url, **{**PULL, "direction": direction})
    first = replication.run("p")
    assert same() == [True] * 3 and first["progress"]["tasks"] == first["progress"]["succeeded"] == 7, first
    # What comes and goes later: by the feed, and one of it has a tag for a moment.
    later = put_untagged(source, "team/app", "later")
    put_image(source, "team/app", "passing", "passing")
    delete(source, "team/app", "passing")
    delete(source, "team/app", min(untagged))
    second = replication.run("p")
    assert second["found"]["by"] == "feed" and same() == [True] * 3, second
    assert later in manifests(target, "team/app")
    # What the target alone has, in repositories that the source has and in others, goes when all is compared.
    put_untagged(target, "team/app", "stray")
    put_image(target, "team/mine", "v1", "mine")
    delete(target, "team/mine", "v1")
    put_image(target, "team/mine", "v2", "mine too")
    assert same() == [False, True, False]
    assert "full comparison" in replication.command("run", "p", "--full", "--wait")
    assert same() == [True] * 3 and whole(target, "team/app") == whole(source, "team/app")
    assert replication.run("p")["progress"]["tasks"] == 0


def test_a_registry_that_lists_no_manifests_is_asked_for_them_once(here, replication, area, run_server):
    docker = run_server(DockerRegistry(area, "docker"))
    before = CountingProxy(docker.address)
    for number in range(3):
        put_image(Registry(docker.address), f"team/app{number}", "v1", number)
    target = Registry(here.address)
    put_image(target, "team/app0", "mine", "mine")
    stays = put_untagged(target, "team/app0", "mine too")
    replication.put("p", before.url, **PULL)
    assert replication.run("p")["progress"]["failed"] == 0
    assert len([seen for seen in before.seen if "_wherry" in seen.path]) == 1, asked(before)
    assert set(whole(target, "team/app0")) == {"v1"} and stays in manifests(target, "team/app0")
    before.close()


def test_what_others_changed_at_the_target_is_put_right(here, there, replication, proxy):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    put_image(source, "team/app", "v2", 2)
    put_image(source, "team/still", "v1", 3)
    replication.put("p", proxy.url, **PULL)
    run(replication, proxy)
    delete(target, "team/app", "v1")
    put_image(target, "team/app", "v2", "another")
    put_image(target, "team/mine", "v1", "mine")
    done, seen = run(replication, proxy)
    assert done["found"]["by"] == "feed" and not [path for path in seen if "team/still" in path], (done, seen)
    assert whole(target, "team/app") == whole(source, "team/app")
    assert whole(target, "team/mine") == {}
    assert len(run(replication, proxy)[1]) == 1, "what the execution did itself is not looked at again"


def status_of_feed(registry):
    with registry.open("GET", "/wherry/v1/feed?from=2") as stream:
        return stream.status


def test_a_log_that_was_compacted_and_a_policy_that_was_changed_are_compared_in_full(
    here, there, replication, proxy, area
):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", proxy.url, **PULL)
    run(replication, proxy)
    for number in range(20):
        put_image(source, "team/app", f"more{number}", number)
    settings = area / "settings.yaml"
    settings.write_text(json.dumps({"feed": {"keep-entries": 3}}))
    there.restart(extra=["--config", settings])
    wait_until(lambda: status_of_feed(source) == 410, "the log is compacted")
    done, _ = run(replication, proxy)
    assert done["found"]["by"] == "full comparison" and "does not go back" in done["found"]["because"], done
    assert whole(target, "team/app") == whole(source, "team/app") and len(whole(source, "team/app")) == 21
    assert run(replication, proxy)[0]["found"]["by"] == "feed"
    put_image(source, "other/app", "v1", 1)
    replication.put("p", proxy.url, **{**PULL, "filters": {"repositories": ["**"]}})
    done, _ = run(replication, proxy)
    assert done["found"]["by"] == "full comparison", done
    assert whole(target, "other/app") == whole(source, "other/app")
    assert run(replication, proxy)[0]["found"]["by"] == "feed"
    asked_for = replication.call("POST", "/policies/p/run?full=true").json
    assert replication.wait(asked_for["id"])["found"] == {"by": "full comparison", "because": "it was asked for"}
    assert replication.call("POST", "/policies/p/run?full=perhaps").status == 400


def copy_of(master, folder):
    master.stop()
    shutil.copytree(master.data, folder)
    master.start()


def put_back(master, copy):
    master.stop()
    shutil.rmtree(master.data)
    shutil.copytree(copy, master.data)
    master.start()


def test_a_source_that_was_put_back_to_an_older_copy_is_reported_until_its_epoch_is_raised(
    here, there, replication, proxy, area
):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    copy_of(there, area / "copy")
    put_image(source, "team/app", "v2", 2)
    replication.put("p", proxy.url, **PULL)
    run(replication, proxy)
    before = whole(target, "team/app")
    assert set(before) == {"v1", "v2"}
    put_back(there, area / "copy")
    done, _ = run(replication, proxy, state="failed")
    assert "gone back" in done["error"] and whole(target, "team/app") == before, done
    for number in range(5):  # now it is further than it was, but by another way
        put_image(source, "team/app", "v1", f"other{number}")
    for _ in range(2):
        done, _ = run(replication, proxy, state="failed")
        assert "another history" in done["error"] and whole(target, "team/app") == before, done
    assert "gone back" in replication.command("show", str(done["id"]))
    there.stop()
    command("epoch", "--data", there.data)
    there.start()
    done, _ = run(replication, proxy)
    assert done["found"]["by"] == "full comparison", done
    assert whole(target, "team/app") == whole(source, "team/app") and set(whole(source, "team/app")) == {"v1"}
    assert run(replication, proxy)[0]["found"]["by"] == "feed"


def test_a_source_that_was_put_back_is_compared_when_that_is_asked_for(here, there, replication, proxy, area):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    copy_of(there, area / "copy")
    put_image(source, "team/app", "v2", 2)
    replication.put("p", proxy.url, **PULL)
    run(replication, proxy)
    put_back(there, area / "copy")
    run(replication, proxy, state="failed")
    assert "full comparison" in replication.command("run", "p", "--full", "--wait")
    assert set(whole(target, "team/app")) == {"v1"}
    assert run(replication, proxy)[0]["found"]["by"] == "feed"


def test_the_key_of_the_first_contact_is_the_key_from_then_on(here, there, replication, area, run_server):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", there.url, **PULL)
    replication.run("p")
    there.stop()
    command("feed-key", "--data", there.data, "--rotate")  # vouched for by the one before it
    there.start()
    put_image(source, "team/app", "v2", 2)
    assert replication.run("p")["found"]["by"] == "feed"
    before = whole(target, "team/app")
    assert set(before) == {"v1", "v2"}

    there.stop()
    other = Master(area, "other")
    other.port = there.port
    run_server(other)
    for number in range(9):
        put_image(Registry(other.address), "team/app", "v1", f"forged{number}")
    assert "not believed" in replication.run("p", "failed")["error"]
    here.restart()
    replication.put("p", there.url, **{**PULL, "filters": {"repositories": ["**"]}})
    assert "not believed" in replication.run("p", "failed")["error"]
    number = replication.call("POST", "/policies/p/run?full=true").json["id"]
    assert "not believed" in replication.wait(number, "failed")["error"]
    assert whole(target, "team/app") == before
    assert replication.call("DELETE", "/policies/p").status == 204  # said on purpose
    replication.put("p", there.url, **PULL)
    replication.run("p")
    assert whole(target, "team/app") == whole(Registry(other.address), "team/app")


def test_the_key_is_pinned_by_a_contact_whose_images_failed(here, there, replication, area, run_server, proxy):
    source = Registry(there.address)
    put_image(source, "team/app", "v1", 1)
    proxy.answers = lambda handler: "/blobs/" in handler.path and handler.answer(404)
    replication.put("p", proxy.url, **PULL)
    run(replication, proxy, state="failed")
    other = run_server(Master(area, "other"))
    proxy.target = other.address
    proxy.answers = None
    put_image(Registry(other.address), "team/app", "v1", "forged")
    assert "not believed" in run(replication, proxy, state="failed")[0]["error"]
    assert whole(Registry(here.address), "team/app") == {}


def test_the_position_is_kept_when_all_has_succeeded_and_not_before(here, there, replication, proxy):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", proxy.url, **PULL)
    first, _ = run(replication, proxy)
    put_image(source, "team/app", "v2", 2)
    proxy.answers = lambda handler: "/blobs/" in handler.path and handler.answer(404)
    failed, _ = run(replication, proxy, state="failed")
    proxy.answers = None
    put_image(source, "team/app", "v3", 3)
    done, _ = run(replication, proxy)
    assert done["found"]["from"] == failed["found"]["from"] and done["found"]["to"] > failed["found"]["to"]
    assert whole(target, "team/app") == whole(source, "team/app")
    # The failed one is taken up again: nothing goes back.
    assert replication.call("POST", f"/executions/{failed['id']}/retry").status == 202
    replication.wait(failed["id"])
    assert run(replication, proxy)[0]["found"]["from"] == done["found"]["to"]


def test_an_execution_that_a_crash_broke_off_keeps_the_position_that_it_was_planned_at(here, there, replication, proxy):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", proxy.url, **PULL, limits={"bytes-per-second": 8 * MEBIBYTE})
    run(replication, proxy)
    source.put_image("team/app", "v2", [oci.random_bytes(24 * MEBIBYTE, "layer")])
    number = replication.begin("p")
    wait_until(lambda: replication.execution(number)["state"] == "running", "it is planned")
    put_image(source, "team/app", "v3", 3)
    here.kill()
    here.start()
    done = replication.wait(number)
    assert done["found"]["by"] == "feed" and set(whole(target, "team/app")) == {"v1", "v2"}
    after, _ = run(replication, proxy)
    assert after["found"]["by"] == "feed" and after["found"]["from"] == done["found"]["to"]
    assert whole(target, "team/app") == whole(source, "team/app")


def test_the_feed_is_read_with_the_credentials_of_the_remote(here, there, replication, area):
    put_image(Registry(there.address), "team/app", "v1", 1)
    keeper = Gatekeeper(there.address)
    secret = area / "secret"
    secret.write_text(f"{keeper.USER}:{keeper.PASSWORD}\n")
    secret.chmod(0o600)
    replication.put("p", {"url": keeper.url, "credentials-file": str(secret)}, **PULL)
    run(replication, keeper)
    put_image(Registry(there.address), "team/app", "v2", 2)
    done, _ = run(replication, keeper)
    assert done["found"]["by"] == "feed" and set(whole(Registry(here.address), "team/app")) == {"v1", "v2"}
    shown = [seen.headers.get("Authorization", "") for seen in keeper.seen if "/wherry/v1/feed" in seen.path]
    assert shown[-1].startswith("Bearer token-"), shown
    keeper.close()


def test_a_node_that_follows_is_a_source_as_of_where_it_is(here, there, replication, area, run_server):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    above = CountingProxy(there.address)
    node = run_server(Node(area, above.url))
    wait_until(lambda: node.status()["feed"]["complete"], "it follows")
    replication.put("p", node.url, **PULL)
    assert replication.run("p")["found"]["by"] == "full comparison"
    put_image(source, "team/app", "v2", 2)
    settle(there, node)
    done = replication.run("p")
    assert done["found"]["by"] == "feed" and whole(target, "team/app") == whole(source, "team/app")
    # While the node is behind its parent all is as of where the node is, and nothing is passed over.
    above.answers = lambda handler: "/wherry/v1/feed" in handler.path and handler.answer(503)
    node.restart()
    put_image(source, "team/app", "v3", 3)
    replication.put("p", node.url, **{**PULL, "filters": {"repositories": ["**"]}})
    behind = replication.run("p")
    assert behind["found"]["by"] == "full comparison" and set(whole(target, "team/app")) == {"v1", "v2"}
    above.answers = None
    settle(there, node)
    assert replication.run("p")["found"]["by"] == "feed"
    assert set(whole(target, "team/app")) == {"v1", "v2", "v3"}
    above.close()


def test_a_registry_without_a_feed_is_compared_in_full_each_time(here, replication, area, run_server):
    docker = run_server(DockerRegistry(area, "docker"))
    put_image(Registry(docker.address), "team/app", "v1", 1)
    replication.put("p", docker.url, **PULL)
    for _ in range(2):
        assert replication.run("p")["found"] == {"by": "full comparison", "because": "the source gives no feed"}
    assert set(whole(Registry(here.address), "team/app")) == {"v1"}


def test_a_source_whose_feed_is_for_registered_nodes_alone_is_compared_in_full(here, there, replication, area):
    source = Registry(there.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", there.url, **PULL)
    replication.run("p")
    settings = area / "settings.yaml"
    settings.write_text(json.dumps({"feed": {"registered-only": True}}))
    there.restart(extra=["--config", settings])
    put_image(source, "team/app", "v2", 2)
    for _ in range(2):
        found = replication.run("p")["found"]
        assert found["by"] == "full comparison" and "refuses us" in found["because"], found
    assert set(whole(Registry(here.address), "team/app")) == {"v1", "v2"}
    there.restart()
    assert replication.run("p")["found"]["by"] == "full comparison"
    assert replication.run("p")["found"]["by"] == "feed"


def read_feed(master, proxy):
    """All that the master's feed tells who goes on from where the policy's last run began to read it."""
    path = [seen.path for seen in proxy.seen if "/wherry/v1/feed?" in seen.path][-1]
    connection = http.client.HTTPConnection(master.address, timeout=10)
    connection.request("GET", path)
    answer, got = connection.getresponse(), b""
    assert answer.status == 200, path
    connection.sock.settimeout(1)
    try:
        while piece := answer.read1(65536):
            got += piece
    except TimeoutError:
        pass
    connection.close()
    return got


def flipped(feed):
    """With one bit of the last signature another."""
    return feed[:-1] + bytes([feed[-1] ^ 1])


HOSTILE = {
    "as it is": (lambda feed: feed, None),
    "a wrong signature": (flipped, "not believed"),
    "another tag": (lambda feed: feed.replace(b"v2", b"v9"), "not believed"),
    "garbage": (lambda feed: b"\xff" * 100_000, "not believed"),
    "a record of no kind": (lambda feed: b"\0\0\0\1?!", "not believed"),
    "a key that is none": (lambda feed: b"\0\0\1\0K" + bytes(256), "not believed"),
}


@pytest.mark.parametrize("wrong", HOSTILE)
def test_a_feed_that_lies_changes_nothing_and_is_reported(here, there, replication, proxy, wrong):
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", proxy.url, **PULL)
    for _ in range(2):
        run(replication, proxy)
    put_image(source, "team/app", "v2", 2)
    twist, says = HOSTILE[wrong]
    answer = twist(read_feed(there, proxy))
    before = whole(target, "team/app")
    proxy.answers = lambda handler: "/wherry/v1/feed" in handler.path and handler.answer(
        200, answer, Content_Type=FEED_TYPE
    )
    if says is None:
        assert run(replication, proxy)[0]["found"]["by"] == "feed"
    else:
        done, _ = run(replication, proxy, state="failed")
        assert says in done["error"] and done["progress"]["tasks"] == 0, done
        assert whole(target, "team/app") == before
        proxy.answers = None
        run(replication, proxy)
    assert whole(target, "team/app") == whole(source, "team/app")


def test_a_feed_that_is_played_back_is_reported(here, there, replication, proxy):
    """What was true once: somebody between wants us not to see on."""
    source, target = Registry(there.address), Registry(here.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", proxy.url, **PULL)
    for _ in range(2):
        run(replication, proxy)
    recorded = read_feed(there, proxy)
    put_image(source, "team/app", "v2", 2)
    run(replication, proxy)
    before = whole(target, "team/app")
    delete(source, "team/app", "v1")
    proxy.answers = lambda handler: "/feed?from=" in handler.path and "epoch=" in handler.path and handler.answer(
        200, recorded, Content_Type=FEED_TYPE
    )
    done, _ = run(replication, proxy, state="failed")
    assert "gone back" in done["error"] and whole(target, "team/app") == before, done


def test_a_push_arrives_without_a_poll(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    manifest, _ = put_image(source, "team/app", "v0", 0)
    replication.put("p", there.url, trigger={"on": "push"})
    wait_until(lambda: target.get_manifest("team/app", "v0").status == 200, "what was there before is replicated")
    waits = []
    for number in range(7):
        wait_until(lambda: all(each["state"] == "succeeded" for each in replication.executions("p")), "all has ended")
        time.sleep(0.3)
        count = len(replication.executions("p"))
        source.put_manifest("team/app", f"new{number}", manifest)
        begin = time.monotonic()
        wait_until(lambda: len(replication.executions("p")) > count, "an execution begins", 5, 0.002)
        waits.append(time.monotonic() - begin)
        wait_until(lambda: target.get_manifest("team/app", f"new{number}").status == 200, "it is there")
    assert statistics.median(waits) < 0.12, waits


def test_a_blob_that_nothing_names_yet_begins_nothing(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    put_image(source, "team/app", "v0", 0)
    replication.put("p", there.url, trigger={"on": "push"})
    wait_until(lambda: target.get_manifest("team/app", "v0").status == 200, "what was there before is replicated")
    wait_until(lambda: all(each["state"] == "succeeded" for each in replication.executions("p")), "all has ended")
    count = len(replication.executions("p"))
    source.put_blob("team/new", b"a layer whose manifest comes later")
    time.sleep(0.6)
    assert len(replication.executions("p")) == count
    put_image(source, "team/new", "v1", 1)
    wait_until(lambda: target.get_manifest("team/new", "v1").status == 200, "with its manifest it is replicated")


def test_a_push_that_follows_another_at_any_time_is_not_forgotten(here, there, replication):
    source, target = Registry(here.address), Registry(there.address)
    manifest, _ = put_image(source, "team/app", "v0", 0)
    replication.put("p", there.url, trigger={"on": "push"})
    wait_until(lambda: target.get_manifest("team/app", "v0").status == 200, "what was there before is replicated")
    for step in range(14):
        time.sleep(0.3)
        source.put_manifest("team/app", f"first{step}", manifest)
        time.sleep(0.2 + step * 0.005)
        source.put_manifest("team/app", f"second{step}", manifest)
        wait_until(lambda: target.get_manifest("team/app", f"second{step}").status == 200, "it is there", 5)


def test_a_push_that_is_run_by_hand_costs_what_has_changed_too(here, there, replication, proxy):
    source, target = Registry(here.address), Registry(there.address)
    for number in range(10):
        put_image(source, f"team/app{number}", "v1", number)
    replication.put("p", proxy.url, filters={"repositories": ["team/**"]}, deletions=True)
    first, _ = run(replication, proxy)
    assert first["found"]["by"] == "full comparison"
    put_image(source, "team/app3", "v2", "new")
    delete(source, "team/app4", "v1")
    done, seen = run(replication, proxy)
    assert done["found"]["by"] == "feed" and done["found"]["to"] > done["found"]["from"] > 0, done
    assert not [path for path in seen if not ("team/app3" in path or "team/app4" in path)], seen
    assert set(whole(target, "team/app3")) == {"v1", "v2"} and whole(target, "team/app4") == {}
    # What others did there is no news of ours: that is found when all is compared.
    delete(target, "team/app5", "v1")
    assert run(replication, proxy)[0]["progress"]["tasks"] == 0
    said = replication.command("run", "p", "--full", "--wait")
    assert "full comparison" in said and "it was asked for" in said
    assert set(whole(target, "team/app5")) == {"v1"}


def test_two_masters_that_pull_from_each_other_come_to_rest(here, there, replication):
    back = Replication(there)
    policy = {"direction": "pull", "filters": {"repositories": ["team/**"]}}
    replication.put("p", there.url, **policy)
    back.put("p", here.url, **policy)
    put_image(Registry(here.address), "team/a", "v1", 1)
    put_image(Registry(there.address), "team/b", "v1", 2)
    for _ in range(3):
        for side in (replication, back):
            side.run("p")
    put_image(Registry(there.address), "team/b", "v2", 3)
    assert [side.run("p")["progress"]["tasks"] for side in (replication, back) * 2] == [1, 0, 0, 0]
    last = [side.run("p")["found"] for side in (replication, back)]
    assert all(found["by"] == "feed" and found["from"] == found["to"] for found in last), last
    for repository in ("team/a", "team/b"):
        assert whole(Registry(here.address), repository) == whole(Registry(there.address), repository)


def test_the_api_and_the_commands_say_how_work_was_found(here, there, replication):
    source = Registry(there.address)
    put_image(source, "team/app", "v1", 1)
    replication.put("p", there.url, **PULL)
    assert "full comparison" in replication.command("run", "p", "--wait")
    put_image(source, "team/app", "v2", 2)
    said = replication.command("run", "p", "--wait")
    found = replication.executions("p")[0]["found"]
    assert f"feed {found['from']}..{found['to']}" in said
    assert f"feed {found['from']}..{found['to']}" in replication.command("executions")
    schema = replication.registry.get("/api/v1/openapi.json").json["components"]["schemas"]["ReplicationExecution"]
    assert set(schema["properties"]["found"]["properties"]) == {"by", "from", "to", "because"}
    shown = replication.executions("p")[0]
    assert set(shown) <= set(schema["properties"]), set(shown) - set(schema["properties"])
