"""Format, upright size and decoding cost of a picture file, from its header; no pixel is decoded."""

import importlib.util
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile

from gazecrop.errors import GazecropError, NotAPicture, PictureUnreadable
from gazecrop.picture.bars import inside
from gazecrop.picture.containers.gif import walk_gif
from gazecrop.picture.containers.ifd import orientation_of
from gazecrop.picture.containers.isobmff import colours_of, samples_of
from gazecrop.picture.containers.jpeg import walk_jpeg
from gazecrop.picture.containers.png import walk_png
from gazecrop.picture.containers.tiff import walk_tiff
from gazecrop.picture.containers.walk import MAX_PARTS, QUICK, Colours, Frame, Lengthy, Walk
from gazecrop.picture.containers.webp import walk_webp
from gazecrop.picture.sampling import Sample, sample_of

FORMATS = ("jpeg", "png", "webp", "avif", "gif", "bmp", "tiff", "heic")
HEIC_READABLE = importlib.util.find_spec("pillow_heif") is not None  # the extra [heic]

# What is sent instead now and then, by its first bytes.
_OTHERS = {
    b"%PDF": "PDF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"8BPS": "PSD",
    b"\0\0\1\0": "ICO",
    b"<svg": "SVG",
    b"<!doctype html": "HTML",
    b"<html": "HTML",
    b"<?xml": "XML or SVG",
}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}


@dataclass(frozen=True, slots=True)
class Header:
    """`width` and `height`: pixels of the upright picture. `walk`: the parsed container."""

    format: str
    width: int
    height: int
    orientation: int  # EXIF, 1 to 8: how the stored frame is turned or mirrored
    draft: int  # a JPEG is decoded at 1/draft of its sides
    walk: Walk
    sample: Sample | None = None  # of an animation

    @property
    def frames(self) -> int:
        """1: a still."""
        return self.walk.count

    @property
    def rotated(self) -> bool:
        return self.orientation != 1


@contextmanager
def unreadable_on_error(kind: str) -> Iterator[None]:
    """Maps every exception of a decoder to `PictureUnreadable`; the only place that does.

    For malformed bytes Pillow's plugins raise OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError,
    EOFError, OverflowError, RuntimeError, AssertionError, MemoryError, struct.error and zlib.error.
    """
    try:
        yield
    except (GazecropError, Lengthy):
        raise
    except Exception as error:
        raise PictureUnreadable(
            f"This {kind.upper()} file is truncated or corrupt, or uses a feature that is not supported.",
            log=f"{kind}: {type(error).__name__}: {error}",
        ) from error


def sniff(data: bytes) -> str:
    """The format, by the first bytes. Raises `NotAPicture` for a format that is not supported."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    if data.startswith(b"BM"):
        return "bmp"
    readable = ", ".join(name.upper() for name in FORMATS if name != "heic" or HEIC_READABLE)
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4]), 256)
        brands = {data[8:12]} | {data[at : at + 4] for at in range(16, end, 4)}
        if brands & _AVIF_BRANDS:
            return "avif"
        if brands & _HEIC_BRANDS:
            if HEIC_READABLE:
                return "heic"
            raise NotAPicture(
                f"HEIC is read only where the extra [heic] is installed. Read here: {readable}.",
                fix="Install the extra [heic] on the server, or send a JPEG.",
            )
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    other = next((name for first, name in _OTHERS.items() if start.startswith(first.lower())), None)
    found = f" They are a file of the type {other}." if other else ""
    raise NotAPicture(f"The bytes are not a picture of a format that is read here: {readable}.{found}")


def inspect(data: bytes, shapes: Sequence[tuple[int, int]] = ()) -> Header:
    """Reads the header only: 10 to 100 µs, up to 0.2 s for hostile files. `shapes` (height, width): of the network's
    input, for the scale at which a JPEG is decoded. Raises `NotAPicture`, `PictureUnreadable`.
    """
    return _inspect(data, shapes, MAX_PARTS)


def inspect_quickly(data: bytes, shapes: Sequence[tuple[int, int]] = ()) -> Header | None:
    """As `inspect`, in at most 5 ms, so that an event loop may call it. None: the header may take longer. That is so
    for thousands of parts, for a progressive JPEG of over 0.25 MB, and for what a library parses (AVIF, HEIC).
    """
    try:
        return _inspect(data, shapes, QUICK)
    except Lengthy:
        return None


def _inspect(data: bytes, shapes: Sequence[tuple[int, int]], most: int) -> Header:
    kind = sniff(data)
    with unreadable_on_error(kind):
        walk = _WALKS[kind](data, most)
        if min(walk.width, walk.height) < 1:
            raise ValueError(f"{walk.width}x{walk.height} pixels")
        turned = walk.orientation >= 5
        width, height = (walk.height, walk.width) if turned else (walk.width, walk.height)
        draft = 1
        if kind == "jpeg" and shapes:
            place = inside(width, height, nearest_shape(width, height, shapes))
            draft = draft_scale(width, height, place.width, place.height)
        sample = sample_of(walk) if walk.frames else None
        return Header(kind, width, height, walk.orientation, draft, walk, sample)


def nearest_shape(width: int, height: int, shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The input shape (height, width) whose aspect is nearest to the picture's, by the logarithm of the ratio."""
    aspect = math.log(width / height)
    return min(shapes, key=lambda shape: abs(math.log(shape[1] / shape[0]) - aspect))


