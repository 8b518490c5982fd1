"""The HTTP edge, as bytes: what is not exactly HTTP gets one 400 and a closed connection, never a second answer."""

import threading
import time

import pytest
from wherry import oci, raw
from wherry.client import Registry

HOST = b"Host: registry.test\r\n"
# What follows a bad request on the same connection: nobody may ever answer it.
SECOND = b"GET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n"


def get(*lines, target=b"/v2/", version=b"HTTP/1.1", host=HOST):
    return b"GET " + target + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


BAD_HEADS = {
    "no host": get(host=b""),
    "two hosts": get(host=HOST + HOST),
    "two different hosts": get(b"Host: other.test"),
    "an empty host and another": get(b"Host:"),
    "a host that is none": get(host=b"Host: a b\r\n"),
    "a host with a path": get(host=b"Host: a/b\r\n"),
    "two hosts in one": get(host=b"Host: a.test, b.test\r\n"),
    "transfer coding in HTTP/1.0": get(b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + b"0\r\n\r\n",
    "gzip, chunked": get(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "gzip and chunked on two lines": get(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunked, gzip": get(b"Transfer-Encoding: chunked, gzip"),
    "chunked twice": get(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "chunked on two lines": get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "identity": get(b"Transfer-Encoding: identity"),
    "an unknown coding": get(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "quoted chunked": get(b'Transfer-Encoding: "chunked"') + b"0\r\n\r\n",
    "a vertical tab before chunked": get(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "an empty coding": get(b"Transfer-Encoding:"),
    "length and coding": get(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "coding and length": get(b"Transfer-Encoding: chunked", b"Content-Length: 0") + b"0\r\n\r\n",
    "a length above 2^63-1": get(b"Content-Length: 9223372036854775808"),
    "a length of 2^64-1": get(b"Content-Length: 18446744073709551615"),
    "a length of 2^64": get(b"Content-Length: 18446744073709551616"),
    "a length of 30 digits": get(b"Content-Length: " + b"9" * 30),
    "two lengths": get(b"Content-Length: 0", b"Content-Length: 5"),
    "two equal lengths": get(b"Content-Length: 0", b"Content-Length: 0"),
    "a list of lengths": get(b"Content-Length: 0, 0"),
    "a length with a sign": get(b"Content-Length: +0"),
    "a negative length": get(b"Content-Length: -1"),
    "a length in hexadecimal": get(b"Content-Length: 0x0"),
    "an empty length": get(b"Content-Length:"),
    "a length with a space inside": get(b"Content-Length: 0 0"),
    "a length with letters": get(b"Content-Length: 0a"),
    "a folded header": get(b"X-One: a", b" b"),
    "a header folded by a tab": get(b"X-One: a", b"\tb"),
    "a folded length": get(b"Content-Length:", b" 0"),
    "a folded first header": b"GET /v2/ HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n",
    "an empty name": get(b": value"),
    "only a colon": get(b":"),
    "no colon": get(b"nonsense"),
    "a space before the colon": get(b"X-One : a"),
    "a tab before the colon": get(b"X-One\t: a"),
    "a space in a name": get(b"X One: a"),
    "a NUL in a name": get(b"X\0One: a"),
    "a slash in a name": get(b"X/One: a"),
    "a byte above 127 in a name": get(b"X\xe9: a"),
    "a NUL in a value": get(b"X-One: a\0b"),
    "a control byte in a value": get(b"X-One: a\x01b"),
    "an escape in a value": get(b"X-One: \x1b[31m"),
    "a DEL in a value": get(b"X-One: a\x7fb"),
    "a bare CR in a value": get(b"X-One: a\rb"),
    "a bare CR and a header": get(b"X-One: a\rContent-Length: 5"),
    "a bare LF ends a line": b"GET /v2/ HTTP/1.1\nHost: registry.test\n\n",
    "a bare LF ends a header": b"GET /v2/ HTTP/1.1\r\nHost: registry.test\nX-One: a\r\n\r\n",
    "a bare CR ends the head": b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n\rX\r\n\r\n",
    "an empty header ended by a bare CR": b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nX-One:\rX: y\r\n\r\n",
    "a control byte in the target": get(target=b"/v2/\x01"),
    "a NUL in the target": get(target=b"/v2/\0"),
    "a tab in the target": get(target=b"/v2/\tx"),
    "a byte above 127 in the target": get(target=b"/v2/\xc3\xa9"),
    "a space in the target": get(target=b"/v2/ x"),
    "a fragment in the target": get(target=b"/v2/#x"),
    "another host in the target": get(target=b"http://other.test/v2/"),
    "an absolute target": get(target=b"http://registry.test/v2/"),
    "another scheme in the target": get(target=b"ftp://registry.test/v2/"),
    "a target without a slash": get(target=b"v2/"),
    "a target of one star": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel to a path": b"CONNECT /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT registry.test:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /v2/\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces before the target": b"GET  /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces after the target": b"GET /v2/  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab for a space": b"GET\t/v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space before the method": b" GET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that is none": b"G@T /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "empty lines first": b"\r\n\r\nGET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a version that is none": get(version=b"HTTP/1.1.1"),
    "a version in lower case": get(version=b"http/1.1"),
    "another protocol": get(version=b"HTCPCP/1.0"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "nonsense": b"\x80\x81\x82\xff\xfe\r\n\r\n",
}


def assert_refused(data, statuses=(400,)):
    """Exactly one answer, an error, that says close."""
    answers = raw.answers(data)
    assert len(answers) == 1, f"{len(answers)} answers: {answers}"
    assert answers[0].status in statuses, answers
    assert answers[0].headers.get("connection", "").lower() == "close"


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one write", "a byte a write"])
@pytest.mark.parametrize("case", BAD_HEADS)
def test_a_bad_head_gets_one_400_and_is_closed(master, case, one_by_one):
    assert_refused(raw.exchange(master.address, BAD_HEADS[case] + SECOND, one_by_one))


@pytest.mark.parametrize("case", BAD_HEADS)
def test_a_node_refuses_a_bad_head_too(node, case):
    assert_refused(raw.exchange(node.address, BAD_HEADS[case] + SECOND))


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/1.2", b"HTTP/3.0", b"HTTP/0.9"])
def test_another_version_is_refused(master, version):
    assert_refused(raw.exchange(master.address, get(version=version) + SECOND), (400, 505))


def test_the_preface_of_http_2_is_refused(master):
    assert_refused(raw.exchange(master.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9), (400, 505))


BAD_CHUNKS = {
    "a size that is none": b"x\r\nhello\r\n0\r\n\r\n",
    "an empty size": b"\r\nhello\r\n0\r\n\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a size above 2^64": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a size of 2^64-1": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a size of 2^63": b"8000000000000000\r\nhello\r\n0\r\n\r\n",
    "a bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare CR after the size": b"5\rXhello\r\n0\r\n\r\n",
    "data without an end": b"5\r\nhello0\r\n\r\n",
    "data ended by a bare LF": b"5\r\nhello\n0\r\n\r\n",
    "more data than said": b"5\r\nhello world\r\n0\r\n\r\n",
    "an extension of 300 bytes": b"5;" + b"x" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "an endless extension": b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "many extensions": b"5" + b";a=b" * 100 + b"\r\nhello\r\n0\r\n\r\n",
    "a control byte in an extension": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
    "a bare LF in an extension": b"5;a\nhello\r\n0\r\n\r\n",
    "a bad trailer": b"5\r\nhello\r\n0\r\nX One: a\r\n\r\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nX-One: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one write", "a byte a write"])
@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_bad_chunks_get_one_400_and_are_closed(master, registry, repository, case, one_by_one):
    body = BAD_CHUNKS[case]
    if one_by_one and len(body) > 10_000:
        body = body[:10_000]
    location = registry.start_upload(repository)
    head = f"PATCH {location} HTTP/1.1\r\nHost: registry.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert_refused(raw.exchange(master.address, head + body + SECOND, one_by_one))


def test_small_chunk_extensions_and_trailers_are_good(master, registry, repository):
    location = registry.start_upload(repository)
    head = f"PATCH {location} HTTP/1.1\r\nHost: registry.test\r\nTransfer-Encoding: Chunked\r\n\r\n".encode()
    with raw.Conversation(master.address) as conversation:
        conversation.send(head + b'5;a=b;c="d e"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n' + SECOND)
        first = conversation.answer()
        assert first.status == 202 and first.headers["range"] == "0-4"
        assert conversation.answer().status == 200
    assert registry.finish(location, oci.digest_of(b"hello")).status == 201


GOOD_HEADS = {
    "plain": get(),
    "host in odd case": get(host=b"hOsT: registry.test\r\n"),
    "host with a port": get(host=b"Host: registry.test:5000\r\n"),
    "host in brackets": get(host=b"Host: [::1]:5000\r\n"),
    "no space after the colon": get(b"X-One:a"),
    "spaces and tabs around a value": get(b"X-One: \t a b \t "),
    "an empty value": get(b"X-One:"),
    "bytes above 127 in a value": get(b"X-One: \xc3\xa9\xff"),
    "a body of none": get(b"Content-Length: 0"),
    "a body": get(b"Content-Length: 5") + b"hello",
    "a chunked body": get(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "zeros before the length": get(b"Content-Length: 0005") + b"hello",
    "a query": get(target=b"/v2/?a=b&c=%20"),
}


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one write", "a byte a write"])
@pytest.mark.parametrize("case", GOOD_HEADS)
def test_a_good_head_is_answered_and_the_connection_stays(master, case, one_by_one):
    with raw.Conversation(master.address) as conversation:
        conversation.send(GOOD_HEADS[case], one_by_one)
        assert conversation.answer().status == 200
        conversation.send(SECOND)
        assert conversation.answer().status == 200


def test_http_1_0_is_answered_and_closed(master):
    [answer] = raw.answers(raw.exchange(master.address, b"GET /v2/ HTTP/1.0\r\n\r\n"))
    assert answer.status == 200


def test_connection_close_is_obeyed_and_what_follows_is_not_answered(master):
    [answer] = raw.answers(raw.exchange(master.address, get(b"Connection: close") + SECOND))
    assert answer.status == 200 and answer.headers["connection"].lower() == "close"


def test_pipelined_requests_are_answered_in_order(master, registry, repository):
    digests = [registry.put_blob(repository, b"number %d" % number) for number in range(5)]
    requests = b"".join(get(target=registry.blob_path(repository, digest).encode()) for digest in digests)
    for one_by_one in (False, True):
        with raw.Conversation(master.address) as conversation:
            conversation.send(requests, one_by_one)
            for number in range(5):
                answer = conversation.answer()
                assert (answer.status, answer.body) == (200, b"number %d" % number)


def test_a_head_request_has_no_body_even_when_it_fails(master):
    with raw.Conversation(master.address) as conversation:
        for target in (b"/v2/", b"/v2/no/such/manifests/x", b"/nowhere", b"/v2/UPPER/tags/list"):
            conversation.send(get(target=target).replace(b"GET", b"HEAD", 1))
            assert conversation.answer(head_only=True).status in (200, 404, 400, 405)
        conversation.send(SECOND)
        assert conversation.answer().body


def padding(lines):
    return [b"X-%d: x" % number for number in range(lines)]


def test_64_headers_are_good_and_65_are_431(master):
    with raw.Conversation(master.address) as conversation:
        conversation.send(get(*padding(63)))
        assert conversation.answer().status == 200
    assert_refused(raw.exchange(master.address, get(*padding(64)) + SECOND), (431,))
    assert_refused(raw.exchange(master.address, get(*padding(5000)) + SECOND), (431,))


def test_heads_up_to_32_kib_are_good_and_longer_ones_431(master):
    with raw.Conversation(master.address) as conversation:
        conversation.send(get(b"X-Long: " + b"x" * (31 * 1024)))
        assert conversation.answer().status == 200
    for head in (get(b"X-Long: " + b"x" * (33 * 1024)), get(*[b"X-%d: " % n + b"x" * 1024 for n in range(40)])):
        assert_refused(raw.exchange(master.address, head + SECOND), (431,))
    assert_refused(raw.exchange(master.address, get(b"X-" + b"x" * 1_000_000 + b": y") + SECOND), (431,))


def test_a_very_long_target_is_refused(master):
    assert_refused(raw.exchange(master.address, get(target=b"/v2/" + b"a" * 100_000) + SECOND), (414, 431))


def test_expect_100_continue_is_asked_for_before_the_body(master, registry, repository):
    digest = oci.digest_of(b"hello")
    head = f"POST /v2/{repository}/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: registry.test\r\n"
    with raw.Conversation(master.address) as conversation:
        conversation.send(head.encode() + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert conversation.answer().status == 100
        conversation.send(b"hello")
        assert conversation.answer().status == 201
    assert registry.get_blob(repository, digest).body == b"hello"


def test_a_client_that_expects_continue_but_does_not_wait_is_served(master, repository):
    digest = oci.digest_of(b"hello")
    head = f"POST /v2/{repository}/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: registry.test\r\n"
    with raw.Conversation(master.address) as conversation:
        conversation.send(head.encode() + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello" + SECOND)
        statuses = [conversation.answer().status]
        if statuses[0] == 100:
            statuses.append(conversation.answer().status)
        assert statuses[-1] == 201
        assert conversation.answer().status == 200


def test_an_expected_body_that_will_be_refused_is_not_asked_for(master):
    head = b"PUT /v2/UPPER/manifests/v1 HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    with raw.Conversation(master.address) as conversation:
        conversation.send(head)
        assert conversation.answer().status == 400


def test_a_body_of_an_error_is_skipped_or_the_connection_closed(master):
    """Whatever the server does with a body that it does not want, it never takes it for a request."""
    body = SECOND * 50
    head = b"PUT /v2/some/name/tags/list HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body)
    with raw.connect(master.address) as connection:
        raw.send(connection, head + body + get(b"Connection: close"))
        answers = raw.answers(raw.read_to_end(connection))
    assert [answer.status for answer in answers] in ([405], [405, 200])


def test_a_short_body_stores_nothing(master, registry, repository):
    digest = oci.digest_of(b"hello")
    head = f"POST /v2/{repository}/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: registry.test\r\nContent-Length: 10\r\n\r\n"
    with raw.connect(master.address) as connection:
        connection.sendall(head.encode() + b"hello")
    assert registry.get_blob(repository, digest).status == 404


def test_a_slow_head_is_cut_after_about_15_s_and_others_do_not_suffer(master, node):
    ends = {}

    def drip(name, server, data):
        begin = time.monotonic()
        with raw.connect(server.address, timeout=40) as connection:
            if data:
                connection.sendall(data)
            answer = raw.read_to_end(connection)
            ends[name] = (time.monotonic() - begin, answer)

    def drip_for_ever():
        """A byte each half second: the time is for the whole head, not since the last byte."""
        begin = time.monotonic()
        with raw.connect(master.address, timeout=0.5) as connection:
            connection.sendall(b"GET /v2/ HTTP/1.1\r\n" + HOST + b"X-Slow: ")
            while time.monotonic() - begin < 40:
                try:
                    connection.sendall(b"x")
                    if not connection.recv(1000):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            ends["a byte at a time"] = (time.monotonic() - begin, b"")

    threads = [
        threading.Thread(target=drip, args=("half a head", master, b"GET /v2/ HTTP/1.1\r\n" + HOST)),
        threading.Thread(target=drip, args=("one byte", master, b"G")),
        threading.Thread(target=drip, args=("half a head at the node", node, b"GET /v2/ HTTP/1.1\r\n" + HOST)),
        threading.Thread(target=drip_for_ever),
    ]
    for thread in threads:
        thread.start()
    slowest, registry = 0, Registry(master.address)
    while any(thread.is_alive() for thread in threads):
        begin = time.monotonic()
        assert registry.get("/v2/").status == 200
        slowest = max(slowest, time.monotonic() - begin)
        threads[0].join(0.05)
    for name, (seconds, answer) in ends.items():
        assert 10 <= seconds <= 20, (name, seconds)
        assert answer == b"" or [a.status for a in raw.answers(answer)] == [408], (name, answer)
    assert len(ends) == 4
    assert slowest < 1
