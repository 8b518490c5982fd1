"""A node in front of several registries: one content in three dialects, and nothing asked of anybody else."""

import json
import os
import shutil
import time

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.clients import Containerd, Crane, Oras, Podman, Skopeo
from wherry.image import MEBIBYTE, make_image
from wherry.process import DockerRegistry, Master, Node, wait_until
from wherry.proxy import CountingProxy

OWN = "registry.example:5000"
OWN_PREFIX = "registry.example__5000"


class Site:
    """Two upstreams and a parent, each behind a proxy that counts, and a node in front of all."""

    def __init__(self, area, root=None):
        self.servers = {"hub": DockerRegistry(area, "hub"), "own": Master(area, "own"), "parent": Master(area, "parent")}
        for server in self.servers.values():
            server.start()
        self.proxies = {name: CountingProxy(server.address) for name, server in self.servers.items()}
        self.hub, self.own, self.parent = (Registry(server.address) for server in self.servers.values())
        settings = {
            "upstreams": [
                {"name": "docker.io", "url": self.proxies["hub"].url},
                {
                    "name": OWN, "url": self.proxies["own"].url, "aliases": ["mirror.example", "other.example:81"],
                    "allow": ["team/*", "sig/*", "n?"], "deny": ["team/secret*"],
                },
            ]
        }  # fmt: skip
        if root:
            settings["root"] = root
        self.node = Node(area, self.proxies["parent"].url, "front-node", settings=settings).start()
        self.edge = Registry(self.node.address)

    def requests(self):
        return sum(len(proxy.seen) for proxy in self.proxies.values())

    def end(self):
        self.node.end()
        for server in self.servers.values():
            server.end()
        for proxy in self.proxies.values():
            proxy.close()


@pytest.fixture(scope="module")
def site(session_area):
    folder = session_area / "site"
    folder.mkdir()
    site = Site(folder)
    yield site
    site.end()
    shutil.rmtree(folder, ignore_errors=True)


def pull(edge, path, ns=None, **headers):
    return edge.get(path + (f"?ns={ns}" if ns else ""), accept=f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}", **headers)


def test_one_image_is_the_same_in_all_dialects_and_is_fetched_once(site):
    layer = os.urandom(300_000)
    manifest, digest = site.hub.put_image("library/alpine", "v1", [layer])
    blob = oci.digest_of(layer)
    names = [
        ("alpine", "docker.io"), ("library/alpine", "docker.io"), ("alpine", "registry-1.docker.io"),
        ("alpine", "index.docker.io"), ("docker.io/alpine", None), ("docker.io/library/alpine", None),
        ("index.docker.io/library/alpine", None),
    ]  # fmt: skip
    for name, ns in names:
        for reference in ("v1", digest):
            answer = pull(site.edge, f"/v2/{name}/manifests/{reference}", ns)
            assert answer.status == 200 and answer.body == manifest, (name, ns, answer)
        answer = pull(site.edge, f"/v2/{name}/blobs/{blob}", ns)
        assert answer.status == 200 and answer.body == layer
        wait_until(site.node.blob_file(blob).exists, "the layer is kept")
    proxy = site.proxies["hub"]
    assert proxy.count("GET", "/manifests/") == 1 and proxy.gets_of(blob) == 1
    assert all(seen.path.startswith("/v2/library/alpine/") for seen in proxy.seen)


def test_each_name_leads_to_its_own_registry(site):
    made = {}
    for name, registry in (("hub", site.hub), ("own", site.own), ("parent", site.parent)):
        made[name] = registry.put_image("team/app", "v1", [name.encode() * 100])[0]
    cases = {
        ("team/app", None): "parent", ("team/app", site.proxies["parent"].address): "parent", ("team/app", "docker.io"): "hub",
        ("docker.io/team/app", None): "hub", ("team/app", OWN): "own", ("team/app", "mirror.example"): "own",
        ("team/app", "other.example:81"): "own", (f"{OWN_PREFIX}/team/app", None): "own",
        ("mirror.example/team/app", None): "own",
    }  # fmt: skip
    for (name, ns), whose in cases.items():
        assert pull(site.edge, f"/v2/{name}/manifests/v1", ns).body == made[whose], (name, ns)
    layers = {whose: json.loads(manifest)["layers"][0]["digest"] for whose, manifest in made.items()}
    for (name, ns), whose in cases.items():
        for other, digest in layers.items():
            status = pull(site.edge, f"/v2/{name}/blobs/{digest}", ns).status
            assert status == (200 if other == whose else 404), (name, ns, other)


