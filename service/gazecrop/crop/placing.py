"""Placement of a box of given size: exact sums of saliency over the grid, hard constraints, ties to the middle.

The map is a piecewise-constant density: cell (row, column) covers width/columns x height/rows pixels. Lengths are
counted in pixel x cell units (a pixel is `columns` units wide, a cell `width`), so that every cell border and every
pixel border is an integer, and so is every sum: below 31 x 64e6 x 1200 < 2^53, exact in int64 and in a double alike.
gazecrop.js finds the same boxes because nothing is rounded.

Along an axis the sum in a sliding window is piecewise linear, with bends where an end of the window is at a cell
border. The largest sum over whole pixels is therefore at a pixel beside a bend: a few hundred candidates.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, floor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.grid import SaliencyGrid

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_ONES = np.ones(255)  # a grid has at most so many rows and columns
_START = np.zeros(1, np.int64)
SLACK = 1e-6  # of a pixel: 0.1 + 0.2 of a side is 0.3 of it in spite of binary rounding


class Box(NamedTuple):
    """Integer pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int

    @property
    def ltrb(self) -> tuple[int, int, int, int]:
        """left, top, right, bottom: for `PIL.Image.Image.crop`."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True, slots=True)
class Constraint:
    """A box, in fractions of the picture, that must be wholly inside (`keep`) or wholly outside (`avoid`) a crop."""

    kind: str
    x: float
    y: float
    width: float
    height: float

    def edges(self, width: int, height: int) -> tuple[int, int, int, int]:
        """left, top, right, bottom in pixels, rounded outwards."""
        return (
            max(floor(self.x * width + SLACK), 0),
            max(floor(self.y * height + SLACK), 0),
            min(ceil((self.x + self.width) * width - SLACK), width),
            min(ceil((self.y + self.height) * height - SLACK), height),
        )

    def met(self, box: Box, width: int, height: int) -> bool:
        left, top, right, bottom = self.edges(width, height)
        if self.kind == "keep":
            return (
                box.x <= left and box.y <= top and right <= box.x + box.width and bottom <= box.y + box.height
            )
        return right <= box.x or bottom <= box.y or box.x + box.width <= left or box.y + box.height <= top


class Field:
    """The cumulative sums of a grid, each computed once, when it is first needed: most crops need those of one axis.
    Immutable."""

    def __init__(self, grid: SaliencyGrid) -> None:
        self.width, self.height = grid.width, grid.height
        self._grid = grid

    @cached_property
    def across(self) -> "Profile":
        levels = self._grid.levels  # a product of matrices takes a third of the time of `sum`, and is exact
        return Profile(_ONES[: levels.shape[0]] @ levels.astype(np.float64), self.width, self.height)

    @cached_property
    def down(self) -> "Profile":
        levels = self._grid.levels
        return Profile(levels.astype(np.float64) @ _ONES[: levels.shape[1]], self.height, self.width)

    @cached_property
    def total(self) -> int:
        return (self.down if "down" in self.computed else self.across).total

    @property
    def computed(self) -> Collection[str]:
        """The names of the sums that have been needed until now."""
        return vars(self).keys()

    @cached_property
    def levels(self) -> Floats:
        return self._grid.levels.astype(np.float64)

    def sum(self, box: Box) -> int:
        """The saliency inside a box; `total` is that of the whole picture."""
        if box.height == self.height:
            return self.across.sum(box.x, box.width)
        if box.width == self.width:
            return self.down.sum(box.y, box.height)
        return int(self.sums(np.array([box.x]), np.array([box.y]), box.width, box.height)[0, 0])

    def sums(self, xs: Ints, ys: Ints, width: int, height: int) -> Floats:
        """Sums of all boxes of one size with their corners at (xs, ys): [len(ys), len(xs)], exact."""
        if height == self.height:
            return self.across.sums(xs, width)[None]
        if width == self.width:
            return self.down.sums(ys, height)[:, None]
        # Exact in any order of summation: integers, none negative, and their sum is below 2^53.
        rows = product(self.down.parts(ys, height), self.levels)
        return product(rows, self.across.parts(xs, width).T)


class Profile:
    """One axis of the picture. `levels`: summed over the other axis; `side`, `across`: pixels along and across it."""

    def __init__(self, levels: Floats, side: int, across: int) -> None:
        cells = len(levels)
        self.side = side
        self.edges = edges_of(cells, side)
        self._cells, self._across = cells, across
        self.heights = np.zeros(cells + 1)  # the sum up to each border; integers, exact
        levels.cumsum(out=self.heights[1:])
        self.heights *= side
        # Python's own arrays: their items are read in half of numpy's time, and lists take four times the memory.
        self.levels = array("q", levels.astype(np.int64).tobytes())
        self.levels.append(0)
        self._cumulative = array("q", self.heights.astype(np.int64).tobytes())

    @cached_property
    def _beside_heights(self) -> Floats:
        return np.interp(self.edges.units, self.edges.borders, self.heights)

    @property
    def beside(self) -> Ints:
        """The pixels beside a border of cells, ascending."""
        return self.edges.beside

    @property
    def whole(self) -> int:
        """The saliency of the whole picture without the factor across."""
        return self._cumulative[-1]

    @property
    def total(self) -> int:
        """The saliency of the whole picture."""
        return self.whole * self._across

    def sum(self, offset: int, length: int) -> int:
        return self.inside(offset, length) * self._across

    def inside(self, offset: int, length: int) -> int:
        """The sum without the factor across."""
        cells, side, levels, cumulative = self._cells, self.side, self.levels, self._cumulative
        first, over = divmod(offset * cells, side)
        last, rest = divmod((offset + length) * cells, side)
        return cumulative[last] - cumulative[first] + rest * levels[last] - over * levels[first]

    def sums(self, offsets: Ints, length: int) -> Floats:
        # np.interp is exact here: its slopes are the integer levels, and every product stays below 2^53.
        count = len(offsets)
        ends = np.empty(
            2 * count, np.int64
        )  # both ends of each window: one call of np.interp takes 2 us less than two
        np.multiply(offsets, self._cells, out=ends[:count])
        np.add(ends[:count], length * self._cells, out=ends[count:])
        reach = np.interp(ends, self.edges.borders, self.heights)
        sums: Floats = reach[count:]
        sums -= reach[:count]
        sums *= self._across
        return sums

    def parts(self, offsets: Ints, length: int) -> Floats:
        """The length of each cell inside each window, in pixel x cell units: [offsets, cells]."""
        borders = self.edges.borders
        starts = (offsets * float(self._cells))[:, None]
        found: Floats = np.minimum(borders[1:], starts + length * self._cells)
        found -= np.maximum(borders[:-1], starts)
        return np.maximum(found, 0, out=found)

    def shortest(self, share: float) -> int:
        """Approximate length of the shortest window with this share of the sum: one end is at a cell border."""
        heights, borders = self.heights, self.edges.borders
        need = share * heights[-1]
        first, last = heights <= heights[-1] - need, heights >= need
        after = np.interp(heights[first] + need, heights, borders) - borders[first]
        before = borders[last] - np.interp(heights[last] - need, heights, borders)
        length = float(min(after.min(), before.min())) / self._cells
        return min(max(ceil(length), 1), self.side)

    def bends(self, length: int, value: "AxisValue | None" = None, *, both: bool = False) -> Ints:
        """Offsets that include the best window's: the pixels beside a bend of its sum, the ends and the middle; and
        those that `value` adds. `both`: the box is smaller than the picture along both axes."""
        room, (_, beside, _, pixels) = self.side - length, self.edges
        # Windows that reach out of the picture are left out: those at its ends are among the others.
        count, skipped = bisect_right(pixels, room), bisect_left(pixels, length)
        found = np.empty(count + len(pixels) - skipped + 2, np.int64)
        found[:count] = beside[:count]
        np.subtract(beside[skipped:], length, out=found[count:-2])
        found[-2], found[-1] = room // 2, room - room // 2
        if value is not None and (more := value.offsets(length, both)) is not None:
            np.maximum(more, 0, out=more)
            found = np.concatenate((found, np.minimum(more, room, out=more)))
        return found

    def best(self, length: int, value: "AxisValue | None" = None) -> int:
        """The offset of the window with the largest sum, or value; of equal ones the nearest to the middle, then the
        smaller."""
        room = self.side - length
        if value is not None:
            offsets = self.bends(length, value)
            sums = value.values(offsets, length)
            equal: list[int] = offsets[(sums == sums[sums.argmax()]).nonzero()[0]].tolist()
        else:
            equal = self._best(length, room)
        if len(equal) == 1:
            return equal[0]
        return min(equal, key=lambda offset: (abs(2 * offset - room), offset))

    def _best(self, length: int, room: int) -> list[int]:
        """Of the offsets with the largest sum those at the pixels beside a border, and those in the middle."""
        sums, count, skipped = self._beside_sums(length)
        pixels = self.edges.pixels
        top = sums[sums.argmax()]
        equal = [
            pixels[place] if place < count else pixels[skipped + place - count] - length
            for place in (sums == top).nonzero()[0].tolist()
        ]
        middle = room // 2
        if self.inside(middle, length) == top:
            equal.append(middle)
        if room % 2 and self.inside(middle + 1, length) == top:
            equal.append(middle + 1)
        return equal

    def peak(self, length: int) -> int:
        """The largest sum of a window of this length."""
        return int(self._beside_sums(length)[0].max()) * self._across

    def _beside_sums(self, length: int) -> tuple[Floats, int, int]:
        """The sums, without the factor across, of the windows inside the picture that begin at the pixels beside a
        border, then of those that end there; the number of the first kind; and how many pixels are left out before the
        second."""
        (borders, _, units, pixels), beside = self.edges, self._beside_heights
        by = length * self._cells
        count, skipped = bisect_right(pixels, self.side - length), bisect_left(pixels, length)
        ends = np.empty(count + len(pixels) - skipped)  # one call of np.interp takes 2 us less than two
        np.add(units[:count], by, out=ends[:count])
        np.subtract(units[skipped:], by, out=ends[count:])
        sums: Floats = np.interp(ends, borders, self.heights)
        sums[:count] -= beside[:count]
        np.subtract(beside[skipped:], sums[count:], out=sums[count:])
        return sums, count, skipped


class Edges(NamedTuple):
    """Of the cells along an axis: their borders, in pixel x cell units; the pixels beside them, ascending; these in the
    same units; and as an array of Python's."""

    borders: Floats
    beside: Ints
    units: Floats
    pixels: "array[int]"


