"""Regression of the gap on covariates: how a group's share depends on brightness, skin tone, size of the face. Pure.

A linear model of each pair, share - 0.5 = gap + sum of slope x difference (in standard deviations of the differences),
fitted by least squares with bootstrap intervals over persons. A difference that is collinear with the group itself
(skin tone with a label of group) cannot be separated from it: the gap "at equal ..." is then an extrapolation with a
wide interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.studies.bootstrap import Estimate, weights
from gazecrop.audit.studies.pairs import Outcome

DRAWS = 400


@dataclass(frozen=True, slots=True)
class CovariateEffect:
    """`difference`: mean of first minus second, in the unit of the covariate. `slope`: change of the share per standard
    deviation. `equal`: the share at equal values of this covariate."""

    name: str
    difference: float
    slope: Estimate
    equal: Estimate


def covariate_effects(
    outcome: Outcome,
    numbers: NDArray[np.int64],
    values: NDArray[np.float64],
    names: tuple[str, ...],
    measure: int,
) -> list[CovariateEffect]:
    """`values` [people, k]. One covariate at a time: a joint fit has too many parameters for few persons."""
    shares = outcome.per_pair[:, measure] - 0.5
    first, second = outcome.pairs[:, 0], outcome.pairs[:, 1]
    differences = values[first] - values[second]
    drawn = np.concatenate(list(weights(numbers[first], numbers[second], DRAWS, 0)))
    found = []
    for index, name in enumerate(names[: values.shape[1]]):
        raw = differences[:, index]
        scale = float(raw.std())
        if len(raw) < 10 or scale == 0:
            continue
        x = raw / scale
        gap, slope = _line(np.ones((1, len(x))), x, shares)[0]
        fits = _line(drawn, x, shares)
        low, high = np.percentile(fits, [2.5, 97.5], axis=0)
        found.append(
            CovariateEffect(
                name,
                float(raw.mean()),
                Estimate(float(slope), float(low[1]), float(high[1])),
                Estimate(0.5 + float(gap), 0.5 + float(low[0]), 0.5 + float(high[0])),
            )
        )
    return found


def _line(w: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted least squares of y on 1 and x: [draws, (intercept, slope)]."""
    total, mx, my = w.sum(axis=1), w @ x, w @ y
    spread = total * (w @ (x * x)) - mx**2
    slope = np.divide(total * (w @ (x * y)) - mx * my, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return np.stack([(my - slope * mx) / total, slope], axis=1)
