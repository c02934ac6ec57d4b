"""bytes -> Thumbnail: limits before pixels, scaled decoding, frames, orientation, colour, alpha. Pure.

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
from gazecrop.picture.animation import composed, space_of_canvas
from gazecrop.picture.bars import Inside, inside, with_bars
from gazecrop.picture.colour import MID_GREY, lab_to_rgb, reducible
from gazecrop.picture.containers.walk import MOST_FRAMES
from gazecrop.picture.load import SIDEWAYS, load_picture, turn_of
from gazecrop.picture.probe import Header, inspect, nearest_shape, unreadable_on_error
from gazecrop.picture.sampling import Sample
from gazecrop.picture.space import SRGB, Space, space_of, to_srgb

FLAT_RANGE = 3  # levels within every channel; JPEG noise on a flat ground stays within 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum pixels of one picture, and scans of a JPEG. A JPEG may be larger, because it decodes scaled.
    `pixels_animated`: of all frames of an animation that is kept animated, each as large as the canvas."""

    pixels_jpeg: int = 100_000_000
    pixels: int = 30_000_000
    scans: int = 64
    pixels_animated: int = 100_000_000

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

    def check_animation(self, header: Header) -> None:
        """Raises `TooManyPixels` for an animation that is not kept animated."""
        pixels = header.frames * header.width * header.height
        if header.frames > MOST_FRAMES or pixels > self.pixels_animated or header.walk.partial:
            raise TooManyPixels(
                f"The animation has {header.frames:,} frames of {header.width}x{header.height} pixels, together "
                f"{pixels:,}; the limits are {MOST_FRAMES:,} and {self.pixels_animated:,}.",
                limit=self.pixels_animated,
                received=pixels,
                fix="Send a smaller or shorter one, or crop its first frame with animated=false.",
            )


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """`frames`: uint8 RGB of one of the network's shapes, upright, the picture in the rectangle `inside`. Of an
    animation up to five, whose mean by `weights` is the map; those of one colour are left out. `width` and `height`: of
    the upright picture. `flat`: a picture of one colour in all frames. `count`: frames of the file."""

    frames: tuple[NDArray[np.uint8], ...]
    width: int
    height: int
    format: str
    orientation: int  # EXIF, 1 to 8: how the stored frame is turned or mirrored
    flat: bool
    inside: Inside
    weights: tuple[int, ...] = (1,)
    count: int = 1

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture, or the first of the frames."""
        return self.frames[0]

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
    width, height = header.width, header.height
    place = inside(width, height, nearest_shape(width, height, shapes))
    if header.sample is not None:
        return _decode_animation(data, header, header.sample, place)
    with unreadable_on_error(header.format):
        pixels = stretched(data, header, header.draft, (place.width, place.height))
    frame = with_bars(pixels, place)
    return Thumbnail((frame,), width, height, header.format, header.orientation, flat(pixels), place)


def stretched(data: bytes, header: Header, scale: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8[height, width, 3]: the first picture of a file, upright, of this `size` (width, height); a JPEG is decoded
    at 1/scale of its sides. Raises what Pillow raises."""
    picture, box = load_picture(data, header, scale)
    return upright(picture, size, turn_of(header), box, space_of(data, header.walk.colours))


def upright(
    picture: Image.Image,
    size: tuple[int, int],
    turn: Image.Transpose | None,
    box: tuple[float, float, float, float] | None,
    space: Space,
) -> NDArray[np.uint8]:
    """uint8[height, width, 3]: as `reduced`, then turned. `size` (width, height): after the turn."""
    small = reduced(picture, size[::-1] if turn in SIDEWAYS else size, box, space)
    return np.asarray(small if turn is None else small.transpose(turn))


def _decode_animation(data: bytes, header: Header, sample: Sample, place: Inside) -> Thumbnail:
    space, turn = space_of_canvas(data, header), turn_of(header)
    size = place.width, place.height
    seen, weights = [], []
    with unreadable_on_error(header.format):
        for canvas in composed(data, header, sample.order):
            if canvas.index in sample.frames:
                seen.append(upright(canvas.picture, size, turn, None, space))
                weights.append(sample.weights[sample.frames.index(canvas.index)])
        if not seen:  # a broken frame precedes the first of them: what is shown before it
            seen.append(upright(canvas.picture, size, turn, None, space))
            weights.append(1)
    shown = [i for i, pixels in enumerate(seen) if not flat(pixels)]
    kept = shown or [0]
    return Thumbnail(
        tuple(with_bars(seen[i], place) for i in kept),
        header.width,
        header.height,
        header.format,
        header.orientation,
        not shown,
        place,
        tuple(weights[i] for i in kept),
        header.frames,
    )


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
