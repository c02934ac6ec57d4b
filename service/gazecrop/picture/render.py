"""bytes + box + size -> an encoded crop. Pure.

The picture is decoded once, scaled where the output size allows it. The box is cut in the stored frame and only the
result is turned upright. Of the file's metadata only a colour profile is written to the output.
"""

from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from typing import Any, Protocol

from PIL import Image

from gazecrop.picture.colour import lab_to_rgb, on_white, reducible
from gazecrop.picture.decode import Limits
from gazecrop.picture.load import SIDEWAYS, load_picture, turn_of
from gazecrop.picture.probe import Header, inspect, scale_for_crop, unreadable_on_error
from gazecrop.picture.space import Space, space_of, to_srgb

MEDIA_TYPES = {"jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif", "png": "image/png"}
LONGEST_SIDE = 8192  # of the output; the limit of WebP is 16,383
# Share of the maximum output pixels: AVIF for its memory, PNG for its time (0.13 to 0.28 s of a core a megapixel).
SHARE = {"jpeg": 1.0, "webp": 1.0, "avif": 0.5, "png": 0.5}

# 1200x675, milliseconds and kB: JPEG 1.4 (87), WebP method 2 18 (42; method 4: 48, 41), AVIF speed 10 25 (43; speed 6:
# 243, 34), PNG level 6 283 (1180); level 4 takes 0.4 to 0.7 of that for 0 to 6 % more bytes. AVIF uses one
# thread, so that encoders leave cores to the analysis.
_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 82},
    "webp": {"quality": 80, "method": 2},
    "avif": {"quality": 60, "speed": 10, "max_threads": 1},
    "png": {"compress_level": 4},
}
_MAX_PROFILE = 1 << 20  # bytes of a colour profile kept in the output; real RGB profiles have 0.5 to 600 kB


class Rectangle(Protocol):
    """Integer pixels of the upright picture."""

    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """An upright picture in mode L, LA, RGB or RGBA; `profile`: its ICC profile of RGB, or empty for sRGB."""

    picture: Image.Image
    profile: bytes


def crop(
    data: bytes,
    box: Rectangle,
    *,
    width: int | None = None,
    height: int | None = None,
    format: str = "jpeg",
    quality: int | None = None,
    enlarge: bool = False,
    longest_side: int = LONGEST_SIDE,
    max_pixels: int | None = None,
    limits: Limits | None = None,
) -> bytes:
    """The box of the upright picture as a JPEG, WebP, AVIF or PNG (`format`: a key of MEDIA_TYPES).

    Of `width` and `height` one alone keeps the ratio of the box; without both the box keeps its pixels. The output is
    never enlarged, unless `enlarge`; never longer than `longest_side`, never of more than `max_pixels`. `quality`: 1
    to 100, ignored for PNG.
    Raises `NotAPicture`, `PictureUnreadable`, `TooManyPixels`; ValueError for a box outside the picture.
    """
    header = checked(data, box, limits or Limits())
    size = output_size(
        box.width,
        box.height,
        width,
        height,
        enlarge=enlarge,
        longest_side=longest_side,
        max_pixels=max_pixels,
    )
    return encode(cut(data, header, (box.x, box.y, box.width, box.height), size), format, quality)


def checked(data: bytes, box: Rectangle, limits: Limits) -> Header:
    """Raises as `crop`."""
    header = inspect(data)
    limits.check(header)
    right, bottom = box.x + box.width, box.y + box.height
    if not (0 <= box.x < right <= header.width and 0 <= box.y < bottom <= header.height):
        raise ValueError(f"{box} is not inside {header.width}x{header.height}")
    return header


def output_size(
    box_width: int,
    box_height: int,
    width: int | None,
    height: int | None,
    *,
    enlarge: bool = False,
    longest_side: int = LONGEST_SIDE,
    max_pixels: int | None = None,
) -> tuple[int, int]:
    """Width and height of the output in pixels, each at least 1."""
    if width is None and height is None:
        wide, high = float(box_width), float(box_height)
    else:
        wide = float(width) if width is not None else (height or 1) * box_width / box_height
        high = float(height) if height is not None else wide * box_height / box_width
    scale = min(1.0, longest_side / max(wide, high))
    if not enlarge:
        scale = min(scale, box_width / wide, box_height / high)
    if max_pixels is not None:  # up to half a pixel a side more, so that a width exactly at the limit is kept
        scale = min(scale, sqrt(max_pixels / wide / high))
    return max(1, int(wide * scale + 0.5)), max(1, int(high * scale + 0.5))


