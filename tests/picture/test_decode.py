import json
import os
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gazecrop.errors import GazecropError, NotAPicture, PictureUnreadable, TooManyPixels
from gazecrop.picture.colour import MID_GREY
from gazecrop.picture.decode import Limits, Thumbnail, decode
from gazecrop.picture.probe import inspect
from gazecrop.pipeline import limits_of
from gazecrop.settings import Settings
from tests.helpers.pictures import encode
from tests.helpers.samples import FORMATS, SAMPLES, STORED, difference, exif, scene

SHAPES = [(240, 320)]
LIMITS = Limits()


def read(data: bytes, limits: Limits = LIMITS) -> Thumbnail:
    return decode(data, limits, SHAPES)


EXPECTED = np.asarray(scene().resize((320, 240), Image.Resampling.BOX))


@pytest.mark.parametrize("format", FORMATS)
def test_format_follows_the_bytes(format: str) -> None:
    thumbnail = read(encode(scene(), format))
    assert (thumbnail.width, thumbnail.height, thumbnail.format) == (640, 480, format.lower())
    assert thumbnail.pixels.shape == (240, 320, 3) and thumbnail.pixels.dtype == np.uint8
    assert not thumbnail.rotated and not thumbnail.flat
    assert difference(thumbnail.pixels, EXPECTED) < (6 if format == "GIF" else 2.5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_family_gives_one_thumbnail(format: str, orientation: int) -> None:
    turn = STORED[orientation]
    stored = scene() if turn is None else scene().transpose(turn)
    options = {} if format in ("PNG", "TIFF") else {"quality": 95}
    thumbnail = read(encode(stored, format, exif=exif(orientation), **options))
    assert (thumbnail.width, thumbnail.height) == (640, 480)
    assert thumbnail.rotated == (orientation != 1)
    assert difference(thumbnail.pixels, EXPECTED) < 2.5


@pytest.mark.parametrize("orientation", [0, 9, 256])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_out_of_range_is_upright(format: str, orientation: int) -> None:
    thumbnail = read(encode(scene(), format, exif=exif(orientation)))
    assert not thumbnail.rotated and difference(thumbnail.pixels, EXPECTED) < 2.5


@pytest.mark.parametrize("where", range(26))
def test_broken_exif_is_upright_or_right(where: int) -> None:
    """One byte of the directory inverted: never an error, and never another orientation than 1 or 6."""
    tags = exif(6)
    data = encode(scene(), "JPEG", exif=tags)
    broken = bytearray(tags)
    broken[6 + where] ^= 0xFF
    thumbnail = read(data.replace(tags, bytes(broken)))
    assert (thumbnail.width, thumbnail.height) in [(640, 480), (480, 640)]


def test_first_exif_of_a_jpeg_counts() -> None:
    data = encode(scene(), "JPEG", exif=exif(6))
    second = encode(scene(), "JPEG", exif=exif(1))
    at = second.index(b"\xff\xe1")
    segment = second[at : at + 2 + int.from_bytes(second[at + 2 : at + 4])]
    assert read(data[:2] + segment + data[2:]).width == 640
    assert read(data).width == 480


def test_avif_turns_by_its_own_box_and_not_by_exif() -> None:
    lying = encode(scene(), "AVIF", exif=exif(6), quality=95)
    assert read(lying).rotated, "Pillow writes the orientation as a transformation"
    # The tag is 6, no box turns the picture: Pillow strips the tag from what it writes, so it is patched in.
    data = encode(scene(), "AVIF", exif=_with_maker(), quality=95)
    at = data.index(b"\x01\x0f")  # the tag of the maker becomes that of orientation, SHORT, 1, 6
    patched = data[:at] + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + data[at + 12 :]
    assert len(patched) == len(data)
    thumbnail = read(patched)
    assert (thumbnail.width, thumbnail.height, thumbnail.rotated) == (640, 480, False)


def _with_maker() -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "unknown maker"
    return tags.tobytes()


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        (mode, format)
        for mode, formats in {
            "1": ("PNG", "TIFF", "GIF", "BMP"),
            "L": FORMATS,
            "LA": ("PNG", "TIFF", "WEBP", "AVIF"),
            "P": ("PNG", "TIFF", "GIF", "BMP"),
            "RGBA": ("PNG", "TIFF", "WEBP", "AVIF", "GIF"),
            "CMYK": ("JPEG", "TIFF"),
            "YCbCr": ("JPEG", "TIFF"),
        }.items()
        for format in formats
    ],
)
def test_modes_give_one_thumbnail(mode: str, format: str) -> None:
    # with dithering each pixel would depend on the position of the filter
    undithered = {
        "1": lambda: scene().convert("1", dither=Image.Dither.NONE),
        "P": lambda: scene().quantize(64),
    }
    picture = undithered.get(mode, lambda: scene().convert(mode))()
    expected = np.asarray(picture.convert("RGB").resize((320, 240), Image.Resampling.BOX))
    assert difference(read(encode(picture, format)).pixels, expected) < (6 if format == "GIF" else 2.5)


