"""Crops by brute force, written apart from the service: every pixel's saliency, every offset, integers only."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, floor
from operator import mul
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import HEAD, KINDS, Object, most_important

Corner = tuple[int, int]
Edges = tuple[int, int, int, int]  # left, top, right, bottom
LOOSE = {"face": Fraction(1, 20), "text": Fraction(1, 33)}  # of an object, on the other side of a box's edge


def overlap(a: int, b: int, c: int, d: int) -> int:
    return max(0, min(b, d) - max(a, c))


def weight(grid: SaliencyGrid, left: int, top: int, width: int, height: int) -> int:
    """The saliency in a box, from its overlap with every cell; a cell is width/columns x height/rows pixels."""
    across = [
        overlap(
            left * grid.columns, (left + width) * grid.columns, cell * grid.width, (cell + 1) * grid.width
        )
        for cell in range(grid.columns)
    ]
    down = [
        overlap(top * grid.rows, (top + height) * grid.rows, cell * grid.height, (cell + 1) * grid.height)
        for cell in range(grid.rows)
    ]
    levels: list[list[int]] = grid.levels.tolist()
    return sum(high * sum(map(mul, across, line)) for high, line in zip(down, levels, strict=True) if high)


def corners(grid: SaliencyGrid, width: int, height: int) -> Iterator[Corner]:
    return product(range(grid.width - width + 1), range(grid.height - height + 1))


def weights(grid: SaliencyGrid, width: int, height: int) -> dict[Corner, int]:
    """The saliency of every box of one size, by its corner."""
    pixel = [[weight(grid, x, y, 1, 1) for x in range(grid.width)] for y in range(grid.height)]
    sums = [[0] * (grid.width + 1) for _ in range(grid.height + 1)]
    for y, x in product(range(grid.height), range(grid.width)):
        sums[y + 1][x + 1] = pixel[y][x] + sums[y][x + 1] + sums[y + 1][x] - sums[y][x]
    return {
        (x, y): sums[y + height][x + width] - sums[y][x + width] - sums[y + height][x] + sums[y][x]
        for x, y in corners(grid, width, height)
    }


def edges(percent: Sequence[int], width: int, height: int) -> Edges:
    """The pixels that a box given in percent touches."""
    x, y, w, h = (Fraction(value, 100) for value in percent)
    return floor(x * width), floor(y * height), ceil((x + w) * width), ceil((y + h) * height)


def meets(kind: str, box: Edges, corner: Corner, width: int, height: int) -> bool:
    """Pixel by pixel: `keep` has all its pixels in the window, `avoid` none."""
    across = {x in range(corner[0], corner[0] + width) for x in range(box[0], box[2])}
    down = {y in range(corner[1], corner[1] + height) for y in range(box[1], box[3])}
    return False not in across | down if kind == "keep" else not (True in across and True in down)


def nearest(corners: Iterator[Corner], to: tuple[Fraction, Fraction]) -> Corner | None:
    """Of equally near ones the upper, then the left."""

    def far(corner: Corner) -> tuple[Fraction, int, int]:
        return (corner[0] - to[0]) ** 2 + (corner[1] - to[1]) ** 2, corner[1], corner[0]

    return min(corners, key=far, default=None)


def best(
    grid: SaliencyGrid, width: int, height: int, allowed: Callable[[Corner], bool] = lambda corner: True
) -> Corner | None:
    """The corner of the window that holds most; of equal ones the nearest to the middle."""
    sums = {corner: value for corner, value in weights(grid, width, height).items() if allowed(corner)}
    most = max(sums.values(), default=0)
    middle = Fraction(grid.width - width, 2), Fraction(grid.height - height, 2)
    return nearest((corner for corner, value in sums.items() if value == most), middle)


def iou(a: Corner, b: Corner, width: int, height: int) -> Fraction:
    shared = overlap(a[0], a[0] + width, b[0], b[0] + width) * overlap(
        a[1], a[1] + height, b[1], b[1] + height
    )
    return Fraction(shared, 2 * width * height - shared)


def grids(side: int = 14, cells: int = 5, top: int = 31, least: int = 1) -> st.SearchStrategy[SaliencyGrid]:
    """Small maps of small pictures: few levels, so that ties are frequent; cells wider and narrower than pixels."""

    @st.composite
    def draw(pick: Any) -> SaliencyGrid:
        rows, columns = pick(st.integers(1, cells)), pick(st.integers(1, cells))
        high = pick(st.sampled_from([1, 2, top]))
        values = pick(st.lists(st.integers(0, high), min_size=rows * columns, max_size=rows * columns))
        values[pick(st.integers(0, len(values) - 1))] = high
        levels = np.array(values, np.uint8).reshape(rows, columns)
        return SaliencyGrid(levels, pick(st.integers(least, side)), pick(st.integers(least, side)))

    return draw()


def objects(most: int = 4) -> st.SearchStrategy[tuple[Object, ...]]:
    """Objects of every size, the kinds and scores mixed, the most important first."""

    @st.composite
    def one(pick: Any) -> Object:
        left, top = pick(st.integers(0, 254)), pick(st.integers(0, 254))
        right, bottom = pick(st.integers(left + 1, 255)), pick(st.integers(top + 1, 255))
        return Object(pick(st.sampled_from(KINDS)), left, top, right, bottom, pick(st.integers(0, 127)))

    return st.lists(one(), max_size=most).map(most_important)


def protected(one: Object, width: int, height: int, picture: tuple[int, int]) -> Object:
    """What counts in a box of this size: the object; of a head that is too large for the box, the face if that is
    not. The shares are those that a face grows to a head by; an edge at the picture's border stays."""

    def fits(left: int, top: int, right: int, bottom: int) -> bool:
        wide, high = Fraction((right - left) * picture[0], 255), Fraction((bottom - top) * picture[1], 255)
        return wide <= width and high <= height

    if one.kind == "text" or fits(one.left, one.top, one.right, one.bottom):
        return one
    beside, above, below = (Fraction(share, 20) for share in HEAD)
    # Both edges of a head may have been rounded outwards.
    width_of_face = Fraction(max(one.right - one.left - 2, 0)) / (1 + 2 * beside)
    height_of_face = Fraction(max(one.bottom - one.top - 2, 0)) / (1 + above + below)
    face = (
        one.left + floor(beside * width_of_face) if one.left else 0,
        one.top + floor(above * height_of_face) if one.top else 0,
        one.right - floor(beside * width_of_face) if one.right < 255 else 255,
        one.bottom - floor(below * height_of_face) if one.bottom < 255 else 255,
    )
    return Object("face", *face, one.score) if fits(*face) else one


