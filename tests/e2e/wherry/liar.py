"""A parent that lies: it serves manifests and blobs rightly, except for digests that have a script.

A script is a list of ways to answer a GET of that digest, one for each attempt, the last for all further ones.
"""

import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler

from . import oci
from .proxy import QuietServer, Seen


class Liar:
    def __init__(self):
        self.blobs = {}
        self.manifests = {}  # reference -> (bytes, media type)
        self.scripts = {}
        self.attempts = {}
        self.stated = {}  # reference -> the digest that it states in the header instead of the true one, or None for none
        self.seen = []
        self.released = threading.Event()  # set on close: ends the stalls
        self._lock = threading.Lock()
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        self._server.released = self.released
        self.address = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def add_blob(self, data, script=()):
        digest = oci.digest_of(data)
        self.blobs[digest] = data
        if script:
            self.scripts[digest] = list(script)
        return digest

    def add_manifest(self, tag, data, media_type=oci.OCI_MANIFEST, script=()):
        digest = oci.digest_of(data)
        self.manifests[digest] = self.manifests[tag] = (data, media_type)
        if script:
            self.scripts[digest] = list(script)
        return digest

    def _next_way(self, digest):
        with self._lock:
            attempt = self.attempts.get(digest, 0)
            self.attempts[digest] = attempt + 1
        script = self.scripts.get(digest)
        return script[min(attempt, len(script) - 1)] if script else honest

    def _handler(liar):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the body would wait for an acknowledgement

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                liar.seen.append(Seen(self.command, self.path, dict(self.headers.items())))
                if self.path in ("/v2", "/v2/"):
                    return self.answer(200, b"{}", {"Content-Type": "application/json"})
                match = re.fullmatch(r"/v2/.+/(blobs|manifests)/([^/?]+)(\?.*)?", self.path)
                found = match and (liar.blobs if match[1] == "blobs" else liar.manifests).get(match[2])
                if not found:
                    error = {"errors": [{"code": "NOT_FOUND", "message": "nothing here"}]}
                    return self.answer(404, oci.encode(error), {"Content-Type": "application/json"})
                data, media_type = found if match[1] == "manifests" else (found, "application/octet-stream")
                digest = oci.digest_of(data)
                headers = {"Content-Type": media_type, "Accept-Ranges": "bytes"}
                if stated := liar.stated.get(match[2], digest):
                    headers["Docker-Content-Digest"] = stated
                way = honest if self.command == "HEAD" else liar._next_way(digest)
                way(self, data, headers)

            def range_start(self, size):
                match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                return int(match[1]) if match and int(match[1]) < size else None

            def start(self, status, length, headers):
                self.send_response_only(status)
                for name, value in {**headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.end_headers()

            def answer(self, status, body, headers):
                self.start(status, len(body), headers)
                if self.command != "HEAD":
                    self.wfile.write(body)

            def hang_up(self, reset=False):
                self.wfile.flush()
                self.close_connection = True
                if reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

        return Handler


# The ways to answer. Each gets the handler, the true bytes and the true headers.


def honest(handler, data, headers):
    """Everything right, ranges too."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if not match or int(match[1]) >= len(data):
        return handler.answer(200, data, headers)
    start = int(match[1])
    end = min(int(match[2]) if match[2] else len(data) - 1, len(data) - 1)
    handler.answer(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})


def wrong_bytes(handler, data, headers):
    """The right length, one byte in the middle wrong."""
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    handler.answer(200, bytes(broken), headers)


def wrong_last_byte(handler, data, headers):
    handler.answer(200, data[:-1] + bytes([data[-1] ^ 1]), headers)


def too_short(handler, data, headers):
    """A body that ends well, but is half of what it should be."""
    handler.answer(200, data[: len(data) // 2], headers)


def too_long(handler, data, headers):
    """The right bytes, and more after them."""
    handler.answer(200, data + b"and more" * 100, headers)


def empty(handler, data, headers):
    handler.answer(200, b"", headers)


def truncated(handler, data, headers):
    """Content-Length says all, the connection ends in the middle. Ranges are truncated too."""
    start = handler.range_start(len(data))
    if start is None:
        handler.start(200, len(data), headers)
    else:
        handler.start(206, len(data) - start, {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
    start = start or 0
    handler.wfile.write(data[start : start + (len(data) - start) // 2])
    handler.hang_up()


def reset(handler, data, headers):
    """The connection is reset in the middle."""
    handler.start(200, len(data), headers)
    handler.wfile.write(data[: len(data) // 2])
    handler.hang_up(reset=True)


def reset_at_once(handler, data, headers):
    handler.hang_up(reset=True)


def stalled(handler, data, headers):
    """Half of it, then silence on an open connection."""
    handler.start(200, len(data), headers)
    handler.wfile.write(data[: len(data) // 2])
    handler.server.released.wait(300)
    handler.hang_up()


def html_page(handler, data, headers):
    """A captive portal: 200 and a page."""
    handler.answer(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})


def html_page_of_right_length(handler, data, headers):
    page = b"<html><body>Please log in</body></html>"
    handler.answer(200, (page * (len(data) // len(page) + 1))[: len(data)], {**headers, "Content-Type": "text/html"})


def wrong_length(handler, data, headers):
    """The right bytes under a Content-Length that is one too big, then the connection ends."""
    handler.start(200, len(data) + 1, headers)
    handler.wfile.write(data)
    handler.hang_up()


def wrong_range(handler, data, headers):
    """Half of it at first; asked for the rest, it answers 206 with the bytes of another place."""
    start = handler.range_start(len(data))
    if start is None:
        return truncated(handler, data, headers)
    body = data[: len(data) - start]
    handler.answer(206, body, {**headers, "Content-Range": f"bytes 0-{len(body) - 1}/{len(data)}"})


def server_error(handler, data, headers):
    handler.answer(500, b"oops", {"Content-Type": "text/plain"})


def unavailable(handler, data, headers):
    handler.answer(503, b"", {"Retry-After": "1"})


def slowly(bytes_per_second):
    """Everything right, but slowly."""

    def way(handler, data, headers):
        handler.start(200, len(data), headers)
        step = max(1, bytes_per_second // 20)
        for at in range(0, len(data), step):
            handler.wfile.write(data[at : at + step])
            time.sleep(step / bytes_per_second)

    return way