def test_lab() -> None:
    grey = Image.merge("LAB", [scene().convert("L"), *(Image.new("L", (640, 480), 128),) * 2])
    pixels = read(encode(grey, "TIFF")).pixels
    assert np.ptp(pixels.astype(int), axis=2).max() <= 4, "a and b of zero are grey"
    assert (
        np.corrcoef(pixels[..., 0].ravel(), np.asarray(scene().convert("L").resize((320, 240))).ravel())[0, 1]
        > 0.98
    )


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_scaled_and_not_clipped(format: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 320).astype(np.uint16), (240, 1))
    pixels = read(encode(Image.fromarray(ramp), format)).pixels
    assert abs(pixels.mean() - 127) < 2 and pixels.min() == 0 and pixels.max() == 255


@pytest.mark.parametrize("colour", [2, 6])
def test_sixteen_bits_of_colour(colour: int) -> None:
    """Pillow cannot write these, so the file is made by hand: half of full scale, opaque."""
    samples = {2: (0x8000, 0x4000, 0xC000), 6: (0x8000, 0x4000, 0xC000, 0xFFFF)}[colour]
    rows = (b"\0" + struct.pack(f">{len(samples)}H", *samples) * 32) * 24
    pixels = read(png(32, 24, 16, colour, zlib.compress(rows))).pixels
    assert np.abs(pixels.reshape(-1, 3).astype(int) - (128, 64, 192)).max() <= 1


@pytest.mark.parametrize("values", ["unit", "large", "nan"])
def test_floats_are_stretched(values: str) -> None:
    ramp = np.tile(np.linspace(0, 1, 320, dtype=np.float32), (240, 1)) * (1e4 if values == "large" else 1)
    if values == "nan":
        ramp[0, :2] = (np.nan, np.inf)
    pixels = read(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert abs(pixels.mean() - 127) < 2


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 3e38])
def test_constant_floats_are_flat(value: float) -> None:
    assert read(encode(Image.fromarray(np.full((30, 40), value, np.float32)), "TIFF")).flat


def test_floats_of_the_widest_range() -> None:
    """The range is infinite in 32 bits: a picture or our error, no warning."""
    wide = np.tile(np.array([-3e38, 3e38], np.float32), (30, 20))
    assert read(encode(Image.fromarray(wide), "TIFF")).pixels.shape == (240, 320, 3)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_colour_under_transparent_pixels_is_ignored(format: str) -> None:
    """Saturated colours where alpha is 0, in stripes so fine that reducing mixes them with visible pixels."""
    shown = np.zeros((480, 640, 4), np.uint8)
    shown[:] = (90, 120, 60, 255)
    shown[:, ::2] = (255, 0, 255, 0)
    options = (
        {"lossless": True, "exact": True}
        if format == "WEBP"
        else {"quality": 100, "subsampling": "4:4:4"}
        if format == "AVIF"
        else {}
    )
    pixels = read(encode(Image.fromarray(shown), format, **options)).pixels
    halfway = np.array([90, 120, 60]) / 2 + MID_GREY / 2
    assert np.abs(pixels[5:-5, 5:-5].reshape(-1, 3).mean(axis=0) - halfway).max() < (
        8 if format == "AVIF" else 2
    )


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_transparent_entries_of_a_palette(format: str) -> None:
    picture = Image.new("P", (64, 48), 0)
    picture.putpalette([255, 0, 255, 10, 20, 30, 200, 210, 220])
    picture.paste(1, (0, 0, 32, 48))
    pixels = read(encode(picture, format, transparency=0)).pixels
    assert np.abs(pixels[:, -40:].astype(int) - MID_GREY).max() <= 1
    assert np.abs(pixels[:, :40].reshape(-1, 3).astype(int) - (10, 20, 30)).max() <= 1