def share_inside(one: Object, corner: Corner, width: int, height: int, picture: tuple[int, int]) -> Fraction:
    """Of the protected area, in a box of width x height pixels at this corner."""
    return share_of(protected(one, width, height, picture), corner, width, height, picture)


def share_of(one: Object, corner: Corner, width: int, height: int, picture: tuple[int, int]) -> Fraction:
    """Of the object's area, in a box of width x height pixels at this corner."""
    shares = Fraction(1)
    for low, high, start, length, side in (
        (one.left, one.right, corner[0], width, picture[0]),
        (one.top, one.bottom, corner[1], height, picture[1]),
    ):
        first, last = Fraction(low * side, 255), Fraction(high * side, 255)
        shared = min(last, Fraction(start + length)) - max(first, Fraction(start))
        shares *= max(shared, Fraction(0)) / (last - first)
    return shares


def is_cut(one: Object, corner: Corner, width: int, height: int, picture: tuple[int, int]) -> bool:
    """A head is whole as well where the face alone is."""
    head, face = (
        share(box, corner, width, height, picture)
        for share, box in ((share_inside, one), (share_of, one.shrunk))
    )
    loose = LOOSE[one.kind]
    alone = face >= 1 - loose and would_fit(one, width, height, picture)
    return loose < head < 1 - loose and not alone


def would_fit(one: Object, width: int, height: int, picture: tuple[int, int]) -> bool:
    one = protected(one, width, height, picture)
    wide = Fraction((one.right - one.left) * picture[0], 255)
    return wide <= width and Fraction((one.bottom - one.top) * picture[1], 255) <= height


Percents = st.tuples(*[st.integers(0, 99)] * 2, *[st.integers(1, 60)] * 2).map(
    lambda box: (box[0], box[1], min(box[2], 100 - box[0]), min(box[3], 100 - box[1]))
)
Constraints = st.lists(st.tuples(st.sampled_from(["keep", "avoid"]), Percents), max_size=4)
