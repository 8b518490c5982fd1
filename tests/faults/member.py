"""A member of a swarm that is written here: introduced as any registered node is, then TLS and BitTorrent by hand.

Well-behaved as it stands, so that what those of hostile.py do wrong is all that is wrong with them.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from wherry import oci
from wherry.client import Registry

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = range(8)
HAVE_ALL, HAVE_NONE, REJECT = 14, 15, 16
HASH_REQUEST, HASH_REJECT = 21, 23
LEAF = 16 << 10
GREETING = b"\x13BitTorrent protocol" + b"\0" * 7 + b"\x14"  # with the fast extension, of version 2
NAME = b"-WH-" + hashlib.sha256(b"").hexdigest()[:8].encode() + b"-"  # as that of a node begins that is of no site


def openssl(*words, given=b""):
    return subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True, check=True).stdout


class Identity:
    """A node that has joined, and no more: its key, and how it signs what it asks."""

    def __init__(self, folder, registry, join_token):
        _, self.name, secret, _ = join_token.split(".")
        self.key = folder / f"{self.name}.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        self.request = openssl("req", "-new", "-key", self.key, "-subj", f"/CN={self.name}")
        known = hashlib.sha256(secret.encode()).hexdigest()
        proof = hmac.new(known.encode(), self.request, "sha256").hexdigest()
        document = {"name": self.name, "proof": proof, "request": self.request.decode()}
        answer = registry.call("POST", "/wherry/v1/nodes/join", json.dumps(document).encode())
        assert answer.status == 200, answer
        self.certificate = "".join(answer.json["certificate"].split("-----")[2].split())

    def ask(self, registry, method, target, **headers):
        millis = int(time.time() * 1000)
        words = f"wherry node request 2\n{method}\n{target}\n{millis}\n\n{hashlib.sha256(b'').hexdigest()}"
        signature = base64.b64encode(openssl("dgst", "-sha256", "-sign", self.key, given=words.encode())).decode()
        shown = f'Wherry-Node certificate="{self.certificate}", time="{millis}", signature="{signature}"'
        return registry.call(method, target, None, {"Authorization": shown, "Content-Length": "0", **headers})

    def invited(self, registry, repository, digest):
        """The answer to who would take part in a swarm: 303 where that one has large blobs to share."""
        return self.ask(registry, "GET", f"/v2/{repository}/blobs/{digest}", **{"Wherry-Swarm": "1"})

    def introduced(self, registry, invitation, port):
        place = urlsplit(invitation)
        key = base64.urlsafe_b64encode(self.request).decode().rstrip("=")
        return self.ask(registry, "POST", f"{place.path}?{place.query}&port={port}&site=&key={key}")


class Swarm:
    """What an introduction says: the torrent, and what opens it."""

    def __init__(self, document, identity):
        encoded = base64.b64decode(document["torrent"])
        assert encoded[0] == 1 and document["voucher"]
        self.name, self.member, self.peers = document["swarm"], document["member"], document["peers"]
        self.size = int.from_bytes(encoded[1:9], "big")
        self.piece_bytes = min(max(1 << ((self.size + 2047) // 2048 - 1).bit_length(), 64 << 10), 4 << 20)
        roots = [encoded[at : at + 32] for at in range(9, len(encoded), 32)]
        self.pieces = len(roots)
        file = {"length": self.size, "pieces root": root_of(roots, self.piece_bytes)}
        info = {
            "file tree": {self.name: {"": file}}, "meta version": 2, "name": self.name,
            "piece length": self.piece_bytes, "private": 1, "ssl-cert": document["authority"],
        }  # fmt: skip
        self.own_name = NAME + b"%07d" % (time.monotonic_ns() % 10**7)  # one, so that two connections are known to be to one
        self.hash = hashlib.sha256(bencode(info)).digest()[:20]
        folder = identity.key.parent
        certificate = folder / f"{identity.name}-{self.name}.pem"
        certificate.write_text(document["certificate"])
        self.calls, self.answers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.calls.check_hostname = False
        self.answers.verify_mode = ssl.CERT_REQUIRED
        for context in (self.calls, self.answers):
            context.load_verify_locations(cadata=document["authority"])
            context.load_cert_chain(certificate, identity.key)


def root_of(layer, piece_bytes):
    """Of the hash tree over the roots of pieces (BEP 52)."""
    padding = bytes(32)
    while piece_bytes > LEAF:
        padding, piece_bytes = hashlib.sha256(padding * 2).digest(), piece_bytes // 2
    while len(layer) > 1:
        layer = [*layer, padding] if len(layer) % 2 else layer
        layer = [hashlib.sha256(left + right).digest() for left, right in zip(layer[::2], layer[1::2], strict=True)]
        padding = hashlib.sha256(padding * 2).digest()
    return layer[0]


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    text = value.encode() if isinstance(value, str) else value
    return b"%d:%s" % (len(text), text)


class Neighbour:
    """A connection to one, after the handshakes."""

    def __init__(self, connection, swarm):
        self.connection = connection
        self.lock = threading.Lock()
        connection.sendall(GREETING + swarm.hash + swarm.own_name)
        theirs = self._read(68)
        assert theirs[28:48] == swarm.hash, "that is another swarm"

    def _read(self, count):
        data = b""
        while len(data) < count:
            piece = self.connection.recv(count - len(data))
            if not piece:
                raise ConnectionError("the neighbour has gone")
            data += piece
        return data

    def messages(self):
        """(kind, payload) until it goes."""
        while True:
            length = int.from_bytes(self._read(4), "big")
            if length:
                message = self._read(length)
                yield message[0], message[1:]

    def send(self, kind, *numbers, payload=b""):
        length = 1 + 4 * len(numbers) + len(payload)
        self.send_bytes(struct.pack(f">IB{len(numbers)}I", length, kind, *numbers) + payload)

    def send_bytes(self, data):
        with self.lock:
            self.connection.sendall(data)


class Member:
    """Takes part until it is closed: listens, calls all that the parent tells it of, again and again."""

    CALL_EVERY = 0.25  # seconds

    def __init__(self, site, name, repository, blob, host, **record):
        """host: a loopback address of its own, for who is shut out is shut out by that. record: of its registration."""
        self.blob, self.host = blob, host
        self.registry = Registry(site.master.address)
        self.registry.source = host
        self.identity = Identity(site.area, self.registry, site.token(name, **record))
        self.did = Counter()  # what its kind is there for: a test sees that it came to that
        self.ended = threading.Event()
        self._open, self._lock = {}, threading.Lock()
        self._listener = socket.create_server((host, 0))
        digest = oci.digest_of(blob)
        invitation = self.identity.invited(self.registry, repository, digest)
        assert invitation.status == 303, invitation
        self.place = f"/wherry/v1/swarm/{digest}"
        answer = self.identity.introduced(self.registry, invitation["Location"], self._listener.getsockname()[1])
        assert answer.status == 200, answer
        self.swarm = Swarm(answer.json, self.identity)
        self._threads = []
        self._run(self._listen)
        self._run(self._call)

    def close(self):
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # who waits for a call hears of that, and not of its end
        self._listener.close()
        with self._lock:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    # What a kind of member does: here all is well.

    def begun(self, neighbour):
        neighbour.send(HAVE_ALL)

    def interested(self, neighbour):
        neighbour.send(UNCHOKE)

    def asked(self, neighbour, piece, begin, length):
        """For a block."""
        self.did["blocks sent"] += 1
        neighbour.send(PIECE, piece, begin, payload=self.bytes_of(piece, begin, length))

    def unchoked(self, neighbour):
        pass

    def given(self, neighbour, piece, begin, data):
        pass

    def bytes_of(self, piece, begin, length):
        """With zeros behind the blob's end, as a torrent of version 2 has them."""
        at = piece * self.swarm.piece_bytes + begin
        return self.blob[at : at + length].ljust(length, b"\0")

    # How it gets there.

    def _run(self, work, *what):
        thread = threading.Thread(target=work, args=what, daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive() or not each.ident] + [thread]
        thread.start()

    def _listen(self):
        while not self.ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._run(self._talk, connection, None)

    def _call(self):
        peers = list(self.swarm.peers)
        while not self.ended.is_set():
            with contextlib.suppress(Exception):  # the parent may be dead
                asked = self.registry.call("POST", f"{self.place}/neighbours?known=0", b"", self.shown())
                peers += [line for line in asked.body.decode().split() if asked.status == 200 and line not in peers]
            for peer in peers:
                with self._lock:
                    is_there = peer in self._open
                if not is_there and not peer.startswith(f"{self.host}:"):
                    self._run(self._talk, None, peer)
            self.ended.wait(self.CALL_EVERY)

    def shown(self):
        return {"Wherry-Member": self.swarm.member}

    def _talk(self, connection, peer):
        key = peer
        try:
            if connection is None:
                with self._lock:
                    if peer in self._open:
                        return
                host, port = peer.split(":")
                connection = socket.create_connection((host, int(port)), 5, (self.host, 0))
                self.did["called"] += 1
            connection.settimeout(5)  # who is called shakes hands, or has no room
            key = peer or f"{id(connection)}"
            with self._lock:
                if key in self._open or self.ended.is_set():
                    connection.close()
                    return
                self._open[key] = connection
            if peer:
                encrypted = self.swarm.calls.wrap_socket(connection, server_hostname=self.swarm.hash.hex())
            else:
                encrypted = self.swarm.answers.wrap_socket(connection, server_side=True)
            encrypted.settimeout(30)
            with self._lock:
                self._open[key] = encrypted
                if self.ended.is_set():  # meanwhile, and what is shut then is what was there before
                    return
            self._speak(Neighbour(encrypted, self.swarm))
        except OSError:
            pass
        finally:
            with self._lock:
                if key in self._open and connection is not None:
                    self._open.pop(key).close()

    def _speak(self, neighbour):
        self.did["met"] += 1
        self.begun(neighbour)
        for kind, payload in neighbour.messages():
            if kind == INTERESTED:
                self.interested(neighbour)
            elif kind == UNCHOKE:
                self.unchoked(neighbour)
            elif kind == PIECE:
                self.given(neighbour, *struct.unpack(">2I", payload[:8]), payload[8:])
            elif kind == REQUEST:
                self.asked(neighbour, *struct.unpack(">3I", payload))
            elif kind == HASH_REQUEST:
                self.did["asked for hashes"] += 1
                neighbour.send(HASH_REJECT, payload=payload)