def test_transparent_colour_of_rgb_png() -> None:
    picture = scene()
    picture.paste((1, 2, 3), (0, 0, 320, 480))
    pixels = read(encode(picture, "PNG", transparency=(1, 2, 3))).pixels
    assert np.abs(pixels[:, :150].astype(int) - MID_GREY).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L"])
def test_transparent_grey_of_png(mode: str) -> None:
    picture = Image.new(mode, (64, 48), 0)
    picture.paste(255, (0, 0, 32, 48))
    pixels = read(encode(picture, "PNG", transparency=0)).pixels
    assert np.abs(pixels[:, -40:].astype(int) - MID_GREY).max() <= 1 and pixels[:, :40].min() == 255


def test_cmyk_without_the_adobe_marker_is_not_inverted() -> None:
    data = encode(scene().convert("CMYK"), "JPEG", quality=95)
    at = data.index(b"\xff\xee")
    inverted = np.asarray(
        scene().convert("CMYK").resize((320, 240)).point(lambda value: 255 - value).convert("RGB")
    )
    plain = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]
    assert difference(read(data).pixels, EXPECTED) < 3
    assert difference(read(plain).pixels, inverted) < 3


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_first_frame_of_an_animation(format: str) -> None:
    others = [Image.new("RGB", (640, 480), colour) for colour in ("red", "lime")]
    thumbnail = read(encode(scene(), format, save_all=True, append_images=others))
    assert difference(thumbnail.pixels, EXPECTED) < 6


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (1, 260), (260, 1), (30_000, 2), (2, 30_000), (20, 2_000), (7, 5), (3_000, 150)],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_strips(width: int, height: int, format: str) -> None:
    thumbnail = read(
        encode(scene(width, height) if min(width, height) > 1 else Image.new("RGB", (width, height)), format)
    )
    assert (thumbnail.width, thumbnail.height) == (width, height)
    assert thumbnail.pixels.shape == (240, 320, 3)


@pytest.mark.parametrize("size", [(2561, 1923), (1283, 967), (641, 479), (3000, 240)])
@pytest.mark.parametrize("progressive", [False, True])
def test_scaled_decoding_shows_the_same_picture(size: tuple[int, int], progressive: bool) -> None:
    """Also for sides that the scale does not divide: the last column of a scaled JPEG covers fewer pixels."""
    data = encode(scene(*size), "JPEG", quality=92, progressive=progressive)
    found = read(data)
    place = found.inside
    full = np.asarray(scene(*size).resize((place.width, place.height), Image.Resampling.BOX))
    shown = found.pixels[place.top : place.top + place.height, place.left : place.left + place.width]
    assert difference(shown, full) < 1.5


def test_refinement_scans_are_not_decoded_for_an_eighth() -> None:
    noise = np.random.default_rng(0).normal(0, 12, (1930, 2570, 3))
    picture = Image.fromarray((np.asarray(scene(2570, 1930)) + noise).clip(0, 255).astype(np.uint8))
    data = encode(picture, "JPEG", quality=90, progressive=True)
    header = inspect(data, SHAPES)
    coarse, whole = (
        sum(len(data[part]) for part in parts) for parts in (header.walk.coarse, header.walk.parts)
    )
    assert header.draft == 8 and coarse < 0.7 * whole
    everything = replace(header, walk=replace(header.walk, coarse=[]))
    assert difference(read(data).pixels, decode(data, LIMITS, SHAPES, everything).pixels) < 1
    for part in (0.5, 0.9, 0.999):
        with pytest.raises(PictureUnreadable):
            read(data[: int(part * len(data))])


def test_threads_do_not_disturb_each_other() -> None:
    files = list(SAMPLES.values()) * 6
    alone = [read(data).pixels for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = [thumbnail.pixels for thumbnail in pool.map(read, files)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_nearest_shape_is_used() -> None:
    shapes = [(240, 320), (320, 240), (192, 384)]
    for size, shape in {(800, 600): (240, 320), (600, 800): (320, 240), (900, 300): (192, 384)}.items():
        assert decode(encode(scene(*size), "PNG"), LIMITS, shapes).pixels.shape[:2] == shape
    turned = encode(scene(600, 800), "JPEG", exif=exif(6))
    assert decode(turned, LIMITS, shapes).pixels.shape[:2] == (240, 320)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (50, 40), (7, 99, 200)),
        Image.new("L", (50, 40), 0),
        Image.new("CMYK", (50, 40), (9, 9, 9, 9)),
        Image.fromarray(
            np.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=np.uint8)
            * np.array([1, 1, 1, 0], np.uint8)
        ),
    ],
    ids=["one colour", "black", "cmyk", "transparent"],
)
def test_flat(picture: Image.Image) -> None:
    assert read(encode(picture, "TIFF")).flat