def test_tags_are_listed_under_the_name_that_was_asked_for(site):
    site.hub.put_image("library/listed", "v1", [b"l"])
    site.own.put_image("team/listed", "v1", [b"l"])
    for path, name in [
        ("/v2/listed/tags/list?ns=docker.io", "listed"), ("/v2/library/listed/tags/list?ns=docker.io", "library/listed"),
        ("/v2/docker.io/listed/tags/list", "docker.io/listed"), ("/v2/team/listed/tags/list?ns=mirror.example", "team/listed"),
        (f"/v2/{OWN_PREFIX}/team/listed/tags/list", f"{OWN_PREFIX}/team/listed"),
    ]:  # fmt: skip
        assert site.edge.get(path).json == {"name": name, "tags": ["v1"]}, path


@pytest.mark.parametrize("repository, status", [("team/open", 200), ("team/secret", 403), ("team/secrets/deep", 403), ("else/where", 403), ("n1", 200)])
def test_what_allow_and_deny_keep_out_is_never_asked_for(site, repository, status):
    manifest, digest = site.own.put_image(repository, "v1", [repository.encode()])
    layer = oci.digest_of(repository.encode())
    before = site.requests()
    for what in ("manifests/v1", f"manifests/{digest}", f"blobs/{layer}", "tags/list", f"referrers/{digest}"):
        for path in (f"/v2/{repository}/{what}?ns={OWN}", f"/v2/mirror.example/{repository}/{what}"):
            answer = site.edge.get(path)
            assert answer.status == status and (status == 200 or answer.code == "DENIED"), path
    assert status == 200 or site.requests() == before


def test_the_parents_name_leads_to_what_no_other_registry_gives(site):
    manifest, digest = site.own.put_image("team/secret", "v1", [b"secret"])
    before = site.requests()
    for what in ("manifests/v1", f"manifests/{digest}", f"blobs/{oci.digest_of(b'secret')}", "tags/list", f"referrers/{digest}"):
        answer = site.edge.get(f"/v2/{OWN_PREFIX}/team/secret/{what}?ns={site.proxies['parent'].address}")
        assert answer.status == 404 and answer.code == "NAME_UNKNOWN", what
    assert site.requests() == before


STRANGE = [
    "http://docker.io", "https://docker.io", "docker.io/", "docker.io/library", "docker.io:443", "docker.io:80", "docker.io:0",
    "docker.io:99999", "docker.io.", ".docker.io", "evil.example", "127.0.0.1", "localhost", "169.254.169.254", "[::1]:5000",
    "user@docker.io", "docker.io@evil.example", "docker.io%23evil.example", "docker.io%00evil", "%64ocker.io%2f..", "..", "",
    "docker.io%20", "docker.io%0d%0aHost:%20evil", "docker.io&ns=evil.example", "docker.io&ns=docker.io", "evil.example&ns=docker.io",
    "registry.example", "registry.example:5001", "x" * 2000, "DOCKER.IO%2f", "docker.io%5c", "%e2%80%8bdocker.io", "docker.io%3f",
]  # fmt: skip


@pytest.mark.parametrize("ns", STRANGE, ids=range(len(STRANGE)))
def test_an_ns_that_names_no_registry_is_refused_at_once_and_nobody_is_asked(site, ns):
    site.hub.put_image("library/alpine", "v1", [b"a"])
    before = site.requests()
    for what in ("manifests/v1", f"blobs/{oci.digest_of(b'a')}", "tags/list", f"referrers/{oci.digest_of(b'a')}"):
        for method in ("GET", "HEAD"):
            times = []
            for _ in range(3):
                begin = time.monotonic()
                answer = site.edge.call(method, f"/v2/library/alpine/{what}?ns={ns}")
                times.append(time.monotonic() - begin)
                assert 400 <= answer.status < 500, answer
                assert method == "HEAD" or answer.code
            assert min(times) < 0.02
    assert site.requests() == before


