"""A master's replication, by its API and its commands."""

import json
import subprocess

from .client import Registry
from .process import BIN, wait_until

API = "/api/v1/replication"
OVER = ("succeeded", "failed", "stopped")


class Replication:
    def __init__(self, master):
        self.master = master
        self.registry = Registry(master.address)

    def call(self, method, path, document=None):
        body = None if document is None else json.dumps(document)
        headers = {} if document is None else {"Content-Type": "application/json"}
        return self.registry.call(method, API + path, body, headers)

    def put(self, name, remote, **more):
        """A policy that pushes, unless `more` says otherwise, to a URL or what `remote` is in its document."""
        remote = {"url": remote} if isinstance(remote, str) else remote
        document = {"direction": "push", "remote": remote, **more}
        response = self.call("PUT", f"/policies/{name}", document)
        assert response.status == 200, response
        return response.json

    def begin(self, name):
        response = self.call("POST", f"/policies/{name}/run")
        assert response.status == 202, response
        return response.json["id"]

    def execution(self, number):
        response = self.call("GET", f"/executions/{number}")
        assert response.status == 200, response
        return response.json

    def executions(self, policy):
        return self.call("GET", f"/executions?policy={policy}").json

    def tasks(self, number):
        return self.call("GET", f"/executions/{number}/tasks?n=500").json

    def wait(self, number, state="succeeded", seconds=60):
        """The execution when it is over; it must have ended so."""
        done = wait_until(
            lambda: (e := self.execution(number)) and e["state"] in OVER and e, f"execution {number} ends", seconds, 0.05
        )
        assert done["state"] == state, (done, self.tasks(number))
        return done

    def run(self, name, state="succeeded", seconds=60):
        return self.wait(self.begin(name), state, seconds)

    def command(self, *words, given=None, code=0):
        done = subprocess.run(
            [BIN / "wherry-master", "replication", *words, "--server", self.master.url],
            input=given, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


def whole(registry, repository):
    """All that is to be seen of a repository: {tag: manifest bytes}, with what the manifests name checked to be there."""
    response = registry.get(f"/v2/{repository}/tags/list")
    if response.status == 404:
        return {}
    seen = {}
    for tag in response.json["tags"] or []:
        manifest = registry.get_manifest(repository, tag)
        assert manifest.status == 200, (tag, manifest)
        seen[tag] = manifest.body
        _check_complete(registry, repository, manifest.json)
    return seen


def _check_complete(registry, repository, manifest):
    for blob in [*([manifest["config"]] if "config" in manifest else []), *manifest.get("layers", [])]:
        head = registry.head(registry.blob_path(repository, blob["digest"]))
        assert head.status == 200 and int(head["Content-Length"]) == blob["size"], (blob, head)
    for child in manifest.get("manifests", []):
        response = registry.get_manifest(repository, child["digest"])
        assert response.status == 200, (child, response)
        _check_complete(registry, repository, response.json)
