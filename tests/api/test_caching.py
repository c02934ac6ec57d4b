"""ETags, 304, `?v=`, HEAD: what a cache in front needs."""

import httpx
import pytest

from tests.helpers.contract import place_of
from tests.helpers.pictures import jpeg

SHOWN = (
    "",
    "?ratios=1:1",
    "/crops",
    "/crops?ratios=16:9,1:1&zoom=2",
    "/crops/1:1",
    "/crops/16:9?policy=centre",
    "/saliency",
)


@pytest.fixture(scope="module")
def place(api: httpx.Client) -> str:
    return place_of(api.post("/v1/images", content=jpeg(seed=700)))


@pytest.mark.parametrize("path", SHOWN)
def test_an_unchanged_resource_is_304(api: httpx.Client, place: str, path: str) -> None:
    full = api.get(place + path)
    tag = full.headers["etag"]
    assert tag.startswith('"') and full.headers["cache-control"] == "no-cache"
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        unchanged = api.get(place + path, headers={"if-none-match": condition})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == tag and unchanged.headers["cache-control"] == "no-cache"
    several = api.get(place + path, headers=[("if-none-match", '"x"'), ("if-none-match", tag)])
    assert several.status_code == 304
    for condition in ('"x"', "", "x", tag.strip('"')):
        assert api.get(place + path, headers={"if-none-match": condition}).content == full.content


@pytest.mark.parametrize("path", [*SHOWN, "/crops/x", "/nothing"])
def test_head_is_get_without_the_content(api: httpx.Client, place: str, path: str) -> None:
    get, head = api.get(place + path), api.head(place + path)
    assert head.status_code == get.status_code and head.content == b""
    unlike = {"date", "x-request-id", "server-timing"}
    assert {n: v for n, v in head.headers.items() if n not in unlike} == {
        n: v for n, v in get.headers.items() if n not in unlike
    }
    assert int(head.headers["content-length"]) == len(get.content)
    if get.status_code == 200:
        conditional = api.head(place + path, headers={"if-none-match": get.headers["etag"]})
        assert conditional.status_code == 304


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/page.js", "/openapi.json", "/healthz", "/readyz", "/metrics"]
)
def test_head_works_where_get_does(api: httpx.Client, path: str) -> None:
    head = api.head(path)
    assert (head.status_code, head.content) == (200, b"") and int(head.headers["content-length"]) > 10


def test_every_target_has_its_own_etag(api: httpx.Client, place: str) -> None:
    other = place_of(api.post("/v1/images", content=jpeg(seed=701)))
    tags = [api.get(p + path).headers["etag"] for p in (place, other) for path in SHOWN]
    assert len(set(tags)) == len(tags)
    assert api.get(place).headers["etag"] == api.get(place).headers["etag"]


@pytest.mark.parametrize("path", ["", "/crops", "/crops/1:1", "/saliency"])
def test_with_the_current_version_a_response_is_cacheable_for_a_year(
    api: httpx.Client, place: str, path: str
) -> None:
    version = api.get(place).json()["version"]
    forever = "public, max-age=31536000, immutable"
    assert api.get(f"{place}{path}?v={version}").headers["cache-control"] == forever
    for stale in ("", "x", version[:-1], version.upper() + "x"):
        assert api.get(f"{place}{path}?v={stale}").headers["cache-control"] == "no-cache"


def test_the_version_changes_with_the_focus_and_comes_back(api: httpx.Client, place: str) -> None:
    before = api.get(place)
    version = before.json()["version"]
    api.put(f"{place}/focus", json={"x": 0.5, "y": 0.5})
    focused = api.get(place)
    assert focused.json()["version"] != version and focused.headers["etag"] != before.headers["etag"]
    old = api.get(f"{place}/crops/1:1?v={version}")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    api.put(f"{place}/focus", json={"x": 0.5, "y": 0.25})
    assert len({version, focused.json()["version"], api.get(place).json()["version"]}) == 3
    api.delete(f"{place}/focus")
    assert api.get(place).json()["version"] == version
