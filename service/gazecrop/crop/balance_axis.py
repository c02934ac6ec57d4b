"""Policy `balanced` along one axis: the boxes that are as long as the picture along the other. See balance.py."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gazecrop.crop.objects import PARTS, WEIGHTS, Ends, ends_of
from gazecrop.crop.placing import Floats, Ints, Profile

FINE = 1024  # parts of a weight: costs are integers
COSTS = 2 * WEIGHTS * FINE
MOST_FOUND = 32  # offsets that are kept for an axis, 100 bytes each


def tables_of(levels: Floats, heights: Floats, borders: Floats) -> Floats:
    """[3, ..., cells + 1]: what gives the sum and the moment up to any place u along an axis. In cell c, of `levels`,
    `before` and `moved`, these are before[c] + levels[c] * u and moved[c] + levels[c] * u * u. The arguments are
    [..., cells + 1]: levels with 0 after the last cell, their sums up to each of the borders, and these."""
    found = np.zeros((3, *levels.shape))
    found[0] = levels
    levels, before, moved = found
    squares = borders * borders
    np.multiply(levels, borders, out=before)
    np.subtract(heights, before, out=before)
    np.add.accumulate(levels[..., :-1] * (squares[1:] - squares[:-1]), axis=-1, out=moved[..., 1:])
    moved -= levels * squares
    return found


def sums_upto(tables: Floats, place: Floats) -> Floats:
    """Sums and moments up to these places: [2, ...]. `tables`: of their cells, [3, ...]; they are overwritten."""
    levels = tables[0]
    levels *= place
    tables[1] += levels
    levels *= place
    tables[2] += levels
    return tables[1:]


class Edges(NamedTuple):
    """What boxes should not cut through, along one axis: `low`, `high` in 255ths of the side; up to one part in `loose`
    may be on the other side of a box's edge; `half`: as of _Along."""

    low: int
    high: int
    loose: int
    half: int


class _Along(NamedTuple):
    """The same in pixels: `ends`; `size` in 255ths of a pixel; `half`: what it costs outside, half of what it costs
    when cut, in shares of COSTS."""

    ends: Ends
    size: int
    half: int


def _along(edges: Edges, side: int) -> _Along:
    low, high, loose, half = edges
    return _Along(ends_of(low, high, loose, side), (high - low) * side, half)


class _Fitting:
    """The objects that fit into boxes of one length. At most one edge of a box is inside or beyond such an object, so
    that the cost is a sum of two step functions, of the first and of the last edge."""

    def __init__(self, objects: Sequence[_Along]) -> None:
        self.ends = np.array([end for one in objects for end in one.ends[:2]], np.int64)
        self.all = np.array([end for one in objects for end in one.ends[2:]], np.int64)
        self._objects = objects

    @cached_property
    def _steps(self) -> tuple[Ints, Ints, Ints]:
        """Where the functions change, and their values from there on, the first ones before all of it."""
        steps = sorted(
            step
            for one in self._objects
            for step in (
                (one.ends.first + 1, 2 * one.half, one.half),
                (one.ends.last, -one.half, -2 * one.half),
            )
        )
        places = np.array([place for place, _, _ in steps], np.int64)
        first = np.array([0, *(step for _, step, _ in steps)]).cumsum()
        outside = sum(one.half for one in self._objects)
        return places, first, np.array([outside, *(step for _, _, step in steps)]).cumsum()

    def costs(self, edges: Ints) -> Ints:
        """`edges`: the first ones of all boxes, then the last ones."""
        count, (places, first, last) = len(edges) // 2, self._steps
        at = places.searchsorted(edges, "right")
        found: Ints = first.take(at[:count])
        found += last.take(at[count:])
        return found


