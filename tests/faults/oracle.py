"""What was acknowledged, kept outside of the store; and clients that push, move and delete until the server dies.

An acknowledged operation leaves one state that may be found later, an unacknowledged one leaves the old and the new.
"""

import http.client
import random
import re
import threading

from wherry import oci
from wherry.client import Broken, Registry, Response

THERE, GONE = "there", "gone"


class KeptRegistry(Registry):
    """A client that keeps its connection, for many requests."""

    def __init__(self, address):
        super().__init__(address)
        self._connection = http.client.HTTPConnection(address, timeout=60)

    def call(self, method, path, body=None, headers=None, timeout=60):
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            answer = Response(response.status, response.headers, response.read())
        except http.client.IncompleteRead as error:
            self._connection.close()
            raise Broken(f"{method} {path}: short body", error.partial, response.status) from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Broken(f"{method} {path}: {error!r}") from error
        # A disk that fails is said before the process ends: nothing was acknowledged.
        if answer.status >= 500 and method not in ("GET", "HEAD"):
            raise Broken(f"{method} {path}: {answer!r}", answer.body, answer.status)
        return answer

    def close(self):
        self._connection.close()


class Client:
    """Works on a repository of its own, so that what it knows of it is all that happens to it."""

    TAGS = [f"t{number}" for number in range(6)]
    CONFIG = b'{"architecture":"amd64","os":"linux"}'

    def __init__(self, repository, seed):
        self.repository = repository
        self.random = random.Random(seed)
        self.blobs = {}  # digest -> states that are possible
        self.manifests = {}
        self.tags = {tag: {None} for tag in self.TAGS}  # tag -> digests that are possible
        self.touched = set()  # keys of all three since the last check
        self.acknowledged = 0
        self.sent = 0
        self.complaint = None
        self.power_fails = False  # answers count no longer, see Clients.power_fails()

    # Operations: what is possible is widened before, and narrowed after the answer.

    def _operate(self, changes, send, expected, refused=None):
        """changes: [(table, key, new state)]. An answer of status `refused` says that nothing changed."""
        before = [(table, key, set(table.get(key, {GONE}))) for table, key, _ in changes]
        for table, key, new in changes:
            table.setdefault(key, {GONE}).add(new)
            self.touched.add((id(table), key))
        self.sent += 1
        response = send()
        if self.power_fails:
            raise Broken("an answer that nobody would have got")
        assert response.status in (expected, refused), response
        self.acknowledged += 1
        for table, key, new in before if response.status == refused else [(t, k, {new}) for t, k, new in changes]:
            table[key] = new

    def _data(self):
        size = self.random.choice([1, 10, 300, 2000, 9000, 70_000, 70_000 + self.random.randrange(100_000)])
        return self.random.randbytes(size)

    def push_blob(self, registry, data=None):
        data = data if data is not None else self._data()
        digest = oci.digest_of(data)
        flow = self.random.choice(Registry.FLOWS)
        self._operate([(self.blobs, digest, THERE)], lambda: registry.push_blob(self.repository, data, flow), 201)
        return data

    def push_shared_blob(self, registry):
        """Bytes that other clients push at the same time too."""
        self.push_blob(registry, b"shared by all %d" % self.random.randrange(50))

    def delete_blob(self, registry):
        there = [digest for digest, states in self.blobs.items() if states == {THERE}]
        if there:
            digest = self.random.choice(there)
            path = registry.blob_path(self.repository, digest)
            self._operate([(self.blobs, digest, GONE)], lambda: registry.call("DELETE", path), 202)

    def push_image(self, registry):
        layers = [self._data() for _ in range(self.random.randrange(1, 3))]
        for data in [self.CONFIG, *layers]:
            if self.blobs.get(oci.digest_of(data)) != {THERE}:
                self.push_blob(registry, data)
        manifest = oci.image_manifest(self.CONFIG, layers)
        digest, tag = oci.digest_of(manifest), self.random.choice(self.TAGS)
        self._operate(
            [(self.manifests, digest, THERE), (self.tags, tag, digest)],
            lambda: registry.push_manifest(self.repository, tag, manifest),
            201,
        )
        self.last_manifest = manifest

    def move_tag(self, registry):
        """Tags what is there already: the same bytes under another tag."""
        manifest = getattr(self, "last_manifest", None)
        if manifest and self.manifests.get(oci.digest_of(manifest)) == {THERE}:
            digest, tag = oci.digest_of(manifest), self.random.choice(self.TAGS)
            self._operate(  # refused when one of its layers was deleted
                [(self.tags, tag, digest)],
                lambda: registry.push_manifest(self.repository, tag, manifest),
                201,
                refused=400,
            )

    def delete_tag(self, registry):
        there = [tag for tag, digests in self.tags.items() if len(digests) == 1 and None not in digests]
        if there:
            tag = self.random.choice(there)
            path = registry.manifest_path(self.repository, tag)
            self._operate([(self.tags, tag, None)], lambda: registry.call("DELETE", path), 202)

    def delete_manifest(self, registry):
        """Its tags go with it."""
        there = [digest for digest, states in self.manifests.items() if states == {THERE}]
        if there:
            digest = self.random.choice(there[-20:])
            tags = [(self.tags, tag, None) for tag, digests in self.tags.items() if digest in digests]
            path = registry.manifest_path(self.repository, digest)
            self._operate([(self.manifests, digest, GONE), *tags], lambda: registry.call("DELETE", path), 202)

    def operations(self):
        """What it does, and how often."""
        return [
            (self.push_blob, 6), (self.push_shared_blob, 2), (self.delete_blob, 2), (self.push_image, 3),
            (self.move_tag, 2), (self.delete_tag, 1), (self.delete_manifest, 1),
        ]  # fmt: skip

    def work(self, address):
        """Until the server goes away."""
        registry = KeptRegistry(address)
        names, weights = zip(*self.operations())
        try:
            while True:
                self.random.choices(names, weights)[0](registry)
        except Broken:
            pass
        except BaseException as complaint:  # noqa: BLE001  it is raised again by the test
            self.complaint = complaint
        finally:
            registry.close()

    # Checks: what is found must be possible, and is what must be found from now on.

    def check(self, registry, everything=False):
        assert self.complaint is None, self.complaint
        chosen = [
            (table, key, states, find)
            for table, find in (
                (self.tags, self._find_tag), (self.manifests, self._find_manifest), (self.blobs, self._find_blob),
            )
            for key, states in table.items()
            if everything or (id(table), key) in self.touched
        ]  # fmt: skip
        self.touched.clear()
        for table, key, states, find in chosen:
            found = find(registry, key)
            assert found in states, f"{self.repository} {key}: found {found}, possible were {states}"
            table[key] = {found}
        return len(chosen)

    def _find_blob(self, registry, digest):
        response = registry.get_blob(self.repository, digest)
        if response.status == 404:
            return GONE
        assert response.status == 200 and oci.digest_of(response.body) == digest, response
        return THERE

    def _find_manifest(self, registry, digest):
        response = registry.get_manifest(self.repository, digest)
        if response.status == 404:
            return GONE
        assert response.status == 200 and oci.digest_of(response.body) == digest, response
        return THERE

    def _find_tag(self, registry, tag):
        response = registry.get_manifest(self.repository, tag)
        if response.status == 404:
            return None
        assert response.status == 200 and oci.digest_of(response.body) == response["Docker-Content-Digest"], response
        return response["Docker-Content-Digest"]


