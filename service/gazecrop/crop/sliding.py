"""A person's focus and the objects: of the boxes of one size that hold the point and meet the constraints, those that
cut the fewest objects which would fit, and of these the one in which the point is most central.

An object is whole or outside from certain offsets on; along one axis these and the aim are all offsets that can be the
nearest, so that the search is exact. In two dimensions whether an object is cut depends on both, and the offsets tried
along each axis are those at which an object is entirely inside or outside as well.
"""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.objects import PARTS, Object, ends_of
from gazecrop.crop.placing import Box, Constraint, Ints, allowed_boxes


def slide(
    box: Box,
    aim: tuple[int, int],
    point: tuple[float, float],
    objects: Sequence[Object],
    constraints: Sequence[Constraint],
    picture: tuple[int, int],
) -> Box:
    """`box`: the one nearest to the corner `aim`, in pixels, that meets the constraints; the answer where it cuts no
    object, or does not hold the point. `point`: the focus, in fractions. `picture`: its width and height in pixels."""
    size = box.width, box.height
    fitting = [(one, each.shrunk) for each in objects if (one := each.within(size, picture)) is not None]
    if not fitting or not _cut(fitting, np.array([box.x]), np.array([box.y]), size, picture).any():
        return box
    low, high = [], []
    for at, length, side in zip(point, size, picture, strict=True):
        low.append(max(ceil(at * side) - length, 0))
        high.append(min(floor(at * side), side - length))
    avoid: list[tuple[int, int, int, int]] = []
    for constraint in constraints:
        edges = constraint.edges(*picture)
        if constraint.kind == "keep":
            for axis in (0, 1):
                low[axis] = max(low[axis], edges[2 + axis] - size[axis])
                high[axis] = min(high[axis], edges[axis])
        else:
            avoid.append(edges)
    if low[0] > high[0] or low[1] > high[1]:
        return box
    places = []
    for axis in (0, 1):
        found = [aim[axis]]
        for each in (one for both in fitting for one in both):
            found += _turns(each, axis, size[axis], picture[axis])
        found += [place for edges in avoid for place in (edges[axis] - size[axis], edges[2 + axis])]
        places.append(np.unique(np.clip(np.array(found, np.int64), low[axis], high[axis])))
    xs, ys = places
    cut = _cut(fitting, xs, ys, size, picture)
    if avoid:
        cut[~allowed_boxes(xs, ys, *size, avoid, ())] = len(fitting) + 1
    far = (2 * (xs - aim[0])) ** 2 + ((2 * (ys - aim[1])) ** 2)[:, None]
    rows, columns = (cut == cut.min()).nonzero()
    if cut[rows[0], columns[0]] > len(fitting):
        return box
    order = np.lexsort((xs[columns], ys[rows], far[rows, columns]))
    return Box(int(xs[columns[order[0]]]), int(ys[rows[order[0]]]), *size)


def _turns(each: Object, axis: int, length: int, side: int) -> list[int]:
    """The offsets at which the object becomes whole, outside, entirely whole or entirely outside along one axis."""
    first, last = (each.left, each.right) if axis == 0 else (each.top, each.bottom)
    ends = ends_of(first, last, each.loose, side)
    return [*ends, *(end - length for end in ends)]


def _cut(
    objects: Sequence[tuple[Object, Object]],
    xs: Ints,
    ys: Ints,
    size: tuple[int, int],
    picture: tuple[int, int],
) -> NDArray[np.int64]:
    """How many of the objects each box with its corner at (xs, ys) cuts through: [len(ys), len(xs)]. `objects`: what
    counts of each, and of a head the face alone, with which it is whole as well."""
    count = np.zeros((len(ys), len(xs)), np.int64)
    (width, height), (wide, high) = size, picture
    for both in objects:
        shares = []
        for each in both:
            left, right, top, bottom = (
                each.left * wide,
                each.right * wide,
                each.top * high,
                each.bottom * high,
            )
            across = np.minimum(right, PARTS * (xs + width)) - np.maximum(left, PARTS * xs)
            down = np.minimum(bottom, PARTS * (ys + height)) - np.maximum(top, PARTS * ys)
            shares.append(
                (np.maximum(across, 0) * np.maximum(down, 0)[:, None], (right - left) * (bottom - top))
            )
        (shared, area), (alone, face) = shares
        loose = both[0].loose
        inside, missing = loose * shared > area, loose * (area - shared) > area
        count += inside & missing & (loose * (face - alone) > face)
    return count
