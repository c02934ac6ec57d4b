"""Policy `balanced`: the box with the largest importance - objects not whole - off-balance.

importance    the share of the picture's saliency in the box, as of policy `window`
face, text    times the weights (objects.py) of the faces and text lines that the box cuts through, and half of the
              weights of those outside, of all that it could hold whole; of a face the detector's own box counts, since
              a head is whole in fewer boxes. People look at faces and text more than a map of 30x40 cells predicts:
              without a cost of those outside, avoiding a cut loses more of their gaze
middle        times the distance of the box's middle from the picture's, in shares of the sides, across plus down;
              only in the directions in which the box is smaller than the picture
mass          times the distance of the box's middle from the centre of mass of the saliency inside it, likewise: a
              lone subject comes to the middle of the box

Candidates are those of `window` (placing.py) and, for each object, the offsets at which it becomes whole or outside,
with a 20th missing or inside; in two dimensions also those at which all of it is inside or outside along one axis. They
are finitely many. Values are doubles, computed in the same order as in gazecrop.js from integers that are mostly
exact, so that both find the same box to the pixel.

Moments are about the picture's left or upper edge and doubled: a cell from a to b with level l has l * (b^2 - a^2), in
the units of placing.py.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.objects import LOOSE, PARTS, WEIGHTS, Object
from gazecrop.crop.placing import Field, Floats, Ints, Profile

_SLACK = 1e-9  # of the picture's saliency: more than the rounding of a bound
_FINE = 1024  # parts of a weight: costs are integers
_COSTS = 2 * WEIGHTS * _FINE
MOST_FOUND = 32  # offsets that are kept for an axis, 100 bytes each


@dataclass(frozen=True, slots=True)
class Weights:
    """In shares of the picture's saliency, each 0 or more. The defaults are those of the shipped network, fitted by
    model_store/recipe/judge/whole_objects.py."""

    middle: float = 0.0169
    mass: float = 0.0211
    face: float = 0.0352
    text: float = 0.0592

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


class _Along(NamedTuple):
    """An object along one axis. An edge of a box that could hold it cuts it strictly between the pixels `first` and
    `last`: more than a 20th of it is then on either side. `low`, `high`: the pixels around all of it; `size` in 255ths
    of a pixel; `half`: see `_half`."""

    first: int
    last: int
    low: int
    high: int
    size: int
    half: int


def _along(low: int, high: int, side: int, half: int) -> _Along:
    first = ((LOOSE * low + high - low) * side) // (LOOSE * PARTS)
    last = -((-(LOOSE * high - high + low) * side) // (LOOSE * PARTS))
    return _Along(first, last, low * side // PARTS, -(-high * side // PARTS), (high - low) * side, half)


class _Fitting:
    """The objects that fit into boxes of one length. At most one edge of a box is inside or beyond such an object, so
    that the cost is a sum of two step functions, of the first and of the last edge."""

    def __init__(self, objects: Sequence[_Along]) -> None:
        steps = sorted(
            step
            for one in objects
            for step in ((one.first + 1, 2 * one.half, one.half), (one.last, -one.half, -2 * one.half))
        )
        self.ends = np.array([end for one in objects for end in (one.first, one.last)], np.int64)
        self.all = np.array([end for one in objects for end in (one.low, one.high)], np.int64)
        self._places = np.array([place for place, _, _ in steps], np.int64)
        self._first = np.cumsum([0, *(step for _, step, _ in steps)])
        self._last = np.cumsum([sum(one.half for one in objects), *(step for _, _, step in steps)])

    def costs(self, edges: Ints) -> Ints:
        """`edges`: the first ones of all boxes, then the last ones."""
        count = len(edges) // 2
        at = self._places.searchsorted(edges, "right")
        found: Ints = self._first.take(at[:count])
        found += self._last.take(at[count:])
        return found


class Axis:
    """One axis of the picture. `objects`: of each the edges (first, last) in 255ths, and `_half`."""

    def __init__(self, profile: Profile, objects: Sequence[tuple[int, int, int]], weights: Weights) -> None:
        side, borders, heights = profile.side, profile.edges.borders, profile.heights
        self.side, self.cells = side, len(borders) - 1
        unit = 2 * side * self.cells
        self.middle, self.mass = weights.middle / unit, weights.mass / unit
        # The rows are those of Tables: levels, before, moved.
        self._tables = np.zeros((3, self.cells + 1))
        levels, before, moved = self._tables
        levels[:] = profile.levels
        np.multiply(levels, borders, out=before)
        np.subtract(heights, before, out=before)
        squares = borders * borders
        np.cumsum(levels[:-1] * (squares[1:] - squares[:-1]), out=moved[1:])
        moved -= levels * squares
        self._total = float(heights[-1])
        self._borders, self._beside = borders, profile.beside
        self._objects = [_along(low, high, side, half) for low, high, half in objects]
        self._sizes = sorted(one.size for one in self._objects)
        self._kept: dict[int, _Fitting] = {}
        self.found: dict[int, int] = {}  # length -> offset of the best box, of those asked for before

    def best(self, lengths: Sequence[int], profile: Profile) -> list[int]:
        """For each length the offset of the box with the largest value; of equal ones the nearest to the middle, then
        the smaller. `profile`: that of this axis. Those of an upload's answer are asked for again by GETs."""
        known = self.found
        offsets = [known.get(length) for length in lengths]
        if missing := [length for length, at in zip(lengths, offsets, strict=True) if at is None]:
            new = self._best(missing) if len(missing) > 1 else [profile.best(missing[0], self)]
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
        beside, count = self._beside, len(self._beside)
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
        costs: Floats = self._fitting(length).costs(np.concatenate((offsets, offsets + length))) / _COSTS
        return costs

    def _values(self, offsets: Ints, length: int | Ints) -> Floats:
        """Without the objects. `offsets`: of any shape, with `length` in one that fits."""
        # Few calls of numpy: each takes about 0.5 us, the numbers next to nothing.
        edges = np.empty((2, *offsets.shape), np.int64)
        np.multiply(offsets, self.cells, out=edges[0])
        np.add(edges[0], length * self.cells, out=edges[1])
        place = edges.astype(np.float64)
        edges //= self.side  # the cells
        tables = self._tables.take(edges, axis=1)  # [levels, before, moved] at [first, last]
        levels = tables[0]
        levels *= place
        tables[1] += levels
        levels *= place
        tables[2] += levels
        inside, moment = tables[1:, 1] - tables[1:, 0]
        twice = place[0] + place[1]  # the middle of the box
        far = twice - self.side * self.cells
        np.abs(far, out=far)
        far *= self.middle
        found: Floats = inside / self._total
        found -= far
        if self.mass:
            twice *= inside
            twice -= moment
            np.abs(twice, out=twice)
            twice /= np.maximum(inside, 1, out=inside)
            twice *= self.mass
            found -= twice
        return found

    def _fitting(self, length: int) -> _Fitting:
        """The objects that fit along this axis."""
        count = bisect_right(self._sizes, PARTS * length)
        if (found := self._kept.get(count)) is None:
            chosen = [one for one in self._objects if one.size <= PARTS * length]
            found = self._kept[count] = _Fitting(chosen)
        return found

    def parts(self, offsets: Ints, length: int) -> tuple[Floats, Floats]:
        """The length of each cell inside each box, and its first moment doubled, in the units of placing.py: [offsets,
        cells] each."""
        starts = (offsets * self.cells).astype(np.float64)[:, None]
        low = np.maximum(self._borders[:-1], starts)
        high = np.minimum(self._borders[1:], starts + length * self.cells)
        inside = np.maximum(high - low, 0)
        return inside, inside * (low + high)


