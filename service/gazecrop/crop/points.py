"""The salient points of a grid: separated local maxima with scores, finer than a cell. The same as in gazecrop.js."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.grid import SaliencyGrid

Floats = NDArray[np.float64]
MOST = 5
APART = 0.15  # of a side: nearer maxima are one point
LEAST = 0.2  # of the highest score


@dataclass(frozen=True, slots=True)
class Point:
    """`x`, `y`: fractions of the upright picture. `score`: relative to the most salient point's, 0 to 1."""

    x: float
    y: float
    score: float


def find(grid: SaliencyGrid) -> tuple[Point, ...]:
    """The points, most salient first; none when the map is flat.

    The levels are first smoothed by the binomial (1, 4, 6, 4, 1)²: 32 levels tie too often for an argmax. All in
    integers, so that another language finds the same maxima. Of equal ones the upper, then the left is first.
    """
    if grid.flat:
        return ()
    smooth = _smooth(grid)
    rows, columns = smooth.shape
    edged = np.empty((rows + 2, columns + 2))
    edged[1:-1, 1:-1] = smooth
    edged[0, 1:-1], edged[-1, 1:-1] = smooth[0], smooth[-1]
    edged[:, 0], edged[:, -1] = edged[:, 1], edged[:, -2]
    highest = _highest(_highest(edged).T).T
    top = float(smooth.max())
    found_rows, found_columns = ((smooth == highest) & (smooth >= LEAST * top)).nonzero()
    heights = smooth[found_rows, found_columns].tolist()
    candidates = list(zip(found_rows.tolist(), found_columns.tolist(), heights, strict=True))
    candidates.sort(key=lambda cell: -cell[2])

    points: list[Point] = []
    for row, column, here in candidates:
        above, below = edged.item(row, column + 1), edged.item(row + 2, column + 1)
        left, right = edged.item(row + 1, column), edged.item(row + 1, column + 2)
        x = (column + 0.5 + _vertex(left, here, right)) / columns
        y = (row + 0.5 + _vertex(above, here, below)) / rows
        if all(max(abs(x - other.x), abs(y - other.y)) >= APART for other in points):
            points.append(Point(x, y, here / top))
            if len(points) == MOST:
                break
    return tuple(points)


def _smooth(grid: SaliencyGrid) -> Floats:
    """(1, 4, 6, 4, 1) along both axes, edges repeated: integers below 2^13. As products of matrices `find` takes 29 us,
    as sums of shifted arrays 48."""
    smooth: Floats = _binomial(grid.rows) @ grid.levels.astype(np.float64) @ _binomial(grid.columns).T
    return smooth


@lru_cache(maxsize=64)
def _binomial(cells: int) -> Floats:
    """[cells, cells]: the matrix of that smoothing along one axis."""
    matrix = np.zeros((cells, cells))
    for cell in range(cells):
        for step, weight in enumerate((1, 4, 6, 4, 1), -2):
            matrix[cell, min(max(cell + step, 0), cells - 1)] += weight
    matrix.flags.writeable = False
    return matrix


def _highest(values: Floats) -> Floats:
    """The highest of each row, the one above and the one below; not of the outermost."""
    highest: Floats = np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])
    return highest


def _vertex(before: float, here: float, after: float) -> float:
    """The vertex, between -0.5 and 0.5, of the parabola through three neighbours; 0 on a plateau."""
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend else 0.0
