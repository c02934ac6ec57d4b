"""Policy `balanced`: the box with the largest importance - objects not whole - off-balance.

importance    the share of the picture's saliency in the box, as of policy `window`
face, text    times the weights (objects.py) of the faces and text lines that the box cuts through, and half of the
              weights of those outside, of all that it could hold whole. People look at faces and text more than a map
              of 30x40 cells predicts: without a cost of those outside, avoiding a cut loses more of their gaze
alone         in place of `face` where the picture has one face: most of its gaze is there, so that keeping it whole
              costs less than keeping one of many
head          the same for heads; for `face` the detector's own box counts, which is whole in more boxes. A box
              that cuts only the head costs less than one that cuts the face: a detector's box ends near the hairline
middle        times the distance of the box's middle from the picture's, in shares of the sides, across plus down;
              only in the directions in which the box is smaller than the picture
mass          times the distance of the box's middle from the centre of mass of the saliency inside it, likewise: a
              lone subject comes to the middle of the box

Candidates are those of `window` (placing.py) and, for each object, the offsets at which it becomes whole or outside,
with as much missing or inside as may be; in two dimensions also those at which all of it is inside or outside along one
axis. They are finitely many. Values are doubles, computed in the same order as in gazecrop.js from integers that are
mostly exact, so that both find the same box to the pixel.

Moments are about the picture's left or upper edge and doubled: a cell from a to b with level l has l * (b^2 - a^2), in
the units of placing.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.balance_axis import COSTS, FINE, Axis, Edges, sums_upto, tables_of
from gazecrop.crop.objects import PARTS, Object
from gazecrop.crop.placing import Field, Floats, Ints, product

_SLACK = 1e-9  # of the picture's saliency: more than the rounding of a bound
# Of the picture's saliency: the boxes whose bounds are so near to the highest one are valued first. Of 220 crops of 11
# photographs with zoom 2 that is 8 boxes in the median, and 192 need no others; 0.002 to 0.01 take the same time.
_NEAR = 0.003


@dataclass(frozen=True, slots=True)
class Weights:
    """In shares of the picture's saliency, each 0 or more. The defaults are those of the shipped network, fitted by
    model_store/recipe/judge/whole_objects.py."""

    middle: float = 0.0169
    mass: float = 0.0211
    face: float = 0.0238
    text: float = 0.06
    head: float = 0.015
    alone: float = 0.0504

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> "Weights":
        """Raises KeyError or ValueError when the entry `balance` of a network is incomplete or wrong. One that was
        fitted before there were `head` and `alone` has none for heads, and for a single face that of any."""
        entry = {"head": 0, "alone": entry["face"]} | entry
        found = cls(*(float(entry[each.name]) for each in fields(cls)))
        if not all(0 <= each <= 1 for each in astuple(found)):
            raise ValueError("a weight of `balance` is not 0 to 1")
        return found


class Balance:
    """The value of boxes on one map, with some of its objects. Each axis is prepared when it is first needed: most
    crops need one. Immutable; thread-safe."""

    def __init__(self, field: Field, objects: Sequence[Object], weights: Weights) -> None:
        self.field, self.weights = field, weights
        faces = [each for each in objects if each.kind == "face"]
        face = weights.alone if len(faces) == 1 else weights.face
        self.objects = [
            (each.shrunk, _half(each, face if each.kind == "face" else weights.text)) for each in objects
        ]
        if weights.head:
            self.objects += [(each, _half(each, weights.head)) for each in faces]

    @cached_property
    def across(self) -> Axis:
        edges = [Edges(each.left, each.right, each.loose, half) for each, half in self.objects]
        return Axis(self.field.across, edges, self.weights.middle, self.weights.mass)

    @cached_property
    def down(self) -> Axis:
        edges = [Edges(each.top, each.bottom, each.loose, half) for each, half in self.objects]
        return Axis(self.field.down, edges, self.weights.middle, self.weights.mass)

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
        """left, right, top, bottom of each object, in 255ths of a pixel, `loose` and `_half`: [6, objects, 1]."""
        wide, high = self.across.side, self.down.side
        edges = [
            (one.left * wide, one.right * wide, one.top * high, one.bottom * high, one.loose, half)
            for one, half in self.objects
        ]
        return np.array(edges, np.int64).reshape(-1, 6).T[:, :, None]

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
        # A second time where a box that has not been valued may be better than all that have.
        while needed < least:
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
            left, right, top, bottom, loose, half = self._fitting(width, height)
            wide = _uncut(left, right, loose, xs, width)
            high = _uncut(top, bottom, loose, ys, height)
            halves = half / COSTS
            found += product((high * halves).T, wide)
            found -= halves.sum()
        return found

    def _fitting(self, width: int, height: int) -> Ints:
        """`_edges` of what fits into a box of this size."""
        left, right, top, bottom, _, _ = edges = self._edges
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
        upto = sums_upto(self._rows.take(cells, axis=2), place)
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
        upto = sums_upto(tables.take(cells, axis=2), place)
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
            found -= self._costs(xs[columns], ys[rows], width, height) / COSTS
        return found

    def _costs(self, xs: Ints, ys: Ints, width: int, height: int) -> Ints:
        """Of the objects that the boxes do not hold whole."""
        left, right, top, bottom, loose, half = self._fitting(width, height)
        wide = np.minimum(right, PARTS * (xs + width)) - np.maximum(left, PARTS * xs)
        high = np.minimum(bottom, PARTS * (ys + height)) - np.maximum(top, PARTS * ys)
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        area = (right - left) * (bottom - top)
        missing = loose * (area - shared) > area
        cut = missing & (loose * shared > area)
        costs: Ints = (half * missing + half * cut).sum(axis=0)
        return costs


def _half(each: Object, weight: float) -> int:
    """What an object outside costs, half of what a cut one does: an integer, so that sums do not depend on their
    order."""
    return floor(weight * each.weight * FINE + 0.5)


def _uncut(first: Ints, last: Ints, loose: Ints, offsets: Ints, length: int) -> Floats:
    """Whether boxes at these offsets hold enough of each object's length along one axis, as they must to hold it whole:
    [objects, offsets], 0 or 1. `first`, `last`: its edges in 255ths of a pixel, [objects, 1]."""
    missing, at = (last - first) // loose, PARTS * offsets
    return ((at <= first + missing) & (at >= last - missing - PARTS * length)).astype(np.float64)
