"""HTTP as bytes on a socket, for what a well-behaved client never sends."""

import re
import socket

from . import canaries


def connect(address, timeout=20):
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(connection, data, one_by_one=False):
    """Sends; gives False when the other side closed first."""
    try:
        if one_by_one:
            for byte in data:
                connection.sendall(bytes([byte]))
        else:
            connection.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def read_to_end(connection):
    """Everything until the other side closes; fails when it stays open."""
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return data
        except TimeoutError:
            raise AssertionError(f"the connection stayed open after {data!r}") from None
        if not piece:
            return data
        data += piece


def exchange(address, data, one_by_one=False, timeout=5):
    """Sends data on a connection of its own and reads until the server closes."""
    with connect(address, timeout) as connection:
        send(connection, data, one_by_one)
        return read_to_end(connection)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


def take_answer(data, head_only=False):
    """Splits the first whole answer off: (answer, rest), or None when it is not whole yet."""
    head, mark, rest = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3})( .*)?", first)
    assert match, f"not a status line: {first!r}"
    status = int(match[1])
    if status >= 400:
        canaries.note_error("a request on a socket", data.decode("latin-1"))
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        assert colon and name.strip() == name, f"not a header line: {line!r}"
        headers[name.lower()] = value.strip()
    if head_only or status in (204, 304) or status < 200:
        return Answer(status, headers, b""), rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            line, mark, after = rest.partition(b"\r\n")
            if not mark:
                return None
            size = int(line.split(b";")[0], 16)
            if len(after) < size + 2:
                return None
            body, rest = body + after[:size], after[size + 2 :]
            if size == 0:
                return Answer(status, headers, body), rest
    assert "content-length" in headers, f"an answer without framing: {head!r}"
    length = int(headers["content-length"])
    if len(rest) < length:
        return None
    return Answer(status, headers, rest[:length]), rest[length:]


def answers(data):
    """All answers in what a server sent; a half answer at the end is an error."""
    found = []
    while data:
        taken = take_answer(data)
        assert taken, f"a half answer: {data!r}"
        answer, data = taken
        found.append(answer)
    return found


class Conversation:
    """A connection that stays open: send bytes, take answers one by one."""

    def __init__(self, address, timeout=20):
        self.connection = connect(address, timeout)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, data, one_by_one=False):
        assert send(self.connection, data, one_by_one), "closed while sending"

    def answer(self, head_only=False):
        while True:
            taken = take_answer(self.pending, head_only) if self.pending else None
            if taken:
                answer, self.pending = taken
                return answer
            piece = self.connection.recv(65536)
            assert piece, f"closed in the middle of an answer: {self.pending!r}"
            self.pending += piece

    def is_closed(self):
        """Waits for the other side to close; true when nothing more came before that."""
        return read_to_end(self.connection) == b"" and not self.pending
