"""The pixels of a file, by the decoder of its format: a JPEG scaled, the first frame of an animation. Pure."""

import warnings
from collections.abc import Callable
from io import BytesIO

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gazecrop.picture.containers.walk import Frame
from gazecrop.picture.frames import on_canvas, still
from gazecrop.picture.jpeg_end import with_end
from gazecrop.picture.probe import Header, heif
from gazecrop.picture.tiff import read_tiff

# Pillow's warnings about broken EXIF or TIFF tags do not help an operator. Filtered once, not per call:
# `warnings.catch_warnings` is not thread-safe.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.\w+Plugin")

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


def load_picture(
    data: bytes, header: Header, scale: int = 1
) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
    """Decodes the picture as stored, but TIFF upright; a JPEG at 1/scale of its sides. The box is that of
    `_scale_while_decoding`. Raises what Pillow raises."""
    if header.walk.layout is not None:
        stored = read_tiff(data, (header.walk.width, header.walk.height), header.walk.layout)
        turn = TURNS.get(header.walk.orientation)
        return (stored if turn is None else stored.transpose(turn)), None
    picture = _open(data, header, header.walk.frame, coarse=scale == 8)
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


def load_frame(data: bytes, header: Header, frame: Frame) -> Image.Image:
    """Decodes one frame of a GIF, WebP or APNG alone, at the size that it has in the file. Raises as `load_picture`."""
    picture = _open(data, header, frame, coarse=False)
    picture.load()
    return picture


def _open(data: bytes, header: Header, frame: Frame | None, *, coarse: bool) -> ImageFile:
    """Opens the file in Pillow; decodes no pixel. For JPEG, PNG and GIF Pillow gets only the pixel data: never a colour
    profile, EXIF, XMP or text. `frame`: only this part of an animation. `coarse`: of a progressive JPEG only the scans
    that matter at 1/8 of its sides."""
    walk = header.walk
    parts = walk.coarse if coarse and walk.coarse else walk.parts
    if frame is not None:
        data = still(data, header.format, walk, frame)
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
