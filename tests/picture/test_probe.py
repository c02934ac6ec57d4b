"""Reading a header on an event loop: bounded work for hostile files, the same result for ordinary ones."""

import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image

from gazecrop.errors import GazecropError, PictureUnreadable
from gazecrop.picture.probe import inspect, inspect_quickly
from tests.helpers.pictures import encode
from tests.helpers.samples import SAMPLES, scene


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _tiff_of_65_thousand_tags() -> bytes:
    tags = [(256, 100), (257, 100), *((number, 1) for number in range(300, 65_300))]
    entries = b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(10_000)


JPEG, PNG, PROGRESSIVE = (
    encode(scene(), "JPEG"),
    encode(scene(), "PNG"),
    encode(scene(), "JPEG", progressive=True),
)
GIF = encode(Image.new("P", (16, 16), 1), "GIF")
HOSTILE: dict[str, Callable[[], bytes]] = {
    "jpeg comments": lambda: JPEG[:2] + b"\xff\xfe\0\2" * 200_000 + JPEG[2:],
    "jpeg profile": lambda: JPEG[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" * 60_000 + JPEG[2:],
    "jpeg fill bytes": lambda: JPEG[:2] + b"\xff" * 800_000 + JPEG[2:],
    "jpeg restarts": lambda: JPEG[:2] + b"\xff\xd0" * 400_000 + JPEG[2:],
    "jpeg scans": lambda: PROGRESSIVE[:-2] + b"\xff\0" * 10_000_000 + b"\xff\xd9",
    "jpeg exif": lambda: (
        JPEG[:2] + b"\xff\xe1\xff\xf7Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 5459)
        + struct.pack(">HHII", 0x1000, 4, 1, 1) * 5459 + bytes(9) + JPEG[2:]
    ),
    "png text": lambda: PNG[:33] + chunk(b"tEXt", b"") * 99_000 + PNG[33:],
    "png data": lambda: PNG[:33] + chunk(b"IDAT", b"") * 99_000 + PNG[33:],
    "webp chunks": lambda: b"RIFF\0\0\0\0WEBP" + b"ABCD\0\0\0\0" * 99_000,
    "gif comments": lambda: GIF[:19] + b"!\xfe" + b"\x01a" * 99_000 + b"\0" + GIF[19:],
    "gif extensions": lambda: GIF[:19] + b"!\xfe\0" * 99_000 + GIF[19:],
    "bmp palette": lambda: (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54 + 4 * 65_536, 40, 64, 64, 1, 4, 0, 0, 0, 0, 65_536, 0)
        + bytes(4 * 65_536 + 64 * 64)
    ),
    "tiff tags": _tiff_of_65_thousand_tags,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_quick_look_is_bounded(name: str) -> None:
    """5 ms on the machine that the limits were measured on, five times that on a slow one; unbounded 20 to 330 ms."""
    data = HOSTILE[name]()
    times = []
    for _ in range(5):
        start = time.thread_time()
        with suppress(PictureUnreadable):
            inspect_quickly(data)
        times.append(time.thread_time() - start)
    assert min(times) < 0.025


@pytest.mark.parametrize("name", SAMPLES)
def test_a_quick_look_finds_what_a_thorough_one_does(name: str) -> None:
    quick = inspect_quickly(SAMPLES[name], [(240, 320)])
    assert quick == (None if name == "AVIF" else inspect(SAMPLES[name], [(240, 320)]))


def test_long_headers_are_left_to_a_thread() -> None:
    for name in ("jpeg profile", "jpeg scans", "png text", "png data"):
        data = HOSTILE[name]()
        assert inspect_quickly(data) is None
        assert (inspect(data).width, inspect(data).height) == (640, 480)
    palette = HOSTILE["bmp palette"]()
    assert inspect_quickly(palette) is None and inspect(palette).width == 64


def test_a_file_of_more_parts_than_any_real_one_is_refused() -> None:
    with pytest.raises(GazecropError):
        inspect(HOSTILE["jpeg comments"]())
