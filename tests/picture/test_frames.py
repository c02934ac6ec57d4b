"""What is shown of an animation, and which pixels of a PNG are transparent: as Chromium draws them."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from gazecrop.crop.placing import Box
from gazecrop.errors import PictureUnreadable
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import crop
from tests.helpers.chromium import chromium
from tests.helpers.colours import chunk, drawn
from tests.helpers.pictures import encode
from tests.helpers.samples import scene

FRAME = scene(64, 48)
SIZE = (100, 80)  # of the canvas, on which the frame is put at PLACE
PLACE = (20, 10)


def expected(frame: Image.Image) -> NDArray[np.uint8]:
    canvas = Image.new("RGBA", SIZE)
    canvas.paste(frame.convert("RGBA"), PLACE)
    return np.asarray(canvas)


def rgba(data: bytes) -> NDArray[np.uint8]:
    """All of the picture as the service crops it."""
    header = inspect(data)
    box = Box(0, 0, header.width, header.height)
    return np.asarray(Image.open(BytesIO(crop(data, box, format="png"))).convert("RGBA"))


def gif(frame: Image.Image, **options: object) -> bytes:
    data = bytearray(encode(frame, "GIF", **options))
    at = data.index(b"\x2c\0\0\0\0" + struct.pack("<HH", *frame.size))
    data[6:10] = struct.pack("<HH", *SIZE)
    data[at + 1 : at + 5] = struct.pack("<HH", *PLACE)
    return bytes(data)


def webp(frame: Image.Image, *, alpha: bool, place: tuple[int, int] = PLACE, **options: object) -> bytes:
    """RFC 9649, 2.7: VP8X, ANIM and one ANMF."""
    still = encode(frame, "WEBP", **options)
    bitstream = still[still.index(b"VP8X") + 18 :] if b"VP8X" in still[:20] else still[12:]

    def three(value: int) -> bytes:
        return value.to_bytes(3, "little")

    extended = struct.pack("<4sI4B", b"VP8X", 10, 0x12 if alpha else 2, 0, 0, 0) + b"".join(
        three(side - 1) for side in SIZE
    )
    values = (place[0] // 2, place[1] // 2, frame.width - 1, frame.height - 1, 100)
    body = b"".join(map(three, values)) + b"\0" + bitstream
    animated = struct.pack("<4sI", b"ANMF", len(body)) + body
    chunks = b"WEBP" + extended + struct.pack("<4sIIH", b"ANIM", 6, 0xFFFFFFFF, 0) + animated
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def apng(
    default: Image.Image, frame: Image.Image, place: tuple[int, int] = (0, 0), control: bool = True
) -> bytes:
    """The default image precedes the first fcTL, so that it is no frame. The frame's data is in two pieces."""

    def data_of(picture: Image.Image) -> bytes:
        rows = np.asarray(picture)
        return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))

    pixels = data_of(frame)
    fctl = struct.pack(">IIIIIHHBB", 0, *frame.size, *place, 1, 10, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", *default.size, 8, 2, 0, 0, 0)),
            chunk(b"acTL", struct.pack(">II", 1, 0)) if control else b"",
            chunk(b"IDAT", data_of(default)),
            chunk(b"fcTL", fctl),
            chunk(b"fdAT", struct.pack(">I", 1) + pixels[:99]),
            chunk(b"fdAT", struct.pack(">I", 2) + pixels[99:]),
            chunk(b"IEND", b""),
        ]
    )


HIDDEN = Image.new("RGB", SIZE, "red")
PALETTE = FRAME.quantize(64)
TRANSPARENT = FRAME.convert("RGBA")
TRANSPARENT.putalpha(Image.linear_gradient("L").resize(FRAME.size).point(lambda value: min(255, 2 * value)))
SMALL_FRAMES: dict[str, tuple[str, bytes, Image.Image]] = {
    "gif": ("gif", gif(PALETTE), PALETTE),
    "gif with a transparent colour": ("gif", gif(PALETTE, transparency=5), PALETTE),
    "webp lossless": ("webp", webp(FRAME, alpha=False, lossless=True), FRAME),
    "webp lossless, alpha": ("webp", webp(TRANSPARENT, alpha=True, lossless=True, exact=True), TRANSPARENT),
    "webp lossy": ("webp", webp(FRAME, alpha=False, quality=95), FRAME),
    "webp lossy, alpha": ("webp", webp(TRANSPARENT, alpha=True, quality=95), TRANSPARENT),
    "apng": ("png", apng(HIDDEN, FRAME, PLACE), FRAME),
}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


