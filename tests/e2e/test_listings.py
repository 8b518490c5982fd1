"""Lists of tags and of repositories on the master, and through a node."""

import pytest
from wherry.client import Registry
from wherry.fixtures import unique
from wherry.process import Master, wait_until

TAGS = sorted(["latest", "1.0", "1.1", "10.0", "2.0", "a", "a-b", "a.b", "a_b", "b", "z" * 128])


@pytest.fixture(scope="module")
def path(registry):
    """The tags list of a repository with TAGS."""
    repository = unique("lists")
    manifest, _ = registry.put_image(repository, TAGS[3], [b"a layer"])
    for tag in reversed(TAGS):
        registry.put_manifest(repository, tag, manifest)
    return f"/v2/{repository}/tags/list"


def test_all_tags_are_listed_in_order(registry, path):
    response = registry.get(path)
    assert response.status == 200 and response["Content-Type"].startswith("application/json")
    assert response.json == {"name": path.removeprefix("/v2/").removesuffix("/tags/list"), "tags": TAGS}
    assert response["Link"] is None


@pytest.mark.parametrize("n", [1, 3, len(TAGS) - 1])
def test_n_limits_a_page_and_link_leads_to_the_next(registry, path, n):
    pages = [page.json["tags"] for page in registry.pages(f"{path}?n={n}")]
    assert [tag for page in pages for tag in page] == TAGS
    assert all(len(page) == n for page in pages[:-1]) and 1 <= len(pages[-1]) <= n


@pytest.mark.parametrize("n", [len(TAGS), 100, 1_000_000])
def test_a_page_that_holds_all_has_no_link(registry, path, n):
    response = registry.get(f"{path}?n={n}")
    assert response.json["tags"] == TAGS and response["Link"] is None


def test_last_starts_after_a_tag_whether_it_exists_or_not(registry, path):
    assert registry.get(f"{path}?last=10.0").json["tags"] == TAGS[TAGS.index("10.0") + 1 :]
    assert registry.get(f"{path}?last=10.5&n=2").json["tags"] == [tag for tag in TAGS if tag > "10.5"][:2]
    beyond = registry.get(f"{path}?last={'z' * 128}")
    assert beyond.status == 200 and beyond.json["tags"] == [] and beyond["Link"] is None


def test_n_zero_is_an_empty_list_without_link(registry, path):
    response = registry.get(f"{path}?n=0")
    assert response.status == 200 and response.json["tags"] == [] and response["Link"] is None


@pytest.mark.parametrize("n", ["-1", "x", "", "1.5", "99999999999999999999999"])
def test_an_n_that_is_no_number_is_400(registry, path, n):
    response = registry.get(f"{path}?n={n}")
    assert response.status == 400 and response.code


def test_the_tags_of_an_unknown_repository_are_404(registry):
    response = registry.get("/v2/no/such/repository/tags/list")
    assert response.status == 404 and response.code == "NAME_UNKNOWN"


def test_a_repository_without_tags_has_an_empty_list(registry, repository):
    registry.put_image(repository, "only", [b"a layer"])
    assert registry.call("DELETE", registry.manifest_path(repository, "only")).status == 202
    response = registry.get(f"/v2/{repository}/tags/list")
    assert response.status == 200 and response.json["tags"] == []


def test_repositories_whose_names_start_alike_do_not_mix(registry, repository):
    registry.put_image(repository, "outer", [b"a layer"])
    registry.put_image(repository + "/inner", "inner", [b"a layer"])
    registry.put_image(repository + "-more", "more", [b"a layer"])
    registry.put_image(repository + "0", "zero", [b"a layer"])
    assert registry.tags(repository) == ["outer"]
    assert registry.tags(repository + "/inner") == ["inner"]


def test_the_catalog_lists_repositories_in_order_and_in_pages(area, run_server):
    registry = Registry(run_server(Master(area)).address)
    assert registry.get("/v2/_catalog").json == {"repositories": []}
    names = sorted(["a", "a/b", "a-b", "b/c/d", "z9", "a/b/c", "team/app", "team/app2"])
    for name in reversed(names):
        registry.put_image(name, "v1", [b"a layer"])
    whole = registry.get("/v2/_catalog")
    assert whole.json == {"repositories": names} and whole["Link"] is None
    for n in (1, 3):
        pages = [page.json["repositories"] for page in registry.pages(f"/v2/_catalog?n={n}")]
        assert [name for page in pages for name in page] == names
        assert all(len(page) <= n for page in pages)
    assert registry.get("/v2/_catalog?last=a/b&n=2").json["repositories"] == [name for name in names if name > "a/b"][:2]
    assert registry.get("/v2/_catalog?n=0").json["repositories"] == []
    assert registry.get("/v2/_catalog?n=x").status == 400


def test_a_long_list_is_bounded_and_still_whole(registry, repository):
    manifest, digest = registry.put_image(repository, "first", [b"a layer"])
    tags = {"first"}
    for batch in range(30):
        names = [f"t{batch:02}-{number:02}" for number in range(50)]
        query = "&".join(f"tag={name}" for name in names)
        response = registry.push_manifest(repository, f"{digest}?{query}", manifest)
        assert response.status == 201, response
        tags.update(names)
    listed = [tag for page in registry.pages(f"/v2/{repository}/tags/list") for tag in page.json["tags"]]
    assert listed == sorted(tags)


def test_a_node_lists_the_tags_of_its_parent(registry, edge, path):
    wait_until(lambda: edge.get(path).json == registry.get(path).json, "the node has followed")
    pages = [page.json["tags"] for page in edge.pages(f"{path}?n=3")]
    assert [tag for page in pages for tag in page] == TAGS
    assert edge.get("/v2/no/such/repository/tags/list").status == 404
