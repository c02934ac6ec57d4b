"""`overlay`: parts of the crop that the page covers, with a title or a button. What matters is kept from under them.

The value of a box is that of its policy, the saliency of `window` or the value of `balanced`, in shares of the
picture's saliency, less

importance    the share under each overlay: what is covered counts as little as what is left out
objects       COVERED for each protected object of which an overlay hides more than a 20th, of a line of text a 33rd

Candidates are those of the policy and, for each object, the offsets at which it is just clear of an overlay. Along one
axis also those at which a side of an overlay is at the border of a cell, so that the largest value over whole pixels is
found for `window` without objects. Saliency is summed in integers; values are doubles, computed in the same order in
gazecrop.js.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.balance import Balance
from gazecrop.crop.objects import PARTS, Object
from gazecrop.crop.placing import Box, Constraint, Field, Ints

Floats = NDArray[np.float64]
MOST_OVERLAYS = 4  # a title, a button, a logo, a badge
# More than the importance of most boxes' differences: an object leaves the overlay unless that costs a tenth of the
# picture's importance.
COVERED = 0.1
MUCH = 0.1  # of the picture's importance: an overlay that covers more has not been kept free
_SLACK = 1e-9  # of values, for rounding


class Overlaid:
    """The value of boxes of one size, with overlays given as fractions of the box. Immutable."""

    def __init__(
        self,
        field: Field,
        objects: Sequence[Object],
        overlays: Sequence[Constraint],
        size: tuple[int, int],
        base: Balance | None,
    ) -> None:
        """`objects`: the protected ones. `base`: of policy `balanced`; None: saliency."""
        self._field, self._base, self._picture = field, base, (field.width, field.height)
        self._objects = tuple(objects)
        self.rectangles = [edges for each in overlays if has_pixels(edges := each.edges(*size))]
        self.across = Along(self, 0)
        self.down = Along(self, 1)

    def offsets(self, axis: int, length: int, *, borders: bool) -> Ints:
        """Candidates along an axis, 0 across, 1 down; `borders`: also those with an overlay's side at a cell's."""
        base, profile = self._base, (self._field.across, self._field.down)[axis]
        found = None if base is None else (base.across, base.down)[axis].offsets(length, not borders)
        parts = [] if found is None else [found]
        for rectangle in self.rectangles:
            first, last = rectangle[axis], rectangle[2 + axis]
            if borders:
                parts += [profile.beside - first, profile.beside - last]
            for each in self._objects:
                edges = each.ltrb(*self._picture)
                parts.append(np.array((edges[axis] - last, edges[2 + axis] - first), np.int64))
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def values(
        self, xs: Ints, ys: Ints, width: int, height: int, allowed: NDArray[np.bool_] | None = None
    ) -> Floats:
        """[len(ys), len(xs)]: the value of each box with its corner at (xs, ys); minus infinity where it is not
        allowed or surely not the largest."""
        # Many candidates are moved to the same end of the picture: without the repetitions a quarter of the time.
        across, at_x = np.unique(xs, return_inverse=True)
        down, at_y = np.unique(ys, return_inverse=True)
        if allowed is not None:
            every = np.zeros((len(down), len(across)), np.bool_)
            every[at_y[:, None], at_x[None]] = allowed
            allowed = every
        found: Floats = self._values(across, down, width, height, allowed)[at_y[:, None], at_x[None]]
        return found

    def _values(
        self, xs: Ints, ys: Ints, width: int, height: int, allowed: NDArray[np.bool_] | None
    ) -> Floats:
        field, base = self._field, self._base
        shape = len(ys), len(xs)
        along_one = height == field.height or width == field.width
        importance = np.broadcast_to(field.sums(xs, ys, width, height) / field.total, shape)
        under = [
            field.sums(xs + left, ys + top, right - left, bottom - top) / field.total
            for left, top, right, bottom in self.rectangles
        ]
        hidden = COVERED * self._covered(xs, ys)
        start = importance if base is None or not along_one else base.values(xs, ys, width, height)
        found: Floats = np.array(np.broadcast_to(start, shape))
        for each in under:
            found -= each
        found -= hidden
        if allowed is not None:
            found[~allowed] = -np.inf
        if base is None or along_one:
            return found
        # What `balanced` subtracts is never negative: what is visible is at least the value.
        row, column = divmod(int(found.argmax()), len(xs))
        least = float(base.values(xs[column : column + 1], ys[row : row + 1], width, height)[0, 0])
        least -= sum(float(each[row, column]) for each in under) + float(hidden[row, column]) + _SLACK
        rows, columns = np.nonzero(found >= least)
        values = np.full(shape, -np.inf)
        some = base.at(xs, ys, width, height, rows, columns)
        for each in under:
            some -= each[rows, columns]
        some -= hidden[rows, columns]
        values[rows, columns] = some
        return values

    def _covered(self, xs: Ints, ys: Ints) -> Ints:
        """[len(ys), len(xs)]: how many objects an overlay hides a part of."""
        count = np.zeros((len(ys), len(xs)), np.int64)
        wide, high = self._picture
        for each in self._objects:
            first, last, upper, lower = (
                each.left * wide,
                each.right * wide,
                each.top * high,
                each.bottom * high,
            )
            covered = np.zeros(count.shape, np.bool_)
            for left, top, right, bottom in self.rectangles:
                across = np.minimum(last, PARTS * (xs + right)) - np.maximum(first, PARTS * (xs + left))
                down = np.minimum(lower, PARTS * (ys + bottom)) - np.maximum(upper, PARTS * (ys + top))
                shared = np.maximum(across, 0) * np.maximum(down, 0)[:, None]
                covered |= each.loose * shared > (last - first) * (lower - upper)
            count += covered
        return count


class Along:
    """One axis of an `Overlaid`, for placing.py."""

    def __init__(self, overlaid: Overlaid, axis: int) -> None:
        self._overlaid, self._axis = overlaid, axis

    def offsets(self, length: int, both: bool) -> Ints:
        return self._overlaid.offsets(self._axis, length, borders=not both)

    def values(self, offsets: Ints, length: int) -> Floats:
        """Of the boxes [offset, offset + length) over the whole other axis."""
        field, none = self._overlaid._field, np.zeros(1, np.int64)
        if self._axis == 0:
            values = self._overlaid.values(offsets, none, length, field.height)
        else:
            values = self._overlaid.values(none, offsets, field.width, length)
        return values.ravel()


def has_pixels(edges: tuple[int, int, int, int]) -> bool:
    return edges[0] < edges[2] and edges[1] < edges[3]


def unmet(
    overlays: Sequence[Constraint], box: Box, field: Field, objects: Sequence[Object], *, flat: bool
) -> list[Constraint]:
    """The overlays that hide a part of a protected object, or more than MUCH of a map that is not flat."""
    found = []
    for each in overlays:
        left, top, right, bottom = edges = each.edges(box.width, box.height)
        if not has_pixels(edges):
            continue
        under = Box(box.x + left, box.y + top, right - left, bottom - top)
        covered = any(_hides(under, one, (field.width, field.height)) for one in objects)
        if covered or (not flat and field.sum(under) > MUCH * field.total):
            found.append(each)
    return found


def _hides(under: Box, one: Object, picture: tuple[int, int]) -> bool:
    shared, area = one.inside(under.ltrb, picture)
    return one.loose * shared > area
