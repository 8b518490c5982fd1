"""Names outside of the grammar, unknown routes, wrong verbs."""

import pytest
from wherry import oci, raw
from wherry.client import Registry
from wherry.process import Master

DIGEST = oci.digest_of(b"anything")
BAD_NAMES = [
    "UPPER", "a/B", "-a", "a-", "a..b", "a___b", "a._b", ".a", "a.", "_a", "a//b", "a/", "a b".replace(" ", "%20"),
    "..", "../a", "a/..", "a/../b", "a/./b", ".", "%2e%2e", "%2e%2e/%2e%2e/etc", "a/%2e%2e/b", "a%00b", "%00",
    "a%2f..%2fb", "..%2f..%2fetc", "a%5cb", "a%0ab", "a%ffb", "%", "a%2", "a%zz", "%c3%a9", "a:b", "a@b",
    "a" * 256,
]  # fmt: skip
TAILS = ["manifests/latest", f"blobs/{DIGEST}", "tags/list", f"referrers/{DIGEST}", "blobs/uploads/"]


def ask(address, method, path, body=b""):
    """Sends the path as it is: no client may tidy it up before."""
    with raw.Conversation(address) as conversation:
        head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        conversation.send(head.encode("latin-1") + body)
        return conversation.answer()


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_outside_of_the_grammar_is_400(master, name):
    for tail in TAILS:
        for method in ["POST"] if tail == "blobs/uploads/" else ["GET"]:
            answer = ask(master.address, method, f"/v2/{name}/{tail}")
            assert answer.status == 400, (method, tail, answer)
            if answer.body:
                assert b'"NAME_INVALID"' in answer.body, (method, tail, answer)


BAD_DIGESTS = [
    "sha256:", "sha256:123", "sha256:" + "A" * 64, "sha256:" + "g" * 64, "sha256:" + "a" * 65, "sha512:" + "a" * 64,
    "md5:" + "a" * 32, "sha256", "latest", ":" + "a" * 64, "sha256:%00", "sha256%3a" + "A" * 64,
    "sha256+b64:" + "a" * 64, "SHA256:" + "a" * 64,
]  # fmt: skip
# An escaped slash makes another path of it, on which nothing need be.
ESCAPED_SLASHES = ["sha256:..%2f..%2fetc%2fpasswd", "a%2fb"]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_a_digest_outside_of_the_grammar_is_400(master, digest):
    for method in ("GET", "DELETE"):
        answer = ask(master.address, method, f"/v2/some/name/blobs/{digest}")
        assert answer.status == 400 and b'"DIGEST_INVALID"' in answer.body, (method, answer)


@pytest.mark.parametrize("digest", [digest for digest in BAD_DIGESTS if ":" in digest])
def test_a_manifest_reference_with_a_bad_digest_is_400(master, digest):
    for method in ("GET", "PUT", "DELETE"):
        answer = ask(master.address, method, f"/v2/some/name/manifests/{digest}")
        assert answer.status == 400 and b'"DIGEST_INVALID"' in answer.body, (method, answer)


@pytest.mark.parametrize("tag", [".a", "-a", "a" * 129, "a%20b", "a%00", "a+b", "%2e%2e", "a,b"])
def test_a_tag_outside_of_the_grammar_is_400(master, tag):
    for method in ("GET", "PUT", "DELETE"):
        answer = ask(master.address, method, f"/v2/some/name/manifests/{tag}", b"{}" if method == "PUT" else b"")
        assert answer.status == 400 and b'"errors"' in answer.body, (method, answer)


@pytest.mark.parametrize("escape", ["%", "%4", "%zz", "%00"])
def test_a_query_with_a_broken_escape_is_400_and_begins_nothing(master, escape):
    before = files_below(master.data / "tmp")
    for method, path in (
        ("POST", f"blobs/uploads/?digest={escape}"),
        ("POST", f"blobs/uploads/?mount={escape}&from=a/b"),
        ("PUT", f"manifests/v1?tag={escape}"),
        ("GET", f"tags/list?last={escape}"),
        ("GET", f"tags/list?n=5&last=a{escape}"),
    ):
        answer = ask(master.address, method, f"/v2/some/name/{path}")
        assert answer.status == 400 and b'"INVALID"' in answer.body, (method, path, answer)
    assert files_below(master.data / "tmp") == before


@pytest.mark.parametrize("reference", ESCAPED_SLASHES)
def test_an_escaped_slash_leads_nowhere(master, reference):
    for method, place in (("GET", "manifests"), ("PUT", "manifests"), ("GET", "blobs"), ("DELETE", "blobs")):
        assert ask(master.address, method, f"/v2/some/name/{place}/{reference}").status in (400, 404)