def test_not_flat() -> None:
    picture = Image.new("L", (50, 40), 100)
    picture.paste(110, (10, 10, 30, 30))
    assert not read(encode(picture, "PNG")).flat


# Limits


def test_limits_come_from_settings() -> None:
    assert limits_of(
        Settings.model_validate({"max_megapixels_jpeg": 2, "max_megapixels": 1.5, "max_jpeg_scans": 9})
    ) == Limits(2_000_000, 1_500_000, 9)
    assert limits_of(Settings.model_validate({})) == Limits()


def test_a_jpeg_may_be_larger_than_others() -> None:
    limits = Limits(pixels_jpeg=400_000, pixels=200_000)
    assert decode(encode(scene(), "JPEG"), limits, SHAPES).width == 640
    with pytest.raises(TooManyPixels) as raised:
        decode(encode(scene(), "PNG"), limits, SHAPES)
    assert raised.value.members["limit"] == 200_000 and raised.value.members["received"] == 640 * 480


def test_scans_are_counted_by_markers_and_not_by_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "JPEG", progressive=True, quality=95)
    scans = inspect(data).walk.scans
    assert 2 <= scans <= 12
    comment = b"\xff\xfe\x00\x0a" + b"\xff\xda" * 4  # markers inside a segment are no scans
    assert inspect(data[:2] + comment + data[2:]).walk.scans == scans
    assert inspect(data[:-2] + comment + data[-2:]).walk.scans == scans
    assert inspect(data + data).walk.scans == scans, "what follows the end is not read"
    assert inspect(encode(Image.fromarray(noise), "JPEG")).walk.scans == 1


