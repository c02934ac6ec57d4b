"""JPEG as files are found: without an end marker, arithmetic-coded, with several EXIF segments."""

from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from gazecrop.crop.placing import Box
from gazecrop.errors import PictureUnreadable
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import crop
from tests.helpers.pictures import encode
from tests.helpers.samples import difference, exif, scene

SHAPES = [(240, 320)]
NOISE = np.random.default_rng(0).normal(0, 12, (960, 1280, 3))
GRAINY = Image.fromarray((np.asarray(scene(1280, 960)) + NOISE).clip(0, 255).astype(np.uint8))
KINDS = {
    "baseline": encode(GRAINY, "JPEG", quality=85),
    "baseline 4:4:4": encode(GRAINY, "JPEG", quality=85, subsampling=0),
    "restarts": encode(GRAINY, "JPEG", quality=85, restart_marker_rows=1),
    "grey": encode(GRAINY.convert("L"), "JPEG", quality=85),
    "progressive": encode(GRAINY, "JPEG", quality=85, progressive=True),
    "small": encode(scene(60, 40), "JPEG", quality=85),
}
SAMSUNG = b"\0\0\x01\x0a\x0e\0\0\0Panorama_Shot_Info\xff\xd8\xff\xe0 thumbnail \xff\xd9SEFH\x6b\0\0\0SEFT"


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decode(data, Limits(), SHAPES).pixels


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("rest", [b"", b"\xff", b"\xff\xff", bytes(40), SAMSUNG], ids=repr)
def test_without_its_end_marker_it_is_the_same_picture(name: str, rest: bytes) -> None:
    data = KINDS[name]
    assert data.endswith(b"\xff\xd9")
    assert np.array_equal(pixels(data[:-2] + rest), pixels(data))
    box = Box(0, 0, 60, 40)
    assert crop(data[:-2] + rest, box, format="png") == crop(data, box, format="png")


@pytest.mark.parametrize("name", [name for name in KINDS if name != "small"])
@pytest.mark.parametrize(
    ("lost", "end"),
    [(32, b""), (100, b""), (1_000, b""), (20_000, b""), (100, SAMSUNG), (1_000, SAMSUNG)],
)
def test_without_its_last_blocks_it_is_truncated(name: str, lost: int, end: bytes) -> None:
    """A trailer is decoded where data is missing, so that it can hide the loss of as many bytes as it has itself."""
    with pytest.raises(PictureUnreadable):
        pixels(KINDS[name][:-lost] + end)
    with pytest.raises(PictureUnreadable):
        crop(KINDS[name][:-lost] + end, Box(0, 0, 60, 40))


def test_without_its_last_scans_a_progressive_one_is_truncated() -> None:
    """Cut between two scans: every block is there, but not with all of its bits."""
    data = KINDS["progressive"]
    for _ in range(4):
        data = data[: data.rindex(b"\xff\xda")]
        with pytest.raises(PictureUnreadable):
            pixels(data)


