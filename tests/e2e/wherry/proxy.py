"""An HTTP proxy between a node and its upstream that counts requests, and can hold or slow the bodies."""

import http.client
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass  # a side that leaves in the middle is what many tests are about


class CountingProxy:
    def __init__(self, target, certificate=None):
        """With a certificate, (file, key file), it speaks TLS to its clients."""
        self.target = target
        self.certificate = certificate
        self.seen = []
        self.bytes_per_second = None
        self.gate = None  # (path part, bytes, event): such a body stops after so many bytes until the event is set
        self.broken = False  # answers nothing any more: every connection is closed at once
        self.answers = None  # function of the handler, called first: true when it has answered by itself
        self._server = None
        self._open(0)
        self.address = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://{self.address}"

    def _open(self, port):
        self._server = QuietServer(("127.0.0.1", port), self._handler())
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        """Refuses connections from now on."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reopen(self):
        self._open(int(self.address.split(":")[1]))

    def count(self, method=None, part=""):
        return sum(1 for seen in list(self.seen) if method in (None, seen.method) and part in seen.path)

    def gets_of(self, digest):
        return self.count("GET", digest)

    def _handler(proxy):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the body would wait for an acknowledgement

            def log_message(self, *_):
                pass

            def forward(self):
                if proxy.broken or not proxy._server:
                    self.close_connection = True
                    return
                proxy.seen.append(Seen(self.command, self.path, dict(self.headers.items())))
                self.body = body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if len(body) < int(self.headers.get("Content-Length", 0)):
                    self.close_connection = True  # the client left in the middle of it
                    return
                if proxy.answers and proxy.answers(self):
                    return
                headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP | {"host"}}
                upstream = http.client.HTTPConnection(proxy.target, timeout=120)
                try:
                    upstream.putrequest(self.command, self.path, skip_accept_encoding=True)
                    for name, value in headers.items():
                        upstream.putheader(name, value)
                    upstream.endheaders(body or None)
                    answer = upstream.getresponse()
                    self.relay(answer)
                except OSError:
                    self.close_connection = True
                finally:
                    upstream.close()

            def answer(self, status, body=b"", **headers):
                """Answers by itself; a header's underscores stand for hyphens."""
                self.send_response_only(status)
                for name, value in {"Content_Length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                return True

            def relay(self, answer):
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                bodiless = self.command == "HEAD" or answer.status in (204, 304)
                chunked = not bodiless and answer.getheader("Content-Length") is None
                if chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if bodiless:
                    return
                sent, begin = 0, time.monotonic()
                while piece := answer.read1(self.next_piece(sent)):
                    if proxy.bytes_per_second:
                        time.sleep(max(0, begin + sent / proxy.bytes_per_second - time.monotonic()))
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                    sent += len(piece)
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")
                elif sent < int(answer.getheader("Content-Length")):
                    self.close_connection = True

            def next_piece(self, sent):
                """How much to read next: up to the gate, and not beyond it while it is shut."""
                size = 65536 if proxy.bytes_per_second else 1 << 20
                if proxy.gate and proxy.gate[0] in self.path:
                    part, until, event = proxy.gate
                    if sent >= until:
                        event.wait(120)
                    else:
                        size = min(size, until - sent)
                return size

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = forward

        return Handler
