"""Animations over HTTP: one map and one box for all frames, and crops that stay animated."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from gazecrop.picture.probe import inspect
from tests.conftest import Server
from tests.helpers.animations import DELAYS, KINDS, animation, delays_of, frames_of, moving, tiny_frames
from tests.helpers.contract import answer_of, client, problem, until, uploads, wrong
from tests.helpers.inprocess import holdable
from tests.helpers.pictures import draw, encode


def crop(api: httpx.Client, data: bytes, query: str, accept: str = "*/*") -> httpx.Response:
    return api.post(f"/v1/crop?ratio=1:1&{query}", content=data, headers={"accept": accept})


def frames(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text[:300]
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert answer.headers["content-type"] == Image.MIME[picture.format or ""]
        return int(getattr(picture, "n_frames", 1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_has_the_frames(api: httpx.Client, kind: str) -> None:
    data = animation(kind, moving(7))
    new = api.post("/v1/images", content=data)
    image = new.json()["image"]
    assert image == {
        "width": 160,
        "height": 120,
        "format": kind,
        "animated": True,
        "frames": 7,
        "orientation": 1,
    }
    assert api.get(f"/v1/images/{new.json()['id']}").json()["image"] == image
    still = api.post("/v1/images", content=encode(moving()[0], kind.upper())).json()["image"]
    assert not {"animated", "frames"} & set(still)


def test_a_blank_first_frame_does_not_decide_the_map(api: httpx.Client) -> None:
    blank, shown = Image.new("RGB", (320, 240), "black"), draw(320, 240, (0.8, 0.5))
    document = api.post("/v1/images?ratios=9:16", content=animation("webp", [blank, shown])).json()
    alone = api.post("/v1/images?ratios=9:16", content=encode(shown, "PNG")).json()
    assert not document["flat"]
    assert abs(document["crops"][0]["box"]["x"] - alone["crops"][0]["box"]["x"]) <= 8


def test_one_box_holds_what_moves(api: httpx.Client) -> None:
    """The map of an animation is between those of its frames."""
    left, right = draw(320, 240, (0.2, 0.5), seed=1), draw(320, 240, (0.8, 0.5), seed=1)
    shares = []
    for data in (encode(left, "PNG"), animation("png", [left, right]), encode(right, "PNG")):
        id = api.post("/v1/images", content=data).json()["id"]
        values = np.array(api.get(f"/v1/images/{id}/saliency").json()["values"])
        shares.append(values[:, : values.shape[1] // 2].sum())
    assert shares[0] > 0.7 > shares[1] > 0.3 > shares[2]


@pytest.mark.parametrize(
    ("query", "accept", "format", "count"),
    [
        ("format=webp", "*/*", "WEBP", 5), ("format=gif", "*/*", "GIF", 5), ("format=png", "*/*", "PNG", 1),
        ("format=jpeg", "*/*", "JPEG", 1), ("format=avif", "*/*", "AVIF", 1), ("", "*/*", "JPEG", 1),
        ("", "image/webp,*/*;q=0.8", "WEBP", 1), ("animated=true", "*/*", "WEBP", 5),
        ("animated=true", "image/webp,*/*;q=0.8", "WEBP", 5), ("animated=true", "image/gif", "GIF", 5),
        ("animated=true", "image/png,image/webp;q=0.5", "PNG", 5), ("animated=true&format=png", "*/*", "PNG", 5),
        ("animated=true&format=gif", "image/webp", "GIF", 5), ("animated=false&format=webp", "*/*", "WEBP", 1),
        ("animated=false&format=gif", "*/*", "GIF", 1), ("animated=false", "*/*", "JPEG", 1),
    ],
)  # fmt: skip
def test_which_crops_are_animated(
    api: httpx.Client, query: str, accept: str, format: str, count: int
) -> None:
    answer = crop(api, animation("gif", moving(), duration=DELAYS), query, accept)
    assert frames(answer) == count and answer.headers["content-type"] == f"image/{format.lower()}"


def test_a_crop_is_each_frame_at_the_box(api: httpx.Client) -> None:
    source = moving()
    answer = crop(api, animation("gif", source, duration=DELAYS, loop=2), "format=gif")
    x, y, width, height = map(int, answer.headers["x-gazecrop-box"].split(","))
    assert delays_of(answer.content) == DELAYS and inspect(answer.content).walk.plays == 3
    for pixels, frame in zip(frames_of(answer.content), source, strict=True):
        expected = np.asarray(frame.crop((x, y, x + width, y + height)).convert("RGBA"))
        assert np.array_equal(pixels, expected)
    with Image.open(io.BytesIO(crop(api, animation("gif", source), "format=webp&width=64").content)) as small:
        assert small.size == (64, 64)


def test_stills_can_be_gifs_and_are_not_animated(api: httpx.Client, picture: bytes) -> None:
    assert frames(crop(api, picture, "format=gif&width=80")) == 1
    assert frames(crop(api, picture, "animated=true&width=80")) == 1


def test_formats_without_frames_are_named(api: httpx.Client) -> None:
    for query in ("animated=true&format=jpeg", "animated=true&format=avif", "animated=yes"):
        assert wrong(crop(api, b"no picture", query)) == ["animated"]
    problem(crop(api, b"no picture", "animated=true", "image/jpeg"), 406, "not_acceptable")
    assert wrong(api.post("/v1/explain?format=gif", content=b"no picture")) == ["format"]
    assert wrong(api.post("/v1/explain?animated=true", content=b"no picture")) == ["animated"]


def test_above_the_limit_it_is_an_error_or_the_first_frame(
    api: httpx.Client, start_server: Callable[..., Server]
) -> None:
    for data in (tiny_frames(2_000, (64, 64)), tiny_frames(50, (2000, 2000))):
        found = problem(crop(api, data, "animated=true"), 413, "too_many_pixels")
        assert "animated=false" in found["fix"]
        assert frames(crop(api, data, "format=webp")) == 1
    with client(start_server(GAZECROP_MAX_MEGAPIXELS_ANIMATED="0.1").url) as small:
        assert frames(crop(small, animation("gif", moving(5)), "format=webp")) == 5
        assert frames(crop(small, animation("gif", moving(6)), "format=webp")) == 1


def test_the_deadline_counts_between_frames(tmp_path: Path) -> None:
    """It passes while the first frame waits to be decoded."""
    data = animation("gif", moving(), duration=DELAYS)
    with holdable(tmp_path, workers=2) as server, client(server.url) as api, uploads(server.url) as begin:
        api.post("/v1/images", content=data)
        path = "/v1/crop?ratio=1:1&format=webp"
        with server.rendering():
            request = begin(data, path=path, headers="X-Request-Timeout: 1\r\n")
            passed = time.monotonic() + 1.1
            until(lambda: time.monotonic() > passed)
        problem(answer_of(request), 504, "deadline_passed")
