"""A swarm gives nothing more, and the rest of the blob comes by HTTP: what the swarm brought is not fetched again.

The parent leases nothing here, so a node gets what its one neighbour has, and that alone.
"""

import pytest
from clocks import Clocks
from member import HAVE, HAVE_NONE, Member
from wherry import oci
from wherry.client import Registry
from wherry.process import wait_until
from wherry.proxy import CountingProxy
from wherry.pulls import Pull
from wherry.swarm import Site, counted, received

REPOSITORY = "team/app"
PIECE = 64 << 10
SIZE = 6_000_000  # 92 pieces, the last of them short
HELD = [*range(5, 7), *range(20, 40), *range(60, 92)]  # the first run is not worth a request
GAPS = [(0, 20 * PIECE), (40 * PIECE, 60 * PIECE)]
MISSING = sum(end - begin for begin, end in GAPS)
OTHER = 300_000  # bytes that a parent sends a node beside blobs, at the most


class Partial(Member):
    def begun(self, neighbour):
        neighbour.send(HAVE_NONE)
        for piece in HELD:
            neighbour.send(HAVE, piece)


class Takeover:
    """A node whose swarm has given what it has; what comes of its pull is for the test."""

    def __init__(self, area, site):
        self.blob = oci.random_bytes(SIZE)
        self.digest = oci.digest_of(self.blob)
        site.registry.put_blob(REPOSITORY, self.blob)
        self.master = site.master
        self.proxy = CountingProxy(site.master.address)
        self.proxy.answers = self.answer
        self.leases = 204  # what comes of an ask for one; None: as the parent says
        self.parts = None  # function of the handler and a range's begin and end, called for each part: as answers
        self.clocks = Clocks(area, "node")
        self.node = site.node("paris", parent=self.proxy, env=self.clocks.env)
        self.friend = Partial(site, "friend", REPOSITORY, self.blob, "127.0.0.66")
        self.pull = self.begin()
        held = len(HELD)
        wait_until(lambda: counted(self.node, "wherry_swarm_received_pieces_total") == held, "it has what there is")

    def close(self):
        if not self.friend.ended.is_set():
            self.friend.close()
        self.proxy.close()

    def begin(self):
        return Pull(Registry(self.node.address), f"/v2/{REPOSITORY}/blobs/{self.digest}")

    def answer(self, handler):
        if handler.path.endswith("/lease") or "/lease?" in handler.path:
            return self.leases is not None and handler.answer(self.leases)
        asked = self.asked(handler.headers)
        if self.parts is None or handler.command != "GET" or self.digest not in handler.path or asked is None:
            return False
        return self.parts(handler, *asked)

    def asked(self, headers):
        """(begin, end) of a part that is not asked of a swarm; nothing when that is something else."""
        headers = {name.lower(): value for name, value in headers.items()}
        if "range" not in headers or "wherry-swarm" in headers:
            return None
        first, last = headers["range"].removeprefix("bytes=").split("-")
        return int(first), int(last) + 1 if last else None

    def parts_asked_for(self):
        blobs = [seen for seen in self.proxy.seen if seen.method == "GET" and f"/blobs/{self.digest}" in seen.path]
        return [asked for asked in (self.asked(seen.headers) for seen in blobs) if asked]

    def give_up(self):
        """Time goes by for the node, until it does so."""

        def is_over():
            self.clocks.pass_by(1)
            return self.parts_asked_for()

        wait_until(is_over, "it goes on without a swarm", 30, 0.1)

    def forget(self):
        """The parent knows the node no more: it is introduced again, and again, then it goes on without a swarm."""
        self.leases = 404
        wait_until(self.parts_asked_for, "it goes on without a swarm", 30)

    def counted(self, what):
        return counted(self.node, f"wherry_fill_{what}_total")

    def sent(self):
        return counted(self.master, "wherry_http_sent_bytes_total")

    def ends_well(self):
        self.pull.end()
        assert self.pull.response is not None, self.pull.broken
        assert self.pull.response.status == 200 and self.pull.response.body == self.blob
        file = self.node.blob_file(self.digest)
        wait_until(file.exists, "it is kept")
        assert file.read_bytes() == self.blob
        assert received(self.node, "parent") == 0