def test_names_at_the_edge_of_the_grammar_are_good(registry, repository):
    for name in ("0", "a.b", "a_b", "a__b", "a-b", "a--b", "a-----b/c", "manifests", "blobs/uploads", "tags/list", "v2/v2"):
        name = f"{repository}/{name}"
        manifest, digest = registry.put_image(name, "T" * 128, [name.encode()])
        assert registry.get_manifest(name, "T" * 128).body == manifest
        assert registry.get_blob(name, oci.digest_of(name.encode())).body == name.encode()
        assert registry.tags(name) == ["T" * 128]
        assert registry.referrers(name, digest).status == 200


def test_bad_names_touch_nothing_on_the_disk(area, run_server):
    outer = area / "outer"
    master = run_server(Master(outer))
    registry = Registry(master.address)
    registry.put_image("good/name", "v1", [b"a layer"])
    before = [entry for entry in files_below(outer) if "/data/" not in entry], files_below(master.data / "blobs")
    for name in BAD_NAMES:
        for tail in TAILS:
            for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
                if method != "HEAD":
                    ask(master.address, method, f"/v2/{name}/{tail}", b"{}" if method == "PUT" else b"")
    for digest in BAD_DIGESTS:
        ask(master.address, "PUT", f"/v2/good/name/manifests/{digest}", b"{}")
        ask(master.address, "POST", f"/v2/good/name/blobs/uploads/?digest={digest}", b"{}")
        ask(master.address, "POST", f"/v2/good/name/blobs/uploads/?mount={digest}&from=../../etc", b"")
    after = [entry for entry in files_below(outer) if "/data/" not in entry], files_below(master.data / "blobs")
    assert after == before
    assert registry.get("/v2/_catalog").json == {"repositories": ["good/name"]}


def test_the_base_answers_200_and_says_its_version(registry):
    for path in ("/v2/", "/v2"):
        response = registry.get(path)
        assert response.status == 200 or (path == "/v2" and response.status in (301, 307, 308)), response
        assert response["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert registry.head("/v2/").status == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/", "/v3/", "/v2/a", "/v2/a/b", "/v2/a/manifests", "/v2/a/tags", "/v2/a/tags/",
     "/v2/a/tags/list/more", "/v2/a/other/x", "/v2/_other", "/index.html", "/metrics", "/readyz"],
)  # fmt: skip
def test_an_unknown_route_is_404(master, path):
    answer = ask(master.address, "GET", path)
    assert answer.status == 404, answer


@pytest.mark.parametrize("path", ["/v2/a/manifests/", "/v2/a/blobs/", "/v2/a/referrers/"])
def test_a_route_without_its_end_is_an_error(master, path):
    assert ask(master.address, "GET", path).status in (400, 404)


@pytest.mark.parametrize(
    "path, wrong, allowed",
    [
        ("/v2/", ["POST", "PUT", "PATCH", "DELETE"], {"GET", "HEAD"}),
        ("/v2/_catalog", ["POST", "PUT", "PATCH", "DELETE"], {"GET"}),
        ("/v2/a/tags/list", ["POST", "PUT", "PATCH", "DELETE"], {"GET"}),
        (f"/v2/a/referrers/{DIGEST}", ["POST", "PUT", "PATCH", "DELETE"], {"GET"}),
        (f"/v2/a/blobs/{DIGEST}", ["POST", "PUT", "PATCH"], {"GET", "HEAD", "DELETE"}),
        ("/v2/a/manifests/v1", ["POST", "PATCH"], {"GET", "HEAD", "PUT", "DELETE"}),
        ("/v2/a/blobs/uploads/", ["GET", "PUT", "PATCH", "DELETE"], {"POST"}),
        ("/v2/a/blobs/uploads/some-upload", ["POST"], {"GET", "PATCH", "PUT", "DELETE"}),
    ],
)
def test_a_wrong_verb_is_405_and_the_right_ones_are_told(master, path, wrong, allowed):
    for method in wrong:
        answer = ask(master.address, method, path)
        assert answer.status == 405, (method, answer)
        told = {verb.strip() for verb in answer.headers["allow"].split(",")}
        assert allowed <= told and method not in told
        assert b'"UNSUPPORTED"' in answer.body


def test_errors_have_the_form_of_the_specification(registry, repository):
    for path in (f"/v2/{repository}/manifests/none", f"/v2/{repository}/blobs/{DIGEST}", "/v2/UPPER/tags/list"):
        response = registry.get(path)
        assert response["Content-Type"].startswith("application/json")
        assert response["Docker-Distribution-Api-Version"] == "registry/2.0"
        [error] = response.json["errors"]
        assert set(error) <= {"code", "message", "detail"} and error["code"].isupper() and error["message"]