class Balance:
    """The value of boxes on one map, with some of its objects. Each axis is prepared when it is first needed: most
    crops need one. Immutable; thread-safe."""

    def __init__(
        self, field: Field, levels: NDArray[np.uint8], objects: Sequence[Object], weights: Weights
    ) -> None:
        self.field, self.weights = field, weights
        self.objects = [(each.shrunk, _half(each, weights)) for each in objects]
        self._levels = levels

    @cached_property
    def across(self) -> Axis:
        edges = [(each.left, each.right, half) for each, half in self.objects]
        return Axis(self.field.across, edges, self.weights)

    @cached_property
    def down(self) -> Axis:
        edges = [(each.top, each.bottom, half) for each, half in self.objects]
        return Axis(self.field.down, edges, self.weights)

    @cached_property
    def _floats(self) -> Floats:
        return self._levels.astype(np.float64)

    @property
    def computed(self) -> Collection[str]:
        """The names of what was needed until now: "across", "down", and "_rows" after a search in two dimensions."""
        return vars(self).keys()

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
        bounds, least = self._nearly(xs, ys, width, height, allowed)
        found = np.full(bounds.shape, -np.inf)
        rows, columns = np.nonzero(bounds >= least - _SLACK)
        if len(rows) == 1:
            found[rows, columns] = least
        else:  # in the order of operations of gazecrop.js
            found[rows, columns] = self.at(xs, ys, width, height, rows, columns)
        return found

    def _nearly(
        self, xs: Ints, ys: Ints, width: int, height: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[Floats, float]:
        """Bounds of the values of all boxes, [len(ys), len(xs)], by products of matrices, and a value that one of them
        has: each less than _SLACK from what `at` computes. minus infinity where a box is not allowed or surely not the
        best."""
        across, down = self.across, self.down
        parts_x, parts_y = across.parts(xs, width), down.parts(ys, height)
        twice_x, twice_y = (2 * xs + width) * across.cells, (2 * ys + height) * down.cells
        bounds = _product(parts_y[0] @ self._floats, parts_x[0].T)
        bounds /= self.field.total
        bounds -= across.middle * np.abs(twice_x - across.cells * across.side)
        bounds -= (down.middle * np.abs(twice_y - down.cells * down.side))[:, None]
        fitting = self._fitting(width, height)
        least_cost = None
        if fitting:
            across_x = [_along(one.left, one.right, across.side, half) for one, half in fitting]
            down_y = [_along(one.top, one.bottom, down.side, half) for one, half in fitting]
            wide, high = _uncut(across_x, xs, width), _uncut(down_y, ys, height)
            halves = np.array([half / _COSTS for _, half in fitting])
            least_cost = halves.sum() - _product(high * halves, wide.T)  # at least half of what is not whole
            bounds -= least_cost
        if allowed is not None:
            bounds[~allowed] = -np.inf

        def off_mass(rows: Ints, columns: Ints) -> Floats:
            x, y = tuple(part[columns] for part in parts_x), tuple(part[rows] for part in parts_y)
            return self._off_mass(x, y, twice_x[columns], twice_y[rows])

        row, column = divmod(int(bounds.argmax()), len(xs))
        least = float(bounds[row, column])
        if self.weights.mass:
            least -= float(off_mass(np.array([row]), np.array([column]))[0, 0])
        if least_cost is not None:
            least += float(least_cost[row, column])
            box = int(xs[column]), int(ys[row]), width, height
            least -= sum(half * _state(one, box, (across.side, down.side)) for one, half in fitting) / _COSTS
        if self.weights.mass:
            near = bounds >= least - _SLACK
            rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
            bounds[~near] = -np.inf
            bounds[np.ix_(rows, columns)] -= off_mass(rows, columns)
        return bounds, least

    def _off_mass(self, x: tuple[Floats, ...], y: tuple[Floats, ...], twice_x: Ints, twice_y: Ints) -> Floats:
        """What the distance from the centre of mass costs, [len(y), len(x)], of boxes with these `parts`."""
        rows = y[0] @ self._floats
        sums = _product(rows, x[0].T)
        most = np.maximum(sums, 1)
        across = _product(rows, x[1].T)
        across -= sums * twice_x
        down = _product(y[1] @ self._floats, x[0].T)
        down -= sums * twice_y[:, None]
        found: Floats = self.across.mass * np.abs(across) + self.down.mass * np.abs(down)
        found /= most
        return found

    def _fitting(self, width: int, height: int) -> list[tuple[Object, int]]:
        """What fits into a box of this size."""
        size, picture = (width, height), (self.across.side, self.down.side)
        return [(one, half) for one, half in self.objects if one.fits(size, picture)]

    def at(self, xs: Ints, ys: Ints, width: int, height: int, rows: Ints, columns: Ints) -> Floats:
        """The values of the boxes at (xs[columns], ys[rows])."""
        wide, high = self.across.side, self.down.side
        used = np.flatnonzero(np.bincount(columns, minlength=len(xs)))
        place = np.searchsorted(used, columns)
        at_x, cell_x = _cells(xs[used], width, self.across)
        inside, moment = _both(self._rows, at_x, cell_x)  # [rows, used]: of each row of cells
        down = Tables(np.ascontiguousarray(inside.T), high)
        at_y, cell_y = _cells(ys[rows], height, self.down)
        sums, moment_y = _both(down, at_y, cell_y, place)
        moment_x, _ = _both(Tables(np.ascontiguousarray(moment.T), high), at_y, cell_y, place)
        x, y, count = xs[columns], ys[rows], len(rows)
        twice_x = at_x[: len(used)][place] + at_x[len(used) :][place]
        twice_y = at_y[:count] + at_y[count:]
        far_x = np.abs(twice_x * sums - moment_x)
        far_y = np.abs(twice_y * sums - moment_y)
        held = np.maximum(sums, 1)
        found: Floats = sums / self.field.total
        found -= self.across.middle * np.abs(twice_x - wide * self.across.cells) + self.down.middle * np.abs(
            twice_y - high * self.down.cells
        )
        found -= self.across.mass * (far_x / held) + self.down.mass * (far_y / held)
        costs = np.zeros(count, np.int64)
        for one, half in self._fitting(width, height):
            left, right, top, bottom = one.left * wide, one.right * wide, one.top * high, one.bottom * high
            shared = np.maximum(
                np.minimum(right, PARTS * (x + width)) - np.maximum(left, PARTS * x), 0
            ) * np.maximum(np.minimum(bottom, PARTS * (y + height)) - np.maximum(top, PARTS * y), 0)
            area = (right - left) * (bottom - top)
            missing = LOOSE * (area - shared) > area
            costs += half * missing
            costs += half * (missing & (LOOSE * shared > area))
        found -= costs / _COSTS
        return found


def _half(each: Object, weights: Weights) -> int:
    """What an object outside costs, half of what a cut one does: an integer, so that sums do not depend on their
    order."""
    return floor((weights.face if each.kind == "face" else weights.text) * each.weight * _FINE + 0.5)


def _state(one: Object, box: tuple[int, int, int, int], picture: tuple[int, int]) -> int:
    """0: whole in the box, 1: outside, 2: cut."""
    x, y, width, height = box
    shared, area = one.inside((x, y, x + width, y + height), picture)
    return 0 if LOOSE * (area - shared) <= area else 1 if LOOSE * shared <= area else 2


def _uncut(objects: Sequence[_Along], offsets: Ints, length: int) -> Floats:
    """Whether boxes at these offsets hold 95 % of each object's length along one axis, as they must to hold it whole:
    [offsets, objects], 0 or 1."""
    first, last = (np.array([end[at] for end in objects], np.int64) for at in (0, 1))
    at = offsets[:, None]
    return ((at <= first) & (at >= last - length)).astype(np.float64)


def _product(a: Floats, b: Floats) -> Floats:
    """a @ b in blocks of rows below 2^18 multiplications, from which OpenBLAS starts threads: under load waiting for
    them takes 20 times as long as the product."""
    rows = max(1, (1 << 18) // (b.shape[0] * b.shape[1]))
    if len(a) <= rows:
        found: Floats = a @ b
        return found
    return np.concatenate([a[start : start + rows] @ b for start in range(0, len(a), rows)])


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
