"""A real nginx with the shipped configuration, and with the one of the page, in front of a real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, free_port
from tests.helpers.nginx import answers, nginx, shipped
from tests.helpers.shipping import text


@pytest.fixture
def paged(server: Server, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the configuration of docs/nginx.md, with the prefix in its base URL."""
    [page] = re.findall(r"^```nginx\n(.*?)^```$", text("docs/nginx.md"), re.M | re.S)
    port = free_port()
    for written, used in (
        ("server 127.0.0.1:8000;", f"server {server.url.removeprefix('http://')};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("/var/cache/nginx/gazecrop", f"{tmp_path}/cache"),
    ):
        assert page.count(written) == 1
        page = page.replace(written, used)
    with nginx(page, tmp_path):
        answers(f"http://127.0.0.1:{port}/")
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}/crops", headers={"host": "crops.example.com"}
        ) as client:
            yield client


@pytest.mark.long
def test_uploads_and_crops_below_a_prefix(paged: httpx.Client, picture: bytes) -> None:
    sent = paged.post("/v1/images", content=picture)
    assert sent.status_code in (200, 201), sent.text
    document = paged.get(str(httpx.URL(f"{paged.base_url}v1/images").join(sent.headers["location"])))
    assert document.status_code == 200 and document.json()["id"] == sent.json()["id"]
    assert paged.get("/metrics").status_code == 404


@pytest.mark.long
def test_only_addresses_with_a_version_are_kept(paged: httpx.Client, picture: bytes) -> None:
    sent = paged.post("/v1/images", content=picture).json()
    crop = f"/v1/images/{sent['id']}/crops/1:1"
    fixed = [paged.get(crop, params={"v": sent["version"]}) for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in fixed] == ["MISS", "HIT"]
    assert fixed[0].content == fixed[1].content and "immutable" in fixed[1].headers["cache-control"]
    loose = [paged.get(crop) for _ in range(2)]
    assert not any("x-cache" in answer.headers for answer in loose)
    again = paged.get(
        crop, params={"v": sent["version"]}, headers={"if-none-match": fixed[0].headers["etag"]}
    )
    assert (again.status_code, again.headers["x-cache"]) == (304, "HIT")
    assert paged.get(crop, headers={"if-none-match": loose[0].headers["etag"]}).status_code == 304
    unknown = [paged.get(f"/v1/images/{'0' * 32}/crops/1:1", params={"v": "x"}) for _ in range(2)]
    assert {answer.status_code for answer in unknown} == {404}
    assert {answer.headers["x-cache"] for answer in unknown} == {"MISS"}


@pytest.mark.long
def test_the_map_is_kept_for_each_type(paged: httpx.Client, picture: bytes) -> None:
    sent = paged.post("/v1/images", content=picture).json()
    path, query = f"/v1/images/{sent['id']}/saliency", {"v": sent["version"]}
    types = [
        paged.get(path, params=query, headers={"accept": kind}).headers["content-type"]
        for kind in ("application/json", "image/png", "application/json", "image/png")
    ]
    assert types == ["application/json", "image/png"] * 2


@pytest.mark.long
def test_a_body_that_is_too_large_gets_the_service_s_answer(paged: httpx.Client) -> None:
    answer = paged.post("/v1/images", content=b"x" * 20_000_001)
    assert answer.status_code == 413 and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.long
def test_the_shipped_configuration_balances_over_both_names(
    server: Server, picture: bytes, tmp_path: Path
) -> None:
    port = free_port()
    inside = shipped(port, [server.url] * 2)
    with nginx(inside, tmp_path):
        url = f"http://127.0.0.1:{port}"
        answers(url)
        sent = httpx.post(f"{url}/v1/images", content=picture)
        assert sent.status_code in (200, 201)
        assert httpx.get(f"{url}/v1/images/{sent.json()['id']}/crops/4:5").status_code == 200
        assert "Gazecrop" in httpx.get(url).text
