"""A saliency map as a picture: from dark violet (least salient) by red and orange to pale yellow (most). Pure.

The colours follow a curve in OKLab (B. Ottosson, 2020) whose lightness rises linearly: equal steps of the map look
equally large, also in greyscale and with red-green colour blindness.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONG_SIDE = 640  # of a heat map; a grid of 30x40 cells gains nothing from more pixels


def heat_map(levels: NDArray[np.uint8], width: int, height: int, long_side: int = LONG_SIDE) -> bytes:
    """PNG of the grid's `levels` (uint8[rows, columns], 0 to 31) in the proportions of the picture, its long side at
    most `long_side` pixels."""
    scale = min(1.0, long_side / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(smooth(levels, size))
    picture.putpalette(COLOURS.tobytes())
    file = BytesIO()
    picture.save(file, "PNG", compress_level=4)
    return file.getvalue()


def smooth(levels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The levels, scaled so that the highest is 255, enlarged smoothly (bicubic) to `size` (width, height)."""
    top = max(int(levels.max()), 1)
    cells = Image.fromarray((levels.astype(np.uint16) * 255 // top).astype(np.uint8))
    return np.asarray(cells.resize(size, Image.Resampling.BICUBIC))


def _colours() -> NDArray[np.uint8]:
    """uint8[256, 3] sRGB. Lightness 0.12 to 0.97; the hue turns from violet (295°) by red to yellow (105° + 360°)."""
    t = np.linspace(0, 1, 256)
    lightness = 0.12 + 0.85 * t
    chroma = 0.165 * np.sin(np.pi * (0.16 + 0.76 * t))
    hue = np.radians(295 + 170 * t**0.9)
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    ).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255 + 0.5).astype(np.uint8)


COLOURS = _colours()
