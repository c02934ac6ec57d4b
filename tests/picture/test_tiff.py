"""Every layout of samples in a TIFF is read rightly or refused; camera raw files are refused by name."""

import io
import itertools
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazecrop.crop.placing import Box
from gazecrop.errors import NotAPicture, PictureUnreadable
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.memory import SLACK, of_map
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import crop
from tests.helpers.pictures import encode
from tests.helpers.samples import STORED, difference, scene
from tests.helpers.tiff import write

WIDTH, HEIGHT = 101, 67  # odd, so that rows of less than 8 bits end within a byte
SCENE = np.asarray(scene(WIDTH, HEIGHT)) / 255
GREY = np.asarray(scene(WIDTH, HEIGHT).convert("L"))[..., None] / 255
ALPHA = np.tile(np.linspace(0.2, 1, WIDTH), (HEIGHT, 1))[..., None]
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, LAB, ICC_LAB = 0, 1, 2, 5, 8, 9
ASSOCIATED, UNASSOCIATED = 1, 2
Fractions = NDArray[np.float64]


def colours_of(photometric: int) -> Fractions:
    if photometric == CMYK:
        return np.concatenate([1 - SCENE, np.zeros((HEIGHT, WIDTH, 1))], axis=2)
    return SCENE if photometric == RGB else GREY


def tiff(
    photometric: int, bits: int, extra: int | None, floats: bool = False, **options: Any
) -> tuple[bytes, Fractions]:
    """The file, and what it shows as RGBA, fractions of 1."""
    shown: NDArray[Any] = colours_of(photometric)  # 1 is white, but in CMYK
    if extra == ASSOCIATED:
        shown = shown * ALPHA
    stored = 1 - shown if photometric == WHITE_IS_ZERO else shown
    if extra is not None:
        stored = np.concatenate([stored, ALPHA], axis=2)
    levels = (1 << bits) - 1
    samples: NDArray[Any] = stored if floats else np.round(stored * levels).astype(np.uint64)
    more = () if extra is None else (extra,)
    data = write(samples, bits, photometric, extra=more, kind=3 if floats else 1, **options)
    read = samples if floats else samples / levels
    count = {RGB: 3, CMYK: 4}.get(photometric, 1)
    colours, alpha = read[..., :count], np.ones((HEIGHT, WIDTH, 1))
    if extra in (ASSOCIATED, UNASSOCIATED):
        alpha = read[..., count:]
    if photometric == WHITE_IS_ZERO:
        colours = 1 - colours
    if photometric == CMYK:  # on paper, and never transparent
        ink = colours if extra == ASSOCIATED else colours * alpha
        colours, alpha = (1 - ink[..., :3]) * (1 - ink[..., 3:]), np.ones((HEIGHT, WIDTH, 1))
    elif extra == ASSOCIATED:
        colours = (colours / np.maximum(alpha, 1e-9)).clip(0, 1)
    if floats or bits == 32:
        colours = (colours - colours.min()) / (colours.max() - colours.min())
    return data, np.concatenate([np.broadcast_to(colours, (HEIGHT, WIDTH, 3)), alpha], axis=2)


def cropped(data: bytes) -> NDArray[np.int64]:
    result = Image.open(io.BytesIO(crop(data, Box(0, 0, WIDTH, HEIGHT), format="png")))
    return np.asarray(result.convert("RGBA")).astype(int)


def check(data: bytes, shown: Fractions) -> None:
    assert np.abs(cropped(data) - shown * 255).mean() < 1.2
    seen = decode(data, Limits(), [(HEIGHT, WIDTH)]).pixels
    assert np.abs(seen - (shown[..., :3] * 255 * shown[..., 3:] + 128 * (1 - shown[..., 3:]))).mean() < 1.5


KINDS = [*itertools.product((0, 1, 2, 5), (None, 0, 1, 2))]


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32])
@pytest.mark.parametrize("planar", [False, True])
def test_every_depth(bits: int, planar: bool) -> None:
    for (photometric, extra), (deflate, order) in itertools.product(KINDS, ((False, "<"), (True, ">"))):
        options: dict[str, Any] = {"planar": planar, "deflate": deflate, "order": order}
        data, shown = tiff(photometric, bits, extra, **options)
        if bits == 32 and (photometric == CMYK or extra == ASSOCIATED):
            with pytest.raises(PictureUnreadable):
                cropped(data)
        else:
            check(data, shown)


