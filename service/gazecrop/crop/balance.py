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
from gazecrop.crop.placing import Field, Floats, Ints, Profile, product

_SLACK = 1e-9  # of the picture's saliency: more than the rounding of a bound
# Of the picture's saliency: the boxes whose bounds are so near to the highest one are valued first. Of 220 crops of 11
# photographs with zoom 2 that is 8 boxes in the median, and 192 need no others; 0.001 to 0.01 take the same time.
_NEAR = 0.003
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
        self.ends = np.array([end for one in objects for end in (one.first, one.last)], np.int64)
        self.all = np.array([end for one in objects for end in (one.low, one.high)], np.int64)
        self._objects = objects

    @cached_property
    def _steps(self) -> tuple[Ints, Ints, Ints]:
        """Where the functions change, and their values from there on, the first ones before all of it."""
        steps = sorted(
            step
            for one in self._objects
            for step in ((one.first + 1, 2 * one.half, one.half), (one.last, -one.half, -2 * one.half))
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
    """One axis of the picture. `objects`: of each the edges (first, last) in 255ths, and `_half`."""

    def __init__(self, profile: Profile, objects: Sequence[tuple[int, int, int]], weights: Weights) -> None:
        side = profile.side
        self.side, self.borders = side, profile.edges.borders
        self.cells = len(self.borders) - 1
        unit = 2 * side * self.cells
        self.middle, self.mass = weights.middle / unit, weights.mass / unit
        self._profile, self._total = profile, float(profile.heights[-1])
        self._objects = [_along(low, high, side, half) for low, high, half in objects]
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
        costs: Floats = self._fitting(length).costs(np.concatenate((offsets, offsets + length))) / _COSTS
        return costs

    def _values(self, offsets: Ints, length: int | Ints) -> Floats:
        """Without the objects. `offsets`: of any shape, with `length` in one that fits."""
        # Few calls of numpy: each takes about 0.5 us, the numbers next to nothing.
        place, cells = self.edges(offsets, length)
        upto = _upto(self._tables.take(cells, axis=1), place)
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


class Balance:
    """The value of boxes on one map, with some of its objects. Each axis is prepared when it is first needed: most
    crops need one. Immutable; thread-safe."""

    def __init__(self, field: Field, objects: Sequence[Object], weights: Weights) -> None:
        self.field, self.weights = field, weights
        self.objects = [(each.shrunk, _half(each, weights)) for each in objects]

    @cached_property
    def across(self) -> Axis:
        edges = [(each.left, each.right, half) for each, half in self.objects]
        return Axis(self.field.across, edges, self.weights)

    @cached_property
    def down(self) -> Axis:
        edges = [(each.top, each.bottom, half) for each, half in self.objects]
        return Axis(self.field.down, edges, self.weights)

    @property
    def computed(self) -> Collection[str]:
        """The names of what was needed until now: "across", "down", and "_rows" after a search in two dimensions."""
        return vars(self).keys()

    @cached_property
    def _scales(self) -> Floats:
        """Of both axes the picture's side in the units of placing.py, and the weights of distances: [3, 2, 1]."""
        axes = self.across, self.down
        return np.array([(each.side * each.cells, each.middle, each.mass) for each in axes]).T[:, :, None]

    @cached_property
    def _rows(self) -> Floats:
        """`tables_of` each row of cells along the picture's width."""
        rows, cells = self.field.levels.shape
        levels, heights = np.zeros((2, rows, cells + 1))
        levels[:, :-1] = self.field.levels
        np.add.accumulate(levels[:, :-1], axis=1, out=heights[:, 1:])
        heights *= self.across.side
        return tables_of(levels, heights, self.across.borders)

    @cached_property
    def _edges(self) -> Ints:
        """left, right, top, bottom of each object, in 255ths of a pixel, and `_half`: [5, objects, 1]."""
        wide, high = self.across.side, self.down.side
        edges = [
            (one.left * wide, one.right * wide, one.top * high, one.bottom * high, half)
            for one, half in self.objects
        ]
        return np.array(edges, np.int64).reshape(-1, 5).T[:, :, None]

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
        bounds = self._bounds(xs, ys, width, height)
        if allowed is not None:
            bounds[~allowed] = -np.inf
        bounds = bounds.ravel()
        least, needed = np.inf, float(bounds.max()) - _NEAR
        while (
            needed < least
        ):  # once more where a box that has not been valued may be better than all that have
            least = needed
            near = (bounds >= least).nonzero()[0]
            rows = near // len(xs)
            values = self.at(xs, ys, width, height, rows, near - rows * len(xs))
            needed = float(values.max()) - _SLACK
        bounds.fill(-np.inf)
        bounds[near] = values
        return bounds.reshape(len(ys), len(xs))

    def _bounds(self, xs: Ints, ys: Ints, width: int, height: int) -> Floats:
        """[len(ys), len(xs)]: what no value of the boxes exceeds by _SLACK: without the distance from the centre of
        mass, and of the objects at least half of what is not whole."""
        across, down = self.across, self.down
        found = self.field.sums(xs, ys, width, height)
        found /= self.field.total
        found -= across.off_middle((2 * xs + width) * across.cells)
        found -= down.off_middle((2 * ys + height) * down.cells)[:, None]
        if self.objects:
            left, right, top, bottom, half = self._fitting(width, height)
            wide, high = _uncut(left, right, xs, width), _uncut(top, bottom, ys, height)
            halves = half / _COSTS
            found += product((high * halves).T, wide)
            found -= halves.sum()
        return found

    def _fitting(self, width: int, height: int) -> Ints:
        """`_edges` of what fits into a box of this size."""
        left, right, top, bottom, _ = edges = self._edges
        fits = (right - left <= PARTS * width) & (bottom - top <= PARTS * height)
        return edges[:, fits[:, 0]]

    def at(self, xs: Ints, ys: Ints, width: int, height: int, rows: Ints, columns: Ints) -> Floats:
        """The values of the boxes at (xs[columns], ys[rows])."""
        across, down = self.across, self.down
        used = np.bincount(columns).nonzero()[0]
        lines = used.searchsorted(columns)
        twice = np.empty((2, len(rows)))  # the middle of each box, across and down
        place, cells = across.edges(xs.take(used), width)
        (place[0] + place[1]).take(lines, out=twice[0])
        upto = _upto(self._rows.take(cells, axis=2), place)
        # Sums and moments of each row of cells are in turn levels along the height: [2, used, rows + 1].
        levels, heights = np.zeros((2, 2, len(used), down.cells + 1))
        np.subtract(upto[:, :, 1], upto[:, :, 0], out=levels[:, :, :-1].swapaxes(1, 2))
        np.add.accumulate(levels[:, :, :-1], axis=2, out=heights[:, :, 1:])
        heights *= down.side
        tables = tables_of(levels, heights, down.borders).reshape(3, 2, -1)
        place, cells = down.edges(ys.take(rows), height)
        np.add(place[0], place[1], out=twice[1])
        lines *= down.cells + 1
        cells += lines
        upto = _upto(tables.take(cells, axis=2), place)
        inside = (upto[:, :, 1] - upto[:, :, 0]).reshape(4, -1)
        sums, moments = inside[0], inside[1:3]
        sides, middles, masses = self._scales
        far = twice * sums
        far -= moments
        np.abs(far, out=far)
        far /= np.maximum(sums, 1)
        far *= masses
        twice -= sides
        np.abs(twice, out=twice)
        twice *= middles
        found: Floats = sums / self.field.total
        found -= twice[0] + twice[1]
        found -= far[0] + far[1]
        if self.objects:
            found -= self._costs(xs[columns], ys[rows], width, height) / _COSTS
        return found

    def _costs(self, xs: Ints, ys: Ints, width: int, height: int) -> Ints:
        """Of the objects that the boxes do not hold whole."""
        left, right, top, bottom, half = self._fitting(width, height)
        wide = np.minimum(right, PARTS * (xs + width)) - np.maximum(left, PARTS * xs)
        high = np.minimum(bottom, PARTS * (ys + height)) - np.maximum(top, PARTS * ys)
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        area = (right - left) * (bottom - top)
        missing = LOOSE * (area - shared) > area
        cut = missing & (LOOSE * shared > area)
        costs: Ints = (half * missing + half * cut).sum(axis=0)
        return costs


def _half(each: Object, weights: Weights) -> int:
    """What an object outside costs, half of what a cut one does: an integer, so that sums do not depend on their
    order."""
    return floor((weights.face if each.kind == "face" else weights.text) * each.weight * _FINE + 0.5)


def _uncut(first: Ints, last: Ints, offsets: Ints, length: int) -> Floats:
    """Whether boxes at these offsets hold 95 % of each object's length along one axis, as they must to hold it whole:
    [objects, offsets], 0 or 1. `first`, `last`: its edges in 255ths of a pixel, [objects, 1]."""
    loose, at = (last - first) // LOOSE, PARTS * offsets
    return ((at <= first + loose) & (at >= last - loose - PARTS * length)).astype(np.float64)


def _upto(tables: Floats, place: Floats) -> Floats:
    """Sums and moments up to these places: [2, ...]. `tables`: of their cells, [3, ...]; they are overwritten."""
    levels = tables[0]
    levels *= place
    tables[1] += levels
    levels *= place
    tables[2] += levels
    return tables[1:]
