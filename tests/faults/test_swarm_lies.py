"""A tier that lies about what the pieces of a blob are: the master's word says what they are, or the blob comes without a swarm."""

import base64
import json
import subprocess

import pytest
from member import Identity
from wherry import oci
from wherry.client import Broken, Registry
from wherry.process import BIN, Master, wait_until
from wherry.proxy import CountingProxy
from wherry.swarm import Site, leased, received

SIZE = 3_000_000
# Lies about what an introduction says: the torrent, and the master's word on it.


def flipped(text):
    """The last bit of something in base64."""
    data = base64.b64decode(text)
    return base64.b64encode(data[:-1] + bytes([data[-1] ^ 1])).decode()


def forges_a_piece(said):
    return {"torrent": flipped(said["torrent"])}


def forges_the_word(said):
    return {"voucher": flipped(said["voucher"])}


def shortens_the_word(said):
    return {"voucher": base64.b64encode(base64.b64decode(said["voucher"])[:-1]).decode()}


def keeps_the_word_back(_):
    return {"voucher": ""}


def tells_the_truth(said):
    assert said["voucher"]
    return {}


LIES = [forges_a_piece, forges_the_word, shortens_the_word, keeps_the_word_back]


class LyingTier(CountingProxy):
    """Passes everything on but introductions, of which it makes what its lie says."""

    def __init__(self, target, lie):
        super().__init__(target)
        self.lie, self.told = lie, 0
        self.answers = self.meddle

    def meddle(self, handler):
        if not handler.path.startswith("/wherry/v1/swarm/sha256:") or "ticket=" not in handler.path:
            return False
        headers = {name: value for name, value in handler.headers.items() if name.lower() == "authorization"}
        answer = Registry(self.target).call("POST", handler.path, handler.body, headers)
        assert answer.status == 200, answer
        document = json.loads(answer.body)
        document.update(self.lie(document))
        self.told += 1
        return handler.answer(200, json.dumps(document).encode())


@pytest.fixture
def site(area, run_server):
    return Site(area, run_server)


def push_image(registry, repository="team/app"):
    """Gives digest and bytes of its layer, which the feed tells of with its image."""
    blob = oci.random_bytes(SIZE)
    for part in (blob, oci.EMPTY_JSON):
        assert registry.push_blob(repository, part).status == 201
    registry.put_manifest(repository, "v1", oci.image_manifest(layers=[blob]))
    return oci.digest_of(blob), blob


def pull(node, digest, repository="team/app"):
    registry = Registry(node.address)
    wait_until(lambda: registry.get_manifest(repository, "v1").status == 200, "the feed has told of it")
    return registry.get(f"/v2/{repository}/blobs/{digest}")


@pytest.mark.parametrize("lie", LIES)
def test_a_tier_that_lies_about_pieces_is_not_followed(site, lie):
    liar = LyingTier(site.master.address, lie)
    node = site.node("paris", parent=liar)
    digest, blob = push_image(site.registry)
    assert pull(node, digest).body == blob
    assert liar.told == 1, "it was not asked again"
    assert leased(site.master) == 0 and received(node, "parent") == 0
    assert any("the master's word" in str(line.get("why")) for line in node.log_lines())
    liar.close()


def test_an_honest_one_passes_the_masters_word_on(site):
    honest = LyingTier(site.master.address, tells_the_truth)
    node = site.node("paris", parent=honest)
    digest, blob = push_image(site.registry)
    assert pull(node, digest).body == blob
    assert honest.told == 1 and received(node, "parent") == SIZE
    honest.close()


def test_a_tier_that_makes_the_torrent_itself_gets_the_masters_word_and_keeps_it(site):
    """It got the blob without a swarm. Its children share once the word is here, also when the master is away."""
    region = site.node("region", listen=None)
    digest, blob = push_image(site.registry)
    assert pull(region, digest).body == blob and leased(site.master) == 0
    first = site.node("paris", parent=region)
    second = site.node("lyon", parent=region)
    assert pull(first, digest).body == blob
    assert leased(region) == SIZE and received(first, "parent") == SIZE
    site.master.kill()
    region.restart()
    assert pull(second, digest).body == blob
    assert received(second, "parent") + received(second, "neighbours") >= SIZE


