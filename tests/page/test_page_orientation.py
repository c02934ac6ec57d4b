"""The page: the picture and its map are in one frame, also where the browser ignores the EXIF orientation of a file."""

import io
import struct
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from playwright.sync_api import Page, Route, expect

from tests.conftest import Server
from tests.helpers.page import Open, box, needs_konva, open_about, upload
from tests.helpers.pictures import draw, encode, jpeg

pytestmark = pytest.mark.browser
OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"lossless": True},
    "png": {},
    "jpeg": {"quality": 100, "subsampling": 0},
}

PIXELS = """(image) => {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, data: [...data] };
}"""


def oriented(orientation: int, kind: str) -> tuple[bytes, Image.Image]:
    """A file with an EXIF orientation, and the upright picture."""
    stored = draw(96, 64, disc=(0.2, 0.3), seed=orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, kind.upper(), exif=exif.tobytes(), **OPTIONS[kind])
    with Image.open(io.BytesIO(data)) as file:
        return data, ImageOps.exif_transpose(file).convert("RGB")


def displayed(page: Page) -> NDArray[np.int16]:
    page.wait_for_function("document.getElementById('picture').complete")
    found = page.locator("#picture").evaluate(PIXELS)
    pixels = np.array(found["data"], np.int16).reshape(found["height"], found["width"], 4)
    return pixels[..., :3]


def difference(pixels: NDArray[np.int16], picture: Image.Image) -> float:
    expected = np.asarray(picture, np.int16)
    assert pixels.shape == expected.shape
    return float(np.abs(pixels - expected).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["webp", "png", "jpeg"])
def test_a_picture_is_displayed_and_cropped_upright(open_page: Open, kind: str, orientation: int) -> None:
    page = open_page()
    data, upright = oriented(orientation, kind)
    upload(page, data, f"picture.{kind}")
    assert difference(displayed(page), upright) < 1
    page.locator("#cards button[data-ratio=square]").click()
    shown = box(page)
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This crop", exact=True).click()
    with Image.open(download.value.path()) as file:
        assert file.format == kind.upper()
        left, top = shown["x"], shown["y"]
        expected = upright.crop((left, top, left + shown["width"], top + shown["height"]))
        # encoded with loss; in a wrong orientation the difference is above 15
        assert difference(np.asarray(file.convert("RGB"), np.int16), expected) < 8


@needs_konva
def test_a_sideways_webp_is_edited_upright(open_page: Open) -> None:
    page = open_page()
    data, upright = oriented(6, "webp")
    upload(page, data, "picture.webp")
    page.locator("#edit").click()
    page.locator("#edit-done").click()
    expect(page.locator("#compare")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("64 × 96, png")
    assert difference(displayed(page), upright) < 1


BIG, LITTLE = (
    order + struct.pack(f"{sign}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    for order, sign in ((b"MM", ">"), (b"II", "<"))
)
EXIF = {
    "big-endian": BIG,
    "little-endian": LITTLE,
    "with the prefix of JPEG": b"Exif\0\0Exif\0\0" + BIG,  # Pillow removes the first
    "out of range": BIG.replace(b"\0\1\0\6", b"\0\1\0\11"),
    "an offset outside": BIG[:4] + b"\xff\xff\xff\xff" + BIG[8:],
    "cut off": BIG[:14],
    "no byte order": b"XX" + BIG[2:],
    "empty": b"\0",
}


@pytest.mark.parametrize("name", EXIF)
def test_the_page_reads_the_exif_data_of_a_webp_as_the_server_does(
    open_page: Open, server: Server, name: str
) -> None:
    page = open_page()
    data = encode(draw(90, 60, seed=sorted(EXIF).index(name)), "WEBP", lossless=True, exif=EXIF[name])
    upload(page, data, "picture.webp")
    answer = httpx.get(f"{server.url}/v1/images/{open_about(page)}").json()["image"]
    size = page.locator("#picture").evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    assert size == [answer["width"], answer["height"]]
    expect(page.locator("#undecodable")).to_be_hidden()


def test_a_picture_that_the_browser_decodes_in_another_shape_is_not_displayed(open_page: Open) -> None:
    """Made by another picture with the same effect: the server's width and height differ from the browser's."""
    page = open_page()

    def analyse_another(route: Route) -> None:
        route.continue_(post_data=jpeg(300, 400, seed=31))

    page.route("**/v1/images", analyse_another)
    upload(page, jpeg(400, 300, seed=30))
    expect(page.locator("#undecodable")).to_contain_text("cannot show this format correctly")
    expect(page.locator("#picture")).to_be_hidden()
