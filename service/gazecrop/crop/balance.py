"""Policy `balanced`: the box with the largest importance - off-balance - objects cut through.

importance    the share of the picture's saliency in the box, as of policy `window`
middle        times the distance of the box's middle from the picture's, in shares of the sides, across plus down;
              only in the directions in which the box is smaller than the picture
mass          times the distance of the box's middle from the centre of mass of the saliency inside it, likewise: a
              lone subject comes to the middle of the box
face, text    times the number of faces and text lines that the box cuts through and could hold whole; a face counts
              with its head where that fits into the box, else alone (objects.py)

Candidates are those of `window` (placing.py) and, for each object, the offsets at which it becomes whole or outside:
finitely many. Values are doubles, computed in the same order as in gazecrop.js from integers that are mostly exact, so
that both find the same box to the pixel.

Moments are about the picture's left or upper edge and doubled: a cell from a to b with level l has l * (b^2 - a^2), in
the units of placing.py.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.objects import LOOSE, MOST, PARTS, Object, held
from gazecrop.crop.placing import Field, Ints

Floats = NDArray[np.float64]
Edges = tuple[int, int]
_SHIFT = 2 * MOST + 1  # more than the faces that two edges can cut


@dataclass(frozen=True, slots=True)
class Weights:
    """In shares of the picture's saliency, each 0 or more. The defaults: on 563 photographs with a detector's boxes
    these cost half a point of the crop score and cut an eighth of the faces that `window` cuts."""

    middle: float = 0.05
    mass: float = 0.1
    face: float = 0.02
    text: float = 0.02

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> "Weights":
        """Raises KeyError or ValueError when the entry `balance` of a network is incomplete or wrong."""
        found = cls(*(float(entry[name]) for name in ("middle", "mass", "face", "text")))
        if not all(0 <= each <= 1 for each in (found.middle, found.mass, found.face, found.text)):
            raise ValueError("a weight of `balance` is not 0 to 1")
        return found


class Tables:
    """Sums and moments of saliency up to any place along an axis. `levels`: float [..., cells], `side`: in pixels.
    Up to a place u in cell c the sum is before[c] + levels[c] * u, the moment moved[c] + levels[c] * u * u."""

    def __init__(self, levels: Floats, side: int) -> None:
        none = np.zeros((*levels.shape[:-1], 1))
        borders = np.arange(levels.shape[-1] + 1, dtype=np.float64) * side
        squares = borders * borders
        sums = np.concatenate((none, np.cumsum(levels, axis=-1)), axis=-1) * side
        moments = np.concatenate((none, np.cumsum(levels * (squares[1:] - squares[:-1]), axis=-1)), axis=-1)
        self.levels = np.concatenate((levels, none), axis=-1)
        self.before = sums - self.levels * borders
        self.moved = moments - self.levels * squares


class _Between(NamedTuple):
    """An object that fits is cut by an edge of the box strictly between these two pixels: more than a 20th of it is
    then on either side. `size` in 255ths of a pixel; `below`: only for boxes shorter than this, in which the head
    does not fit."""

    first: int
    last: int
    face: bool
    size: int
    below: int | None


def _between(low: int, high: int, side: int, face: bool, below: int | None = None) -> _Between:
    first = ((LOOSE * low + high - low) * side) // (LOOSE * PARTS)
    last = -((-(LOOSE * high - high + low) * side) // (LOOSE * PARTS))
    return _Between(first, last, face, (high - low) * side, below)


class Axis:
    """One axis of the picture. `levels`: summed over the other one. `objects`: for each whether it is a face, and its
    edges (first, last) in 255ths, of the head and of the face alone."""

    def __init__(
        self, levels: Ints, side: int, objects: list[tuple[bool, Edges, Edges]], weights: Weights
    ) -> None:
        self.side, self.cells, self.weights = side, len(levels), weights
        self.tables = Tables(levels.astype(np.float64), side)
        self.total = float(levels.sum() * side)
        self._borders = np.arange(self.cells + 1) * (side / self.cells)
        self.between: list[_Between] = []
        for face, (low, high), alone in objects:
            self.between.append(_between(low, high, side, face))
            if alone != (low, high):
                self.between.append(_between(*alone, side, face, below=(high - low) * side))
        self._ends = np.array([end for one in self.between for end in (one.first, one.last)], np.int64)
        self._sizes = sorted(one.size for one in self.between)
        self._steps: dict[int, tuple[Ints, Ints]] = {}
        counts = np.arange(_SHIFT * _SHIFT)  # the cost of `faces + _SHIFT * texts` objects
        self._costs: Floats = weights.face * (counts % _SHIFT) + weights.text * (counts // _SHIFT)

    def offsets(self, length: int) -> Ints:
        """Of the box, at which an object becomes whole or outside."""
        return np.concatenate((self._ends, self._ends - length))

    def parts(self, offset: int, length: int) -> tuple[Floats, Floats]:
        """The part of each cell inside a box, as a length and its middle, in pixels: float [cells] each."""
        ends = np.minimum(np.maximum(self._borders, offset), offset + length)
        return ends[1:] - ends[:-1], (ends[1:] + ends[:-1]) / 2

    def values(self, offsets: Ints, length: int) -> Floats:
        """Of the boxes [offset, offset + length) over the whole other axis."""
        weights = self.weights
        count, side, tables = len(offsets), self.side, self.tables
        edges = np.concatenate((offsets, offsets + length))
        at = edges * self.cells
        cell = at // side
        levels: Floats = tables.levels[cell] * at
        sums = tables.before[cell] + levels
        levels *= at
        levels += tables.moved[cell]
        inside = sums[count:] - sums[:count]
        moment = levels[count:] - levels[:count]
        far = np.abs((at[:count] + at[count:]) * inside - moment)
        found: Floats = inside / self.total
        found -= weights.middle * (np.abs(2 * offsets - (side - length)) / (2 * side))
        found -= weights.mass * (far / (np.maximum(inside, 1) * (2 * side * self.cells)))
        if self.between:
            found -= self._cut(edges, count, length)
        return found

    def _cut(self, edges: Ints, count: int, length: int) -> Floats:
        places, numbers = self._steps_of(length)
        number = numbers[np.searchsorted(places, edges)]
        cut: Floats = self._costs[number[:count] + number[count:]]
        return cut

    def _steps_of(self, length: int) -> tuple[Ints, Ints]:
        """How many objects that fit into the length are cut by an edge at each pixel: places p, ascending, and
        `faces + _SHIFT * texts` up to p[0], from there up to p[1], ..."""
        fitting = bisect_right(self._sizes, PARTS * length)
        if (found := self._steps.get(fitting)) is None:
            chosen = [
                one
                for one in self.between
                if one.size <= PARTS * length and (one.below is None or PARTS * length < one.below)
            ]
            # Cut from first + 1 to last - 1: searchsorted gives the number of places below an edge.
            places = sorted({place for one in chosen for place in (one.first, one.last - 1)})
            numbers = [
                sum(1 if one.face else _SHIFT for one in chosen if one.first < place < one.last)
                for place in (*places, (places[-1] if places else 0) + 1)
            ]
            found = self._steps[fitting] = np.array(places, np.int64), np.array(numbers, np.int64)
        return found


class Balance:
    """The value of boxes on one map, with some of its objects. Immutable; thread-safe."""

    def __init__(
        self, field: Field, levels: NDArray[np.uint8], objects: Sequence[Object], weights: Weights
    ) -> None:
        self.field, self.weights, self.objects = field, weights, tuple(objects)
        self._floats = levels.astype(np.float64)
        both = [(each, each.shrunk) for each in objects]
        self.across = Axis(
            levels.sum(axis=0, dtype=np.int64),
            field.width,
            [(one.kind == "face", (one.left, one.right), (alone.left, alone.right)) for one, alone in both],
            weights,
        )
        self.down = Axis(
            levels.sum(axis=1, dtype=np.int64),
            field.height,
            [(one.kind == "face", (one.top, one.bottom), (alone.top, alone.bottom)) for one, alone in both],
            weights,
        )

    @cached_property
    def _rows(self) -> Tables:
        """Of each row of cells along the picture's width: [rows, cells + 1]."""
        return Tables(self._floats, self.field.width)

    def values(
        self, xs: Ints, ys: Ints, width: int, height: int, allowed: NDArray[np.bool_] | None = None
    ) -> Floats:
        """[len(ys), len(xs)]: the value of each box with its corner at (xs, ys); minus infinity where it is not
        allowed or surely not the largest."""
        field = self.field
        if height == field.height or width == field.width:
            if height == field.height:
                found = self.across.values(xs, width)[None]
            else:
                found = self.down.values(ys, height)[:, None]
            return found if allowed is None else np.where(allowed, found, -np.inf)
        importance = field.sums(xs, ys, width, height) / field.total
        if allowed is not None:
            importance = np.where(allowed, importance, -np.inf)
        found = np.full(importance.shape, -np.inf)
        # What is subtracted is never negative: a box of less importance than the value of another is not the best.
        row, column = divmod(int(importance.argmax()), len(xs))
        least = float(importance[row, column]) - self._most(int(xs[column]), int(ys[row]), width, height)
        rows, columns = np.nonzero(importance >= least)
        found[rows, columns] = self.at(xs, ys, width, height, rows, columns, importance)
        return found

    def _most(self, x: int, y: int, width: int, height: int) -> float:
        """What is subtracted for one box, and a little more for rounding."""
        wide, high, weights = self.field.width, self.field.height, self.weights
        most = weights.middle * (
            abs(2 * x - wide + width) / (2 * wide) + abs(2 * y - high + height) / (2 * high)
        )
        parts_x, middles_x = self.across.parts(x, width)
        parts_y, middles_y = self.down.parts(y, height)
        columns, rows = parts_y @ self._floats * parts_x, self._floats @ parts_x * parts_y
        if mass := float(columns.sum()):
            off_x = abs(float(columns @ middles_x) / mass - x - width / 2) / wide
            off_y = abs(float(rows @ middles_y) / mass - y - height / 2) / high
            most += weights.mass * (off_x + off_y)
        if self.objects:
            cut = held(self.objects, (x, y, x + width, y + height), (wide, high)).avoidable
            most += sum(weights.face if each.kind == "face" else weights.text for each in cut)
        return most + 1e-9

    def at(
        self, xs: Ints, ys: Ints, width: int, height: int, rows: Ints, columns: Ints, importance: Floats
    ) -> Floats:
        """The values of the boxes at (xs[columns], ys[rows])."""
        field, weights = self.field, self.weights
        wide, high = field.width, field.height
        used = np.flatnonzero(np.bincount(columns, minlength=len(xs)))
        place = np.searchsorted(used, columns)
        at_x, cell_x = _cells(xs[used], width, self.across)
        inside, moment = _both(self._rows, at_x, cell_x)  # [rows, used]: of each row of cells
        down = Tables(np.ascontiguousarray(inside.T), high)
        at_y, cell_y = _cells(ys[rows], height, self.down)
        sums, moment_y = _both(down, at_y, cell_y, place)
        moment_x, _ = _both(Tables(np.ascontiguousarray(moment.T), high), at_y, cell_y, place)
        x, y, count = xs[columns], ys[rows], len(rows)
        middle_x = at_x[: len(used)][place] + at_x[len(used) :][place]
        far_x = np.abs(middle_x * sums - moment_x)
        far_y = np.abs((at_y[:count] + at_y[count:]) * sums - moment_y)
        held = np.maximum(sums, 1)
        found: Floats = importance[rows, columns]
        found -= weights.middle * (
            np.abs(2 * x - (wide - width)) / (2 * wide) + np.abs(2 * y - (high - height)) / (2 * high)
        )
        found -= weights.mass * (
            far_x / (held * (2 * wide * self.across.cells)) + far_y / (held * (2 * high * self.down.cells))
        )
        size, picture = (width, height), (wide, high)
        fitting = [each for each in (one.within(size, picture) for one in self.objects) if each is not None]
        if fitting:
            faces, texts = np.zeros(count, np.int64), np.zeros(count, np.int64)
            for each in fitting:
                left, right, top, bottom = (
                    each.left * wide,
                    each.right * wide,
                    each.top * high,
                    each.bottom * high,
                )
                shared = np.maximum(
                    np.minimum(right, PARTS * (x + width)) - np.maximum(left, PARTS * x), 0
                ) * np.maximum(np.minimum(bottom, PARTS * (y + height)) - np.maximum(top, PARTS * y), 0)
                area = (right - left) * (bottom - top)
                cut = (LOOSE * shared > area) & (LOOSE * (area - shared) > area)
                if each.kind == "face":
                    faces += cut
                else:
                    texts += cut
            found -= weights.face * faces + weights.text * texts
        return found


def _cells(offsets: Ints, length: int, axis: Axis) -> tuple[Ints, Ints]:
    """Both ends of each box in the units of placing.py, first the left ones, and the cells that they are in."""
    at = np.concatenate((offsets, offsets + length)) * axis.cells
    return at, at // axis.side


def _both(tables: Tables, at: Ints, cell: Ints, lines: Ints | None = None) -> tuple[Floats, Floats]:
    """Sums and moments between the two ends: for every line of the tables, or for box i in line lines[i]."""
    count = len(at) // 2
    if lines is None:
        index: Any = (slice(None), cell)
    else:
        index = (np.concatenate((lines, lines)), cell)
    levels = tables.levels[index] * at
    sums = tables.before[index] + levels
    moments = tables.moved[index] + levels * at
    return sums[..., count:] - sums[..., :count], moments[..., count:] - moments[..., :count]
