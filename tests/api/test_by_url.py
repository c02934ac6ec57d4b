"""Pictures by URL through the whole service."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import serving
from tests.helpers.contract import client
from tests.helpers.inprocess import Held, holdable
from tests.helpers.origins import Origin, head, origin, redirect, whole
from tests.helpers.pictures import jpeg

GOOGLE, AZURE = "/v1/images:annotate", "/computervision/imageanalysis:analyze?features=smartCrops"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with origin({b"/photos/a.jpg": whole(jpeg())}) as running:
        yield running


@pytest.fixture(scope="module")
def fetching(source: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = {
        "GAZECROP_SOURCES": f"http://127.0.0.1:{source.port}/photos/, https://bucket.example/",
        "GAZECROP_SOURCES_PRIVATE": "127.0.0.0/8",
        "GAZECROP_MAX_BYTES": "200000",
        "GAZECROP_BODY_SECONDS": "5",
    }
    with serving(tmp_path_factory.mktemp("fetching"), settings) as running, client(running.url) as api:
        yield api


def url(source: Origin, path: str = "/photos/a.jpg") -> dict[str, str]:
    return {"url": f"http://127.0.0.1:{source.port}{path}"}


def test_a_picture_by_url_is_the_same_picture(fetching: httpx.Client, source: Origin, picture: bytes) -> None:
    by_url = fetching.post("/v1/images?ratios=1:1", json=url(source))
    assert by_url.status_code in (200, 201)
    sent = fetching.post("/v1/images?ratios=1:1", content=picture)
    assert sent.status_code == 200 and sent.json() == by_url.json()
    assert "read;dur=" in by_url.headers["server-timing"]
    crop = fetching.post("/v1/crop?ratio=1:1&width=100", json=url(source))
    assert crop.content == fetching.post("/v1/crop?ratio=1:1&width=100", content=picture).content
    explained = fetching.post("/v1/explain?ratios=1:1", json=url(source))
    assert explained.status_code == 200 and explained.headers["content-type"] == "image/jpeg"


def test_the_vendors_own_fields(fetching: httpx.Client, source: Origin, picture: bytes) -> None:
    azure = fetching.post(f"{AZURE}&smartcrops-aspect-ratios=1", json=url(source))
    assert azure.json() == fetching.post(f"{AZURE}&smartcrops-aspect-ratios=1", content=picture).json()
    features = [{"type": "CROP_HINTS"}]
    images: list[Any] = [
        {"content": base64.b64encode(picture).decode()},
        {"source": {"imageUri": url(source)["url"]}},
        {"source": {"gcsImageUri": "gs://other/a.jpg", "image_uri": url(source)["url"]}},
        {"source": {"imageUri": "http://169.254.169.254/"}},
        {"source": {"gcsImageUri": "gs://bucket/a.jpg"}},
        {"source": {"imageUri": url(source, "/photos/none.jpg")["url"]}},
        {"source": {"imageUri": 1}},
    ]
    answer = fetching.post(
        GOOGLE, json={"requests": [{"image": one, "features": features} for one in images]}
    )
    first, *others = answer.json()["responses"]
    assert others[:2] == [first, first]
    assert [other["error"]["code"] for other in others[2:]] == [7, 7, 14, 3]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"url": "https://other.example/a.jpg"}, 403, "source_not_allowed"),
        ({"url": "file:///etc/passwd"}, 403, "source_not_allowed"),
        ({"url": "https://me:word@bucket.example/a.jpg"}, 403, "source_not_allowed"),
        ({"url": ""}, 403, "source_not_allowed"),
        ({"url": 1}, 422, "bad_parameters"),
        ({}, 422, "bad_parameters"),
        ({"url": "https://bucket.example/", "ratios": "1:1"}, 422, "bad_parameters"),
        ({"url": "x" * 20_000}, 413, "body_too_large"),
    ],
)
def test_wrong_bodies(fetching: httpx.Client, body: Any, status: int, slug: str) -> None:
    answer = fetching.post("/v1/images", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


@pytest.mark.parametrize("text", [b"{", b'{"url":', b"{}x", b'{"url": "\\ud800"}', b"{\xff}"])
def test_what_is_not_json(fetching: httpx.Client, text: bytes) -> None:
    answer = fetching.post("/v1/images", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_file_may_still_be_called_json(fetching: httpx.Client, picture: bytes) -> None:
    answer = fetching.post("/v1/images", content=picture, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 201)
    plain = fetching.post("/v1/images", content=b'{"url": "https://bucket.example/"}')
    assert plain.status_code == 415 and "application/json" in plain.json()["fix"]


def test_what_a_source_does_wrong(fetching: httpx.Client, source: Origin) -> None:
    source.answers |= {
        b"/photos/text": whole(b"<html>no picture</html>"),
        b"/photos/long": whole(bytes(200_001)),
        b"/photos/500": head("500 Internal Server Error", length=0),
        b"/photos/away": redirect("http://169.254.169.254/latest/"),
        b"/photos/out": redirect("../a.jpg"),
        b"/photos/empty": whole(b""),
    }
    found = {
        path: (answer.status_code, answer.json()["type"].rpartition("/")[2])
        for path in ("text", "long", "500", "away", "out", "empty", "none")
        for answer in [fetching.post("/v1/images", json=url(source, f"/photos/{path}"))]
    }
    assert found == {
        "text": (415, "unsupported_picture"),
        "long": (413, "body_too_large"),
        "500": (502, "source_failed"),
        "away": (403, "source_not_allowed"),
        "out": (403, "source_not_allowed"),
        "empty": (415, "unsupported_picture"),
        "none": (502, "source_failed"),
    }


def test_off_by_default(api: httpx.Client, source: Origin) -> None:
    before = source.connections
    for path in ("/v1/images", "/v1/crop?ratio=1:1", "/v1/explain"):
        answer = api.post(path, json=url(source))
        assert answer.status_code == 403 and "GAZECROP_SOURCES" in answer.json()["detail"]
    answer = api.post(AZURE, json=url(source))
    assert answer.status_code == 403 and "GAZECROP_SOURCES" in answer.json()["error"]["message"]
    assert source.connections == before


@pytest.fixture
def held(source: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with holdable(
        tmp_path_factory.mktemp("held"),
        sources=(f"http://127.0.0.1:{source.port}/",),
        sources_private=("127.0.0.0/8",),
        body_seconds=5,
    ) as running:
        yield running


def test_what_is_fetched_is_counted_in_the_budget(held: Held, source: Origin) -> None:
    """While a decoder has the picture its bytes are held; afterwards none are. Above the limit the answer is 503."""
    data = jpeg()
    budget = held.parts.budget
    with httpx.Client(base_url=held.url, timeout=20) as api:
        assert api.post("/v1/images", json=url(source)).status_code == 201
        assert budget.bodies == 0
        most, limit = budget.most_bodies, budget.limit
        budget.hold_bodies(len(data))  # another body, so that this one is not alone
        budget.most_bodies = len(data) + 5000
        source.answers[b"/photos/b.jpg"] = whole(data + bytes(9000))
        answer = api.post("/v1/images", json=url(source, "/photos/b.jpg"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        budget.most_bodies = most
        budget.hold_bodies(-len(data))
        assert (budget.bodies, budget.limit) == (0, limit)
        assert api.post("/v1/images", json=url(source, "/photos/b.jpg")).status_code in (200, 201)


def test_fetches_at_once_are_bounded(held: Held, source: Origin) -> None:
    gate = held.parts.fetch_gate
    slots, gate.slots, gate.max_queue = gate.slots, 0, 0
    with httpx.Client(base_url=held.url, timeout=20) as api:
        answer = api.post("/v1/images", json=url(source))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
        shed = api.get("/metrics").text
        assert 'gazecrop_shed_total{gate="fetch",reason="queue"} 1.0' in shed
        gate.slots, gate.max_queue = slots, 64
        assert api.post("/v1/images", json=url(source)).status_code in (200, 201)


def test_the_deadline_holds_for_a_source(held: Held, source: Origin) -> None:
    source.answers[b"/photos/slow"] = lambda client: client.recv(1)
    with httpx.Client(base_url=held.url, timeout=20) as api:
        answer = api.post(
            "/v1/images", json=url(source, "/photos/slow"), headers={"x-request-timeout": "0.3"}
        )
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/source_too_slow")
    assert answer.elapsed.total_seconds() < 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GAZECROP_SOURCES", "https://bucket.example"),
        ("GAZECROP_SOURCES", "https://ok.example/, https://me:secret@bucket.example/"),
        ("GAZECROP_SOURCES_PRIVATE", "10.0.0.1/8"),
    ],
)
def test_a_wrong_setting_stops_the_start_in_one_line(start_server: Any, name: str, value: str) -> None:
    with pytest.raises(RuntimeError) as error:
        start_server(**{name: value})
    [line] = [line for line in str(error.value).splitlines() if name in line]
    assert "secret" not in str(error.value) and "Traceback" not in str(error.value) and line