def cut(data: bytes, header: Header, box: tuple[int, int, int, int], size: tuple[int, int]) -> Cut:
    """The box (x, y, width, height) of the upright picture at `size` (width, height), upright, its colours in
    the space of the returned profile. Raises `PictureUnreadable`."""
    with unreadable_on_error(header.format):
        turn = turn_of(header)
        scale = scale_for_crop(header, (box[2], box[3]), size)
        picture, scaled = load_picture(data, header, scale)
        drafted = scaled is not None
        stored_size = picture.size if scaled is None else (header.walk.width, header.walk.height)
        left, top, right, bottom = stored_box(turn, box, stored_size)
        stored = reducible(picture)
        del picture  # of the loaded pixels, the box and its conversion only two are in memory at a time
        size = (size[1], size[0]) if turn in SIDEWAYS else size
        if not drafted and size == (right - left, bottom - top):
            small = stored.crop((left, top, right, bottom))
        else:
            ratio = scale if drafted else 1
            edges = (left / ratio, top / ratio, right / ratio, bottom / ratio)
            small = stored.resize(size, Image.Resampling.LANCZOS, box=edges, reducing_gap=3.0)
        del stored
        small, profile = for_output(small, space_of(data, header.walk.colours))
        if turn is not None:
            small = small.transpose(turn)
        small.info.clear()  # no comment, text, EXIF or XMP in the output
        return Cut(small, profile)


def stored_box(
    turn: Image.Transpose | None, box: tuple[int, int, int, int], stored: tuple[int, int]
) -> tuple[int, int, int, int]:
    """left, top, right, bottom in the stored frame, of size `stored` (width, height), for a box (x, y, width, height)
    in the upright frame; `turn` maps the stored frame to the upright one."""
    x, y, width, height = box
    if turn in SIDEWAYS:
        x, y, width, height = y, x, height, width
    across, down = stored[0] - x - width, stored[1] - y - height
    turns = Image.Transpose
    if turn in (turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.TRANSVERSE, turns.ROTATE_90):
        x = across
    if turn in (turns.FLIP_TOP_BOTTOM, turns.ROTATE_180, turns.TRANSVERSE, turns.ROTATE_270):
        y = down
    return x, y, x + width, y + height


def encode(result: Cut, format: str, quality: int | None = None) -> bytes:
    """The encoded file. JPEG has no alpha: transparent pixels are composited as by `on_white`."""
    picture = result.picture
    if picture.mode in ("LA", "RGBA") and picture.getextrema()[-1] == (255, 255):
        picture = picture.convert(picture.mode[:-1])
    if format == "jpeg" and picture.mode in ("LA", "RGBA"):
        picture = on_white(picture)
    if format in ("webp", "avif") and picture.mode in ("L", "LA"):
        picture = picture.convert("RGB" if picture.mode == "L" else "RGBA")
    options = options_of(format, quality)
    file = BytesIO()
    picture.save(file, format.upper(), icc_profile=result.profile or None, **options)
    return file.getvalue()


def options_of(format: str, quality: int | None) -> dict[str, Any]:
    """Pillow's options for an encoder. `quality`: ignored where there is none."""
    options = _OPTIONS.get(format, {})
    return options | {"quality": quality} if quality is not None and "quality" in options else options


def for_output(picture: Image.Image, space: Space, *, keep: bool = True) -> tuple[Image.Image, bytes]:
    """The picture in a mode that can be encoded, and the profile of its colours, empty for sRGB. RGB keeps its own
    profile, so that displays of a wide gamut show all of it; all else, and all without `keep`, is converted to sRGB."""
    if picture.mode == "LAB":
        return lab_to_rgb(picture), b""
    if picture.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        picture = picture.convert("RGB")
    if (
        keep
        and picture.mode in ("RGB", "RGBA")
        and space.of == b"RGB "
        and space.keep
        and len(space.profile) <= _MAX_PROFILE
    ):
        return picture, space.profile
    return to_srgb(picture, space), b""
