"""`zoom=auto`: the tightest box of a ratio in which the subject fills a given share. The same in gazecrop.js.

The subject is the most important protected face, with its head; without one the smallest box of whole cells that holds
the main point and 60 % of the importance. Where a person's focus decides, the face must hold that point, and the box of
cells is the one around it.

A head fills its share by its height, so that heads of several portraits are equally tall; any other subject by the
larger of its two shares. The box is at most 4 times smaller than the largest one, and as large as the `keep` boxes and
the subject need that fit into the largest one together. It is placed with the eyes at a third of its height, or the
middle of another subject in its middle, as far as the subject stays whole and the picture allows.
Sizes are exact fractions; places are doubles, computed in the same order in both languages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import PARTS, Kind
from gazecrop.crop.placing import Constraint
from gazecrop.crop.points import Point
from gazecrop.crop.ratios import Ratio, box_size

LEAST_FILL, MOST_FILL = Fraction(3, 10), Fraction(9, 10)
CLOSEST = 4  # of all zooms
HELD = Fraction(3, 5)  # of the importance, by a subject without a face
WIDEST_HEAD = Fraction(9, 10)  # of the box's width: a head in a narrow box is limited by its width
# Of a head's box from above: a detector has the eyes at 0.4 of its box, which HEAD in objects.py makes 1.2 times as
# tall, by 0.15 above.
EYES = 0.46
UPPER_THIRD = 1 / 3  # of the box's height: the line for the eyes


@dataclass(frozen=True, slots=True)
class AutoZoom:
    """`fill`: 0.3 to 0.9. `align`: where the subject's middle is in the box, fractions; None: as in the module's
    docstring. `pixels`: of the output, which the box is not smaller than; 1 where a side is not known."""

    fill: Fraction = HELD
    align: tuple[float, float] | None = None
    pixels: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Edges in `parts` of the picture's sides, (across, down)."""

    left: int
    top: int
    right: int
    bottom: int
    parts: tuple[int, int]
    face: bool

    def zoom(
        self, auto: AutoZoom, ratio: Ratio, width: int, height: int, constraints: Iterable[Constraint] = ()
    ) -> Fraction:
        """1 to 4, for a picture of width x height pixels. `constraints`: those of kind `keep` stay inside."""
        p, q = ratio.numerator, ratio.denominator
        if width * q > height * p:
            largest = Fraction(height * p, q), Fraction(height)
        else:
            largest = Fraction(width), Fraction(width * q, p)
        across = Fraction((self.right - self.left) * width, self.parts[0])
        down = Fraction((self.bottom - self.top) * height, self.parts[1])
        zoom = min(
            largest[0] * (WIDEST_HEAD if self.face else auto.fill) / across,
            largest[1] * auto.fill / down,
            largest[0] / auto.pixels[0],
            largest[1] / auto.pixels[1],
        )
        if keep := [each.edges(width, height) for each in constraints if each.kind == "keep"]:
            size = _together([*keep, self.whole.edges(width, height)], *box_size(ratio, width, height))
            zoom = min(zoom, largest[0] / size[0], largest[1] / size[1])
        return min(max(zoom, Fraction(1)), Fraction(CLOSEST))

    @property
    def whole(self) -> Constraint:
        """That the subject is entirely inside the box."""
        across, down = self.parts
        size = (self.right - self.left) / across, (self.bottom - self.top) / down
        return Constraint("keep", self.left / across, self.top / down, *size)

    def corner(self, auto: AutoZoom, size: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
        """Of the box of this size, in pixels."""
        align = auto.align
        on_eyes = self.face and align is None
        x, y = (0.5, UPPER_THIRD if self.face else 0.5) if align is None else align
        return (
            _offset(self.left, self.right, self.parts[0], 0.5, x, size[0], picture[0]),
            _offset(self.top, self.bottom, self.parts[1], EYES if on_eyes else 0.5, y, size[1], picture[1]),
        )


def _together(boxes: Iterable[tuple[int, int, int, int]], wide: int, high: int) -> tuple[int, int]:
    """The size of the box, at least one pixel, around those of these boxes, in their order, that fit into one of wide x
    high pixels together. Edges are left, top, right, bottom in pixels."""
    around: tuple[int, int, int, int] | None = None
    for each in boxes:
        left, top, right, bottom = each
        if around is not None:
            left, top = min(left, around[0]), min(top, around[1])
            right, bottom = max(right, around[2]), max(bottom, around[3])
        if right - left <= wide and bottom - top <= high:
            around = left, top, right, bottom
    return (1, 1) if around is None else (max(around[2] - around[0], 1), max(around[3] - around[1], 1))


def _offset(first: int, last: int, parts: int, at: float, target: float, length: int, side: int) -> int:
    """`at`: the place in the subject that is put at `target` of the box, both fractions."""
    low, high = first * side / parts, last * side / parts
    offset = floor(low + (high - low) * at - target * length + 0.5)
    if ceil(high) - floor(low) <= length:
        offset = min(max(offset, ceil(high) - length), floor(low))
    return min(max(offset, 0), side - length)


def aligned(point: float, target: float, length: int, side: int) -> int:
    """The offset of the window that has the point at `target` of its length, inside the picture."""
    return min(max(floor(point * side - target * length + 0.5), 0), side - length)


def find_subject(
    grid: SaliencyGrid,
    points: tuple[Point, ...],
    protect: tuple[Kind, ...],
    focus: tuple[float, float] | None = None,
) -> Subject | None:
    """`points`: of the map. `focus`: of a person, where it decides. None for a flat map without such a face."""
    if "face" in protect:
        for each in grid.objects:
            edges = each.left, each.top, each.right, each.bottom
            if each.kind == "face" and (focus is None or _holds(edges, focus)):
                return Subject(*edges, (PARTS, PARTS), True)
    if not points:
        return None
    x, y = focus or (points[0].x, points[0].y)
    column = min(floor(x * grid.columns), grid.columns - 1)
    row = min(floor(y * grid.rows), grid.rows - 1)
    return Subject(*_smallest(grid, row, column), (grid.columns, grid.rows), False)


def _holds(edges: tuple[int, int, int, int], point: tuple[float, float]) -> bool:
    x, y = point[0] * PARTS, point[1] * PARTS
    return edges[0] <= x <= edges[2] and edges[1] <= y <= edges[3]


def _smallest(grid: SaliencyGrid, row: int, column: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom in cells of the smallest box that holds this cell and HELD of the sum of all; of
    equally small ones the one with the largest sum, then the upper, the left, the lower."""
    levels = grid.levels.astype(np.int64)
    rows, columns = levels.shape
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = levels.cumsum(axis=0).cumsum(axis=1)
    least = -(-HELD.numerator * int(sums[-1, -1]) // HELD.denominator)
    lefts, rights = np.arange(column + 1), np.arange(column + 1, columns + 1)
    best: tuple[int, int, int, int, int] | None = None
    box = 0, 0, columns, rows
    for top in range(row + 1):
        lines = sums[row + 1 :] - sums[top]  # [bottoms, columns + 1]
        held = lines[:, None, rights] - lines[:, lefts, None]  # [bottoms, lefts, rights]
        area = (np.arange(row + 1, rows + 1) - top)[:, None, None] * (rights[None] - lefts[:, None])[None]
        area = np.where(held >= least, area, rows * columns + 1)
        smallest = int(area.min())
        if smallest > rows * columns or (best is not None and smallest > best[0]):
            continue
        bottom, left, right = np.nonzero(area == smallest)
        for b, a, c in zip(bottom.tolist(), left.tolist(), right.tolist(), strict=True):
            key = smallest, -int(held[b, a, c]), top, a, b
            if best is None or key < best:
                best, box = key, (a, top, int(rights[c]), row + 1 + b)
    return box
