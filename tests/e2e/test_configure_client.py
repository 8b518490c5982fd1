"""configure-client: real clients pull through a node and past it, and get back the files that they had."""

import json
import os
import socket
import subprocess

import pytest
from wherry import oci
from wherry.certificate import make_certificate
from wherry.client import Registry
from wherry.clients import Containerd, Podman, Skopeo, run
from wherry.image import make_image
from wherry.process import BIN, DockerRegistry, WherryServer

UPSTREAMS = ("docker.io", "registry.test")


class MirrorNode(WherryServer):
    """A node in front of upstreams alone."""

    role = "node"

    def __init__(self, folder, upstreams, **more):
        super().__init__(folder)
        self.config = self.folder / "node.yaml"
        entries = [{"name": name, "url": url} for name, url in upstreams.items()]
        self.config.write_text(json.dumps({"listen": self.address, "upstreams": entries, **more}))

    def command(self):
        return [*super().command(), "--config", self.config]


@pytest.fixture
def root(area):
    """The root of a machine's files."""
    root = area / "root"
    root.mkdir()
    return root


@pytest.fixture
def configure(root):
    """Runs configure-client below the root; gives what it said."""

    def configure(*words, code=0, root_dir=root):
        command = [BIN / "wherry-node", "configure-client", *words, "--root-dir", root_dir]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stdout + done.stderr
        assert code == 0 or (done.stdout == "" and done.stderr.count("\n") == 1), "one line says why"
        return done.stdout + done.stderr

    return configure


