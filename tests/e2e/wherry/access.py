"""Masters and nodes that ask who one is, and those who ask them."""

import base64
import json
from urllib.parse import urlencode

from . import canaries
from .client import Registry
from .process import Master, Node

PASSWORD = canaries.note("PASSWORD", "correct horse battery")


class ClosedMaster(Master):
    is_open = False


class ClosedNode(Node):
    is_open = False


def basic(name, password):
    return "Basic " + canaries.note_login(name, password)


class Caller(Registry):
    """A registry client that shows the same Authorization with each request."""

    def __init__(self, address, authorization=None):
        super().__init__(address)
        self.authorization = authorization

    def open(self, method, path, body=None, headers=None, timeout=60):
        headers = dict(headers or {})
        if self.authorization and "Authorization" not in headers:
            headers["Authorization"] = self.authorization
        return super().open(method, path, body, headers, timeout)

    def api(self, method, path, document=None, headers=None):
        """A call to the administration API, with a document or without one."""
        body = None if document is None else json.dumps(document).encode()
        headers = {**({"Content-Type": "application/json"} if body else {"Content-Length": "0"}), **(headers or {})}
        return self.call(method, "/api/v1/" + path, body, headers)

    def made(self, method, path, document=None, status=(200, 201, 204)):
        """The same, when nothing must be wrong with it; gives the document that is answered."""
        answer = self.api(method, path, document)
        assert answer.status in status, answer
        return answer.json if answer.body else None


def token_answer(address, scopes=(), credentials=None, **query):
    query = [("service", "wherry"), *(("scope", scope) for scope in scopes), *query.items()]
    headers = {"Authorization": basic(*credentials)} if credentials else {}
    return Registry(address).call("GET", "/wherry/v1/token?" + urlencode(query), headers=headers)


def token(address, *scopes, credentials=None):
    answer = token_answer(address, scopes, credentials)
    assert answer.status == 200, answer
    assert answer.json["token"] == answer.json["access_token"]
    return answer.json["token"]


def bearer(address, *scopes, credentials=None):
    """A client with a token of those scopes."""
    return Caller(address, "Bearer " + token(address, *scopes, credentials=credentials))


def claims_of(text):
    part = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def administrator(master, password=PASSWORD):
    """The first administrator, whose password is changed from the one that the first start made."""
    file = master.data / "initial-admin-password"
    first = canaries.note(f"the first password in {file.name}", file.read_text().strip())
    changed = Caller(master.address).api(
        "PUT", "users/admin/password", {"old_password": first, "new_password": password}
    )
    assert changed.status == 204, changed
    return Caller(master.address, basic("admin", password))


def add_user(admin, name, password=PASSWORD, **more):
    canaries.note_login(name, password)
    admin.made("POST", "users", {"name": name, "password": password})
    if more:
        admin.made("PATCH", f"users/{name}", more)
    return Caller(admin.address, basic(name, password))


def add_project(admin, name, public=False, **roles):
    """roles: who has which, e.g. developer="user:alice"."""
    admin.made("POST", "projects", {"name": name, "public": public})
    for role, subjects in roles.items():
        for subject in [subjects] if isinstance(subjects, str) else subjects:
            admin.made("POST", f"projects/{name}/grants", {"subject": subject, "role": role})
