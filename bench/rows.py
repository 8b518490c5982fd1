"""The rows that are requests: what wherry-load does to each server, and the data that it needs."""

import json
import random
import subprocess
import sys
import time

from servers import BIN, MIB, OCI_MANIFEST, sha256

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
OCTETS = "application/octet-stream"
KIB = 1 << 10
GIB = 1 << 30
HEAVY = 16 * GIB  # a run that moves more than that is done once, beside nginx alone
TAGS_SECONDS = 60  # a peer that has not taken the tags by then does without that row


def descriptor(data, kind=OCTETS):
    return {"mediaType": kind, "digest": sha256(data), "size": len(data)}


def manifest_of(config, layers, **more):
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, CONFIG), "layers": [descriptor(layer) for layer in layers]}
    return json.dumps({**body, **more}).encode()


class Data:
    """What every server holds before it is measured."""

    def __init__(self, quick):
        source = random.Random(1)
        chunk = source.randbytes(64 * MIB)
        sizes = [64 * KIB, MIB, 100 * MIB] + ([] if quick else [GIB])
        make = lambda size, number: (b"%16d" % number + chunk * (size // len(chunk) + 1))[:size]
        self.blobs = {size: make(size, number) for number, size in enumerate(sizes)}
        self.config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        self.layers = [make(size, 10 + number) for number, size in enumerate((2 * MIB, MIB, MIB, 12 * MIB))]
        self.image = manifest_of(self.config, self.layers)
        # A manifest as images have them: ten layers and some annotations, 3 KiB.
        self.manifest = manifest_of(self.config, [self.blobs[64 * KIB], self.blobs[MIB]], annotations={"padding": "x" * 2000})
        self.tags = 200 if quick else 10_000
        self.referrers = 10 if quick else 100

    def give(self, server):
        """All of it; gives what the server could not take, by row."""
        lacking = {}
        for data in [*self.blobs.values(), self.config, *self.layers]:
            server.take_blob(data)
        server.take_manifest(self.manifest, "v1")
        server.take_manifest(self.image, "image")
        if server.name == "nginx":
            return lacking
        connection = server.connect()
        for number in range(self.referrers):
            body = manifest_of(self.config, [], subject=descriptor(self.manifest, OCI_MANIFEST), annotations={"number": str(number)})
            server.take_manifest(body, sha256(body), connection=connection)
        for data in (self.config, self.blobs[64 * KIB], self.blobs[MIB]):
            server.take_blob(data, "bench/tags")
        begin = time.monotonic()
        for number in range(self.tags):
            server.take_manifest(self.manifest, f"tag-{number:05d}", "bench/tags", connection)
            if time.monotonic() - begin > TAGS_SECONDS:
                lacking["tags list"] = f"took {number + 1} of {self.tags} tags in {TAGS_SECONDS} s"
                break
        connection.close()
        return lacking


class Row:
    """One kind of request. `words` gives wherry-load's command line for a server."""

    def __init__(self, name, clients, words, size=0, peers=None, pushes=False, target=None, rate=0, most=None):
        self.name = f"{name}, {clients} client{'s' if clients > 1 else ''}" if clients else name
        self.clients = clients or 1
        self.words = words
        self.size = size  # bytes of a request's body; 0: what counts is the request
        self.peers = peers  # None: all
        self.pushes = pushes
        self.target = target or {}  # peer: how many times our CPU its has to be
        self.rate = rate
        self.most = most  # requests of a run

    def load(self, server, requests):
        words = [*self.words(server), "--server", server.address, "--requests", requests, "--clients", self.clients]
        words += ["--rate", self.rate] if self.rate else []
        words += ["--tls", "--cipher", "TLS_AES_128_GCM_SHA256"] if server.tls else []
        return wherry_load(words, self.clients_core)

    clients_core = None  # where wherry-load runs
    rounds = None  # as many as were asked for

    def calibrate(self, server, seconds):
        """How many requests take that long; nothing if the server does not do this."""
        requests = self.clients
        while True:
            said = self.load(server, requests)
            if said["errors"]:
                return None, said["first_error"]
            if self.pushes:
                server.throw_away_blobs(self.size)
            if self.rate:
                return max(self.clients, int(self.rate * seconds * 4)), None
            if said["seconds"] >= seconds / 8 or requests >= 1_000_000:
                return max(self.clients, min(self.most or 1_000_000, int(requests * seconds / said["seconds"]))), None
            requests *= 4

    def run(self, server, requests):
        """One run: CPU and time for each request, and percentiles in ms."""
        before = server.cpu_seconds()
        said = self.load(server, requests)
        cpu = server.cpu_seconds() - before
        if said["errors"]:
            sys.exit(f"{self.name} at {server.name}: {said['errors']} wrong answers, the first: {said['first_error']}")
        if self.pushes:
            server.throw_away_blobs(self.size)
        return {"cpu": cpu / requests, "wall": said["seconds"] / requests, "requests": requests, "ms": said["ms"], "first_byte_ms": said["first_byte_ms"]}


def wherry_load(words, core=None):
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    done = subprocess.run([str(word) for word in [*pinned, BIN / "wherry-load", *words]], capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        sys.exit(f"wherry-load {words}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def check_bodies(server, data, images=True):
    """Every body once, hashed; `images`: the whole image too. Ends the bench when one is wrong."""
    accept = ["--header", f"Accept: {OCI_MANIFEST}"]
    tls = ["--tls"] if server.tls else []
    paths = [(server.blob_path(sha256(blob)), sha256(blob), []) for blob in data.blobs.values()]
    paths += [(server.manifest_path(name), sha256(data.manifest), accept) for name in ("v1", sha256(data.manifest))]
    for path, digest, more in paths:
        said = wherry_load(["get", path, "--server", server.address, "--requests", 1, "--verify", digest, *more, *tls])
        if said["errors"]:
            sys.exit(f"{server.name} does not give {path} rightly: {said['first_error']}")
    if images and server.name != "nginx":
        said = wherry_load(["pull", "bench/data", "--reference", "image", "--server", server.address, "--requests", 1, "--verify", *tls])
        if said["errors"]:
            sys.exit(f"{server.name} does not give the image rightly: {said['first_error']}")


def blob_rows(data, quick, sizes, tls=""):
    labels = {64 * KIB: "64 KiB", MIB: "1 MiB", 100 * MIB: "100 MiB", GIB: "1 GiB"}
    for size in sizes:
        for clients in (1, 8) if quick else (1, 8, 64, 1000):
            if size == GIB and clients == 1000:
                continue  # a terabyte a run
            path = lambda server, digest=sha256(data.blobs[size]): ["get", server.blob_path(digest)]
            target = {"nginx": 1.0} if size >= MIB and (clients > 1 or tls) else {}
            heavy = clients * size > HEAVY
            row = Row(f"blob GET {labels[size]}{tls}", clients, path, size, target=target, peers=("nginx",) if heavy else None)
            row.rounds = 1 if heavy else None
            yield row


def request_rows(data, quick):
    accept = ["--header", f"Accept: {OCI_MANIFEST}"]
    small = {"nginx": 1 / 0.75, "docker-registry": 10, "distribution-3": 10, "zot": 10}
    registries = ("docker-registry", "distribution-3", "zot")
    for method in ("GET", "HEAD"):
        for kind, reference in (("tag", "v1"), ("digest", sha256(data.manifest))):
            words = lambda server, r=reference, m=method: ["get", server.manifest_path(r), "--method", m, *accept]
            for clients in (1, 8) if quick or method == "HEAD" else (1, 8, 64, 1000):
                yield Row(f"manifest {method} by {kind}", clients, words, target=small if clients == 8 else {})
    yield Row("/v2/", 8, lambda server: ["get", "/v2/" if server.name != "nginx" else "/v2"], target=small)
    open_words = lambda server: ["get", server.manifest_path(sha256(data.manifest)), *accept]
    yield Row("manifest GET by digest, open loop of 500 a second", 64, open_words, rate=500)
    yield Row("range of 64 KiB of a 100 MiB blob", 8, lambda server: ["get", server.blob_path(sha256(data.blobs[100 * MIB])), "--range", 64 * KIB, "--size", 100 * MIB])
    for clients in (1, 8):
        yield Row("pull of an image of 16 MiB", clients, lambda server: ["pull", "bench/data", "--reference", "image"], sum(map(len, data.layers)), peers=registries)
    yield Row("tags list", 8, lambda server: ["get", "/v2/bench/tags/tags/list?n=1000"], peers=registries)
    yield Row("referrers", 8, lambda server: ["get", f"/v2/bench/data/referrers/{sha256(data.manifest)}"], peers=("zot",))
    mount = lambda server: ["mount", "bench/mount", "--from", "bench/data", "--digest", sha256(data.blobs[MIB])]
    yield Row("mount", 8, mount, peers=registries, most=2000)


def push_rows(quick):
    registries = ("docker-registry", "distribution-3", "zot")
    for label, size, most in (("1 MB", 10**6, 400), ("10 MB", 10**7, 60), ("100 MB", 10**8, 10)):
        for way in ("monolithic", "streamed", "chunked"):
            for clients in (1, 8):
                if quick and (way != "monolithic" or size == 10**8):
                    continue
                words = lambda server, s=size, w=way: ["push", "bench/push", "--size", s, "--way", w]
                yield Row(f"push {label} {way}", clients, words, size, peers=registries, pushes=True, most=most)
    mixed = lambda server: ["mixed", "bench/data", "--reference", "image", "--size", 10**6, "--pushes", 20]
    yield Row("80 pulls of 16 MiB and 20 pushes of 1 MB in a hundred", 8, mixed, 10**6, peers=registries, pushes=True, most=500)


def all_rows(data, quick):
    yield from blob_rows(data, quick, data.blobs)
    yield from request_rows(data, quick)
    yield from push_rows(quick)


def node_rows(data, quick):
    """Of a node that holds all that is asked for."""
    accept = ["--header", f"Accept: {OCI_MANIFEST}"]
    targets = {"nginx": 0.9, "docker-registry": 5}
    for label, size in (("1 MiB", MIB), ("100 MiB", 100 * MIB)):
        path = lambda server, digest=sha256(data.blobs[size]): ["get", server.blob_path(digest)]
        for clients in (1, 8):
            yield Row(f"node: blob GET {label}", clients, path, size, target=targets if clients == 8 else {})
    for kind, reference in (("tag", "v1"), ("digest", sha256(data.manifest))):
        words = lambda server, r=reference: ["get", server.manifest_path(r), *accept]
        # A tag is asked about upstream, by us and by docker-registry: nginx has no part in that.
        asks = kind == "tag"
        target = {"docker-registry": 5} if asks else {"nginx": 0.8, "docker-registry": 5}
        yield Row(f"node: manifest GET by {kind}" + (", asked about upstream" if asks else ""), 8, words, peers=("docker-registry",) if asks else None, target=target)


def tls_rows(data, quick):
    """The same over TLS 1.3, all with one cipher (AES-128-GCM) and the same certificate."""
    tls = " over TLS 1.3"
    accept = ["--header", f"Accept: {OCI_MANIFEST}"]
    registries = ("docker-registry", "distribution-3", "zot")
    yield from blob_rows(data, quick, [64 * KIB, MIB, 100 * MIB], tls)
    for method in ("GET", "HEAD"):
        words = lambda server, m=method: ["get", server.manifest_path(sha256(data.manifest)), "--method", m, *accept]
        yield Row(f"manifest {method} by digest{tls}", 8, words)
    yield Row(f"/v2/{tls}", 8, lambda server: ["get", "/v2/" if server.name != "nginx" else "/v2"])
    for label, size, most in (("1 MB", 10**6, 400), ("10 MB", 10**7, 60)):
        words = lambda server, s=size: ["push", "bench/push", "--size", s, "--way", "monolithic"]
        yield Row(f"push {label} monolithic{tls}", 1, words, size, peers=registries, pushes=True, most=most)