class Axis:
    """One axis of the picture. `middle`, `mass`: the weights."""

    def __init__(self, profile: Profile, objects: Sequence[Edges], middle: float, mass: float) -> None:
        side = profile.side
        self.side, self.borders = side, profile.edges.borders
        self.cells = len(self.borders) - 1
        unit = 2 * side * self.cells
        self.middle, self.mass = middle / unit, mass / unit
        self._profile, self._total = profile, float(profile.heights[-1])
        self._objects = [_along(each, side) for each in objects]
        self._sizes = sorted(one.size for one in self._objects)
        self._kept: dict[int, _Fitting] = {}
        self.found: dict[int, int] = {}  # length -> offset of the best box, of those asked for before

    @cached_property
    def _tables(self) -> Floats:
        """For boxes over the whole other axis: [3, cells + 1]."""
        levels = np.array(self._profile.levels, np.float64)
        return tables_of(levels, self._profile.heights, self.borders)

    def best(self, lengths: Sequence[int]) -> list[int]:
        """For each length the offset of the box with the largest value; of equal ones the nearest to the middle, then
        the smaller. Those of an upload's answer are asked for again by GETs."""
        known = self.found
        offsets = [known.get(length) for length in lengths]
        if missing := [length for length, at in zip(lengths, offsets, strict=True) if at is None]:
            new = self._best(missing) if len(missing) > 1 else [self._profile.best(missing[0], self)]
            if len(known) + len(new) > MOST_FOUND:
                known = self.found = {}
            known.update(zip(missing, new, strict=True))
            rest = iter(new)
            return [next(rest) if at is None else at for at in offsets]
        return [at for at in offsets if at is not None]

    def offsets(self, length: int, both: bool) -> Ints | None:
        """Of the box, at which an object becomes whole or outside. `both`: the box is smaller than the picture along
        both axes."""
        if not self._objects:
            return None
        fitting = self._fitting(length)
        parts = [fitting.ends, fitting.ends - length]
        if both:
            parts += [fitting.all, fitting.all - length]
        return np.concatenate(parts)

    def _best(self, lengths: Sequence[int]) -> list[int]:
        """As `Profile.best` finds each: 6 lengths at once take a third of the time. The candidates are the same ones;
        those that reach out of the picture are moved to its ends, which are candidates anyway."""
        beside, count = self._profile.beside, len(self._profile.beside)
        sizes = np.array(lengths, np.int64)[:, None]
        rooms = self.side - sizes
        ends = [self._fitting(length).ends for length in lengths] if self._objects else []
        middle = 2 * count
        offsets = np.empty((len(lengths), middle + 2 + 2 * max(map(len, ends), default=0)), np.int64)
        offsets[:, :count] = beside
        np.subtract(beside, sizes, out=offsets[:, count:middle])
        offsets[:, middle:] = rooms // 2  # also where a length has fewer objects that fit than another
        np.subtract(rooms, offsets[:, middle : middle + 1], out=offsets[:, middle + 1 : middle + 2])
        for row, length, at in zip(offsets, lengths, ends, strict=False):
            row[middle + 2 : middle + 2 + len(at)] = at
            np.subtract(at, length, out=row[len(row) - len(at) :])
        np.maximum(offsets, 0, out=offsets)
        np.minimum(offsets, rooms, out=offsets)
        values = self._values(offsets, sizes)
        if self._objects:
            for found, row, length in zip(values, offsets, lengths, strict=True):
                found -= self._costs(row, length)
        best: list[tuple[int, int] | None] = [None] * len(lengths)
        highest = values == values.max(axis=1, keepdims=True)
        for at, offset in zip(highest.nonzero()[0].tolist(), offsets[highest].tolist(), strict=True):
            key = abs(2 * offset - self.side + lengths[at]), offset
            if (least := best[at]) is None or key < least:
                best[at] = key
        return [key[1] for key in best if key is not None]

    def values(self, offsets: Ints, length: int) -> Floats:
        """Of the boxes [offset, offset + length) over the whole other axis."""
        found = self._values(offsets, length)
        if self._objects:
            found -= self._costs(offsets, length)
        return found

    def _costs(self, offsets: Ints, length: int) -> Floats:
        """Of the objects that the boxes do not hold whole."""
        costs: Floats = self._fitting(length).costs(np.concatenate((offsets, offsets + length))) / COSTS
        return costs

    def _values(self, offsets: Ints, length: int | Ints) -> Floats:
        """Without the objects. `offsets`: of any shape, with `length` in one that fits."""
        # Few calls of numpy: each takes about 0.5 us, the numbers next to nothing.
        place, cells = self.edges(offsets, length)
        upto = sums_upto(self._tables.take(cells, axis=1), place)
        inside, moment = upto[:, 1] - upto[:, 0]
        twice = place[0] + place[1]  # the middle of the box
        found: Floats = inside / self._total
        found -= self.off_middle(twice)
        if self.mass:
            twice *= inside
            twice -= moment
            np.abs(twice, out=twice)
            twice /= np.maximum(inside, 1, out=inside)
            twice *= self.mass
            found -= twice
        return found

    def edges(self, offsets: Ints, length: int | Ints) -> tuple[Floats, Ints]:
        """Both ends of each box in the units of placing.py, and the cells that they are in: [2, ...]."""
        cells = np.empty((2, *offsets.shape), np.int64)
        np.multiply(offsets, self.cells, out=cells[0])
        np.add(cells[0], length * self.cells, out=cells[1])
        place = cells.astype(np.float64)
        cells //= self.side
        return place, cells

    def off_middle(self, twice: Ints | Floats) -> Floats:
        """What the distance of the box's middle from the picture's costs. `twice`: the sum of the box's ends."""
        far = twice - self.side * self.cells
        found: Floats = np.abs(far, out=far) * self.middle
        return found

    def _fitting(self, length: int) -> _Fitting:
        """The objects that fit along this axis."""
        count = bisect_right(self._sizes, PARTS * length)
        if (found := self._kept.get(count)) is None:
            chosen = [one for one in self._objects if one.size <= PARTS * length]
            found = self._kept[count] = _Fitting(chosen)
        return found