@pytest.fixture
def takeover(area, run_server):
    takeover = Takeover(area, Site(area, run_server))
    yield takeover
    takeover.close()


@pytest.mark.parametrize("how", ["gives nothing more", "has gone", "is forgotten"])
def test_what_a_swarm_brought_in_any_order_is_not_fetched_again(takeover, how):
    before = takeover.sent()
    if how == "is forgotten":
        takeover.forget()
    else:
        if how == "has gone":
            takeover.friend.close()
        takeover.give_up()
    takeover.ends_well()
    assert takeover.parts_asked_for() == GAPS and takeover.counted("resumed") == 0
    assert takeover.counted("fetched_bytes") == MISSING
    assert takeover.counted("kept_bytes") == SIZE - MISSING
    assert MISSING <= takeover.sent() - before < MISSING + OTHER


def send(handler, blob, begin, end, until=SIZE):
    """A part, which breaks off at `until`."""
    until = min(until, end)
    handler.send_response_only(206)
    handler.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(blob)}")
    handler.send_header("Content-Length", str(end - begin))
    handler.end_headers()
    handler.wfile.write(blob[begin:until])
    handler.close_connection = until < end
    return True


def test_a_source_that_breaks_in_a_gap_goes_on_there_and_no_further_than_its_end(takeover):
    middle = GAPS[0][1] // 2
    takeover.parts = lambda handler, begin, end: begin == 0 and send(handler, takeover.blob, begin, end, middle)
    takeover.give_up()
    takeover.ends_well()
    assert takeover.parts_asked_for() == [GAPS[0], (middle, GAPS[0][1]), GAPS[1]]
    assert takeover.counted("resumed") == 1 and takeover.counted("kept_bytes") == SIZE - MISSING


def test_a_source_that_breaks_at_the_end_of_a_gap_is_asked_for_the_next_one(takeover):
    takeover.parts = lambda handler, begin, end: begin == 0 and send(handler, takeover.blob, begin, SIZE, end)
    takeover.give_up()
    takeover.ends_well()
    assert takeover.parts_asked_for() == GAPS


def to_the_end(handler, blob, begin, end):
    return send(handler, blob, begin, SIZE)


def from_further_ahead(handler, blob, begin, end):
    return send(handler, blob, max(0, begin - PIECE - 1), min(end + PIECE + 1, SIZE))


def a_little_at_a_time(handler, blob, begin, end):
    return send(handler, blob, begin, min(begin + 5 * PIECE, end))


def all_of_it(handler, blob, begin, end):
    return handler.answer(200, blob)


@pytest.mark.parametrize(
    ("way", "requests"), [(all_of_it, 1), (to_the_end, 1), (from_further_ahead, 2), (a_little_at_a_time, 8)]
)
def test_a_source_that_keeps_to_no_bounds_is_let_run_and_what_was_checked_stays(takeover, way, requests):
    sent = bytearray(takeover.blob)
    for piece in HELD:
        sent[piece * PIECE + 7] ^= 1
    takeover.parts = lambda handler, begin, end: way(handler, bytes(sent), begin, end)
    takeover.give_up()
    takeover.ends_well()
    assert len(takeover.parts_asked_for()) == requests


def test_wrong_bytes_in_a_gap_are_found_out_before_the_reader_has_the_last_one(takeover):
    wrong = bytearray(takeover.blob)
    wrong[GAPS[1][0] + 7] ^= 1
    takeover.parts = lambda handler, begin, end: send(handler, bytes(wrong), begin, end)
    takeover.give_up()
    takeover.pull.end()
    assert takeover.pull.response is None and len(takeover.pull.broken.partial) < SIZE
    assert takeover.counted("failed") == 1 and not takeover.node.blob_file(takeover.digest).exists()
    takeover.parts = takeover.leases = None
    takeover.pull = takeover.begin()
    takeover.pull.end()
    assert takeover.pull.response.body == takeover.blob
