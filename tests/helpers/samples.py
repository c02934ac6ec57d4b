"""Pictures in all formats for the tests of decoding and rendering: every turn, mirror and colour is detectable."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.pictures import encode

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
# The transpose from an upright picture to the frame stored under EXIF orientation k.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(width: int = 640, height: int = 480) -> Image.Image:
    """A gradient with a red and a blue box: no symmetry, so that every turn and mirror is detectable."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pixels = np.stack([40 + 160 * x, 60 + 120 * y, 200 - 120 * x * y], axis=-1).astype(np.uint8)
    pixels[height // 8 : height // 3, width // 10 : width // 3] = (220, 30, 30)
    pixels[height // 2 : height * 7 // 8, width // 2 : width * 4 // 5] = (20, 20, 160)
    return Image.fromarray(pixels)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def _samples() -> dict[str, bytes]:
    small = scene(80, 60)
    samples = {format: encode(small, format) for format in FORMATS}
    samples["JPEG progressive"] = encode(small, "JPEG", progressive=True, exif=exif(6))
    samples["PNG palette"] = encode(small.convert("P"), "PNG")
    samples["WEBP lossless"] = encode(small.convert("RGBA"), "WEBP", lossless=True, exif=exif(3))
    samples["TIFF deflate"] = encode(small, "TIFF", compression="tiff_adobe_deflate", exif=exif(8))
    samples["GIF animated"] = encode(small, "GIF", save_all=True, append_images=[small.rotate(90)])
    return samples


SAMPLES = _samples()
