"""Where a picture lies in the network's input: stretched to it within limits, beyond them with grey bars at two sides.

A tall picture or a panorama that is stretched to 4:3 looks unlike what the network was trained on. On strips cut from
the pictures of "val", by the fixations inside them, crops along the strip score 65 instead of 62 at 9:16, 64 and 52 at
0.3, 58 and 50 at 4:1, 57 and 40 at 7:1, and 215 instead of 32 of 335 faces are found at 4:1. The limits were chosen on
"train", where bars changed nothing at 16:9. The model card has the table.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gazecrop.picture.colour import MID_GREY

Pixels = NDArray[np.uint8]
CELL = 8  # pixels of the input for a cell of the map: bars are whole cells

# Narrower or wider than the input by more than the limits a picture gets bars, and is stretched by so much only. For an
# input of 4:3: below 1:1 as if it were 1:1, above 2:1 as if it were 3:2.
LIMITS, STRETCHED = (3 / 4, 3 / 2), (3 / 4, 9 / 8)


class Inside(NamedTuple):
    """The rectangle of the picture, in pixels of the input of this shape (`rows`, `columns`)."""

    left: int
    top: int
    width: int
    height: int
    rows: int
    columns: int

    def cells(self, grid: tuple[int, int]) -> tuple[slice, slice]:
        """Its rows and columns in a map of these (rows, columns) over the whole input."""
        down, across = grid
        return (
            slice(self.top * down // self.rows, (self.top + self.height) * down // self.rows),
            slice(self.left * across // self.columns, (self.left + self.width) * across // self.columns),
        )


def inside(width: int, height: int, shape: tuple[int, int]) -> Inside:
    """Of a picture of this size in an input of this shape (height, width)."""
    rows, columns = shape
    stretch = (width * rows) / (height * columns)
    across, down = columns // CELL, rows // CELL
    whole = Inside(0, 0, columns, rows, rows, columns)
    if rows % CELL or columns % CELL:  # of a network with other cells
        return whole
    if stretch < LIMITS[0]:
        cells = max(1, round(across * stretch / STRETCHED[0]))
        return Inside((across - cells) // 2 * CELL, 0, cells * CELL, rows, rows, columns)
    if stretch > LIMITS[1]:
        cells = max(1, round(down * STRETCHED[1] / stretch))
        return Inside(0, (down - cells) // 2 * CELL, columns, cells * CELL, rows, columns)
    return whole


def with_bars(pixels: Pixels, place: Inside) -> Pixels:
    """uint8[rows, columns, 3]: the picture, which is as large as its rectangle, in it."""
    if pixels.shape[:2] == (place.rows, place.columns):
        return pixels
    found = np.full((place.rows, place.columns, 3), MID_GREY, np.uint8)
    found[place.top : place.top + place.height, place.left : place.left + place.width] = pixels
    return found