def files_of(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def origins(session_area):
    """By name; each has the same repository with an image of its own."""
    origins = {}
    for number, name in enumerate(UPSTREAMS):
        folder = session_area / name
        folder.mkdir()
        origins[name] = DockerRegistry(folder).start()
        Skopeo(folder).push(make_image(folder, [300_000, 40_000], seed=number), f"{origins[name].address}/library/app:v1")
    yield origins
    for origin in origins.values():
        origin.end()


@pytest.fixture
def servers(area, run_server, origins):
    """(origins by name, a node before both)."""
    for origin in origins.values():
        if not origin.running():
            origin.end()
            origin.start()
    node = run_server(MirrorNode(area, {name: origin.url for name, origin in origins.items()}, root="docker.io"))
    return origins, node


def digest_at(origin):
    return oci.digest_of(Registry(origin.address).get_manifest("library/app", "v1").body)


def assert_pulls_whoever_is_up(pull, servers):
    """Through the node, then from it alone, then past it."""
    origins, node = servers
    digests = {name: digest_at(origin) for name, origin in origins.items()}
    assert len(set(digests.values())) == 2

    def all_pulled():
        for name, digest in digests.items():
            assert pull(f"{name}/library/app:v1") == digest

    all_pulled()
    for origin in origins.values():
        origin.stop()
    all_pulled()
    for origin in origins.values():
        origin.start()
    node.stop()
    all_pulled()


def test_containerd(servers, configure, root, area, run_server):
    configure("containerd", "--config", servers[1].config)
    containerd = run_server(Containerd(area))

    def pull(image):
        containerd.run("images", "pull", "--hosts-dir", root / "etc/containerd/certs.d", "--snapshotter", "native", image)
        [line] = [line for line in containerd.run("images", "ls").splitlines() if line.startswith(image + " ")]
        containerd.forget()
        return line.split()[2]

    assert_pulls_whoever_is_up(pull, servers)


def test_containerd_with_a_mirror_of_the_users(servers, configure, root, area, run_server):
    """The user's dead mirror stays between the node and the origin."""
    origins, node = servers
    hosts = root / "etc/containerd/certs.d/registry.test/hosts.toml"
    before = write(hosts, f'server = "{origins["registry.test"].url}"\n\n[host."http://127.0.0.1:1"]').read_bytes()
    configure("containerd", "--config", node.config)
    assert hosts.read_bytes() != before
    containerd = run_server(Containerd(area))

    def pull():
        where = ["--hosts-dir", hosts.parent.parent, "--snapshotter", "native"]
        containerd.run("images", "pull", *where, "registry.test/library/app:v1")
        containerd.forget()

    pull()
    origins["registry.test"].stop()
    pull()
    origins["registry.test"].start()
    node.stop()
    pull()
    configure("containerd", "--remove")
    assert files_of(root) == {"etc/containerd/certs.d/registry.test/hosts.toml": before}


class TlsRegistry(DockerRegistry):
    """docker-registry under this machine's name, with a certificate for it: what is named localhost gets no TLS."""

    def __init__(self, folder):
        self.host = socket.gethostname().lower()
        super().__init__(folder, certificate=make_certificate(folder / "certificate", f"DNS:{self.host}"))

    address = property(lambda self: f"{self.host}:{self.port}")

    def is_ready(self):
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
            return True
        except OSError:
            return False


@pytest.mark.parametrize("user_has", ["loose certificates", "a folder of all other registries"])
def test_containerd_keeps_what_a_new_file_hides(user_has, configure, root, area, run_server):
    """The node is down, so the origin is reached as the user had it or not at all."""
    origin = run_server(TlsRegistry(area))
    name = origin.address
    Skopeo(area).push(make_image(area, [40_000]), f"{name}/library/app:v1")
    folder = root / "etc/containerd/certs.d"
    if user_has == "loose certificates":
        write(folder / name / "ca.crt", origin.certificate[0].read_text())
    else:
        name = "registry.test"
        write(
            folder / "_default/hosts.toml",
            f'[host."https://{origin.address}"]\n  capabilities = ["pull", "resolve"]\n  ca = "{origin.certificate[0]}"\n',
        )
    before = files_of(root)
    containerd = run_server(Containerd(area))

    def pull():
        containerd.run("images", "pull", "--hosts-dir", folder, "--snapshotter", "native", f"{name}/library/app:v1")
        containerd.forget()

    pull()
    configure("containerd", "--node", "http://127.0.0.1:1", "--upstream", name)
    assert (folder / name / "hosts.toml").exists()
    pull()
    configure("containerd", "--remove")
    assert files_of(root) == before
    pull()


def read_from(root, area):
    """podman and its kin read the files below a root as a user's own."""
    settings = area / "home/.config"
    settings.mkdir(parents=True)
    os.symlink(root / "etc/containers", settings / "containers")


def test_podman(servers, configure, root, area):
    configure("podman", "--config", servers[1].config)
    read_from(root, area)
    podman = Podman(area)

    def pull(image):
        podman.run("pull", "--quiet", "--signature-policy", podman.policy, image)
        [known] = json.loads(podman.run("images", "--format=json", image))
        podman.forget()
        return known["Digest"]

    assert_pulls_whoever_is_up(pull, servers)


def test_skopeo_as_cri_o_reads_it(servers, configure, root, area):
    """CRI-O reads the same files by the same library. The user had a mirror, which is dead, and an old list."""
    origins, node = servers
    write(root / "etc/containers/registries.conf", "[registries.search]\nregistries = ['docker.io']\n")
    write(
        root / "etc/containers/registries.conf.d/50-mine.conf",
        f"[[registry]]\nprefix = 'registry.test'\nlocation = '{origins['registry.test'].address}'\ninsecure = true\n"
        "[[registry.mirror]]\nlocation = '127.0.0.1:1'\ninsecure = true\n",
    )
    before = files_of(root)
    configure("crio", "--config", node.config)
    read_from(root, area)

    def pull(image):
        run("skopeo", "--insecure-policy", "copy", f"docker://{image}", f"dir:{area}/pulled", area=area)
        return oci.digest_of((area / "pulled/manifest.json").read_bytes())

    assert_pulls_whoever_is_up(pull, servers)
    assert "127.0.0.1:1" in (root / "etc/containers/registries.conf.d/zz-wherry.conf").read_text()
    configure("podman", "--remove")
    assert files_of(root) == before


def test_docker_is_told_of_a_node_whose_root_is_docker_hub(servers, configure, root):
    """What dockerd asks of a mirror: docker.io's names at the root."""
    _, node = servers
    daemon = write(root / "etc/docker/daemon.json", '{"debug": true,  "registry-mirrors": ["https://m.example"]}')
    before = files_of(root)
    said = configure("docker", "--config", node.config)
    assert str(daemon) in said and "systemctl reload docker" in said
    told = json.loads(daemon.read_text())
    assert told == {"debug": True, "registry-mirrors": [node.url, "https://m.example"]}
    assert Registry(node.address).get_manifest("library/app", "v1").status == 200
    assert f"unchanged {daemon}" in configure("docker", "--config", node.config)
    configure("docker", "--config", node.config, "--remove")
    assert files_of(root) == before


def test_docker_is_not_told_of_a_node_that_would_not_answer_it(area, configure, root):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1"})
    assert "root: docker.io" in configure("docker", "--config", node.config, code=78)
    assert "docker.io" in configure("docker", "--upstream", "quay.example", "--node", "http://127.0.0.1:1", code=64)
    assert files_of(root) == {}


@pytest.mark.parametrize("kind", ["containerd", "docker", "podman", "crio"])
def test_twice_is_once_and_remove_leaves_nothing(area, configure, root, kind):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1", "registry.test:5000": "http://127.0.0.1:2"}, root="docker.io")
    shown = configure(kind, "--config", node.config, "--dry-run")
    assert "would write" in shown and node.url.removeprefix("http://") in shown and files_of(root) == {}
    configure(kind, "--config", node.config)
    once = files_of(root)
    assert once and all(name in shown for name in once)
    configure(kind, "--config", node.config)
    assert files_of(root) == once
    assert "would remove" in configure(kind, "--config", node.config, "--remove", "--dry-run")
    assert files_of(root) == once
    configure(kind, "--config", node.config, "--remove")
    assert files_of(root) == {}
    assert "nothing of wherry-node" in configure(kind, "--config", node.config, "--remove")


@pytest.mark.parametrize("kind", ["containerd", "podman"])
def test_registries_come_and_go_one_by_one(area, configure, root, kind):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1", "registry.test": "http://127.0.0.1:2"})
    configure(kind, "--config", node.config, "--upstream", "registry.test")
    one = files_of(root)
    assert not any(b"registry-1.docker.io" in text or b"docker.io" in text for text in one.values())
    configure(kind, "--config", node.config)
    assert files_of(root) != one
    configure(kind, "--remove", "--upstream", "docker.io")
    assert files_of(root) == one
    configure(kind, "--config", node.config, "--upstream", "nowhere.test", code=64)
    configure(kind, "--config", node.config)
    configure(kind, "--config", node.config, "--upstream", "registry.test")
    assert files_of(root) == one, "what is ours is what the last run was asked for"


@pytest.mark.parametrize(
    "kind, path, text",
    [
        ("containerd", "etc/containerd/certs.d/registry.test/hosts.toml", "[host\n"),
        ("docker", "etc/docker/daemon.json", '{"registry-mirrors": "x"}'),
        ("podman", "etc/containers/registries.conf", "= \n"),
        ("crio", "etc/containers/registries.conf.d/zz-wherry.conf", "# not of wherry-node\n"),
    ],
)
def test_a_file_that_cannot_be_understood_stops_it(area, configure, root, kind, path, text):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1", "registry.test": "http://127.0.0.1:2"}, root="docker.io")
    write(root / path, text)
    assert str(root / path) in configure(kind, "--config", node.config, code=78)
    assert files_of(root) == {path: text.encode()}


@pytest.mark.parametrize(
    "kind, path", [("containerd", "etc/containerd"), ("docker", "etc/docker"), ("podman", "etc/containers")]
)
def test_what_cannot_be_written_stops_it(area, configure, root, kind, path):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1"}, root="docker.io")
    write(root / path, "in the way of a folder")
    assert str(root / path) in configure(kind, "--config", node.config, code=74)
    assert files_of(root) == {path: b"in the way of a folder"}


@pytest.mark.parametrize(
    "kind, path",
    [
        ("containerd", "etc/containerd/certs.d/wherry.crt"),
        ("docker", "etc/docker/certs.d/node.example:5010/wherry.crt"),
        ("podman", "etc/containers/certs.d/node.example:5010/wherry.crt"),
    ],
)
def test_the_ca_of_an_https_node_comes_along(area, configure, root, kind, path):
    node = MirrorNode(area, {"docker.io": "https://127.0.0.1:1"}, root="docker.io")
    ca = write(area / "ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    place = ["--config", node.config, "--node", "https://node.example:5010"]
    configure(kind, *place, "--ca", ca)
    assert (root / path).read_text().endswith(ca.read_text())
    assert not any(b"insecure" in text for name, text in files_of(root).items() if name != path)
    if kind == "containerd":
        assert f'ca = "/{path}"' in (root / "etc/containerd/certs.d/docker.io/hosts.toml").read_text()
    configure(kind, *place)
    assert not (root / path).exists(), "without --ca nothing of it is left"
    configure(kind, *place, "--ca", ca)
    configure(kind, *place, "--remove")
    assert files_of(root) == {}
    configure(kind, "--config", node.config, "--ca", ca, code=64)


def test_wrong_use(area, configure, root):
    node = MirrorNode(area, {"docker.io": "http://127.0.0.1:1"})
    empty = write(area / "empty.yaml", "listen: 127.0.0.1:5010\n")
    odd = write(area / "odd.yaml", "upstreams: [{name: docker.io, colour: red}]\n")
    configure("podman", code=64)
    configure("nerdctl", code=64)
    configure("podman", "--node", "http://127.0.0.1:1", code=64)
    configure("podman", "--config", node.config, "--node", "http://127.0.0.1:1/path", code=64)
    configure("podman", "--upstream", "no name", "--node", "http://127.0.0.1:1", code=64)
    configure("podman", "--config", empty, code=78)
    assert f"{odd}:1" in configure("podman", "--config", odd, "--node", "http://127.0.0.1:1", code=78)
    configure("podman", "--config", area / "nowhere.yaml", code=78)
    configure("podman", "--config", node.config, root_dir=area / "nowhere", code=64)
    assert not (area / "nowhere").exists()
    assert files_of(root) == {}


def test_the_parent_is_mirrored_by_the_names_that_clients_know(area, configure, root):
    parent = {"url": "https://master.test", "names": ["master.test", "old.test"]}
    node = MirrorNode(area, {}, parent=parent)
    configure("containerd", "--config", node.config)
    folder = root / "etc/containerd/certs.d"
    assert [path.name for path in sorted(folder.iterdir())] == ["master.test", "old.test"]
    assert 'server = "https://old.test"' in (folder / "old.test/hosts.toml").read_text()
    configure("podman", "--config", node.config)
    assert f'location = "{node.address}"\n' in (root / "etc/containers/registries.conf.d/zz-wherry.conf").read_text()
