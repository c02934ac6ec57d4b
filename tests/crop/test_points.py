from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.points import APART, LEAST, MOST, find
from tests.helpers.brute import grids


def hill(x: float, y: float, rows: int = 30, columns: int = 40, sharp: float = 60) -> np.ndarray:
    down, across = np.mgrid[0:rows, 0:columns]
    away = ((across + 0.5) / columns - x) ** 2 + ((down + 0.5) / rows - y) ** 2
    peak: np.ndarray = np.exp(-sharp * away)
    return peak


def smoothed(grid: SaliencyGrid) -> dict[tuple[int, int], int]:
    """Row, column -> the levels under the binomial of 5 x 5, edges repeated; cell by cell."""
    taps = {-2: 1, -1: 4, 0: 6, 1: 4, 2: 1}

    def level(row: int, column: int) -> int:
        return int(grid.levels[min(max(row, 0), grid.rows - 1), min(max(column, 0), grid.columns - 1)])

    return {
        (row, column): sum(taps[a] * taps[b] * level(row + a, column + b) for a, b in product(taps, repeat=2))
        for row, column in product(range(grid.rows), range(grid.columns))
    }


@given(grids(cells=12, side=64))
@settings(deadline=None, max_examples=100)
def test_points_are_separated_maxima_in_order(grid: SaliencyGrid) -> None:
    points = find(grid)
    assert (points == ()) == grid.flat
    if grid.flat:
        return
    smooth = smoothed(grid)
    top = max(smooth.values())
    assert points[0].score == 1
    assert len(points) <= MOST
    assert [point.score for point in points] == sorted((point.score for point in points), reverse=True)
    for point in points:
        assert 0 <= point.x <= 1 and 0 <= point.y <= 1
        near = [
            (row, column)
            for row, column in smooth
            if abs(column + 0.5 - point.x * grid.columns) <= 0.5 + 1e-9
            and abs(row + 0.5 - point.y * grid.rows) <= 0.5 + 1e-9
        ]
        peaks = [cell for cell in near if smooth[cell] / top == point.score]
        assert peaks, "a point lies within half a cell of the cell that has its score"
        assert any(
            all(
                smooth.get((row + a, column + b), 0) <= smooth[row, column]
                for a, b in product((-1, 0, 1), repeat=2)
            )
            for row, column in peaks
        )
        assert point.score >= LEAST
    for i, a in enumerate(points):
        for b in points[:i]:
            assert max(abs(a.x - b.x), abs(a.y - b.y)) >= APART
    first = min(cell for cell, value in smooth.items() if value == top)
    assert abs(points[0].y * grid.rows - first[0] - 0.5) <= 0.5
    assert abs(points[0].x * grid.columns - first[1] - 0.5) <= 0.5


@pytest.mark.parametrize("x", [0.2, 0.31, 0.5, 0.512, 0.84])
@pytest.mark.parametrize("y", [0.17, 0.45, 0.783])
def test_a_hill_is_found_to_a_fraction_of_a_cell(x: float, y: float) -> None:
    (point,) = find(SaliencyGrid.from_density(hill(x, y), 4000, 3000))
    assert abs(point.x - x) < 0.25 / 40
    assert abs(point.y - y) < 0.25 / 30
    assert point.score == 1


def test_two_hills_are_two_points_the_higher_first() -> None:
    density = hill(0.25, 0.3) * 0.6 + hill(0.75, 0.7)
    points = find(SaliencyGrid.from_density(density, 4000, 3000))
    for point, place in zip(points, [(0.75, 0.7), (0.25, 0.3)], strict=True):
        assert (point.x, point.y) == pytest.approx(place, abs=0.01)
    assert points[1].score == pytest.approx(0.6, abs=0.04)


def test_hills_too_near_or_too_low_are_no_points() -> None:
    near = hill(0.45, 0.5, sharp=900) + 0.9 * hill(0.56, 0.5, sharp=900)
    assert len(find(SaliencyGrid.from_density(near, 400, 300))) == 1
    low = hill(0.25, 0.5) + 0.15 * hill(0.75, 0.5)
    assert len(find(SaliencyGrid.from_density(low, 400, 300))) == 1


def test_the_five_highest_of_many_hills_are_kept() -> None:
    places = [(x, y) for x in (0.15, 0.5, 0.85) for y in (0.2, 0.8)]
    density = sum((0.5 + 0.1 * i) * hill(x, y, sharp=300) for i, (x, y) in enumerate(places))
    points = find(SaliencyGrid.from_density(np.asarray(density), 400, 300))
    assert len(points) == 5
    assert points[0].x == pytest.approx(0.85, abs=0.01)
    assert all(max(abs(p.x - 0.15), abs(p.y - 0.2)) > 0.1 for p in points)


# In maps 2 and 17 two maxima are equal: there the upper, then the left comes first, and no mirror keeps that.
@pytest.mark.parametrize("seed", sorted({*range(40)} - {2, 17}))
def test_a_mirrored_map_has_mirrored_points(seed: int) -> None:
    grid = SaliencyGrid(np.random.default_rng(seed).integers(0, 32, (7, 9), np.uint8), 64, 64)
    points = find(grid)
    mirrored = find(SaliencyGrid(grid.levels[:, ::-1], 64, 64))
    for ours, theirs in zip(points, mirrored, strict=True):
        assert theirs.x == pytest.approx(1 - ours.x, abs=1e-12)
        assert theirs.y == pytest.approx(ours.y, abs=1e-12)


def test_the_smoothing_is_in_exact_integers() -> None:
    levels = np.zeros((9, 9), np.uint8)
    levels[4, 4], levels[4, 0] = 31, 16
    middle, edge = find(SaliencyGrid(levels, 90, 90))
    assert (middle.x, middle.y, middle.score) == (0.5, 0.5, 1)
    assert (edge.x, edge.y) == (0, 0.5)  # the edge is repeated: the peak is on it
    assert edge.score == (16 * (6 + 4 + 1) * 6) / (31 * 6 * 6)
