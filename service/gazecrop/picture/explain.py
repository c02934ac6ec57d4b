"""Draws the heat map, the salient points and the crop boxes over the picture. Pure.

Every line and letter is drawn twice, dark below and light above, so that it is legible on any picture.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gazecrop.picture.colour import on_white
from gazecrop.picture.decode import Limits
from gazecrop.picture.heatmap import COLOURS, smooth
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import Cut, cut, encode

LAYERS = ("heat", "points", "boxes")
LONG_SIDE = 1600  # of the drawing
SHORT_SIDE = 320  # smaller pictures are enlarged to it, so that labels have room

_DARK = (16, 16, 20)
_LIGHT = (255, 255, 255)
# Okabe and Ito's colours without black: distinguishable with red-green colour blindness
_BOX_COLOURS = (
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (230, 159, 0),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
_HEAT_OPACITY = 0.8  # at the peak of the map


def explain(
    data: bytes,
    levels: NDArray[np.uint8],
    points: Sequence[tuple[float, float, float]] = (),
    boxes: Sequence[tuple[str, int, int, int, int]] = (),
    *,
    layers: Collection[str] = LAYERS,
    format: str = "jpeg",
    quality: int | None = None,
    long_side: int = LONG_SIDE,
    box_unit: int | None = None,
    limits: Limits | None = None,
) -> bytes:
    """The whole upright picture as JPEG, PNG, WebP or AVIF. `levels`: the grid, uint8[rows, columns]. `points`: (x, y,
    score), fractions, the most salient first. `boxes`: (label, x, y, width, height), pixels of the upright picture.
    `box_unit`: the thickness of the lines of boxes in pixels, by which their labels scale; default: that of all lines.
    Raises `NotAPicture`, `PictureUnreadable`, `TooManyPixels`.
    """
    header = inspect(data)
    (limits or Limits()).check(header)
    size = drawing_size(header.width, header.height, long_side)
    scale = drawing_scale(header.width, header.height, long_side)
    whole = cut(data, header, (0, 0, header.width, header.height), size)
    picture = (
        on_white(whole.picture) if whole.picture.mode in ("LA", "RGBA") else whole.picture.convert("RGB")
    )
    if "heat" in layers:
        picture = _with_heat(picture, levels)
    draw = ImageDraw.Draw(picture)
    unit = max(1, round(max(size) / 500))  # the thickness of a line
    if "boxes" in layers:
        _draw_boxes(draw, boxes, scale, size, box_unit or unit)
    if "points" in layers:
        for number, (x, y, _) in enumerate(points, 1):
            _draw_point(draw, number, x * size[0], y * size[1], unit)
    return encode(Cut(picture, whole.profile), format, quality)


def drawing_size(width: int, height: int, long_side: int = LONG_SIDE) -> tuple[int, int]:
    """Width and height of the drawing of a picture, in pixels."""
    scale = drawing_scale(width, height, long_side)
    return max(1, round(width * scale)), max(1, round(height * scale))


def drawing_scale(width: int, height: int, long_side: int = LONG_SIDE) -> float:
    """Pixels of the drawing of a picture over those of the picture, along a side."""
    short, long = sorted((width, height))
    return min(long_side / long, max(1.0, SHORT_SIDE / short))


def _with_heat(picture: Image.Image, levels: NDArray[np.uint8]) -> Image.Image:
    """Colours over the picture, more opaque where the map is higher; elsewhere the picture is greyed."""
    heat = smooth(levels, picture.size)
    colours = Image.fromarray(COLOURS[heat])
    # linear from zero, so that the lowest levels show no steps; full opacity from half of the peak
    share = np.minimum(heat * np.float32(2), np.float32(255)) * np.float32(_HEAT_OPACITY)
    greyed = Image.blend(picture, picture.convert("L").convert("RGB"), 0.5)
    return Image.composite(colours, greyed, Image.fromarray(share.astype(np.uint8)))


def _draw_boxes(
    draw: ImageDraw.ImageDraw,
    boxes: Sequence[tuple[str, int, int, int, int]],
    scale: float,
    size: tuple[int, int],
    unit: int,
) -> None:
    frames = []
    for index, (_, x, y, width, height) in enumerate(boxes):
        inset = (index % 4) * 2 * unit  # keeps coinciding edges apart
        left, top = x * scale + inset, y * scale + inset
        right = max(left, (x + width) * scale - 1 - inset)
        bottom = max(top, (y + height) * scale - 1 - inset)
        draw.rectangle((left, top, right, bottom), outline=_DARK, width=3 * unit)
        if min(right - left, bottom - top) > 2 * unit:
            inner = (left + unit, top + unit, right - unit, bottom - unit)
            draw.rectangle(inner, outline=_BOX_COLOURS[index % len(_BOX_COLOURS)], width=unit)
        frames.append((left, top, right, bottom))
    taken: list[tuple[float, float, float, float]] = []
    for index, frame in enumerate(frames):  # after all lines, which would cross the labels
        _draw_label(draw, boxes[index][0], frame, _BOX_COLOURS[index % len(_BOX_COLOURS)], taken, size, unit)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    label: str,
    box: tuple[float, float, float, float],
    colour: tuple[int, int, int],
    taken: list[tuple[float, float, float, float]],
    size: tuple[int, int],
    unit: int,
) -> None:
    """Draws it in the first corner of the box, or further along its edge, that no other label covers."""
    font = _font(9 * unit + 6)
    wide = draw.textlength(label, font=font) + 6 * unit
    high = 12 * unit + 8
    left, top, right, bottom = box
    places = [
        (x, y)
        for step in range(8)
        for x, y in (
            (left, top + step * high),
            (right - wide, top + step * high),
            (left, bottom - (step + 1) * high),
            (right - wide, bottom - (step + 1) * high),
        )
    ]
    fitting = [(min(max(x, 0), size[0] - wide), min(max(y, 0), size[1] - high)) for x, y in places]
    x, y = next(
        (
            (x, y)
            for x, y in fitting
            if all(x + wide <= a or c <= x or y + high <= b or d <= y for a, b, c, d in taken)
        ),
        fitting[0],
    )
    taken.append((x, y, x + wide, y + high))
    draw.rectangle((x, y, x + wide, y + high), fill=_DARK)
    draw.rectangle((x, y, x + 2 * unit, y + high), fill=colour)
    draw.text((x + 4 * unit, y + high / 2), label, fill=_LIGHT, font=font, anchor="lm")


def _draw_point(draw: ImageDraw.ImageDraw, number: int, x: float, y: float, unit: int) -> None:
    radius = (9 if number == 1 else 7) * unit
    draw.circle((x, y), radius + unit, fill=_LIGHT)
    draw.circle((x, y), radius, fill=_DARK)
    draw.text((x, y), str(number), fill=_LIGHT, font=_font(radius * 1.3), anchor="mm")


@lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font: needs no font file on the machine."""
    return ImageFont.load_default(size)