@pytest.mark.parametrize("name", SMALL_FRAMES)
def test_around_a_small_first_frame_it_is_transparent(name: str, page: Page) -> None:
    kind, data, frame = SMALL_FRAMES[name]
    ours = rgba(data)
    browsers = drawn(page, data, kind)
    assert ours.shape == browsers.shape == (80, 100, 4)
    outside = expected(Image.new("RGBA", FRAME.size, "white"))[..., 3] == 0
    assert ours[outside][:, 3].max() == 0
    assert np.array_equal(ours[..., 3], browsers[..., 3])
    visible = browsers[..., 3] == 255
    assert np.abs(ours[visible].astype(int) - browsers[visible]).mean() < (1.5 if "lossy" in name else 0.01)
    if "lossy" not in name and "transparent" not in name:
        assert np.array_equal(ours[visible], expected(frame)[visible])
    seen = decode(data, Limits(), [(80, 100)]).pixels
    assert (seen[outside] == 128).all(), "mid-grey for the network"


def test_the_default_image_of_an_apng_is_shown_only_where_it_is_a_frame() -> None:
    first = scene(*SIZE)
    assert np.array_equal(rgba(apng(HIDDEN, first))[..., :3], np.asarray(first))
    static = apng(HIDDEN, first, control=False)  # without acTL it is no animation
    assert np.array_equal(rgba(static)[..., :3], np.asarray(HIDDEN))
    animated = encode(first, "PNG", save_all=True, append_images=[HIDDEN])
    assert np.array_equal(rgba(animated)[..., :3], np.asarray(first))


@pytest.mark.parametrize(
    "data",
    [
        apng(HIDDEN, FRAME, (90, 0)),
        webp(FRAME, alpha=False, lossless=True, place=(90, 0)),
        webp(FRAME, alpha=False, lossless=True).replace(
            struct.pack("<I", FRAME.width - 1)[:3] + struct.pack("<I", FRAME.height - 1)[:3],
            struct.pack("<I", FRAME.width - 5)[:3] + struct.pack("<I", FRAME.height - 5)[:3],
        ),
    ],
    ids=["apng", "webp", "webp of another size"],
)
def test_frames_beyond_the_canvas_are_refused(data: bytes) -> None:
    with pytest.raises(PictureUnreadable):
        decode(data, Limits(), [(80, 100)])


# The transparent colour of a PNG


def _png(bits: int, colour: int, row: bytes, key: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 64, 48, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress((b"\0" + row) * 48)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in chunks)


def grey(bits: int, key: int, other: int) -> bytes:
    """The left half is the transparent value, the right half another one."""
    samples = "".join(format(value, f"0{bits}b") for value in [key] * 32 + [other] * 32)
    return _png(bits, 0, int(samples, 2).to_bytes(len(samples) // 8), struct.pack(">H", key))


def rgb(bits: int, key: tuple[int, int, int], other: tuple[int, int, int]) -> bytes:
    sample = ">3B" if bits == 8 else ">3H"
    return _png(
        bits, 2, struct.pack(sample, *key) * 32 + struct.pack(sample, *other) * 32, struct.pack(">3H", *key)
    )


@pytest.mark.parametrize(
    "data",
    [
        *(grey(bits, *values) for bits in (1, 2, 4, 8, 16) for values in ((0, 1), (1, 0))),
        *[grey(2, 3, 2), grey(4, 5, 9), grey(8, 5, 100), grey(16, 0x1234, 0x8000), grey(16, 0x1234, 0x1235)],
        *[grey(16, 5, 0x0500), rgb(8, (1, 2, 3), (1, 2, 4)), rgb(16, (0x102, 0x203, 0x304), (0x8000, 0, 0))],
        *[rgb(16, (0, 1, 0), (0x8000, 0, 0)), rgb(16, (0x4000, 1, 2), (0x4100, 1, 2))],
    ],
    ids=lambda data: f"{data[24]} bits, type {data[25]}",
)
def test_the_transparent_colour_has_the_depth_of_the_samples(data: bytes, page: Page) -> None:
    ours, browsers = rgba(data), drawn(page, data, "png")
    assert (ours[:, :32, 3] == 0).all() and (ours[:, 32:] == browsers[:, 32:]).all()
    assert np.array_equal(ours[..., 3], browsers[..., 3])
    seen = decode(data, Limits(), [(48, 64)]).pixels
    assert (seen[:, :32] == 128).all()