def test_bomb_of_scans() -> None:
    data = encode(scene(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    empty = data[last : last + 2 + int.from_bytes(data[last + 2 : last + 4])]
    with pytest.raises(PictureUnreadable) as raised:
        read(data[:-2] + empty * 3000 + data[-2:])
    assert raised.value.members["limit"] == 64
    assert read(data[:-2] + empty * 20 + data[-2:]).width == 640


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, pixels: bytes, extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(*tags: tuple[int, int, int, int], after: bytes = b"") -> bytes:
    """Little-endian TIFF of one directory; each tag is (number, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + after


def _small_png(extra: bytes) -> bytes:
    return png(
        64, 64, 8, 0, zlib.compress(b"".join(b"\0" + bytes(range(0, 256, 4)) for _ in range(64))), extra
    )


_GREY_TIFF = (
    (256, 4, 1, 100),
    (257, 4, 1, 100),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (277, 3, 1, 1),
)
_GIF = encode(Image.new("P", (16, 16), 1), "GIF")

BOMBS: dict[str, Callable[[], tuple[bytes, type[GazecropError] | None]]] = {
    "png of 4,295 MP": lambda: (png(65535, 65535, 8, 6, zlib.compress(bytes(10_000))), TooManyPixels),
    "png text": lambda: (_small_png(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) * 100), None),
    "png profile": lambda: (_small_png(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 27)))), None),
    "png second header": lambda: (
        _small_png(chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0))),
        None,
    ),
    "png of 25 MP in 76 kB": lambda: (png(5000, 5000, 8, 2, zlib.compress(bytes(15001 * 5000), 9)), None),
    "png too long a stream": lambda: (png(8, 8, 8, 0, zlib.compress(bytes(1 << 27))), None),
    "jpeg of 4,290 MP": lambda: (
        encode(scene(), "JPEG").replace(struct.pack(">HH", 480, 640), struct.pack(">HH", 65500, 65500), 1),
        TooManyPixels,
    ),
    "webp canvas": lambda: (b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6, TooManyPixels),
    "tiff strips": lambda: (tiff(*_GREY_TIFF, (273, 4, 4_000_000, 200), after=bytes(16_000_200)), PictureUnreadable),
    "tiff tags": lambda: (
        tiff(*_GREY_TIFF, (273, 4, 1, 0), *((50_000 + i, 2, 9_999_000, 200) for i in range(999)), after=bytes(10**7)),
        None,
    ),
    "tiff tile": lambda: (
        tiff(*_GREY_TIFF, (322, 4, 1, 65_520), (323, 4, 1, 65_520), (324, 4, 1, 200), after=bytes(999)),
        PictureUnreadable,
    ),
    "gif frames": lambda: (_GIF[:-1] + _GIF[_GIF.index(b"\x2c") : -1] * 100_000 + b";", None),
    "gif comments": lambda: (_GIF[:19] + b"!\xfe" + b"\x01a" * 4_000_000 + b"\0" + _GIF[19:], PictureUnreadable),
    "gif frame beyond its screen": lambda: (
        _GIF.replace(b"\x2c\0\0\0\0\x10\0\x10\0", b"\x2c\0\0\0\0\xff\xff\xff\xff"),
        TooManyPixels,
    ),
    "bmp of 2^62": lambda: (
        b"BM" + struct.pack("<IHHIIIIHH6I", 100, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *(0,) * 6),
        TooManyPixels,
    ),
}  # fmt: skip


def test_bombs_are_refused_or_harmless() -> None:
    """In a separate process, whose peak memory may grow by 130 MB over all of them: the 25 MP that a PNG of 76 kB
    really contains take 75 MB of it."""
    script = """
import json, pickle, re, sys
from pathlib import Path
from gazecrop.picture.decode import Limits, decode
from gazecrop.errors import GazecropError

def peak():  # not getrusage, whose peak is inherited from the parent process
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

def answer(data):
    try:
        decode(data, Limits(), [(240, 320)])
    except GazecropError as error:
        return type(error).__name__
    return None

bombs = pickle.load(sys.stdin.buffer)
before = peak()
print(json.dumps([{name: answer(data) for name, data in bombs.items()}, peak() - before]))
"""
    bombs = {name: make() for name, make in BOMBS.items()}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        input=pickle.dumps({name: data for name, (data, _) in bombs.items()}),
        capture_output=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert run.returncode == 0 and not run.stderr, "Pillow's warnings stay inside: " + run.stderr.decode()
    answers, kilobytes = json.loads(run.stdout)
    assert answers == {name: error and error.__name__ for name, (_, error) in bombs.items()}
    assert kilobytes < 130_000


# Malformed bytes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"GIF",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"%!PS-Adobe",
        b"8BPS\0\1",
        bytes(500),
    ],
)
def test_garbage_is_not_a_picture(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        read(data)


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gazecrop.picture.probe.HEIC_READABLE", False)
    with pytest.raises(NotAPicture) as raised:
        read(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert "[heic]" in raised.value.detail


FEW = Limits(pixels_jpeg=1_000_000, pixels=1_000_000)  # so that a mutated size does not cost time


@pytest.mark.parametrize("name", SAMPLES)
def test_truncated(name: str) -> None:
    """Truncated anywhere: one of our errors or, near the end, the picture."""
    data = SAMPLES[name]
    for length in sorted({*range(min(len(data), 64)), *range(64, len(data), max(len(data) // 60, 1))}):
        try:
            thumbnail = decode(data[:length], FEW, SHAPES)
        except (NotAPicture, PictureUnreadable, TooManyPixels):
            continue
        assert thumbnail.pixels.shape == (240, 320, 3)
    with pytest.raises(PictureUnreadable):
        decode(data[: len(data) // 2 if "animated" not in name else len(data) // 4], FEW, SHAPES)


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=40, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_mutated_bytes_raise_only_our_errors(name: str, edits: list[tuple[float, bytes]]) -> None:
    data = bytearray(SAMPLES[name])
    for place, replacement in edits:
        at = int(place * len(data))
        data[at : at + len(replacement)] = replacement
    try:
        decode(bytes(data), FEW, SHAPES)
    except GazecropError as error:
        assert error.status in (413, 415, 422) and error.detail


@settings(max_examples=100, deadline=None)
@given(magic=st.sampled_from([sample[:16] for sample in SAMPLES.values()]), rest=st.binary(max_size=400))
def test_noise_behind_a_magic_number(magic: bytes, rest: bytes) -> None:
    with pytest.raises(GazecropError):
        decode(magic + rest, FEW, SHAPES)
