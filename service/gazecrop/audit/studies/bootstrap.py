"""Means with bootstrap intervals that resample persons, not pairs, since one person is in many pairs. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
CHUNK = 200  # draws in memory at once: 10,000 pairs x 200 doubles are 16 MB

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % bootstrap interval over persons."""

    mean: float
    low: float
    high: float

    def json(self) -> dict[str, Any]:
        return {name: round(value, 4) for name, value in asdict(self).items()}

    @property
    def excludes_parity(self) -> bool:
        """Parity (0.5) is outside the interval."""
        return not self.low <= 0.5 <= self.high


def numbered(names: Sequence[str]) -> Ints:
    """A number for each name, equal for equal names."""
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def estimates(
    values: Floats, first: Ints, second: Ints | None = None, *, draws: int = DRAWS, seed: int = 0
) -> list[Estimate]:
    """One estimate for each column of `values` [n, m]. `first`, `second` [n]: the persons of each row, as numbers; the
    two sides are drawn independently (two-way bootstrap). Without `second` each row has one person."""
    if not len(values):
        return [Estimate(np.nan, np.nan, np.nan)] * values.shape[1]
    means = values.mean(axis=0)
    drawn = np.concatenate(
        [w @ values / w.sum(axis=1, keepdims=True) for w in weights(first, second, draws, seed)]
    )
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return [Estimate(*map(float, three)) for three in zip(means, low, high, strict=True)]


def differences(
    one: Floats, other: Floats, first: Ints, second: Ints, *, draws: int = DRAWS, seed: int = 0
) -> list[Estimate]:
    """The means of the columns of `one` [n, m] minus those of `other` [k, m], of different persons: `first` [n],
    `second` [k], as numbers. Both sides are drawn independently."""
    drawn = [
        np.concatenate([w @ values / w.sum(axis=1, keepdims=True) for w in weights(who, None, draws, own)])
        for values, who, own in ((one, first, seed), (other, second, seed + 1))
    ]
    means = one.mean(axis=0) - other.mean(axis=0)
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5], axis=0)
    return [Estimate(*map(float, three)) for three in zip(means, low, high, strict=True)]


def weights(first: Ints, second: Ints | None, draws: int, seed: int) -> Iterator[Floats]:
    """Weight of each row in each draw: [draws, n], in chunks of CHUNK draws."""
    generator = np.random.default_rng(seed)
    sides = [np.unique(side, return_inverse=True)[1] for side in (first, second) if side is not None]
    counts = [int(side.max()) + 1 for side in sides]
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        rows = np.ones((size, len(first)))
        for side, count in zip(sides, counts, strict=True):
            rows *= generator.multinomial(count, np.full(count, 1 / count), size=size)[:, side]
        yield rows[rows.sum(axis=1) > 0]
