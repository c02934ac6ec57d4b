"""bytes -> Thumbnail: limits before pixels, scaled decoding, orientation, colour, alpha. Pure.

The steps, in order: read the header, apply the limits, open the pixel data, decode scaled, reduce, convert to RGB,
turn upright. Colours are converted after reducing wherever the mode can be averaged, so that the expensive step
runs on few pixels.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gazecrop.errors import PictureUnreadable, TooManyPixels
from gazecrop.picture.colour import MID_GREY, lab_to_rgb, reducible
from gazecrop.picture.frames import on_canvas, still
from gazecrop.picture.jpeg_end import with_end
from gazecrop.picture.probe import Header, heif, inspect, nearest_shape, unreadable_on_error
from gazecrop.picture.space import SRGB, Space, space_of, to_srgb
from gazecrop.picture.tiff import read_tiff

# Pillow's warnings about broken EXIF or TIFF tags do not help an operator. Filtered once, not per call:
# `warnings.catch_warnings` is not thread-safe.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.\w+Plugin")

FLAT_RANGE = 3  # levels within every channel; JPEG noise on a flat ground stays within 2

_PLUGINS: dict[str, Callable[[BytesIO], ImageFile]] = {
    "jpeg": JpegImageFile,  # the first picture of an MPO, whose index is not parsed
    "png": PngImageFile,
    "webp": WebPImageFile,
    "avif": AvifImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
    "heic": heif,
}

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {TURNS[orientation] for orientation in (5, 6, 7, 8)}  # swap width and height


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


def load_picture(
    data: bytes, header: Header, scale: int = 1
) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
    """Decodes the picture as stored, but TIFF upright; a JPEG at 1/scale of its sides. The box is that of
    `_scale_while_decoding`. Raises what Pillow raises."""
    if header.walk.layout is not None:
        stored = read_tiff(data, (header.walk.width, header.walk.height), header.walk.layout)
        turn = TURNS.get(header.walk.orientation)
        return (stored if turn is None else stored.transpose(turn)), None
    picture = _open(data, header, coarse=scale == 8)
    box = _scale_while_decoding(picture, scale)
    try:
        picture.load()
    except OSError:
        complete = with_end(data, header.walk) if header.format == "jpeg" else None
        if complete is None:
            raise
        picture = JpegImageFile(BytesIO(complete))
        box = _scale_while_decoding(picture, scale)
        picture.load()
    frame = header.walk.frame
    return (picture if frame is None else on_canvas(picture, header.walk, frame)), box


def _open(data: bytes, header: Header, *, coarse: bool) -> ImageFile:
    """Opens the file in Pillow; decodes no pixel. For JPEG, PNG and GIF Pillow gets only the pixel data: never a colour
    profile, EXIF, XMP or text. `coarse`: of a progressive JPEG only the scans that matter at 1/8 of its sides."""
    walk = header.walk
    parts = walk.coarse if coarse and walk.coarse else walk.parts
    if walk.frame is not None:
        data = still(data, header.format, walk, walk.frame)
    elif parts:
        view = memoryview(data)
        data = b"".join(view[part] for part in parts)
    picture = _PLUGINS[header.format](BytesIO(data))
    if header.format == "png":
        _scale_key(picture, bits=data[24])
    if walk.arithmetic:
        picture.decodermaxblock = len(data)  # libjpeg cannot wait for more data in the midst of such a scan
    return picture


def _scale_key(picture: ImageFile, *, bits: int) -> None:
    """Pillow scales samples to 8 bits, but not the transparent colour (tRNS) that is compared with them. Grey of 16
    bits keeps its samples; of colour with 16 bits only the high bytes are left to compare."""
    key = picture.info.get("transparency")
    if isinstance(key, tuple) and bits == 16:
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    elif isinstance(key, int) and picture.mode == "L" and bits < 8:
        picture.info["transparency"] = key * 255 // ((1 << bits) - 1)


def _scale_while_decoding(picture: ImageFile, scale: int) -> tuple[float, float, float, float] | None:
    """Sets a JPEG to be decoded at 1/scale. Returns the box of the whole picture in the scaled pixels, which ends
    inside the last column and row where `scale` does not divide the sides."""
    if scale == 1:
        return None
    width, height = picture.size
    draft = picture.draft(None, (width // scale, height // scale))
    return None if draft is None else draft[1]


def turn_of(header: Header) -> Image.Transpose | None:
    """The transpose that turns the loaded picture upright. Pillow itself turns TIFF, and nothing else."""
    return None if header.format == "tiff" else TURNS.get(header.walk.orientation)


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
