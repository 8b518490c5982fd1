"""The real clients, each with its state in a folder of the test's own. A client that is not installed is an error."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .process import TOOLS, Server, wait_until


def find(program):
    if program in os.environ.get("WHERRY_TESTS_WITHOUT", "").split():
        pytest.skip(f"{program} cannot be had on this system")
    found = shutil.which(program, path=f"{TOOLS}:{os.environ['PATH']}")
    assert found, f"{program} is not installed: tests/run.sh does that"
    return found


def run(*command, area, timeout=180, **env):
    """Runs a client to its end and gives its standard output; fails with what it said."""
    home = Path(area) / "home"
    home.mkdir(exist_ok=True)
    (home / "auth.json").write_text("{}")
    command = [find(command[0]), *(str(word) for word in command[1:])]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(area), "XDG_RUNTIME_DIR": str(home),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"), **env,
        },
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


class Skopeo:
    def __init__(self, area):
        self.area = area

    def run(self, *words):
        return run("skopeo", "--insecure-policy", *words, area=self.area)

    def push(self, source, image):
        self.run("copy", "--all", "--dest-tls-verify=false", source, f"docker://{image}")

    def pull(self, image):
        """Copies an image, or an index with all its children, into a folder; gives its manifest."""
        folder = self.area / "skopeo-pulled"
        self.run("copy", "--all", "--src-tls-verify=false", f"docker://{image}", f"dir:{folder}")
        manifest = (folder / "manifest.json").read_bytes()
        shutil.rmtree(folder)
        return manifest

    def inspect(self, image):
        return self.run("inspect", "--raw", "--tls-verify=false", f"docker://{image}")


class Podman:
    """podman, and buildah, whose commands are the same here."""

    def __init__(self, area, program="podman", **env):
        self.area = area
        self.env = env
        self.program = program
        self.root = area / f"{program}-root"
        self.common = ["--root", self.root, "--runroot", area / f"{program}-runroot", "--storage-driver", "vfs"]
        self.policy = area / "policy.json"
        self.policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')

    def run(self, *words):
        return run(self.program, *self.common, *words, area=self.area, **self.env)

    def pull(self, image):
        """Gives the image's id."""
        self.run("pull", "--quiet", "--tls-verify=false", "--signature-policy", self.policy, image)
        [known] = json.loads(self.run("images", "--json" if self.program == "buildah" else "--format=json", image))
        return known.get("id") or known["Id"]

    def push(self, image, target):
        """Gives the digest that the registry took."""
        told = self.area / f"{self.program}-digest"
        self.run("push", "--tls-verify=false", "--signature-policy", self.policy, "--digestfile", told, image, f"docker://{target}")
        return told.read_text().strip()

    def forget(self):
        """Removes everything, so that the next pull takes all of it again."""
        self.run("rmi", "--all", "--force")


class Containerd(Server):
    """A containerd of the test's own, and ctr against it."""

    def __init__(self, area):
        super().__init__(area, "containerd")
        self.area = area
        self.socket = self.folder / "c.sock"
        self.config = self.folder / "config.toml"
        self.config.write_text(
            "version = 2\n"
            f'root = "{self.folder}/root"\nstate = "{self.folder}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{self.socket}"\n'
            f'[ttrpc]\n  address = "{self.folder}/t.sock"\n'
        )

    def command(self):
        return [find("containerd"), "-c", self.config]

    def is_ready(self):
        try:
            self.run("version")
            return True
        except AssertionError:
            return False

    def run(self, *words):
        return run("ctr", "-a", self.socket, *words, area=self.area)

    def pull(self, image):
        """Gives the digest that the name stands for now."""
        self.run("images", "pull", "--plain-http", "--snapshotter", "native", image)
        [line] = [line for line in self.run("images", "ls").splitlines() if line.startswith(image + " ")]
        return line.split()[2]

    def push(self, image, target):
        self.run("images", "tag", "--force", image, target)
        self.run("images", "push", "--plain-http", target)

    def forget(self):
        """Removes everything, so that the next pull takes all of it again."""
        for image in self.run("images", "ls", "-q").split():
            self.run("images", "rm", "--sync", image)
        wait_until(lambda: not self.run("content", "ls", "-q").split(), "containerd's content is gone", 30, 0.1)


class Crane:
    def __init__(self, area):
        self.area = area

    def run(self, *words):
        return run("crane", "--insecure", *words, area=self.area).strip()

    def digest(self, image):
        return self.run("digest", image)


class Oras:
    def __init__(self, area):
        self.area = area

    def run(self, *words):
        return run("oras", *words, area=self.area)
