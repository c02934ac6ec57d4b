"""Pictures by s3:// URLs through the whole service, against moto's S3 server."""

from collections.abc import Iterator

import httpx
import pytest

from gazecrop.commands.doctor.sources import of_sources
from gazecrop.settings import Settings
from tests.conftest import serving
from tests.helpers.buckets import credentials, s3_server
from tests.helpers.contract import client
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.long
LIMIT = 200_000


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """moto's server with a bucket `photos`."""
    pytest.importorskip("aiobotocore")
    objects = {
        "in/a.jpg": jpeg(),
        "in/a%20b%2B%25.jpg": jpeg(seed=3),
        "in/text.jpg": b"no picture",
        "in/long.jpg": bytes(LIMIT + 1),
        "out/a.jpg": jpeg(),
    }
    with s3_server() as url:
        httpx.put(f"{url}/photos").raise_for_status()
        for key, content in objects.items():
            httpx.put(f"{url}/photos/{key}", content=content).raise_for_status()
        yield url


@pytest.fixture(scope="module")
def fetching(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = {"GAZECROP_SOURCES": "s3://photos/in/,s3://gone/", "GAZECROP_MAX_BYTES": str(LIMIT)}
    with (
        serving(tmp_path_factory.mktemp("s3"), settings | credentials(s3)) as running,
        client(running.url) as api,
    ):
        yield api


def test_an_object_is_the_same_picture_as_its_bytes(fetching: httpx.Client) -> None:
    by_url = fetching.post("/v1/images?ratios=1:1", json={"url": "s3://photos/in/a.jpg"})
    assert by_url.status_code == 201
    sent = fetching.post("/v1/images?ratios=1:1", content=jpeg())
    assert sent.status_code == 200 and sent.json() == by_url.json()
    assert "read;dur=" in by_url.headers["server-timing"]
    key = fetching.post("/v1/images", json={"url": "s3://photos/in/a b+%.jpg"})  # as it is, not encoded
    assert key.status_code == 201 and key.json()["id"] != by_url.json()["id"]
    crop = fetching.post("/v1/crop?ratio=1:1&width=100", json={"url": "s3://photos/in/a.jpg"})
    assert crop.content == fetching.post("/v1/crop?ratio=1:1&width=100", content=jpeg()).content


@pytest.mark.parametrize(
    ("url", "status", "slug"),
    [
        ("s3://photos/in/none.jpg", 502, "source_failed"),
        ("s3://gone/a.jpg", 502, "source_failed"),
        ("s3://photos/in/text.jpg", 415, "unsupported_picture"),
        ("s3://photos/in/long.jpg", 413, "body_too_large"),
        ("s3://photos/out/a.jpg", 403, "source_not_allowed"),
        ("s3://photos/in/../out/a.jpg", 403, "source_not_allowed"),
        ("s3://other/in/a.jpg", 403, "source_not_allowed"),
        ("s3://x:y@photos/in/a.jpg", 403, "source_not_allowed"),
        ("https://photos/in/a.jpg", 403, "source_not_allowed"),
    ],
)
def test_what_is_not_a_picture_within_the_prefixes(
    fetching: httpx.Client, url: str, status: int, slug: str
) -> None:
    answer = fetching.post("/v1/images", json={"url": url})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


def test_a_bucket_that_does_not_answer_is_an_error_of_the_source(
    s3: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"GAZECROP_SOURCES": "s3://photos/in/"} | credentials("http://127.0.0.1:1")
    with serving(tmp_path_factory.mktemp("away"), settings) as running, client(running.url) as api:
        answer = api.post("/v1/images", json={"url": "s3://photos/in/a.jpg"})
        assert (answer.status_code, answer.json()["type"]) == (502, "/problems/source_failed")
        assert api.post("/v1/images", content=jpeg()).status_code == 201


async def test_the_doctor_reads_the_prefixes(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in credentials(s3).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GAZECROP_SOURCES", "s3://photos/in/,s3://gone/")
    photos, gone = await of_sources(Settings())
    assert (photos.state, photos.text) == ("ok", "s3://photos/in/ answers")
    assert gone.state == "warn" and "NoSuchBucket" in gone.text
    for name, value in credentials("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    assert [found.state for found in await of_sources(Settings())] == ["warn", "warn"]
