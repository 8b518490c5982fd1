"""What a user would run instead: how each is had, started, and given the same data."""

import json
import os
import re
import shutil
import subprocess

from servers import MIB, OCI_MANIFEST, ROOT, TOOLS, Server, sha256

DISTRIBUTION = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"


def version_of(words, pattern=r"v?\d+\.\d+[.\w-]*"):
    """The first version that a program names, or nothing."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    except OSError:
        return ""
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(0) if found else ""


def go_install(name, module):
    """Makes build/tools/NAME; why not, if it cannot."""
    if (TOOLS / name).exists():
        return None
    if not shutil.which("go"):
        return "there is no go to build it"
    TOOLS.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["go", "install", module], env={**os.environ, "GOBIN": str(TOOLS)}, capture_output=True, text=True)
    return None if done.returncode == 0 else f"go install {module}: {done.stderr.strip()[-200:]}"


def go_build(name, checkout, package):
    """The same from a checkout."""
    if (TOOLS / name).exists():
        return None
    if not shutil.which("go"):
        return "there is no go to build it"
    TOOLS.mkdir(parents=True, exist_ok=True)
    words = ["go", "build", "-o", str(TOOLS / name), package]
    done = subprocess.run(words, cwd=checkout, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True)
    return None if done.returncode == 0 else f"go build {package}: {done.stderr.strip()[-200:]}"


def debian(program):
    return None if shutil.which(program) else f"{program} is not installed: deploy/install-deps.sh --bench"


class DockerRegistry(Server):
    """distribution 2.8 as Debian has it. Syncs nothing."""

    program = "docker-registry"

    @classmethod
    def obtain(cls, options):
        return debian("docker-registry")

    @classmethod
    def version(cls):
        return version_of([cls.program, "--version"])

    def command(self):
        config = self.area / "config.yml"
        config.write_text(json.dumps(self.settings()))
        return [self.program, "serve", config]

    def settings(self):
        http = {"addr": self.address}
        if self.tls:
            http["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1]), "minimumtls": "tls1.3"}
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.area / "data")}, "cache": {"blobdescriptor": "inmemory"}},
            "http": http,
        }


class Distribution(DockerRegistry):
    """distribution 3."""

    program = TOOLS / "registry"

    @classmethod
    def obtain(cls, options):
        return go_install("registry", DISTRIBUTION)


class Zot(Server):
    """zot without extensions, as its minimal configuration has it. Syncs nothing unless told to (`commit`)."""

    @classmethod
    def obtain(cls, options):
        if (TOOLS / "zot").exists():
            return None
        return go_build("zot", options.zot, "./cmd/zot") if options.zot else "no checkout: --zot DIR"

    @classmethod
    def version(cls):
        return version_of([TOOLS / "zot", "--version"], r'"(?:commit|version)":"([^"]+)"') or "of a checkout"

    def command(self):
        config = self.area / "config.json"
        http = {"address": "127.0.0.1", "port": str(self.port)}
        if self.tls:
            http["tls"] = {"cert": str(self.tls[0]), "key": str(self.tls[1])}
        storage = {"rootDirectory": str(self.area / "data"), "gc": False, "dedupe": False}
        config.write_text(json.dumps({"distSpecVersion": "1.1.1", "storage": storage, "http": http, "log": {"level": "error"}}))
        return [TOOLS / "zot", "serve", config]


class DockerMirror(DockerRegistry):
    """docker-registry as a pull-through cache of another docker-registry."""

    def __init__(self, name, area, origin=None):
        super().__init__(name, area)
        self.own = origin is None
        self.origin = origin or DockerRegistry(name + "-origin", area)

    def start(self):
        if self.own:
            self.origin.start()
        return super().start()

    def stop(self):
        super().stop()
        if self.own:
            self.origin.stop()

    def settings(self):
        return {**super().settings(), "proxy": {"remoteurl": f"http://{self.origin.address}"}}

    def put(self, *args, **more):
        return self.origin.put(*args, **more)

    def take_blob(self, data, repository="bench/data"):
        super().take_blob(data, repository)
        self.fetch(self.blob_path(sha256(data)))


class Nginx(Server):
    """Static files with sendfile(2): the floor for bodies. Knows nothing of registries."""

    @classmethod
    def obtain(cls, options):
        return debian("nginx")

    @classmethod
    def version(cls):
        return version_of(["nginx", "-v"])

    def command(self):
        config = self.area / "nginx.conf"
        listen, tls = f"{self.address} reuseport", ""
        if self.tls:
            listen = f"{self.address} ssl reuseport"
            tls = f"ssl_certificate {self.tls[0]}; ssl_certificate_key {self.tls[1]}; ssl_protocols TLSv1.3; ssl_buffer_size 16k;"
        workers = len(self.cores.split(",")) if self.cores else 2
        config.write_text(
            f"""daemon off; master_process on; worker_processes {workers}; pid {self.area}/pid; error_log stderr;
            events {{ worker_connections 16384; }} worker_rlimit_nofile 40000;
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type {OCI_MANIFEST};
              keepalive_timeout 1h; open_file_cache max=1000 inactive=1h; {tls}
              server {{ listen {listen}; root {self.area}/files; }} }}"""
        )
        (self.area / "files").mkdir(exist_ok=True)
        (self.area / "files" / "v2").write_bytes(b"{}")
        return ["nginx", "-p", self.area, "-c", config]

    def take_blob(self, data, repository="bench/data"):
        (self.area / "files" / sha256(data)).write_bytes(data)

    def take_manifest(self, data, reference="v1", repository="bench/data", connection=None):
        for name in (reference, sha256(data)):
            (self.area / "files" / name).write_bytes(data)

    def blob_path(self, digest):
        return f"/{digest}"

    def manifest_path(self, reference):
        return f"/{reference}"


ORIGINS = {"nginx": Nginx, "docker-registry": DockerRegistry, "distribution-3": Distribution, "zot": Zot}