class Clients:
    """Several clients at once, and what they know together."""

    def __init__(self, count, seed, prefix="client", kind=Client):
        self.clients = [kind(f"{prefix}/n{number}", seed * 1000 + number) for number in range(count)]
        self._threads = []

    acknowledged = property(lambda self: sum(client.acknowledged for client in self.clients))
    sent = property(lambda self: sum(client.sent for client in self.clients))

    def power_fails(self):
        """Call it before the disk is cut off: for some milliseconds ext4's shutdown lets a sync end well that has reached
        nothing (a program of thirty lines shows that), and no answer would leave a machine whose power is gone."""
        for client in self.clients:
            client.power_fails = True

    def start(self, address):
        self._threads = [threading.Thread(target=client.work, args=[address]) for client in self.clients]
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client got neither an answer nor a broken connection"
        for client in self.clients:
            client.power_fails = False

    def check(self, address, everything=False):
        registry = KeptRegistry(address)
        try:
            return sum(client.check(registry, everything) for client in self.clients)
        finally:
            registry.close()

    def check_lists(self, address):
        """tags/list says what the tags say."""
        registry = KeptRegistry(address)
        for client in self.clients:
            known = sorted(tag for tag, digests in client.tags.items() if digests != {None})
            response = registry.get(f"/v2/{client.repository}/tags/list")
            assert (response.json["tags"] if response.status == 200 else []) == known, response
        registry.close()

    def check_temporary(self, master):
        """tmp/ holds nothing but uploads that can be gone on with."""
        registry = KeptRegistry(master.address)
        for file in (master.data / "tmp").iterdir():
            match = re.fullmatch(r"upload-([0-9a-f]{32})", file.name)
            assert match, f"{file} is no upload"
            paths = [f"/v2/{client.repository}/blobs/uploads/{match[1]}" for client in self.clients]
            assert any(registry.get(path).status == 204 for path in paths), f"nobody knows {file}"
        registry.close()