@lru_cache(maxsize=256)
def edges_of(cells: int, side: int) -> Edges:
    """Pictures of one size share them."""
    borders = np.arange(cells + 1, dtype=np.int64) * side
    pixel, rest = np.divmod(borders, cells)
    beside = np.unique(np.concatenate((pixel, pixel + (rest > 0))))
    return Edges(
        borders.astype(np.float64), beside, (beside * cells).astype(np.float64), array("q", beside.tobytes())
    )


def product(a: Floats, b: Floats) -> Floats:
    """a @ b in blocks of rows below 2^18 multiplications, from which OpenBLAS starts threads: under load waiting for
    them takes 20 times as long as the product."""
    rows = max(1, (1 << 18) // max(1, b.size))
    if len(a) <= rows:
        found: Floats = a @ b
        return found
    return np.concatenate([a[start : start + rows] @ b for start in range(0, len(a), rows)])


class AxisValue(Protocol):
    """What `place` needs of a measure along one axis."""

    def offsets(self, length: int, both: bool) -> Ints | None:
        """Further candidates; more of them for boxes smaller than the picture along both axes."""
        ...

    def values(self, offsets: Ints, length: int) -> NDArray[np.float64]: ...


class Value(Protocol):
    """A measure of boxes other than their saliency (balance.py)."""

    @property
    def across(self) -> AxisValue: ...

    @property
    def down(self) -> AxisValue: ...

    def values(
        self, xs: Ints, ys: Ints, width: int, height: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]: ...


def compatible(field: Field, width: int, height: int, constraints: Sequence[Constraint]) -> list[Constraint]:
    """Those that one box of width x height pixels can meet together: each that agrees with the ones before it."""
    kept: list[Constraint] = []
    for each in constraints:
        if place(field, width, height, (0, 0), [*kept, each]) is not None:
            kept.append(each)
    return kept


def place(
    field: Field,
    width: int,
    height: int,
    aim: tuple[int, int] | None = None,
    constraints: Sequence[Constraint] = (),
    apart: Sequence[Box] = (),
    value: Value | None = None,
) -> Box | None:
    """The best box of width x height pixels.

    Without `aim`: the one with most saliency, or with the largest `value`; of equal ones the nearest to the middle.
    With it: the one whose corner is nearest to that pixel. It meets every constraint, and its intersection over union
    with each of the boxes `apart` (of the same size) is at most 0.5. None when there is no such box. The result is
    optimal except with `apart` in two dimensions: their limits are curves, of which only the ends and the crossings
    with bends are tried; and with `value`, whose candidates are finitely many.
    """
    if aim is None and not constraints and not apart:  # most crops: along one axis a shorter way
        if height == field.height:
            return Box(
                field.across.best(width, value.across if value is not None else None), 0, width, height
            )
        if width == field.width:
            return Box(0, field.down.best(height, value.down if value is not None else None), width, height)
    if aim is None:
        both = width < field.width and height < field.height
        xs = (
            field.across.bends(width, value.across if value is not None else None, both=both)
            if width < field.width
            else _START
        )
        ys = (
            field.down.bends(height, value.down if value is not None else None, both=both)
            if height < field.height
            else _START
        )
    else:
        xs, ys = np.array(aim[:1]), np.array(aim[1:])
    left, right, top, bottom = 0, field.width - width, 0, field.height - height
    avoid: list[tuple[int, int, int, int]] = []
    for constraint in constraints:
        edges = constraint.edges(field.width, field.height)
        if constraint.kind == "keep":
            left, right = max(left, edges[2] - width), min(right, edges[0])
            top, bottom = max(top, edges[3] - height), min(bottom, edges[1])
        else:
            avoid.append(edges)
    if left > right or top > bottom:
        return None
    if avoid or apart:
        # The best box may also be at the border of a forbidden region.
        third_x, third_y = -(-width // 3), -(-height // 3)
        more_x = [x for e in avoid for x in (e[0] - width, e[2])]
        more_y = [y for e in avoid for y in (e[1] - height, e[3])]
        more_x += [x for box in apart for x in (box.x - third_x, box.x + third_x)]
        more_y += [y for box in apart for y in (box.y - third_y, box.y + third_y)]
        xs, ys = np.concatenate((xs, more_x)), np.concatenate((ys, more_y))
    if constraints or apart:
        xs, ys = np.minimum(np.maximum(xs, left), right), np.minimum(np.maximum(ys, top), bottom)

    if aim is None:
        xs, ys = _distinct(xs), _distinct(ys)

    allowed: Any = None
    if avoid or apart:
        allowed = allowed_boxes(xs, ys, width, height, avoid, apart)
        if not allowed.any():
            return None
    if aim is None:
        if value is not None:
            sums = value.values(xs, ys, width, height, allowed)
        else:
            sums = field.sums(xs, ys, width, height)
            if allowed is not None:
                sums = np.where(allowed, sums, -1)
        allowed = sums == sums.max()
        twice = field.width - width, field.height - height
    else:
        allowed = np.ones((len(ys), len(xs)), np.bool_) if allowed is None else allowed
        twice = 2 * aim[0], 2 * aim[1]
    rows, columns = allowed.nonzero()
    if len(rows) > 1:
        far = (2 * xs[columns] - twice[0]) ** 2 + (2 * ys[rows] - twice[1]) ** 2
        nearest = far == far.min()
        rows, columns = rows[nearest], columns[nearest]
    y, x = min(zip(ys[rows].tolist(), xs[columns].tolist(), strict=True))
    return Box(x, y, width, height)


def _distinct(offsets: Ints) -> Ints:
    """Ascending, each once: in a third of the time of np.unique."""
    found = np.sort(offsets)
    differs = np.empty(len(found), np.bool_)
    differs[0] = True
    np.not_equal(found[1:], found[:-1], out=differs[1:])
    return found[differs]


def allowed_boxes(
    xs: Ints, ys: Ints, width: int, height: int, avoid: list[tuple[int, int, int, int]], apart: Sequence[Box]
) -> NDArray[np.bool_]:
    """Of the boxes with their corners at (xs, ys), [len(ys), len(xs)]: whether a box is outside each of `avoid` and
    apart from each of `apart`."""
    allowed = np.ones((len(ys), len(xs)), np.bool_)
    for left, top, right, bottom in avoid:
        beside = (xs + width <= left) | (xs >= right)
        above = (ys + height <= top) | (ys >= bottom)
        allowed &= beside[None] | above[:, None]
    for box in apart:
        wide = np.maximum(width - np.abs(xs - box.x), 0)
        high = np.maximum(height - np.abs(ys - box.y), 0)
        allowed &= 3 * wide[None] * high[:, None] <= 2 * width * height  # the same as IoU <= 0.5, in integers
    return allowed