def test_after_its_key_was_changed_the_master_says_it_anew(site):
    """Also to who was told of the newest key alone, by way of a tier that has the word under the older one."""
    digest, blob = push_image(site.registry)
    region = site.node("region")
    assert pull(region, digest).body == blob and received(region, "parent") == SIZE
    site.master.stop()
    words = [BIN / "wherry-master", "feed-key", "--data", site.master.data]
    subprocess.run([*words, "--rotate"], check=True, capture_output=True)
    newest = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1]
    site.master.start()
    region.restart()
    wait_until(lambda: region.status()["feed"]["state"] == "following", "the region knows the new key")
    node = site.node("paris", parent=region, more={"parent": {"feed-key": newest}})
    assert pull(node, digest).body == blob
    assert received(node, "parent") == SIZE and leased(region) == SIZE


def test_without_the_masters_word_blobs_come_all_the_same(site):
    """The master is away before the tier has it: nobody is introduced to what nobody vouches for."""
    region = site.node("region", listen=None)
    digest, blob = push_image(site.registry)
    assert pull(region, digest).body == blob
    node = site.node("paris", parent=region)
    site.master.kill()
    assert pull(node, digest).body == blob
    assert leased(region) == 0
    assert any("nobody vouches" in line["message"] for line in region.log_lines())


def test_what_is_not_the_masters_is_shared_by_the_parents_word(site, area, run_server):
    hub = run_server(Master(area, "hub"))
    digest, blob = push_image(Registry(hub.address))
    region = site.node("region", more={"upstreams": [{"name": "hub.example", "url": hub.url}]})
    repository = "hub.example/team/app"
    assert pull(region, digest, repository).body == blob
    nodes = [site.node(name, parent=region) for name in ("paris", "lyon")]
    for node in nodes:
        assert pull(node, digest, repository).body == blob
    assert received(nodes[1], "neighbours") > 0.5 * SIZE
    assert leased(region) < 1.5 * SIZE


def test_a_damaged_file_is_not_vouched_for_and_is_shared_once_it_is_whole_again(site):
    digest, blob = push_image(site.registry)
    file = site.master.blob_file(digest)
    file.chmod(0o600)
    with open(file, "r+b") as damaged:
        damaged.seek(SIZE - 100)
        damaged.write(bytes(50))
    first, second = site.node("paris"), site.node("lyon")
    try:
        assert pull(first, digest).body != blob
    except Broken:
        pass  # the connection broke where the file is damaged
    assert not first.blob_file(digest).exists() and leased(site.master) == 0
    assert any("is damaged" in str(line) for line in site.master.log_lines())
    wait_until(lambda: not file.exists(), "it is set aside")
    assert site.registry.push_blob("team/app", blob).status == 201
    assert pull(second, digest).body == blob
    assert received(second, "parent") == SIZE


def test_who_is_invited_to_the_word_alone_is_not_introduced(site, area):
    digest, _ = push_image(site.registry)
    node = Identity(area, site.registry, site.token("paris"))
    place = f"/v2/team/app/blobs/{digest}"
    answers = [node.ask(site.registry, "GET", place, **{"Wherry-Swarm": wanted}) for wanted in ("1", "voucher")]
    to_swarm, to_word = (answer.headers["Location"] for answer in answers)

    def word(place):
        path, query = place.split("?")
        return node.ask(site.registry, "POST", f"{path}/voucher?{query}")

    assert word(to_word).status == 200 and len(word(to_word).body) == 72
    assert node.introduced(site.registry, to_swarm, 1234).status == 200
    assert node.introduced(site.registry, to_word, 1234).status == 403
    assert word(to_swarm).status == 403
    other = Identity(area, site.registry, site.token("lyon"))
    assert other.introduced(site.registry, to_swarm, 1234).status == 403
    anybody = site.registry.call("POST", to_word.replace("?", "/voucher?"), b"")
    assert anybody.status == 401