@pytest.mark.parametrize("layout", [{"tile": 32}, {"tile": 64}, {"rows": 16}, {"rows": 1}])
@pytest.mark.parametrize("planar", [False, True])
def test_tiles_and_strips(layout: dict[str, Any], planar: bool) -> None:
    for (photometric, extra), bits, deflate in itertools.product(KINDS, (8, 12, 16), (False, True)):
        check(*tiff(photometric, bits, extra, planar=planar, deflate=deflate, **layout))


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("planar", [False, True])
def test_horizontal_prediction(bits: int, planar: bool) -> None:
    for photometric, order, layout in itertools.product((0, 1, 2), "<>", (0, 32)):
        check(
            *tiff(photometric, bits, None, planar=planar, order=order, deflate=True, predictor=2, tile=layout)
        )


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("planar", [False, True])
def test_floats(bits: int, planar: bool) -> None:
    """Black and white are the lowest and the highest value of all colours."""
    for photometric, order, deflate in itertools.product((0, 1, 2), "<>", (False, True)):
        check(*tiff(photometric, bits, None, floats=True, planar=planar, order=order, deflate=deflate))


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd"]
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK", "I;16"])
def test_compressions(compression: str, mode: str) -> None:
    picture = (
        scene(WIDTH, HEIGHT).convert("L").convert(mode)
        if mode == "I;16"
        else scene(WIDTH, HEIGHT).convert(mode)
    )
    plain = cropped(encode(picture, "TIFF"))
    assert np.array_equal(cropped(encode(picture, "TIFF", compression=compression)), plain)
    white = encode(
        Image.fromarray(np.full((HEIGHT, WIDTH), 65_535, np.uint16)), "TIFF", compression=compression
    )
    assert cropped(white)[..., 0].min() == 255


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("photometric", [LAB, ICC_LAB])
def test_lab(bits: int, planar: bool, photometric: int) -> None:
    """a* and b* are signed in one kind, and offset in the other."""
    lightness, a, b = (np.round(GREY * 255), np.full_like(GREY, 20), np.full_like(GREY, -30))
    shown = encode(
        Image.merge(
            "LAB",
            [
                Image.fromarray((part[..., 0] + offset).astype(np.uint8))
                for part, offset in ((lightness, 0), (a, 128), (b, 128))
            ],
        ),
        "TIFF",
    )
    offset = 128 if photometric == ICC_LAB else 256
    samples = np.concatenate([lightness, (a + offset) % 256, (b + offset) % 256], axis=2).astype(np.uint64)
    data = write(samples * (1 if bits == 8 else 257), bits, photometric, planar=planar)
    assert np.abs(cropped(data) - cropped(shown)).mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    turn = STORED[orientation]
    stored = scene() if turn is None else scene().transpose(turn)
    samples = np.asarray(stored).astype(np.uint64) * 257
    data = write(samples, 16, RGB, planar=True, tags={274: (3, [orientation])})
    expected = np.asarray(scene().resize((320, 240), Image.Resampling.BOX))
    assert difference(decode(data, Limits(), [(240, 320)]).pixels, expected) < 2
    result = Image.open(io.BytesIO(crop(data, Box(64, 60, 320, 240), format="png")))
    assert difference(np.asarray(result), np.asarray(scene().crop((64, 60, 384, 300)))) < 1


@pytest.mark.parametrize("planar", [False, True])
def test_truncated(planar: bool) -> None:
    data, _ = tiff(RGB, 12, None, planar=planar)
    for length in range(0, len(data), len(data) // 50):
        with pytest.raises((PictureUnreadable, NotAPicture)):
            cropped(data[:length])


def test_memory_is_counted() -> None:
    data, _ = tiff(RGB, 16, UNASSOCIATED, planar=True)
    assert (
        of_map(inspect(data), len(data)) >= SLACK + (2 + 4 + 4) * WIDTH * HEIGHT
    )  # a plane, all planes, the picture


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("DNG", {50706: (1, [1, 4, 0, 0]), 254: (4, [1])}),
        ("LinearRaw", {262: (3, [34892])}),
        ("colour filter array", {262: (3, [32803])}),
        ("NEF", {259: (3, [34713])}),
        ("ARW", {259: (3, [32767])}),
    ],
)
def test_camera_raw_is_refused_by_name(name: str, tags: dict[int, tuple[int, list[int]]]) -> None:
    data = write(np.zeros((8, 8, 1), np.uint64), 8, BLACK_IS_ZERO, tags=tags)
    with pytest.raises(NotAPicture, match="camera raw") as raised:
        inspect(data)
    assert raised.value.members["fix"]


@pytest.mark.parametrize("order", "<>")
def test_camera_raw_behind_a_thumbnail(order: str) -> None:
    """NEF, ARW and DNG keep the sensor's data in a SubIFD, CR2 declares it in its header."""
    thumbnail = np.asarray(scene(40, 30)).astype(np.uint64)
    plain = write(thumbnail, 8, RGB, order=order, tags={330: (4, [0xABCDEF])})
    endian: Literal["little", "big"] = "little" if order == "<" else "big"
    for photometric, raw in ((32803, True), (2, False)):
        sub = write(np.zeros((8, 8, 1), np.uint64), 12, photometric, order=order)
        at = len(plain) + len(plain) % 2
        where = int.from_bytes(sub[4:8], endian) + at
        data = (
            plain.replace((0xABCDEF).to_bytes(4, endian), where.to_bytes(4, endian))
            + bytes(at - len(plain))
            + sub
        )
        if raw:
            with pytest.raises(NotAPicture, match="camera raw"):
                inspect(data)
        else:
            assert inspect(data).width == 40
    shifted = encode(scene(40, 30), "TIFF")
    first = int.from_bytes(shifted[4:8], "little")
    assert first >= 8
    with pytest.raises(NotAPicture, match="camera raw"):
        inspect(shifted[:8] + b"CR\2\0" + shifted[12:])
