"""An OpenID provider of the tests' own: small, real enough for a device login, its ID tokens signed with ES256."""

import base64
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from .proxy import QuietServer


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*words, data=b""):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True).stdout


class Provider:
    CLIENT = "wherry"

    def __init__(self, folder, port):
        self.key = folder / "provider.key"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        point = _openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1",
                    "x": _encoded(point[:32]), "y": _encoded(point[32:])}  # fmt: skip
        self.issuer = f"http://127.0.0.1:{port}"
        self.person = None  # claims of who has logged in; nobody yet
        self._server = QuietServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def id_token(self):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.CLIENT, "iat": now, "exp": now + 300, **self.person}
        text = _encoded(json.dumps({"alg": "ES256", "kid": "k1"}).encode()) + "." + _encoded(json.dumps(claims).encode())
        der = _openssl("dgst", "-sha256", "-sign", self.key, data=text.encode())
        numbers, at = b"", 2
        for _ in range(2):  # two integers of a sequence, each without its leading zeros or with one
            size = der[at + 1]
            numbers += der[at + 2 : at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + size
        return text + "." + _encoded(numbers)

    def answer(self, method, path, form):
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": self.issuer + "/authorize",
                "token_endpoint": self.issuer + "/token",
                "device_authorization_endpoint": self.issuer + "/device",
                "jwks_uri": self.issuer + "/keys",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        if path == "/keys":
            return 200, {"keys": [self.jwk]}
        if path == "/device":
            return 200, {"device_code": "only-the-master-knows", "user_code": "ABCD-EFGH", "interval": 1, "expires_in": 60,
                         "verification_uri": self.issuer + "/activate"}  # fmt: skip
        if path == "/token" and form.get("device_code") == ["only-the-master-knows"]:
            if self.person is None:
                return 400, {"error": "authorization_pending"}
            return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()}
        return 404, {}

    def _handler(provider):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                status, document = provider.answer(self.command, self.path.partition("?")[0], parse_qs(form))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

        return Handler
