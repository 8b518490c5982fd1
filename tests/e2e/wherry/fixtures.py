"""The fixtures of all black-box tests; a conftest.py imports them by name."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from . import canaries
from .client import Registry
from .process import BIN, DockerRegistry, Master, Node, Server
from .replication import Replication

_numbers = itertools.count(1)


def unique(prefix="repo"):
    """A repository name that no other test uses."""
    return f"{prefix}/n{next(_numbers)}"


@pytest.fixture(scope="session")
def session_area():
    """A folder of this run; short, because sockets live in it too."""
    area = Path(tempfile.mkdtemp(prefix="wherry-", dir=os.environ.get("WHERRY_TEST_TMP")))
    yield area
    shutil.rmtree(area, ignore_errors=True)


@pytest.fixture
def area(session_area):
    """A folder of this test."""
    folder = Path(tempfile.mkdtemp(prefix="t", dir=session_area))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _no_server_is_left():
    yield
    for server in Server.started:
        server.end()


@pytest.fixture
def run_server(area):
    """Starts servers that end with the test: run_server(Master(area), env=...)."""
    mine = []

    def run(server, **how):
        mine.append(server)
        return server.start(**how)

    yield run
    for server in reversed(mine):
        server.end()


@pytest.fixture(scope="session")
def master(session_area):
    """A master that all tests of a session share: a test keeps to repositories of its own.

    WHERRY_E2E_SUBJECT=docker-registry puts Debian's registry in its place, to test the tests.
    """
    if os.environ.get("WHERRY_E2E_SUBJECT") == "docker-registry":
        server = DockerRegistry(session_area, "shared-master")
    else:
        server = Master(session_area, "shared-master")
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def node(session_area, master):
    """A node below the shared master."""
    server = Node(session_area, master.url, "shared-node").start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def origin(session_area):
    """A registry that is not ours, which all tests of a session share as master() is shared."""
    server = DockerRegistry(session_area, "shared-origin").start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def registry(master):
    return Registry(master.address)


@pytest.fixture(scope="session")
def edge(node):
    return Registry(node.address)


@pytest.fixture
def repository():
    return unique()


def pytest_sessionstart(session):
    if not (BIN / "wherry-master").exists() and not os.environ.get("WHERRY_E2E_SUBJECT"):
        pytest.exit(f"{BIN}/wherry-master does not exist: build the release preset first", returncode=2)


def pytest_runtest_setup(item):
    item.log_sizes = {server: len(server.text()) for server in set(Server.started)}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in dict.fromkeys(Server.started):
            said = server.text()[getattr(item, "log_sizes", {}).get(server, 0) :]
            if said:
                lines = [line[:400] for line in said.splitlines()[-25:]]
                report.sections.append((f"log of {server.name}", "\n".join(lines)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """The servers that ended with this test have let no secret be seen."""
    seen = canaries.complaints()
    if seen:
        pytest.fail("secrets are seen:\n" + "\n".join(seen), pytrace=False)


@pytest.fixture
def here(area, run_server):
    """A master of this test's own, that replicates."""
    return run_server(Master(area, "here"))


@pytest.fixture
def there(area, run_server):
    """Another one."""
    return run_server(Master(area, "there"))


@pytest.fixture
def replication(here):
    return Replication(here)