def test_with_a_root_unprefixed_names_are_its_own(area):
    site = Site(area, root="docker.io")
    try:
        manifest, _ = site.hub.put_image("library/alpine", "v1", [b"of the hub"])
        own, _ = site.own.put_image("team/app", "v1", [b"of the other"])
        parents, _ = site.parent.put_image("team/app", "v2", [b"of the parent"])
        for name in ("alpine", "library/alpine", "docker.io/alpine"):
            assert pull(site.edge, f"/v2/{name}/manifests/v1").body == manifest, name
        assert pull(site.edge, "/v2/mirror.example/team/app/manifests/v1").body == own
        assert pull(site.edge, "/v2/team/app/manifests/v2").status == 404
        assert pull(site.edge, "/v2/team/app/manifests/v2", site.proxies["parent"].address).body == parents
        assert site.edge.get("/v2/_catalog").json["repositories"] == ["library/alpine"]
    finally:
        site.end()


def test_referrers_and_signatures_pass_through_and_outlive_their_upstreams(area):
    site = Site(area)
    try:
        kept = {}
        for registry, repository, ns in ((site.hub, "sig/app", "docker.io"), (site.own, "sig/app", OWN)):
            _, digest = registry.put_image(repository, "v1", [b"signed"])
            signature_tag = digest.replace(":", "-") + ".sig"
            signature, _ = registry.put_image(repository, signature_tag, [b"a signature"])
            registry.put_blob(repository, oci.EMPTY_JSON)
            subject = {"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": 1}
            sbom = oci.artifact(subject, "application/vnd.example.sbom")
            sbom_digest = registry.put_manifest(repository, oci.digest_of(sbom), sbom)
            if registry is site.hub:  # it has no referrers API: clients keep the list under a tag
                index = oci.image_index([oci.descriptor(sbom, oci.OCI_MANIFEST, artifactType="application/vnd.example.sbom")])
                registry.put_manifest(repository, digest.replace(":", "-"), index, oci.OCI_INDEX)
            kept[repository, ns] = (digest, signature_tag, signature, sbom, sbom_digest)

        def check():
            for (repository, ns), (digest, signature_tag, signature, sbom, sbom_digest) in kept.items():
                assert pull(site.edge, f"/v2/{repository}/manifests/{digest}", ns).status == 200
                assert pull(site.edge, f"/v2/{repository}/manifests/{signature_tag}", ns).body == signature
                assert pull(site.edge, f"/v2/{repository}/blobs/{oci.digest_of(b'a signature')}", ns).body == b"a signature"
                assert pull(site.edge, f"/v2/{repository}/manifests/{sbom_digest}", ns).body == sbom
                listed = site.edge.get(f"/v2/{repository}/referrers/{digest}?ns={ns}").json["manifests"]
                assert [entry["digest"] for entry in listed] == [sbom_digest], ns

        check()
        wait_until(site.node.blob_file(oci.digest_of(b"a signature")).exists, "the signature is kept")
        for name in ("hub", "own"):
            site.proxies[name].close()
        check()
    finally:
        site.end()


# Real clients


@pytest.fixture(scope="module")
def images(site, session_area):
    """The same image on two upstreams, and its digest."""
    folder = session_area / "upstream-images"
    folder.mkdir()
    layout = make_image(folder, [4 * MEBIBYTE, MEBIBYTE, 64 * 1024])
    skopeo = Skopeo(folder)
    skopeo.push(layout, f"{site.servers['hub'].address}/library/whole:v1")
    skopeo.push(layout, f"{site.servers['own'].address}/team/whole:v1")
    yield {"docker.io/library/whole:v1": None, f"{OWN}/team/whole:v1": None}
    shutil.rmtree(folder, ignore_errors=True)


