"""bytes -> Thumbnail: limits before pixels, scaled decoding, orientation, colour, alpha. Pure.

The steps, in order: read the header, apply the limits, open what makes pixels, decode scaled, reduce, make it
RGB, turn it upright. Colour is made RGB after reducing wherever the mode can be reduced, so that the dear part
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
from gazecrop.picture.probe import Header, heif, inspect, nearest_shape, unreadable_on_error

# What Pillow says about broken EXIF or TIFF tags is of no use to whoever runs a server. Once, not per call:
# `warnings.catch_warnings` is not safe in threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.\w+Plugin")

FLAT_RANGE = 3  # levels within every channel; JPEG noise on a flat ground stays within 2

_PLUGINS: dict[str, Callable[[BytesIO], ImageFile]] = {
    "jpeg": JpegImageFile,  # of an MPO the first picture, without a parse of its index
    "png": PngImageFile,
    "webp": WebPImageFile,
    "avif": AvifImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
    "heic": heif,
}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}  # these swap width and height


@dataclass(frozen=True, slots=True)
class Limits:
    """Pixels of one picture, and scans of a JPEG. JPEG may be larger, because it decodes scaled."""

    pixels_jpeg: int = 100_000_000
    pixels: int = 30_000_000
    scans: int = 64

    def check(self, header: Header) -> None:
        """Raises `TooManyPixels`, or `PictureUnreadable` for a JPEG of absurdly many scans."""
        limit = self.pixels_jpeg if header.format == "jpeg" else self.pixels
        pixels = header.width * header.height
        if pixels > limit:
            raise TooManyPixels(
                f"The picture has {header.width}x{header.height} = {pixels:,} pixels; "
                f"at most {limit:,} are read of a {header.format.upper()}.",
                limit=limit,
                received=pixels,
                fix="Send a smaller copy: the crops are the same in fractions.",
            )
        if header.walk.scans > self.scans:
            raise PictureUnreadable(
                f"A JPEG of more than {self.scans} scans is not read.", limit=self.scans, fix="Save it anew."
            )


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """`pixels`: uint8 RGB of one of the network's shapes, upright, the picture stretched to it. `width` and
    `height`: of the upright picture. `flat`: nothing is to be seen in it."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    rotated: bool
    flat: bool


def decode(
    data: bytes, limits: Limits, shapes: Sequence[tuple[int, int]], header: Header | None = None
) -> Thumbnail:
    """The picture as the network sees it, at the shape (height, width) of the nearest aspect. `header` saves a
    second look where `inspect` was called before.

    Raises `NotAPicture`, `PictureUnreadable`, `TooManyPixels`; nothing else, whatever the bytes.
    """
    header = header or inspect(data, shapes)
    limits.check(header)
    rows, columns = nearest_shape(header.width, header.height, shapes)
    with unreadable_on_error(header.format):
        picture = open_picture(data, header, coarse=header.draft == 8)
        box = scale_while_decoding(picture, header.draft)
        picture.load()
        turn = turn_of(header)
        small = reduced(picture, (rows, columns) if turn in SIDEWAYS else (columns, rows), box)
        pixels = np.asarray(small if turn is None else small.transpose(turn))
    return Thumbnail(pixels, header.width, header.height, header.format, header.rotated, flat(pixels))


def flat(pixels: NDArray[np.uint8]) -> bool:
    """Whether no channel spans more than `FLAT_RANGE` levels. Few pixels tell that of nearly every picture (15 µs);
    all of them take 4 ms."""
    return all(int(np.ptp(some, axis=(0, 1)).max()) <= FLAT_RANGE for some in (pixels[::16, ::16], pixels))


def open_picture(data: bytes, header: Header, *, coarse: bool = False, profile: bool = False) -> ImageFile:
    """Opens the file in Pillow, no pixel decoded. Of JPEG, PNG and GIF it is given only what makes pixels, and the
    colour profile when asked for: its parsers never see EXIF, XMP or text. `coarse`: of a progressive JPEG only
    what shows at 1/8 of its sides."""
    walk = header.walk
    parts = walk.coarse if coarse and walk.coarse else walk.parts
    if parts:
        view = memoryview(data)
        wanted = parts[:1] + walk.profile + parts[1:] if profile else parts
        data = b"".join(view[part] for part in wanted)
    return _PLUGINS[header.format](BytesIO(data))


def scale_while_decoding(picture: ImageFile, scale: int) -> tuple[float, float, float, float] | None:
    """Sets a JPEG to be decoded at 1/scale; answers the box of the whole picture in its pixels then, which ends
    within the last column and row where scale does not divide the sides."""
    if scale == 1:
        return None
    width, height = picture.size
    draft = picture.draft(None, (width // scale, height // scale))
    return None if draft is None else draft[1]


def turn_of(header: Header) -> Image.Transpose | None:
    """What turns the loaded picture upright. Pillow turns TIFF while it loads, and nothing else."""
    return None if header.format == "tiff" else _TURNS.get(header.walk.orientation)


def reduced(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None
) -> Image.Image:
    """The loaded picture stretched to `size` (width, height), RGB. Each pixel is the mean of its area (boxes by an
    integer, then a triangle); transparent pixels weigh nothing, and the rest of them is mid-grey."""
    picture = reducible(picture)
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert({"LA": "La", "RGBA": "RGBa"}[picture.mode])
    small = picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    if small.mode in ("La", "RGBa"):
        premultiplied = np.asarray(small).astype(np.uint16)
        alpha = premultiplied[..., -1:]
        mixed = premultiplied[..., :-1] + ((255 - alpha) * MID_GREY + 127) // 255
        small = Image.fromarray(np.broadcast_to(mixed, (*mixed.shape[:2], 3)).clip(0, 255).astype(np.uint8))
    if small.mode == "LAB":
        return lab_to_rgb(small)
    return small if small.mode == "RGB" else small.convert("RGB")
