from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.placing import Box, Constraint, Field, place
from tests.helpers import brute
from tests.helpers.brute import Constraints, Corner, Percents, grids


def constraints(drawn: list[tuple[str, tuple[int, ...]]]) -> list[Constraint]:
    return [Constraint(kind, *(value / 100 for value in percent)) for kind, percent in drawn]


def allowed(
    grid: SaliencyGrid, width: int, height: int, drawn: list[tuple[str, tuple[int, ...]]]
) -> set[Corner]:
    boxes = [(kind, brute.edges(percent, grid.width, grid.height)) for kind, percent in drawn]
    return {
        corner
        for corner in brute.corners(grid, width, height)
        if all(brute.meets(kind, box, corner, width, height) for kind, box in boxes)
    }


def corner(box: Box | None) -> Corner | None:
    return None if box is None else (box.x, box.y)


sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))


@given(grids(), st.integers(1, 14), st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_window_along_one_axis_is_the_best_of_all(grid: SaliencyGrid, length: int, across: bool) -> None:
    size = (min(length, grid.width), grid.height) if across else (grid.width, min(length, grid.height))
    assert corner(place(Field(grid), *size)) == brute.best(grid, *size)


@given(grids(side=12), sizes)
@settings(deadline=None, max_examples=150)
def test_a_zoomed_window_is_the_best_of_all(grid: SaliencyGrid, size: tuple[int, int]) -> None:
    width, height = min(size[0], grid.width), min(size[1], grid.height)
    assert corner(place(Field(grid), width, height)) == brute.best(grid, width, height)


@given(grids(), sizes, st.booleans(), Constraints)
@settings(deadline=None, max_examples=300)
def test_the_best_box_that_meets_the_constraints_is_found(
    grid: SaliencyGrid, size: tuple[int, int], whole: bool, drawn: list[tuple[str, tuple[int, ...]]]
) -> None:
    width, height = grid.width if whole else min(size[0], grid.width), min(size[1], grid.height)
    feasible = allowed(grid, width, height, drawn)
    expected = brute.best(grid, width, height, feasible.__contains__)
    assert corner(place(Field(grid), width, height, None, constraints(drawn))) == expected
    assert (expected is None) == (not feasible)


@given(grids(), sizes, sizes, Constraints)
@settings(deadline=None, max_examples=200)
def test_with_an_aim_the_nearest_allowed_box_is_found(
    grid: SaliencyGrid, size: tuple[int, int], aim: tuple[int, int], drawn: list[tuple[str, tuple[int, ...]]]
) -> None:
    width, height = min(size[0], grid.width), min(size[1], grid.height)
    aim = min(aim[0] - 1, grid.width - width), min(aim[1] - 1, grid.height - height)
    feasible = allowed(grid, width, height, drawn)
    expected = brute.nearest(iter(feasible), (Fraction(aim[0]), Fraction(aim[1])))
    assert corner(place(Field(grid), width, height, aim, constraints(drawn))) == expected


@given(
    grids(side=20), st.integers(1, 20), st.booleans(), Constraints, st.lists(st.integers(0, 19), max_size=3)
)
@settings(deadline=None, max_examples=200)
def test_further_windows_along_one_axis_are_the_best_of_those_apart(
    grid: SaliencyGrid,
    length: int,
    across: bool,
    drawn: list[tuple[str, tuple[int, ...]]],
    others: list[int],
) -> None:
    if across:
        size = min(length, grid.width), grid.height
        apart = [(min(offset, grid.width - size[0]), 0) for offset in others]
    else:
        size = grid.width, min(length, grid.height)
        apart = [(0, min(offset, grid.height - size[1])) for offset in others]
    feasible = {
        place
        for place in allowed(grid, *size, drawn)
        if all(brute.iou(place, other, *size) <= Fraction(1, 2) for other in apart)
    }
    boxes = [Box(*other, *size) for other in apart]
    found = place(Field(grid), *size, None, constraints(drawn), boxes)
    assert corner(found) == brute.best(grid, *size, feasible.__contains__)


@given(grids(side=12), sizes, Constraints)
@settings(deadline=None, max_examples=150)
def test_further_zoomed_windows_are_apart(
    grid: SaliencyGrid, size: tuple[int, int], drawn: list[tuple[str, tuple[int, ...]]]
) -> None:
    width, height = min(size[0], grid.width), min(size[1], grid.height)
    feasible = allowed(grid, width, height, drawn)
    boxes: list[Box] = []
    while len(boxes) < 4 and (box := place(Field(grid), width, height, None, constraints(drawn), boxes)):
        assert corner(box) in feasible
        for other in boxes:
            assert brute.iou((box.x, box.y), (other.x, other.y), width, height) <= Fraction(1, 2)
        boxes.append(box)
    if len(boxes) == 1:  # one other may always be farthest away: in a corner of what is allowed
        x, y = boxes[0].x, boxes[0].y
        if not any(kind == "avoid" for kind, _ in drawn):
            assert all(brute.iou((x, y), other, width, height) > Fraction(1, 2) for other in feasible)


@given(grids(side=30, cells=6), sizes, sizes)
@settings(deadline=None, max_examples=150)
def test_sums_are_exact(grid: SaliencyGrid, size: tuple[int, int], at: tuple[int, int]) -> None:
    field = Field(grid)
    for width, height in (size, (grid.width, size[1]), (size[0], grid.height), (grid.width, grid.height)):
        width, height = min(width, grid.width), min(height, grid.height)
        x, y = min(at[0] - 1, grid.width - width), min(at[1] - 1, grid.height - height)
        assert field.sum(Box(x, y, width, height)) == brute.weight(grid, x, y, width, height)
    assert field.total == brute.weight(grid, 0, 0, grid.width, grid.height)


@pytest.mark.parametrize(
    ("rows", "columns", "width", "height"),
    [
        (30, 40, 8000, 8000),
        (30, 40, 10667, 6000),
        (255, 255, 8191, 7813),
        (30, 40, 64_000_000, 1),
        (30, 40, 1, 64_000_000),
        (40, 30, 30000, 2),
        (30, 40, 1, 1),
        (30, 40, 1, 260),
        (1, 1, 65535, 976),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_the_largest_pictures_and_strips_are_exact(
    rows: int, columns: int, width: int, height: int, full: bool
) -> None:
    rng = np.random.default_rng(rows * columns + width)
    levels = (
        np.full((rows, columns), 31, np.uint8) if full else rng.integers(0, 32, (rows, columns), np.uint8)
    )
    levels[0, 0] = 31
    grid = SaliencyGrid(levels, width, height)
    field = Field(grid)
    assert field.total == int(levels.sum(dtype=object)) * width * height < 2**53
    for share in (0.3, 0.61, 1.0):
        w, h = max(1, int(share * width)), max(1, int(share * height))
        for size in ((w, h), (width, h), (w, height)):
            xs = np.unique(rng.integers(0, width - size[0] + 1, 3))
            ys = np.unique(rng.integers(0, height - size[1] + 1, 3))
            sums = field.sums(xs, ys, *size)
            for row, y in enumerate(ys.tolist()):
                for column, x in enumerate(xs.tolist()):
                    exact = brute.weight(grid, x, y, *size)
                    assert int(sums[row, column]) == exact == field.sum(Box(x, y, *size))
        box = place(field, w, h)
        assert box is not None
        if full:  # every window holds the same
            assert (box.x, box.y) == ((width - w) // 2, (height - h) // 2)


@pytest.mark.parametrize("seed", range(8))
def test_a_window_of_a_large_picture_is_the_best_of_all_offsets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height, columns = int(rng.integers(5000, 8001)), 8000, 40
    length = int(rng.integers(1, width))
    grid = SaliencyGrid(rng.integers(0, 32, (30, columns), np.uint8), width, height)
    levels = grid.levels.sum(axis=0, dtype=np.int64)
    edges = np.arange(width + 1) * columns
    borders = np.arange(columns + 1) * width
    shared = np.minimum(edges[1:, None], borders[1:]) - np.maximum(edges[:-1, None], borders[:-1])
    pixels = np.concatenate(([0], np.cumsum(np.maximum(shared, 0) @ levels)))
    sums = pixels[length:] - pixels[:-length]
    box = place(Field(grid), length, height)
    assert box is not None
    assert sums[box.x] == sums.max()
    assert Field(grid).sum(box) == int(sums[box.x]) * height


@given(Percents, st.integers(1, 5000), st.integers(1, 5000))
@settings(deadline=None, max_examples=300)
def test_a_constraint_covers_the_pixels_of_its_decimals(
    percent: tuple[int, ...], width: int, height: int
) -> None:
    (constraint,) = constraints([("keep", percent)])
    assert constraint.edges(width, height) == brute.edges(percent, width, height)


def test_a_constraint_is_clipped_to_the_picture() -> None:
    assert Constraint("keep", 0.5, -0.5, 1.0, 3.0).edges(10, 20) == (5, 0, 10, 20)


@given(grids(), sizes, sizes, st.sampled_from(["keep", "avoid"]), Percents)
@settings(deadline=None, max_examples=200)
def test_met(
    grid: SaliencyGrid, size: tuple[int, int], at: tuple[int, int], kind: str, percent: tuple[int, ...]
) -> None:
    width, height = min(size[0], grid.width), min(size[1], grid.height)
    x, y = min(at[0] - 1, grid.width - width), min(at[1] - 1, grid.height - height)
    (constraint,) = constraints([(kind, percent)])
    expected = brute.meets(kind, brute.edges(percent, grid.width, grid.height), (x, y), width, height)
    assert constraint.met(Box(x, y, width, height), grid.width, grid.height) == expected
