"""bytes -> Thumbnail: limits before pixels, scaled decoding, orientation, colour, alpha. Pure.

The steps, in order: read the header, apply the limits, open the pixel data, decode scaled, reduce, convert to RGB,
turn upright. Colours are converted after reducing wherever the mode can be averaged, so that the expensive step
runs on few pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.errors import PictureUnreadable, TooManyPixels
from gazecrop.picture.colour import MID_GREY, lab_to_rgb, reducible
from gazecrop.picture.load import SIDEWAYS, load_picture, turn_of
from gazecrop.picture.probe import Header, inspect, nearest_shape, unreadable_on_error
from gazecrop.picture.space import SRGB, Space, space_of, to_srgb

FLAT_RANGE = 3  # levels within every channel; JPEG noise on a flat ground stays within 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum pixels of one picture, and scans of a JPEG. A JPEG may be larger, because it decodes scaled."""

    pixels_jpeg: int = 100_000_000
    pixels: int = 30_000_000
    scans: int = 64

    def check(self, header: Header) -> None:
        """Raises `TooManyPixels`, or `PictureUnreadable` for a JPEG of too many scans."""
        limit = self.pixels_jpeg if header.format == "jpeg" else self.pixels
        pixels = header.width * header.height
        if pixels > limit:
            raise TooManyPixels(
                f"The picture has {header.width}x{header.height} = {pixels:,} pixels; "
                f"the limit for {header.format.upper()} is {limit:,}.",
                limit=limit,
                received=pixels,
                fix="Send a smaller copy: the crops are the same in fractions.",
            )
        if header.walk.scans > self.scans:
            raise PictureUnreadable(
                f"A JPEG may have at most {self.scans} scans.",
                limit=self.scans,
                fix="Save it as a baseline JPEG.",
            )


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """`pixels`: uint8 RGB of one of the network's shapes, upright, the picture stretched to it. `width` and
    `height`: of the upright picture. `flat`: a picture of one colour."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    orientation: int  # EXIF, 1 to 8: how the stored frame is turned or mirrored
    flat: bool

    @property
    def rotated(self) -> bool:
        return self.orientation != 1


def decode(
    data: bytes, limits: Limits, shapes: Sequence[tuple[int, int]], header: Header | None = None
) -> Thumbnail:
    """The network's input: the picture at the shape (height, width) of the nearest aspect. `header`: the result of
    `inspect`, if it was called before, to save a second parse.

    Raises `NotAPicture`, `PictureUnreadable`, `TooManyPixels`; nothing else for any bytes.
    """
    header = header or inspect(data, shapes)
    limits.check(header)
    rows, columns = nearest_shape(header.width, header.height, shapes)
    with unreadable_on_error(header.format):
        picture, box = load_picture(data, header, header.draft)
        turn = turn_of(header)
        size = (rows, columns) if turn in SIDEWAYS else (columns, rows)
        small = reduced(picture, size, box, space_of(data, header.walk.colours))
        pixels = np.asarray(small if turn is None else small.transpose(turn))
    return Thumbnail(pixels, header.width, header.height, header.format, header.orientation, flat(pixels))


def flat(pixels: NDArray[np.uint8]) -> bool:
    """Whether no channel spans more than `FLAT_RANGE` levels. A sample decides for nearly every picture (15 µs); all
    pixels take 4 ms."""
    return all(int(np.ptp(some, axis=(0, 1)).max()) <= FLAT_RANGE for some in (pixels[::16, ::16], pixels))


def reduced(
    picture: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None,
    space: Space = SRGB,
) -> Image.Image:
    """The loaded picture, its colours those of `space`, stretched to `size` (width, height), sRGB. Each pixel is the
    mean of its area (boxes by an integer, then a triangle); transparent pixels have no weight, and what stays
    transparent becomes mid-grey."""
    picture = reducible(picture)
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert({"LA": "La", "RGBA": "RGBa"}[picture.mode])
    small = picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    if space is not SRGB and small.mode != "LAB":
        straight = {"La": "LA", "RGBa": "RGBA", "YCbCr": "RGB"}.get(small.mode, small.mode)
        small = to_srgb(small.convert(straight), space)
        small = small.convert({"LA": "La", "RGBA": "RGBa"}.get(small.mode, small.mode))
    if small.mode in ("La", "RGBa"):
        premultiplied = np.asarray(small).astype(np.uint16)
        alpha = premultiplied[..., -1:]
        mixed = premultiplied[..., :-1] + ((255 - alpha) * MID_GREY + 127) // 255
        small = Image.fromarray(np.broadcast_to(mixed, (*mixed.shape[:2], 3)).clip(0, 255).astype(np.uint8))
    if small.mode == "LAB":
        return lab_to_rgb(small)
    return small if small.mode == "RGB" else small.convert("RGB")
