"""Azure's generateThumbnail (v3.2) in its documented forms: https://learn.microsoft.com, "Generate Thumbnail"."""

import io
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.conftest import Server
from tests.helpers.origins import origin, whole
from tests.helpers.pictures import jpeg

PATH = "/vision/v3.2/generateThumbnail"


def opened(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


def test_bytes_and_forms(api: httpx.Client, picture: bytes) -> None:
    query = f"{PATH}?width=100&height=150&smartCropping=true&model-version=latest"
    raw = api.post(query, content=picture, headers={"content-type": "application/octet-stream"})
    form = api.post(query, files={"file": ("a.jpg", picture)})
    with opened(raw) as found:
        assert (found.size, found.format) == ((100, 150), "JPEG")
    assert form.content == raw.content
    ours = api.post("/v1/crop?width=100&height=150&enlarge=true&format=jpeg", content=picture)
    assert raw.content == ours.content


@pytest.mark.parametrize("more", ["", "&smartCropping=false", "&smartCropping=False"])
def test_without_smart_cropping_it_is_the_centre(api: httpx.Client, picture: bytes, more: str) -> None:
    plain = api.post(f"{PATH}?width=100&height=150{more}", content=picture)
    centre = api.post("/v1/crop?width=100&height=150&enlarge=true&policy=centre", content=picture)
    assert plain.content == centre.content
    smart = api.post(f"{PATH}?width=100&height=150&smartCropping=True", content=picture)
    assert smart.content != plain.content  # the disc of this picture is in the upper left


def test_a_small_picture_is_enlarged(api: httpx.Client) -> None:
    with opened(api.post(f"{PATH}?width=1024&height=700", content=jpeg(64, 48))) as found:
        assert found.size == (1024, 700)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ("width", "height")), ("width=100", ("height",)), ("width=0&height=1025", ("width", "height")),
        ("width=1e2&height=-1", ("width", "height")), ("width=100&height=100&smartCropping=1", ("smartCropping",)),
        ("width=100&height=100&ratio=1:1", ("ratio",)), ("width=1024&height=1", ("outside",)),
        ("width=٣&height=9", ("width",)),
    ],
)  # fmt: skip
def test_wrong_parameters(api: httpx.Client, picture: bytes, query: str, names: tuple[str, ...]) -> None:
    answer = api.post(f"{PATH}?{query}", content=picture)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["innererror"]["code"]) == (
        400,
        "InvalidRequest",
        "bad_parameters",
    )
    assert all(name in error["message"] for name in names)


def test_errors_have_azure_s_form(api: httpx.Client) -> None:
    answer = api.post(f"{PATH}?width=9&height=9", content=b"no picture")
    assert answer.status_code == 400 and answer.json()["error"]["innererror"]["code"] == "unsupported_picture"
    answer = api.post(f"{PATH}?width=9&height=9", json={"url": "https://bucket.example/a.jpg"})
    assert answer.status_code == 403 and "GAZECROP_SOURCES" in answer.json()["error"]["message"]
    assert api.get(PATH).json().keys() == {"error"}


def test_keys_and_urls(start_server: Callable[..., Server], picture: bytes) -> None:
    with origin({b"/a.jpg": whole(picture)}) as source:
        prefix = f"http://127.0.0.1:{source.port}/"
        server = start_server(
            GAZECROP_API_KEYS="k", GAZECROP_SOURCES=prefix, GAZECROP_SOURCES_PRIVATE="127.0.0.1/32"
        )
        url = f"{server.url}{PATH}?width=50&height=50&smartCropping=true"
        body = {"url": f"{prefix}a.jpg"}
        assert httpx.post(url, json=body).status_code == 401
        assert httpx.post(url, json=body, headers={"Ocp-Apim-Subscription-Key": "x"}).status_code == 403
        answer = httpx.post(url, json=body, headers={"Ocp-Apim-Subscription-Key": "k"})
        with opened(answer) as found:
            assert found.size == (50, 50)
