"""TLS on the listeners: real clients, certificates that change, and what must not get in."""

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from wherry import oci
from wherry.certificate import RSA_KEY, Authority
from wherry.clients import Containerd, Podman, run
from wherry.image import make_image
from wherry.process import BIN, Master, Node, wait_until

MEBIBYTE = 1 << 20
NAME = "IP:127.0.0.1"


@pytest.fixture(scope="module")
def authority(session_area):
    return Authority(session_area)


def tls_flags(certificate):
    return ["--tls-certificate", certificate[0], "--tls-key", certificate[1]]


def tls_section(certificate, **more):
    return {"certificate-file": str(certificate[0]), "key-file": str(certificate[1]), **more}


def write_config(folder, **settings):
    file = folder / "config.yaml"
    file.write_text(json.dumps(settings))
    return file


def trusting(authority, **how):
    context = ssl.create_default_context(cafile=authority.file)
    for name, value in how.items():
        setattr(context, name, value)
    return context


def connect(address, context, session=None):
    host, port = address.split(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    return context.wrap_socket(plain, server_hostname=host, session=session)


def ask(connection, path="/v2/"):
    """One request on an open connection; gives status and body."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def call(address, context, method, path, body=None, headers=None):
    connection = http.client.HTTPSConnection(address, timeout=60, context=context)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def push_blob(address, context, data, repository="a/b"):
    digest = oci.digest_of(data)
    status, said = call(address, context, "POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data)
    assert status == 201, said
    return f"/v2/{repository}/blobs/{digest}"


# Real clients


@pytest.fixture(scope="module")
def tier(session_area, authority):
    """A master and a node below it, both with certificates of the authority; the node trusts it."""
    folder = session_area / "tls-tier"
    folder.mkdir()
    master = Master(folder).start(extra=tls_flags(authority.issue(NAME)))
    settings = {
        "parent": {"url": f"https://{master.address}", "ca-file": str(authority.file)},
        "tls": tls_section(authority.issue(NAME, RSA_KEY)),
    }
    node = Node(folder, settings=settings).start()
    yield master, node
    node.end()
    master.end()


@pytest.fixture(scope="module")
def image(tier, session_area, authority):
    """The digest of team/app:v1 on the master."""
    folder = session_area / "tls-image"
    folder.mkdir()
    layout = make_image(folder, [3 * MEBIBYTE, 20 * MEBIBYTE])
    target = f"docker://{tier[0].address}/team/app:v1"
    run("skopeo", "--insecure-policy", "copy", "--dest-cert-dir", authority.folder, layout, target, area=folder)
    return json.loads((folder / "layout" / "index.json").read_text())["manifests"][0]["digest"]


def test_skopeo_pulls_by_tls_at_both_ends(image, tier, authority, area):
    for server in tier:
        source = f"docker://{server.address}/team/app:v1"
        run("skopeo", "--insecure-policy", "copy", "--src-cert-dir", authority.folder, source, f"dir:{area}/pulled", area=area)
        assert oci.digest_of((area / "pulled" / "manifest.json").read_bytes()) == image
        shutil.rmtree(area / "pulled")


def test_podman_pulls_by_tls(image, tier, authority, area):
    podman = Podman(area)
    name = f"{tier[1].address}/team/app:v1"
    podman.run("pull", "--quiet", "--cert-dir", authority.folder, "--signature-policy", podman.policy, name)
    assert image in podman.run("images", "--format", "{{.Digest}}")
    podman.forget()


def test_crane_and_oras_pull_by_tls(image, tier, authority, area):
    name = f"{tier[1].address}/team/app:v1"
    assert run("crane", "digest", name, area=area, SSL_CERT_FILE=str(authority.file)).strip() == image
    run("crane", "pull", name, area / "app.tar", area=area, SSL_CERT_FILE=str(authority.file))
    said = run("oras", "manifest", "fetch", "--ca-file", authority.file, "--descriptor", name, area=area)
    assert json.loads(said)["digest"] == image


def test_containerd_pulls_by_tls(image, tier, authority, area, run_server):
    name = tier[1].address
    folder = area / "certs.d" / name
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(
        f'server = "https://{name}"\n[host."https://{name}"]\n  capabilities = ["pull", "resolve"]\n  ca = "{authority.file}"\n'
    )
    containerd = run_server(Containerd(area))
    containerd.run("images", "pull", "--hosts-dir", area / "certs.d", "--snapshotter", "native", f"{name}/team/app:v1")
    assert image in containerd.run("images", "ls")


def test_the_nodes_own_commands_find_tls_in_its_file(image, tier, authority, area):
    _, node = tier
    config = write_config(area, listen=node.address, tls=node.settings["tls"])
    command = [BIN / "wherry-node", "pull", "team/app:v1", "--config", config, "--ca-file", authority.file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(command[:-2], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "certificate" in done.stderr, "without the authority nobody is trusted"


# Bodies


def test_ranges_and_kept_connections(tier, authority):
    master, node = tier
    context = trusting(authority)
    data = os.urandom(3 * MEBIBYTE + 17)
    path = push_blob(master.address, context, data)
    for server in tier:
        connection = http.client.HTTPSConnection(server.address, timeout=60, context=context)
        for first, last in ((0, 0), (5, 70_000), (MEBIBYTE - 1, MEBIBYTE + 16_384), (0, len(data) - 1)):
            connection.request("GET", path, headers={"Range": f"bytes={first}-{last}"})
            response = connection.getresponse()
            assert response.status == 206 and response.read() == data[first : last + 1]
        connection.request("HEAD", path)
        response = connection.getresponse()
        assert response.status == 200 and response.read() == b"" and int(response.headers["Content-Length"]) == len(data)
        connection.request("GET", path)
        assert connection.getresponse().read() == data
        connection.close()


def test_many_requests_in_one_flight(tier, authority):
    """What came with a request, and was decrypted with it, is answered without another byte from the client."""
    connection = connect(tier[0].address, trusting(authority))
    connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
    got = b""
    while got.count(b"HTTP/1.1 200 ") < 300:
        piece = connection.recv(65536)
        assert piece, got.count(b"HTTP/1.1 200 ")
        got += piece
    connection.close()


def test_a_chunked_upload_by_tls(tier, authority):
    data = os.urandom(2 * MEBIBYTE + 3)
    master = tier[0]
    context = trusting(authority)
    connection = http.client.HTTPSConnection(master.address, timeout=60, context=context)
    connection.request("POST", "/v2/a/chunked/blobs/uploads/")
    response = connection.getresponse()
    location = response.headers["Location"]
    response.read()
    pieces = (data[at : at + 10_007] for at in range(0, len(data), 10_007))
    connection.request("PATCH", location, body=pieces, headers={"Content-Type": "application/octet-stream"}, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 202, response.read()
    location = response.headers["Location"]
    response.read()
    digest = oci.digest_of(data)
    connection.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}")
    assert connection.getresponse().status == 201
    connection.close()
    assert call(master.address, context, "GET", f"/v2/a/chunked/blobs/{digest}") == (200, data)


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def test_slow_readers_keep_little_memory(tier, authority):
    """What was encrypted for a reader and found no room is kept for it."""
    master = tier[0]
    context = trusting(authority)
    data = os.urandom(16 * MEBIBYTE)
    path = push_blob(master.address, context, data)
    assert call(master.address, context, "GET", path) == (200, data)
    before = resident_bytes(master)
    readers = []
    for _ in range(200):
        host, port = master.address.split(":")
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        plain.settimeout(20)
        plain.connect((host, int(port)))
        readers.append(context.wrap_socket(plain, server_hostname=host))
        readers[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    time.sleep(1)
    grown = (resident_bytes(master) - before) / len(readers)
    assert grown < 128 * 1024, f"{grown} bytes a reader"
    response = http.client.HTTPResponse(readers[0])
    response.begin()
    assert response.read() == data
    for reader in readers:
        reader.close()


def test_a_pull_ends_well_when_the_server_is_asked_to_end(authority, area, run_server):
    master = run_server(Master(area), extra=tls_flags(authority.issue(NAME)))
    context = trusting(authority)
    data = os.urandom(32 * MEBIBYTE)
    path = push_blob(master.address, context, data)
    connection = connect(master.address, context)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    first = response.read(1000)
    master.signal(signal.SIGTERM)
    time.sleep(0.2)
    assert first + response.read() == data
    assert master.wait_end(10) == 0


# Certificates that change


def serial_of(address, context):
    with connect(address, context) as connection:
        return connection.getpeercert()["serialNumber"]


def end_of_certificate(server):
    labels = {("listener", "registry")}
    [value] = [v for (name, l), v in server.metrics().items() if name == "wherry_certificate_not_after_seconds" and labels <= l]
    return value


def place(target, certificate):
    for source, name in zip(certificate, ("tls.pem", "tls.key")):
        shutil.copy(source, target / f"new-{name}")
        os.replace(target / f"new-{name}", target / name)


@pytest.mark.parametrize("how", ["told by SIGHUP", "found by itself"])
def test_a_new_certificate_is_used_and_open_connections_go_on(authority, area, run_server, how):
    first, second = authority.issue(NAME), authority.issue(NAME, days=5)
    live = area / "live"
    live.mkdir()
    place(live, first)
    master = run_server(Master(area), extra=tls_flags((live / "tls.pem", live / "tls.key")))
    context = trusting(authority)
    old = serial_of(master.address, context)
    ends = end_of_certificate(master)
    connection = connect(master.address, context)
    assert ask(connection)[0] == 200
    place(live, second)
    if how == "told by SIGHUP":
        master.signal(signal.SIGHUP)
    wait_until(lambda: serial_of(master.address, context) != old, "the new one is shown", 15, 0.05)
    assert ask(connection)[0] == 200, "a connection from before goes on"
    connection.close()
    assert end_of_certificate(master) - ends == pytest.approx(3 * 24 * 3600, abs=60)
    assert any("certificate was read anew" in line["message"] for line in master.log_lines())


def test_a_wrong_certificate_changes_nothing_but_the_log(authority, area, run_server):
    live = area / "live"
    live.mkdir()
    place(live, authority.issue(NAME))
    master = run_server(Master(area), extra=tls_flags((live / "tls.pem", live / "tls.key")))
    context = trusting(authority)
    old = serial_of(master.address, context)
    (live / "tls.pem").write_text("half of a certif")

    def complaints():
        return [line for line in master.log_lines() if "cannot be read anew" in line["message"]]

    wait_until(complaints, "the log tells of it", 15, 0.05)
    assert complaints()[0]["level"] == "error" and str(live / "tls.pem") in complaints()[0]["why"]
    assert serial_of(master.address, context) == old
    master.signal(signal.SIGHUP)
    wait_until(lambda: len(complaints()) == 2, "who asks is told again", 5, 0.05)
    assert serial_of(master.address, context) == old
    place(live, authority.issue(NAME))
    wait_until(lambda: serial_of(master.address, context) != old, "the right one is shown", 15, 0.05)


# Who must not get in


@pytest.fixture(scope="module")
def strict(session_area, authority):
    """A master whose registry lets in only clients of one authority, while its observe port asks for nothing."""
    folder = session_area / "tls-strict"
    folder.mkdir()
    clients = Authority(folder, "client-authority")
    certificate = authority.issue(NAME)

    class StrictMaster(Master):
        def is_ready(self):
            try:
                return call(f"127.0.0.1:{self.observe_port}", trusting(authority), "GET", "/readyz")[0] == 200
            except OSError:
                return False

    config = write_config(
        folder,
        **{"tls": tls_section(certificate, **{"client-ca-file": str(clients.file)}), "observe-tls": tls_section(certificate)},
    )
    master = StrictMaster(folder).start(extra=["--config", config])
    yield master, clients
    master.end()


def is_let_in(address, context, session=None):
    try:
        with connect(address, context, session) as connection:
            return ask(connection)[0] == 200
    except (ssl.SSLError, OSError, http.client.HTTPException):
        return False


def test_clients_without_the_right_certificate_are_not_let_in(strict, authority, area):
    master, clients = strict
    assert not is_let_in(master.address, trusting(authority)), "without any"
    stranger = trusting(authority)
    stranger.load_cert_chain(*Authority(area, "client-authority").issue("DNS:client"))  # the same name, another key
    assert not is_let_in(master.address, stranger)
    late = trusting(authority)
    late.load_cert_chain(*clients.issue("DNS:client", days=-1))
    assert not is_let_in(master.address, late), "over its time"
    known = trusting(authority)
    known.load_cert_chain(*clients.issue("DNS:client"))
    assert is_let_in(master.address, known)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_session_of_one_listener_is_not_taken_up_at_another(strict, authority, version):
    """Else who was let in where nobody asks for certificates has one where they are asked for (nginx CVE-2025-23419)."""
    master, _ = strict
    only = getattr(ssl.TLSVersion, version)
    context = trusting(authority, minimum_version=only, maximum_version=only)
    observe = f"127.0.0.1:{master.observe_port}"
    with connect(observe, context) as connection:
        assert ask(connection, "/healthz")[0] == 200
        session = connection.session
    with connect(observe, context, session) as connection:
        assert ask(connection, "/healthz")[0] == 200
        assert connection.session_reused, "sessions are taken up where they began"
    assert not is_let_in(master.address, context, session)


def test_old_versions_are_refused(tier, authority, area, run_server):
    for version, well in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        command = ["openssl", "s_client", "-connect", tier[0].address, version, "-CAfile", authority.file]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=20)
        assert (done.returncode == 0) == well, version
    config = write_config(area, tls=tls_section(authority.issue(NAME), **{"minimum-version": "1.3"}))
    master = run_server(Master(area), extra=["--config", config])
    old = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert not is_let_in(master.address, old)
    assert is_let_in(master.address, trusting(authority))


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bodies_heads_and_ends_are_right_whoever_encrypts(authority, area, run_server, kernel, newest):
    """Where this kernel does TLS; where it does not, both are the same way."""
    config = write_config(area, tls=tls_section(authority.issue(NAME), kernel=kernel))
    master = run_server(Master(area), extra=["--config", config])
    context = trusting(authority, maximum_version=newest)
    body = os.urandom(5 << 20)
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    host, _, port = master.address.rpartition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    connection.request("POST", f"/v2/a/blobs/uploads/?digest={digest}", body, {"Content-Type": "application/octet-stream"})
    assert connection.getresponse().read() == b""
    for _ in range(3):
        connection.request("GET", f"/v2/a/blobs/{digest}")
        assert connection.getresponse().read() == body
        connection.request("GET", "/v2/a/manifests/none")
        response = connection.getresponse()
        assert response.status == 404 and b"MANIFEST_UNKNOWN" in response.read()
    connection.request("GET", f"/v2/a/blobs/{digest}", headers={"Connection": "close", "Range": "bytes=4000000-"})
    assert connection.getresponse().read() == body[4000000:]
    connection.close()


def test_plain_http_is_told_what_to_do_and_nothing_else(tier):
    connection = http.client.HTTPConnection(tier[0].address, timeout=10)
    connection.request("GET", "/v2/")
    response = connection.getresponse()
    assert response.status == 400 and b"HTTPS" in response.read()
    connection.close()


def test_bytes_after_a_good_greeting_that_are_no_tls_end_the_connection(tier, authority):
    plain = socket.create_connection(("127.0.0.1", tier[0].port), timeout=20)
    connection = trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1")
    assert ask(connection)[0] == 200
    raw = socket.socket(fileno=connection.detach())
    raw.settimeout(20)
    raw.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
    got = b""
    try:
        while piece := raw.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    assert b"HTTP/1.1" not in got
    raw.close()
    assert is_let_in(tier[0].address, trusting(authority))


def test_greetings_that_never_end_hold_up_nobody(tier, authority):
    crowd = []
    for number in range(300):
        connection = socket.create_connection(("127.0.0.1", tier[0].port), timeout=20)
        connection.sendall(b"\x16\x03\x01\x02\x00"[: number % 6])
        crowd.append(connection)
    begin = time.monotonic()
    assert is_let_in(tier[0].address, trusting(authority))
    assert time.monotonic() - begin < 5
    for connection in crowd:
        connection.close()


def test_many_clients_at_once(tier, authority):
    context = trusting(authority)
    data = os.urandom(MEBIBYTE)
    path = push_blob(tier[0].address, context, data)
    wrong = []

    def pull():
        for _ in range(5):
            if call(tier[1].address, context, "GET", path) != (200, data):
                wrong.append("a body")

    threads = [threading.Thread(target=pull) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# What is configured wrongly


@pytest.mark.parametrize("case", ["no such file", "the key of another", "only a certificate", "an unknown version", "a kernel that may"])
def test_wrong_settings_are_said_with_file_and_key(authority, area, case):
    certificate, other = authority.issue(NAME), authority.issue(NAME)
    section, told = {
        "no such file": (tls_section((area / "none.pem", certificate[1])), str(area / "none.pem")),
        "the key of another": (tls_section((certificate[0], other[1])), str(other[1])),
        "only a certificate": ({"certificate-file": str(certificate[0])}, "tls"),
        "an unknown version": (tls_section(certificate, **{"minimum-version": "1.1"}), "minimum-version"),
        "a kernel that may": (tls_section(certificate, kernel="perhaps"), "kernel"),
    }[case]
    master = Master(area)
    command = [*master.command(), "--config", write_config(area, tls=section)]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1 and told in lines[0], done.stderr
