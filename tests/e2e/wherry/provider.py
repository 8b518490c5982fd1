"""An OpenID provider of the tests' own: small, real enough for logins by device and by browser (a code with PKCE), with a
userinfo endpoint; its ID tokens are signed with ES256."""

import base64
import hashlib
import json
import secrets
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, urlencode

from . import canaries
from .proxy import QuietServer


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*words, data=b""):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True).stdout


class Provider:
    CLIENT = "wherry"
    CLIENT_SECRET = canaries.note("the client secret at the provider", "between-us-and-the-provider")
    DEVICE_CODE = canaries.note("the device code", "only-the-master-knows")

    def __init__(self, folder, port):
        self.key = folder / "provider.key"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        point = _openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1",
                    "x": _encoded(point[:32]), "y": _encoded(point[32:])}  # fmt: skip
        self.issuer = f"http://127.0.0.1:{port}"
        self.person = None  # claims of who has logged in; nobody yet
        self.userinfo = None  # what is told of the person beside the ID token, by an endpoint of its own
        self._codes = {}  # of logins by browser: code -> parameters of the question
        self._access_tokens = set()
        self._server = QuietServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def id_token(self, **more):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.CLIENT, "iat": now, "exp": now + 300, **self.person, **more}
        text = _encoded(json.dumps({"alg": "ES256", "kid": "k1"}).encode()) + "." + _encoded(json.dumps(claims).encode())
        der = _openssl("dgst", "-sha256", "-sign", self.key, data=text.encode())
        numbers, at = b"", 2
        for _ in range(2):  # two integers of a sequence, each without its leading zeros or with one
            size = der[at + 1]
            numbers += der[at + 2 : at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + size
        return text + "." + _encoded(numbers)

    def metadata(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token",
            "device_authorization_endpoint": self.issuer + "/device",
            "jwks_uri": self.issuer + "/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["ES256"],
            **({} if self.userinfo is None else {"userinfo_endpoint": self.issuer + "/userinfo"}),
        }

    def answer(self, path, form, authorization):
        """The answer to a question: a status, and a document or where the browser goes."""
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata()
        if path == "/keys":
            return 200, {"keys": [self.jwk]}
        if path == "/userinfo":
            is_known = authorization.removeprefix("Bearer ") in self._access_tokens
            return (200, self.userinfo) if is_known else (401, {})
        if path == "/authorize":
            if form.get("code_challenge_method") != "S256" or form["client_id"] != self.CLIENT:
                return 400, {}
            code = canaries.note("the code of a login by browser", secrets.token_urlsafe(24))
            self._codes[code] = form
            return 302, f"{form['redirect_uri']}?{urlencode({'code': code, 'state': form['state']})}"
        if authorization != "Basic " + canaries.note_login(quote(self.CLIENT), quote(self.CLIENT_SECRET)):
            return 401, {"error": "invalid_client"}
        if path == "/device":
            return 200, {"device_code": self.DEVICE_CODE, "user_code": "ABCD-EFGH", "interval": 1, "expires_in": 60,
                         "verification_uri": self.issuer + "/activate"}  # fmt: skip
        if path == "/token" and form.get("grant_type") == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            proof = canaries.note("the proof of a login by browser", form["code_verifier"])
            if not asked or _encoded(hashlib.sha256(proof.encode()).digest()) != asked["code_challenge"]:
                return 400, {"error": "invalid_grant"}
            return 200, self.tokens(nonce=asked["nonce"])
        if path == "/token" and form.get("device_code") == self.DEVICE_CODE:
            return (400, {"error": "authorization_pending"}) if self.person is None else (200, self.tokens())
        return 404, {}

    def tokens(self, **more):
        access_token = canaries.note("an access token of the provider", secrets.token_urlsafe(24))
        self._access_tokens.add(access_token)
        id_token = self.id_token(**more)
        canaries.note("an ID token", id_token.rpartition(".")[2])
        return {"access_token": access_token, "token_type": "Bearer", "id_token": id_token}

    def _handler(provider):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                path, _, query = self.path.partition("?")
                text = query + "&" + self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                form = {name: values[0] for name, values in parse_qs(text).items()}
                status, what = provider.answer(path, form, self.headers.get("Authorization", ""))
                body = b"" if isinstance(what, str) else json.dumps(what).encode()
                self.send_response(status)
                if isinstance(what, str):
                    self.send_header("Location", what)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

        return Handler
