"""Placement of a box of given size: exact sums of saliency over the grid, hard constraints, ties to the middle.

The map is a piecewise-constant density: cell (row, column) covers width/columns x height/rows pixels. Lengths are
counted in pixel x cell units (a pixel is `columns` units wide, a cell `width`), so that every cell border and every
pixel border is an integer, and so is every sum: below 31 x 64e6 x 1200 < 2^53, exact in int64 and in a double alike.
gazecrop.js finds the same boxes because nothing is rounded.

Along an axis the sum in a sliding window is piecewise linear, with bends where an end of the window is at a cell
border. The largest sum over whole pixels is therefore at a pixel beside a bend: a few hundred candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.grid import SaliencyGrid

Ints = NDArray[np.int64]
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
    """The cumulative sums of a grid, computed once. Immutable."""

    def __init__(self, grid: SaliencyGrid) -> None:
        self.width, self.height = grid.width, grid.height
        levels = grid.levels.astype(np.int64)
        self.across = Profile(levels.sum(axis=0), self.width, self.height)
        self.down = Profile(levels.sum(axis=1), self.height, self.width)
        self._levels = levels
        self.total = int(levels.sum()) * self.width * self.height

    def sum(self, box: Box) -> int:
        """The saliency inside a box; `total` is that of the whole picture."""
        if box.height == self.height:
            return self.across.sum(box.x, box.width)
        if box.width == self.width:
            return self.down.sum(box.y, box.height)
        return int(self.sums(np.array([box.x]), np.array([box.y]), box.width, box.height)[0, 0])

    def sums(self, xs: Ints, ys: Ints, width: int, height: int) -> NDArray[Any]:
        """Sums of all boxes of one size with their corners at (xs, ys): [len(ys), len(xs)], exact."""
        if height == self.height:
            return self.across.sums(xs, width)[None]
        if width == self.width:
            return self.down.sums(ys, height)[:, None]
        columns = _windows(self._levels, self.width, xs, width)  # [rows, xs]
        return _windows(np.ascontiguousarray(columns.T), self.height, ys, height).T


class Profile:
    """One axis of the picture. `levels`: summed over the other axis; `side`, `across`: pixels along and across it."""

    def __init__(self, levels: Ints, side: int, across: int) -> None:
        cells = len(levels)
        self.side = side
        self._cells, self._across = cells, across
        cumulative = np.concatenate(([0], np.cumsum(levels))) * side
        self._levels, self._cumulative = [*levels.tolist(), 0], cumulative.tolist()
        self._borders = np.arange(cells + 1, dtype=np.float64) * side
        self._heights = cumulative.astype(np.float64)
        pixel, rest = np.divmod(np.arange(cells + 1, dtype=np.int64) * side, cells)
        self._beside = np.concatenate((pixel, pixel[rest > 0] + 1))

    def sum(self, offset: int, length: int) -> int:
        return (self._upto(offset + length) - self._upto(offset)) * self._across

    def _upto(self, pixels: int) -> int:
        cell, rest = divmod(pixels * self._cells, self.side)
        return int(self._cumulative[cell] + rest * self._levels[cell])

    def sums(self, offsets: Ints, length: int) -> NDArray[np.float64]:
        # np.interp is exact here: its slopes are the integer levels, and every product stays below 2^53.
        at = offsets * self._cells
        ends = np.interp(at + length * self._cells, self._borders, self._heights)
        ends -= np.interp(at, self._borders, self._heights)
        ends *= self._across
        return ends

    def shortest(self, share: float) -> int:
        """Approximate length of the shortest window with this share of the sum: one end is at a cell border."""
        need = share * self._heights[-1]
        starts = self._heights <= self._heights[-1] - need
        ends = np.interp(self._heights[starts] + need, self._heights, self._borders)
        length = float((ends - self._borders[starts]).min()) / self._cells
        return min(max(ceil(length), 1), self.side)

    def bends(self, length: int, value: "AxisValue | None" = None) -> Ints:
        """Offsets that include the best window's: the pixels beside a bend of its sum, the ends and the middle; and
        those that `value` adds."""
        room = self.side - length
        parts: list[Any] = [self._beside, self._beside - length, (room // 2, room - room // 2)]
        if value is not None:
            parts.append(value.offsets(length))
        found: Ints = np.concatenate(parts)
        np.maximum(found, 0, out=found)
        found = np.minimum(found, room, out=found)
        return found

    def best(self, length: int, value: "AxisValue | None" = None) -> int:
        """The offset of the window with the largest sum, or value; of equal ones the nearest to the middle, then the
        smaller."""
        offsets, room = self.bends(length, value), self.side - length
        sums = self.sums(offsets, length) if value is None else value.values(offsets, length)
        equal: set[int] = set(offsets[sums == sums.max()].tolist())  # an end occurs about twenty times
        return min(equal, key=lambda offset: (abs(2 * offset - room), offset))


def _windows(levels: Ints, side: int, offsets: Ints, length: int) -> Ints:
    """Sums of the windows [offset, offset + length) along the last axis, for every row of `levels`: [rows, offsets]."""
    cells = levels.shape[1]
    cumulative = (
        np.concatenate((np.zeros((len(levels), 1), np.int64), np.cumsum(levels, axis=1)), axis=1) * side
    )
    edged = np.concatenate((levels, np.zeros((len(levels), 1), np.int64)), axis=1)

    def reach(pixels: Ints) -> Ints:
        cell, rest = np.divmod(pixels * cells, side)
        upto: Ints = cumulative[:, cell] + rest * edged[:, cell]
        return upto

    return reach(offsets + length) - reach(offsets)


class AxisValue(Protocol):
    """What `place` needs of a measure along one axis."""

    def offsets(self, length: int) -> Ints:
        """Further candidates."""
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
    across, down = (value.across, value.down) if value is not None else (None, None)
    if aim is None and not constraints and not apart:  # most crops: along one axis a shorter way
        if height == field.height:
            return Box(field.across.best(width, across), 0, width, height)
        if width == field.width:
            return Box(0, field.down.best(height, down), width, height)
    if aim is None:
        xs = field.across.bends(width, across) if width < field.width else _START
        ys = field.down.bends(height, down) if height < field.height else _START
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

    allowed: Any = None
    if avoid or apart:
        allowed = _allowed(xs, ys, width, height, avoid, apart)
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


def _allowed(
    xs: Ints, ys: Ints, width: int, height: int, avoid: list[tuple[int, int, int, int]], apart: Sequence[Box]
) -> NDArray[np.bool_]:
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