def draft_scale(width: int, height: int, at_least_width: int, at_least_height: int) -> int:
    """The largest scale of libjpeg (1, 2, 4, 8) that leaves at least the given size."""
    room = min(width // max(at_least_width, 1), height // max(at_least_height, 1))
    return next(scale for scale in (8, 4, 2, 1) if scale <= max(room, 1))


# A JPEG is decoded for a crop at 1/scale of its sides where this leaves so many times the output's. Against a full
# decode, ten photographs of 4 to 24 megapixels, medians (worst): scale 2 at 1.0 46.5 dB (40.2), 4 at 1.25 45.9 (41.8),
# 8 at 1.5 46.1 (42.8), SSIM at least 0.989; 4 and 8 at 1.0 only 44.1 (40.0) and 41.4 (36.5). Encoding the same outputs
# as JPEG of quality 82 costs 36 to 38 dB, SSIM 0.977.
_ROOM = ((8, 3, 2), (4, 5, 4), (2, 1, 1))  # scale, and the room as a fraction


def scale_for_crop(header: Header, box: tuple[int, int], output: tuple[int, int]) -> int:
    """The scale (1, 2, 4, 8) at which the file is decoded for a crop of `box` pixels that is written as `output`, width
    and height each: 1 unless it is a JPEG. The decoder makes ceil(side / scale) pixels a side of the whole picture."""
    if header.format != "jpeg":
        return 1
    return next(
        (
            scale
            for scale, times, by in _ROOM
            if all(side * by >= scale * times * wanted for side, wanted in zip(box, output, strict=True))
        ),
        1,
    )


def _opened(
    plugin: Callable[[BytesIO], ImageFile],
    colours: Callable[[bytes], Colours],
    animate: Callable[[Walk, bytes, int], None] = lambda walk, data, count: None,
    quick: Callable[[bytes], bool] = lambda data: False,
) -> Callable[[bytes, int], Walk]:
    """A walk by Pillow, for formats that it opens in bounded time; `quick`: whether a file takes at most 5 ms."""

    def walk(data: bytes, most: int) -> Walk:
        if most < MAX_PARTS and not quick(data):
            raise Lengthy
        with plugin(BytesIO(data)) as picture:
            orientation = orientation_of(picture.info.get("exif", b""))
            found = Walk(*picture.size, orientation=orientation, mode=picture.mode, colours=colours(data))
            if (count := getattr(picture, "n_frames", 1)) > 1:
                animate(found, data, count)
            return found

    return walk


def _animate_avif(walk: Walk, data: bytes, count: int) -> None:
    """Each frame has the size of the canvas; one that is no key frame needs those before it."""
    samples = samples_of(data, count)
    walk.count, walk.plays = count, samples.plays
    walk.frames = [
        Frame(0, 0, walk.width, walk.height, [], delay, blend=not key)
        for delay, key in zip(samples.delays, samples.keys, strict=True)
    ]


def _has_small_palette(data: bytes) -> bool:
    """Of a BMP; Pillow reads palettes of up to 65,536 colours, at 1 µs for each."""
    return data[14:18] == b"\x0c\0\0\0" or int.from_bytes(data[46:50], "little") <= 256


def _colours_of_bmp(data: bytes) -> Colours:
    """The profile of a BITMAPV5HEADER whose colour space is PROFILE_EMBEDDED; browsers ignore the other kinds."""
    if len(data) < 138 or data[14:18] != b"\x7c\0\0\0" or data[70:74] != b"DEBM":
        return Colours()
    at, size = struct.unpack_from("<II", data, 126)
    return Colours(profile=[slice(14 + at, 14 + at + size)])


def heif(data: BytesIO) -> ImageFile:
    """libheif applies the orientation itself, so the EXIF orientation is removed."""
    from pillow_heif import HeifImageFile

    picture: ImageFile = HeifImageFile(data)
    picture.info.pop("exif", None)
    return picture


_WALKS: dict[str, Callable[[bytes, int], Walk]] = {
    "jpeg": walk_jpeg,
    "png": walk_png,
    "webp": walk_webp,
    "tiff": walk_tiff,
    "gif": walk_gif,
    "bmp": _opened(BmpImageFile, _colours_of_bmp, quick=_has_small_palette),
    "avif": _opened(AvifImageFile, colours_of, _animate_avif),
    "heic": _opened(heif, colours_of),
}