def with_mirrors(area, node):
    """registries.conf that sends pulls from both upstreams to the node, which knows them by prefix."""
    file = area / "registries.conf"
    entries = [
        f'[[registry]]\nprefix = "{name}"\nlocation = "127.0.0.1:1/{prefix}"\ninsecure = true\n'
        f'[[registry.mirror]]\nlocation = "{node.address}/{prefix}"\ninsecure = true\n'
        for name, prefix in (("docker.io", "docker.io"), (OWN, OWN_PREFIX))
    ]
    file.write_text("\n".join(entries))
    return file


class Clients:
    """All clients, each in its dialect; pull() gives what each got: the manifest's digest or the image's id."""

    def __init__(self, area, node, run_server):
        self.node = node
        self.mirrors = with_mirrors(area, node)
        self.podman = Podman(area, CONTAINERS_REGISTRIES_CONF=str(self.mirrors))
        self.skopeo, self.crane, self.oras = Skopeo(area), Crane(area), Oras(area)
        self.area = area
        self.containerd = run_server(Containerd(area))
        self.hosts = area / "certs.d"
        for name in ("docker.io", OWN):
            folder = self.hosts / name
            folder.mkdir(parents=True)
            (folder / "hosts.toml").write_text(
                'server = "http://127.0.0.1:1"\n' f'[host."{node.url}"]\n  capabilities = ["pull", "resolve"]\n'
            )

    def pull(self, image):
        return {
            "skopeo": self.by_skopeo(image), "podman": self.by_podman(image), "ctr": self.by_ctr(image),
            "crane": self.by_crane(image), "oras": self.by_oras(image),
        }  # fmt: skip

    def by_skopeo(self, image):
        folder = self.area / "pulled"
        self.skopeo.run("--registries-conf", self.mirrors, "copy", f"docker://{image}", f"dir:{folder}")
        digest = oci.digest_of((folder / "manifest.json").read_bytes())
        shutil.rmtree(folder)
        return digest

    def by_podman(self, image):
        pulled = self.podman.pull(image)
        self.podman.forget()
        return pulled

    def by_ctr(self, image):
        self.containerd.run("images", "pull", "--hosts-dir", self.hosts, "--snapshotter", "native", image)
        [line] = [line for line in self.containerd.run("images", "ls").splitlines() if line.startswith(image + " ")]
        self.containerd.forget()
        return line.split()[2]

    def at_node(self, image):
        registry, _, rest = image.partition("/")
        return f"{self.node.address}/{registry.replace(':', '__')}/{rest}"

    def by_crane(self, image):
        folder = self.area / "craned"
        self.crane.run("pull", "--format=oci", self.at_node(image), folder)
        digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
        shutil.rmtree(folder)
        return digest

    def by_oras(self, image):
        folder = self.area / "orased"
        self.oras.run("cp", "--from-plain-http", self.at_node(image), "--to-oci-layout", f"{folder}:v1")
        digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
        shutil.rmtree(folder)
        return digest


@pytest.mark.timeout(300)
def test_real_clients_pull_from_two_upstreams_at_once_and_again_when_both_are_dead(images, site, area, run_server):
    clients = Clients(area, site.node, run_server)
    first = {image: clients.pull(image) for image in images}
    digest = first[next(iter(images))]["crane"]
    for pulled in first.values():
        assert {name: got for name, got in pulled.items() if name != "podman"} == dict.fromkeys(("skopeo", "ctr", "crane", "oras"), digest)
    assert len({pulled["podman"] for pulled in first.values()}) == 1
    for proxy in (site.proxies["hub"], site.proxies["own"]):
        asked = [seen.path for seen in proxy.seen if seen.method == "GET" and "whole" in seen.path]
        assert len(asked) == len(set(asked)), "nothing is fetched twice"
    for proxy in site.proxies.values():
        proxy.close()
    try:
        assert {image: clients.pull(image) for image in images} == first
    finally:
        for proxy in site.proxies.values():
            proxy.reopen()
