"""The salient points of a grid: separated local maxima with scores, finer than a cell. The same as in gazecrop.js."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.grid import SaliencyGrid

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
    smooth = _binomial(_binomial(grid.levels.astype(np.int64)).T).T
    rows, columns = smooth.shape
    edged = _edged(_edged(smooth, 1).T, 1).T
    highest = _highest(_highest(edged).T).T
    top = int(smooth.max())
    candidates = np.argwhere((smooth == highest) & (smooth >= LEAST * top)).tolist()
    candidates.sort(key=lambda cell: -int(smooth[cell[0], cell[1]]))

    points: list[Point] = []
    for row, column in candidates:
        above, here, below = (int(edged[row + step, column + 1]) for step in (0, 1, 2))
        left, right = int(edged[row + 1, column]), int(edged[row + 1, column + 2])
        x = (column + 0.5 + _vertex(left, here, right)) / columns
        y = (row + 0.5 + _vertex(above, here, below)) / rows
        if all(max(abs(x - other.x), abs(y - other.y)) >= APART for other in points):
            points.append(Point(x, y, here / top))
            if len(points) == MOST:
                break
    return tuple(points)


def _binomial(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(1, 4, 6, 4, 1) down the rows, edges repeated."""
    padded = _edged(values, 2)
    rows = len(values)
    a, b, c, d, e = (padded[step : step + rows] for step in range(5))
    smooth: NDArray[np.int64] = a + e + 4 * (b + d) + 6 * c
    return smooth


def _edged(values: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """The first and the last row repeated; np.pad takes ten times as long."""
    return np.concatenate((values[:1],) * by + (values,) + (values[-1:],) * by)


def _highest(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The highest of each row, the one above and the one below; not of the outermost."""
    highest: NDArray[np.int64] = np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])
    return highest


def _vertex(before: int, here: int, after: int) -> float:
    """The vertex, between -0.5 and 0.5, of the parabola through three neighbours; 0 on a plateau."""
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend else 0.0
