"""A registry client for tests: one connection a request, no retries, no redirects; a body that ends short is an error."""

import contextlib
import http.client
import json
import re
from urllib.parse import urlencode, urlsplit

from . import canaries, oci

_BROKEN = (OSError, http.client.HTTPException)


class Broken(Exception):
    """The connection ended before the answer did."""

    def __init__(self, message, partial=b"", status=None):
        super().__init__(message)
        self.partial = partial
        self.status = status


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __getitem__(self, header):
        return self.headers[header]

    def all(self, header):
        """Every value of a list header, whether sent as one line or as several."""
        lines = self.headers.get_all(header) or []
        return [value.strip() for line in lines for value in line.split(",")]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The first OCI error code of an error body; the body must have the form of the specification."""
        assert "json" in (self["Content-Type"] or ""), f"{self!r} is no error body"
        errors = self.json["errors"]
        assert errors and all(isinstance(error["message"], str) and error["message"] for error in errors)
        return errors[0]["code"]

    @property
    def stale(self):
        """True when it says that it is: a warning in the form of RFC 7234 5.5.1, which never comes without an age."""
        if self["Warning"] is None:
            return False
        assert self["Warning"].startswith("110 ") and (self["Age"] or "").isdigit(), self
        return True

    @property
    def next(self):
        """The target of Link: <...>; rel="next", or None."""
        link = self["Link"]
        if link is None:
            return None
        match = re.fullmatch(r'<([^>]+)>;\s*rel="?next"?', link)
        assert match, f"not a Link to a next page: {link!r}"
        target = urlsplit(match[1])
        return target.path + ("?" + target.query if target.query else "")

    def __repr__(self):
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        return f"<{self.status}\n{head}\n{self.body[:600]!r}>"


class Registry:
    source = None  # the address that it comes from, such as "127.0.0.2"; None: whichever the kernel gives

    def __init__(self, address):
        self.address = address

    @contextlib.contextmanager
    def open(self, method, path, body=None, headers=None, timeout=60):
        """Sends a request and gives the http.client response, its body unread."""
        connection = http.client.HTTPConnection(
            self.address, timeout=timeout, source_address=self.source and (self.source, 0)
        )
        try:
            try:
                connection.request(method, path, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server may answer and close before it has read the whole body
            except OSError as error:
                raise Broken(f"{method} {path}: {error}") from error
            try:
                yield connection.getresponse()
            except _BROKEN as error:
                raise Broken(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def call(self, method, path, body=None, headers=None, timeout=60):
        with self.open(method, path, body, headers, timeout) as response:
            try:
                data = response.read()
            except http.client.IncompleteRead as error:
                raise Broken(f"{method} {path}: short body", error.partial, response.status) from error
            if response.status >= 400:
                canaries.note_error(f"{method} {path}", f"{response.headers}{data.decode(errors='replace')}")
            elif path.startswith(("/api/v1/", "/wherry/v1/")):
                canaries.note_answer(path, data)
            return Response(response.status, response.headers, data)

    def get(self, path, timeout=60, **headers):
        return self.call("GET", path, headers=_header_names(headers), timeout=timeout)

    def head(self, path, **headers):
        return self.call("HEAD", path, headers=_header_names(headers))

    # Blobs

    def blob_path(self, repository, digest):
        return f"/v2/{repository}/blobs/{digest}"

    def get_blob(self, repository, digest, **headers):
        return self.get(self.blob_path(repository, digest), **headers)

    def start_upload(self, repository, **query):
        path = f"/v2/{repository}/blobs/uploads/" + ("?" + urlencode(query) if query else "")
        response = self.call("POST", path, headers={"Content-Length": "0"})
        assert response.status == 202, response
        return self.location(response)

    def location(self, response):
        """The path and query of a Location, which may be relative or absolute."""
        target = urlsplit(response["Location"])
        assert target.netloc in ("", self.address), response
        return target.path + ("?" + target.query if target.query else "")

    def patch(self, location, chunk, start=None):
        """Sends a chunk; with `start` it says where the chunk belongs. An iterator is sent with chunked coding."""
        headers = {"Content-Type": "application/octet-stream"}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + len(chunk) - 1}"
        return self.call("PATCH", location, chunk, headers)

    def finish(self, location, digest, chunk=b"", start=None):
        headers = {"Content-Type": "application/octet-stream"}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + len(chunk) - 1}"
        return self.call("PUT", with_query(location, digest=digest), chunk, headers)

    FLOWS = ("post", "put", "stream", "chunks")

    def push_blob(self, repository, data, flow="post", digest=None):
        """Pushes a blob by one of FLOWS; gives the last response (201 when all is well)."""
        digest = digest or oci.digest_of(data)
        if flow == "post":
            return self.call(
                "POST",
                f"/v2/{repository}/blobs/uploads/?{urlencode({'digest': digest})}",
                data,
                {"Content-Type": "application/octet-stream"},
            )
        location = self.start_upload(repository)
        if flow == "put":
            return self.finish(location, digest, data)
        if flow == "stream":
            response = self.patch(location, (data[at : at + 65536] for at in range(0, len(data), 65536)))
            if response.status != 202:
                return response
            return self.finish(self.location(response), digest)
        assert flow == "chunks", flow
        step = max(1, -(-len(data) // 3))
        for start in range(0, len(data), step):
            response = self.patch(location, data[start : start + step], start)
            if response.status != 202:
                return response
            location = self.location(response)
        return self.finish(location, digest)

    def put_blob(self, repository, data, flow="post"):
        """Pushes a blob that must be accepted; gives its digest. A registry without single POST gets a PUT."""
        response = self.push_blob(repository, data, flow)
        if flow == "post" and response.status == 202:
            response = self.finish(self.location(response), oci.digest_of(data), data)
        assert response.status == 201, response
        return oci.digest_of(data)

    # Manifests

    def manifest_path(self, repository, reference):
        return f"/v2/{repository}/manifests/{reference}"

    def push_manifest(self, repository, reference, data, media_type=oci.OCI_MANIFEST):
        headers = {"Content-Type": media_type} if media_type else {}
        return self.call("PUT", self.manifest_path(repository, reference), data, headers)

    def put_manifest(self, repository, reference, data, media_type=oci.OCI_MANIFEST):
        response = self.push_manifest(repository, reference, data, media_type)
        assert response.status == 201, response
        return oci.digest_of(data)

    def get_manifest(self, repository, reference, **headers):
        headers.setdefault("accept", ", ".join([oci.OCI_MANIFEST, oci.OCI_INDEX, oci.DOCKER_MANIFEST, oci.DOCKER_LIST]))
        return self.get(self.manifest_path(repository, reference), **headers)

    def put_image(self, repository, tag, layers, config=b'{"architecture":"amd64","os":"linux"}', **more):
        """Pushes a whole image; gives (manifest bytes, digest)."""
        for blob in {config, *layers}:
            self.put_blob(repository, blob)
        manifest = oci.image_manifest(config, layers, **more)
        return manifest, self.put_manifest(repository, tag, manifest)

    # Lists

    def tags(self, repository):
        return self.get(f"/v2/{repository}/tags/list").json["tags"]

    def referrers(self, repository, digest, query=""):
        return self.get(f"/v2/{repository}/referrers/{digest}{query}")

    def pages(self, path):
        """Follows Link from page to page."""
        while path:
            response = self.get(path)
            assert response.status == 200, response
            yield response
            path = response.next


def with_query(location, **query):
    return location + ("&" if "?" in location else "?") + urlencode(query)


def _header_names(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}
