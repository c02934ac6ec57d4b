"""Transformations that do not change what a picture shows, and their inverses on saliency maps. Pure.

The recipe's robustness table (model_store/recipe/judge/robustness.py) uses the same ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import PARTS, Object

Density = NDArray[np.float64]
BORDER = 0.1  # width of the padding and the border, as a fraction of the side


@dataclass(frozen=True, slots=True)
class Transform:
    """`change`: RGB picture -> bytes of a file. `back`: density of the changed picture -> density of the original.
    `moved`: the same of an object; None: it is outside the original."""

    name: str
    change: Callable[[Image.Image], bytes]
    back: Callable[[Density], Density] = lambda density: density
    moved: Callable[[Object], Object | None] = lambda one: one

    def on_original(self, grid: SaliencyGrid, width: int, height: int) -> SaliencyGrid:
        """The map of the changed picture as a map of the original, which has this size."""
        objects = [one for one in map(self.moved, grid.objects) if one is not None]
        return SaliencyGrid.from_density(self.back(grid.density()), width, height, objects=objects)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def half(image: Image.Image) -> bytes:
    size = max(1, image.width // 2), max(1, image.height // 2)
    return saved(image.resize(size, Image.Resampling.LANCZOS))


def q60(image: Image.Image) -> bytes:
    return saved(image, "JPEG", quality=60)


def mirror(image: Image.Image) -> bytes:
    return saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def cmyk(image: Image.Image) -> bytes:
    return saved(image.convert("CMYK"), "TIFF")


def turned(image: Image.Image) -> bytes:
    """Stored rotated, with the EXIF orientation that undoes it."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return saved(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=tags.tobytes())


def _bordered(image: Image.Image, colour: tuple[int, int, int]) -> bytes:
    across, down = round(BORDER * image.width), round(BORDER * image.height)
    return saved(ImageOps.expand(image, (across, down), colour))


def _unbordered(density: Density) -> Density:
    """The part within the border, resampled to as many cells; the density is taken as constant within a cell."""
    return _cut(_cut(density).T).T


def _mirrored(one: Object) -> Object:
    return replace(one, left=PARTS - one.right, right=PARTS - one.left)


def _inwards(one: Object) -> Object | None:
    edges = (one.left, one.top, one.right, one.bottom)
    moved = [min(max(round((1 + 2 * BORDER) * edge - BORDER * PARTS), 0), PARTS) for edge in edges]
    left, top, right, bottom = moved
    return Object(one.kind, left, top, right, bottom, one.score) if left < right and top < bottom else None


def _cut(density: Density) -> Density:
    rows = len(density)
    whole = 1 + 2 * BORDER
    sums = np.concatenate((np.zeros((1, density.shape[1])), np.cumsum(density, axis=0)))
    ends = np.linspace(rows * BORDER / whole, rows * (1 + BORDER) / whole, rows + 1)
    below = np.minimum(ends.astype(int), rows - 1)
    upto = sums[below] + (ends - below)[:, None] * (sums[below + 1] - sums[below])
    return np.diff(upto, axis=0)


TRANSFORMS = {
    one.name: one
    for one in (
        Transform("half size", half),
        Transform("JPEG quality 60", q60),
        Transform("mirrored", mirror, lambda density: density[:, ::-1], _mirrored),
        Transform("CMYK", cmyk),
        Transform("turned, with EXIF", turned),
        Transform("white padding", lambda image: _bordered(image, (255, 255, 255)), _unbordered, _inwards),
        Transform("grey border", lambda image: _bordered(image, (128, 128, 128)), _unbordered, _inwards),
    )
}
