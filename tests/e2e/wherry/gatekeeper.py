"""A gatekeeper before a real registry: it lets in who shows a token, and is a token server itself.

What a token server may do is scripted by functions of the handler, as CountingProxy.answers.
"""

import json
import threading
import time
from urllib.parse import parse_qs, urlsplit

from . import canaries
from .proxy import CountingProxy


class Gatekeeper(CountingProxy):
    USER = "node"
    PASSWORD = canaries.note("Gatekeeper.PASSWORD", "pass:word")
    IDENTITY_TOKEN = canaries.note("Gatekeeper.IDENTITY_TOKEN", "the-identity-token")

    def __init__(self, target, anonymous=False):
        """Behind it is a registry without authentication; `anonymous`: who shows no password gets a token too."""
        super().__init__(target)
        self.realm = f"{self.url}/token"
        self.anonymous = anonymous
        self.valid = set()
        self.token_answer = None  # function of the handler: true when it has answered for the token server
        self.more = {"expires_in": 300}  # what else a token's answer says
        self.answers = self.judge
        self._lock = threading.Lock()
        self._made = 0

    @property
    def token_requests(self):
        return [seen for seen in list(self.seen) if urlsplit(seen.path).path == "/token"]

    @property
    def basic(self):
        return "Basic " + canaries.note_login(self.USER, self.PASSWORD)

    def revoke(self):
        self.valid = set()

    def judge(self, handler):
        if urlsplit(handler.path).path == "/token":
            return (self.token_answer and self.token_answer(handler)) or self.give_token(handler)
        if handler.headers.get("Authorization", "").removeprefix("Bearer ") in self.valid:
            return False
        return self.challenge(handler)

    def challenge(self, handler):
        name = handler.path.split("/manifests/")[0].split("/blobs/")[0].removeprefix("/v2/")
        says = f'Bearer realm="{self.realm}",service="gate",scope="repository:{name}:pull"'
        return handler.answer(401, b"{}", WWW_Authenticate=says)

    def give_token(self, handler):
        if handler.command == "POST":
            form = {name: values[0] for name, values in parse_qs(handler.body.decode()).items()}
            known = form in (
                {**form, "grant_type": "refresh_token", "refresh_token": self.IDENTITY_TOKEN},
                {**form, "grant_type": "password", "username": self.USER, "password": self.PASSWORD},
            )
            asked = form
        else:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
            known = self.anonymous or handler.headers.get("Authorization") == self.basic
        scopes = (":pull", ":pull,push", "registry:catalog:*")
        if not known or asked.get("service") != "gate" or not asked.get("scope", "").endswith(scopes):
            return handler.answer(401, b"{}")
        with self._lock:
            self._made += 1
            token = canaries.note("a token of the Gatekeeper", f"token-{self._made}-of-the-gate")
            self.valid = self.valid | {token}
        time.sleep(0.1)  # as a token server takes its time, so that many can want one
        body = json.dumps({"access_token" if handler.command == "POST" else "token": token, **self.more})
        return handler.answer(200, body.encode(), Content_Type="application/json")


class Elsewhere(CountingProxy):
    """A server that credentials are not for; what it was shown is in `seen`. Behind it may be a registry."""

    def __init__(self, target=None):
        super().__init__(target)
        if target is None:
            self.answers = lambda handler: handler.answer(404)

    def was_shown_credentials(self):
        secrets = (Gatekeeper.PASSWORD, Gatekeeper.IDENTITY_TOKEN, "token-", "Basic ", "Bearer ")
        return [
            seen for seen in self.seen
            if "Authorization" in seen.headers or any(part in f"{seen.path}{seen.headers}" for part in secrets)
        ]  # fmt: skip
