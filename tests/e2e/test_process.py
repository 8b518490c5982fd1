"""How the processes start, drain and end."""

import hashlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from wherry import oci
from wherry.client import Registry
from wherry.process import BIN, Master, Node, free_port, wait_until

BOTH = ["master", "node"]


def make(role, area, parent="http://127.0.0.1:9"):
    return Master(area) if role == "master" else Node(area, parent)


def run(role, *words, seconds=10):
    """Runs a command that must end by itself: (exit code, standard error)."""
    done = subprocess.run(
        [BIN / f"wherry-{role}", *map(str, words)], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stderr


def serve(role, area, *words, listen=None, data=None):
    parent = ["--parent", "http://127.0.0.1:9"] if role == "node" else []
    return run(
        role, "serve", "--data", data or area / "data", "--listen", listen or f"127.0.0.1:{free_port()}",
        "--observe", f"127.0.0.1:{free_port()}", *parent, *words,
    )  # fmt: skip


@pytest.mark.parametrize("role", BOTH)
def test_the_observe_address_tells_health_readiness_and_metrics(area, run_server, role):
    server = run_server(make(role, area))
    assert server.answers(server.observe_port, "/healthz") == 200
    assert server.answers(server.observe_port, "/readyz") == 200
    metrics = Registry(f"127.0.0.1:{server.observe_port}").get("/metrics")
    assert metrics.status == 200 and b"wherry_" in metrics.body
    assert server.answers(server.port, "/metrics") == 404


@pytest.mark.parametrize("role", BOTH)
def test_logs_are_json_lines_on_standard_error(area, run_server, role):
    server = run_server(make(role, area))
    assert server.stop() == 0
    lines = server.text().splitlines()
    assert lines and len(server.log_lines()) == len(lines)
    assert all(isinstance(line, dict) for line in server.log_lines())


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize(
    "words", [["serve", "--no-such-flag"], ["no-such-verb"], [], ["serve"], ["serve", "--listen"], ["serve", "--data"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_use_ends_with_64_and_says_so(role, words):
    code, said = run(role, *words)
    assert code == 64 and said.strip(), (code, said)


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x", "300.0.0.1:5000"])
def test_an_address_that_is_none_is_refused(area, role, listen):
    code, said = serve(role, area, "--insecure-open", listen=listen)
    assert code in (64, 78) and listen in said, (code, said)


@pytest.mark.parametrize("text", ["nonsense", "ftp://127.0.0.1:5000", "127.0.0.1:5000", "http://", "http://a b/"])
def test_a_parent_that_is_no_url_is_refused(area, text):
    code, said = run(
        "node", "serve", "--data", area / "data", "--listen", f"127.0.0.1:{free_port()}", "--insecure-open", "--parent", text
    )
    assert code in (64, 78) and "parent" in said, (code, said)


BAD_CONFIGS = {
    "an unknown key": ("listne: 127.0.0.1:5000\n", "listne"),
    "a wrong type": ("listen: [1, 2]\n", "listen"),
    "a bad address": ("listen: nonsense\n", "listen"),
    "no YAML": ("listen: [unclosed\n", ""),
    "a list": ("- a\n- b\n", ""),
}


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_a_bad_configuration_ends_with_78_and_names_file_and_key(area, role, case):
    text, key = BAD_CONFIGS[case]
    config = area / "wherry-test.yaml"
    config.write_text("# a comment\n" + text)
    parent = ["--parent", "http://127.0.0.1:9"] if role == "node" else []
    code, said = run(role, "serve", "--data", area / "data", "--config", config, "--insecure-open", *parent)
    assert code == 78, (code, said)
    assert "wherry-test.yaml" in said and key in said, said


@pytest.mark.parametrize("value", ["0s", "0ms", "30", "200000d"])
def test_a_parent_cannot_be_waited_for_no_time_or_for_ages(area, value):
    config = area / "wherry-test.yaml"
    config.write_text(f"parent:\n  url: http://127.0.0.1:9\n  silence: {value}\n")
    code, said = run("node", "serve", "--data", area / "data", "--config", config, "--insecure-open")
    assert code == 78 and "wherry-test.yaml:3: parent.silence" in said, (code, said)


@pytest.mark.parametrize("role", BOTH)
def test_a_configuration_file_that_is_not_there_ends_with_78(area, role):
    code, said = serve(role, area, "--insecure-open", "--config", area / "none.yaml")
    assert code == 78 and "none.yaml" in said, (code, said)


@pytest.mark.parametrize("role", BOTH)
def test_the_configuration_file_says_the_same_as_the_flags_and_flags_win(area, run_server, role):
    server = make(role, area)
    config = area / "wherry.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{free_port()}\nobserve: 127.0.0.1:{server.observe_port}\ndata: {server.data}\n"
        + ("parent:\n  url: http://127.0.0.1:9\n" if role == "node" else "")
    )
    server.command = lambda: [
        BIN / f"wherry-{role}", "serve", "--config", config, "--listen", server.address, "--insecure-open",
    ]  # fmt: skip
    run_server(server)
    assert Registry(server.address).get("/v2/").status == 200
    assert (server.data / "blobs").is_dir()


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
def test_insecure_open_is_refused_where_others_can_reach_it(area, role, listen):
    code, said = serve(role, area, "--insecure-open", listen=f"{listen}:{free_port()}")
    assert code in (64, 78) and "insecure-open" in said, (code, said)


@pytest.mark.parametrize("role", BOTH)
def test_a_data_folder_that_cannot_be_ends_with_74(area, role):
    (area / "file").write_text("not a folder")
    code, said = serve(role, area, "--insecure-open", data=area / "file" / "data")
    assert code == 74 and str(area / "file" / "data") in said, (code, said)


def test_a_second_process_over_the_same_data_is_refused(area, run_server):
    master = run_server(Master(area))
    code, said = serve("master", area, "--insecure-open", data=master.data)
    assert code in (74, 78) and str(master.data) in said, (code, said)
    assert Registry(master.address).get("/v2/").status == 200


@pytest.mark.parametrize("role", BOTH)
def test_a_port_that_is_taken_is_said(area, role):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = serve(role, area, "--insecure-open", listen=f"127.0.0.1:{port}")
    assert code != 0 and str(port) in said, (code, said)


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def start_slow_pull(address, repository, digest):
    """Begins to read a blob; gives the socket and what came up to now."""
    host, port = address.split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.settimeout(30)
    connection.connect((host, int(port)))
    connection.sendall(f"GET /v2/{repository}/blobs/{digest} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    begin = b""
    while b"\r\n\r\n" not in begin:
        begin += connection.recv(4096)
    head, _, body = begin.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return connection, body


@pytest.mark.parametrize("role", BOTH)
def test_sigterm_lets_a_running_pull_end_and_takes_no_new_connections(area, run_server, role):
    master = run_server(Master(area))
    server = master if role == "master" else run_server(Node(area, master.url))
    data = os.urandom(48 << 20)
    digest = Registry(master.address).put_blob("big/one", data)
    assert Registry(server.address).get_blob("big/one", digest, range="bytes=0-0").status == 206

    connection, body = start_slow_pull(server.address, "big/one", digest)
    sha256, received, begin = hashlib.sha256(body), len(body), time.monotonic()
    server.signal(signal.SIGTERM)
    wait_until(lambda: refuses(server.port), "new connections are refused", 5)
    while received < len(data):
        piece = connection.recv(65536)
        assert piece, f"the pull was cut after {received} bytes"
        sha256.update(piece)
        received += len(piece)
        if received < len(data) // 2:
            time.sleep(max(0, begin + received / (24 << 20) - time.monotonic()))
    assert f"sha256:{sha256.hexdigest()}" == digest
    connection.close()
    assert server.wait_end(10) == 0


@pytest.mark.parametrize("role", BOTH)
def test_sigterm_ends_an_idle_process_at_once_even_with_idle_connections(area, run_server, role):
    server = run_server(make(role, area))
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait_end(10) == 0
        assert time.monotonic() - begin < 3


def test_a_running_push_ends_well_when_the_process_is_told_to_end(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    data = os.urandom(4 << 20)

    def slowly():
        yield data[: 1 << 20]
        master.signal(signal.SIGTERM)
        wait_until(lambda: refuses(master.port), "new connections are refused", 5)
        yield data[1 << 20 :]

    path = f"/v2/a/b/blobs/uploads/?digest={oci.digest_of(data)}"
    response = registry.call("POST", path, slowly())
    assert response.status == 201
    assert master.wait_end(10) == 0
    master.start()
    assert registry.get_blob("a/b", oci.digest_of(data)).body == data


@pytest.mark.parametrize("role", BOTH)
def test_a_second_sigterm_ends_the_process_at_once(area, run_server, role):
    master = run_server(Master(area))
    server = master if role == "master" else run_server(Node(area, master.url))
    digest = Registry(master.address).put_blob("big/one", os.urandom(48 << 20))
    assert Registry(server.address).get_blob("big/one", digest, range="bytes=0-0").status == 206
    connection, _ = start_slow_pull(server.address, "big/one", digest)
    server.signal(signal.SIGTERM)
    wait_until(lambda: refuses(server.port), "new connections are refused", 5)
    assert server.running()
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    server.wait_end(10)
    assert time.monotonic() - begin < 2
    connection.close()


def crash(run_server, server, *words):
    """Starts it in its own folder with no limit on core files, has it crash, and gives the folder's core files and whether
    the kernel wrote one, wherever it does that."""
    core = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    given = [os.path.abspath(word) if index == 0 else word for index, word in enumerate(server.command())]
    server.command = lambda: ["prlimit", "--core=unlimited:unlimited", "env", f"--chdir={server.folder}", *given, *words]
    run_server(server)
    server.signal(signal.SIGABRT)
    ended = os.waitid(os.P_PID, server.process.pid, os.WEXITED | os.WNOWAIT)
    assert server.wait_end() == -signal.SIGABRT
    is_file_here = not core.startswith("|") and "/" not in core
    files = list(server.folder.glob(core.partition("%")[0] + "*")) if is_file_here else None
    return files, ended.si_code == os.CLD_DUMPED


@pytest.mark.parametrize("role", BOTH)
def test_a_crash_leaves_no_core_file_for_secrets_are_in_memory(area, run_server, role):
    files, is_dumped = crash(run_server, make(role, area))
    assert not files and not is_dumped


@pytest.mark.parametrize("role", BOTH)
def test_a_crash_leaves_a_core_file_where_core_files_are_wanted(area, run_server, role):
    config = area / "cores.yaml"
    config.write_text("core-files: true\n")
    files, is_dumped = crash(run_server, make(role, area), "--config", config)
    assert is_dumped and (files is None or len(files) == 1)


def test_what_was_pushed_is_there_after_a_restart(area, run_server):
    master = run_server(Master(area))
    registry = Registry(master.address)
    manifest, digest = registry.put_image("a/b", "v1", [b"a layer", b"another"])
    artifact = oci.artifact({"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": len(manifest)}, "application/x-test")
    registry.put_blob("a/b", oci.EMPTY_JSON)
    registry.put_manifest("a/b", oci.digest_of(artifact), artifact)
    master.restart()
    assert registry.get_manifest("a/b", "v1").body == manifest
    assert registry.get_blob("a/b", oci.digest_of(b"a layer")).body == b"a layer"
    assert registry.tags("a/b") == ["v1"]
    assert [entry["digest"] for entry in registry.referrers("a/b", digest).json["manifests"]] == [oci.digest_of(artifact)]
    assert registry.get("/v2/_catalog").json == {"repositories": ["a/b"]}