# scene(64, 48) by cjpeg -arithmetic -quality 60, without and with -progressive; Pillow cannot write these
ARITHMETIC = b64decode(
    b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    b"UlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    b"T09PT09PT0//yQARCAAwAEADASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/ACY/TfpsC1nOIwcZaZLMn/kP7LL6"
    b"m4Bp9z387cZvw+BQyz+mFhTJylt7ag2KFk29jhb3viuRp/IANCdQrdO/jHyILgmQKiyS6xMgyHJvkylarP2KcCcWPDcFi4qRkdYT"
    b"/N5mA0dGY5eatCxNRYzVkDgXK26Ibd0qxmsTjlGaKGhPm0mtClpTfQiQOgVtUvKU9HPwo5frsMwMd556VNPlLgJVPLPQW1Ns52ja"
    b"jG7wK2sBJNztIz/f5Nn8f+uq0S5b/UT5EvUqkDQRA7T/AB9nHUqkRJw7ixzAXGNh9UYTGrfFDVEUwVk5C/EWtm1qyVZs7nLzRVEj"
    b"1P/Z"
)
ARITHMETIC_PROGRESSIVE = b64decode(
    b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    b"UlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    b"T09PT09PT0//ygARCAAwAEADASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAAAf40JQikrWDxMa5f9Kw8cjMzxpaSO9WldVg/"
    b"WkwkCWckLz9LLaWsrVm4iK14cGg/IP/MAAQQBf/aAAgBAQABBQLCM3KUDg+Q7pRWhwlm73FsrL6U/8wABBEF/9oACAEDAQE/ARWb"
    b"iV8j6TjVLyBgwGrJijIj1usw/8wABBEF/9oACAECAQE/ATjxJkpYjps4xsCfMLvUN6DX1RIs5PJHM6eLS828/8wABBAF/9oACAEB"
    b"AAY/ArODfB2Yyee5sxKGEDYS/8wABBAF/9oACAEBAAE/IQETrWYf3rhz6sQnPnXCAju9J3xCFUlhyysadffoKPig/9oADAMBAAIA"
    b"AwAAABDH+l9lTAeN4Vn/zAAEEQX/2gAIAQMBAT8QSHPumjYMNl3/AASov3jjR8jo8kD/zAAEEQX/2gAIAQIBAT8QteBlCxwIVDYD"
    b"dVXnii9/NeLeghc3XOuA/8wABBAF/9oACAEBAAE/EB20i1+DDnx7SKyo59Hr+t7lhu+FQaVnbe66Ik1rpBBa5wqaYjunuf/Z"
)


@pytest.mark.parametrize("data", [ARITHMETIC, ARITHMETIC_PROGRESSIVE], ids=["sequential", "progressive"])
def test_arithmetic_coding_of_any_size(data: bytes) -> None:
    """Pillow gives libjpeg 64 kB at a time, and libjpeg cannot wait for more within a scan of this coding. Copies of a
    table before the scan move this border into it."""
    assert inspect(data).walk.arithmetic
    start, scan = data.index(b"\xff\xdb"), data.index(b"\xff\xda")
    table = data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4])]
    borders = [65_536 - len(table) * copies for copies in range(940, 948)]  # in the file without the copies
    assert sum(scan + 10 < border < len(data) for border in borders) >= 3
    for copies in range(940, 948):
        assert np.array_equal(pixels(data[:start] + table * copies + data[start:]), pixels(data))
    assert difference(pixels(data), np.asarray(scene(64, 48).resize((320, 240)))) < 8


# EXIF: what Chromium 156 does with each


def _exif(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body


TAGS = exif(6).removeprefix(b"Exif\0\0")


@pytest.mark.parametrize(
    ("segments", "orientation"),
    [
        ([b"Exif\0\0" + TAGS], 6),
        ([b"Exif\0\xff" + TAGS], 6),
        ([b"Exif\0\x01" + TAGS], 6),
        ([b"Exif\0\0", b"Exif\0\0" + TAGS], 6),
        ([b"Exif\0", b"Exif\0\0" + TAGS], 6),
        ([b"http://ns.adobe.com/xap/1.0/\0<x/>", b"Exif\0\0" + TAGS], 6),
        ([b"Exif\0\0" + TAGS, exif(8)], 6),
        ([b"Exif\0\0broken", b"Exif\0\0" + TAGS], 1),
        ([b"Exif\0\xffbroken", b"Exif\0\0" + TAGS], 1),
        ([b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", b"Exif\0\0" + TAGS], 1),
        ([exif(9), b"Exif\0\0" + TAGS], 1),
        ([b"Exif\0\0Exif\0\0" + TAGS], 1),
        ([b"Exif" + TAGS], 1),
        ([b"exif\0\0" + TAGS], 1),
    ],
)
def test_the_first_exif_that_is_not_empty_counts(segments: list[bytes], orientation: int) -> None:
    data = encode(scene(), "JPEG")
    header = inspect(data[:2] + b"".join(map(_exif, segments)) + data[2:])
    assert header.walk.orientation == orientation
    assert (header.width, header.height) == ((480, 640) if orientation == 6 else (640, 480))


def test_exif_may_follow_the_tables() -> None:
    data = encode(scene(), "JPEG")
    at = data.index(b"\xff\xda")
    assert inspect(data[:at] + _exif(b"Exif\0\0" + TAGS) + data[at:]).rotated
