"""Two calibrated probabilities of a crop: `confidence`, that it keeps at least 90 % of the gaze that the best crop of
its ratio keeps; and `beats_centre`, that it keeps more of it than the centre crop of its size. The weights are in each
network's manifest entry; model_store/recipe/make/calibrate.py and judge/whole_objects.py fit them to recorded
fixations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gazecrop.crop.balance import Weights

_MARGIN = 0.001  # shares are clipped to this distance from 0 and 1, where the logit is infinite


def features(kept: float, centred: float, length: float) -> tuple[float, float, float, float]:
    """Features of the confidence. `kept`, `centred`: shares of the picture's saliency in the crop and in the centre
    crop of the same size; `length`: the box's side over the picture's, along the axis that is cut."""
    return _logit(kept), kept - centred, length, kept / length


def compared(kept: float, centred: float, area: float, moved: float) -> tuple[float, float, float, float]:
    """Features of `beats_centre`, all 0 for the centre crop itself. `area`: of the box, over the picture's; `moved`:
    how far the box is from the centre crop, in shares of the picture's sides, across plus down."""
    gain = kept - centred
    return gain, _logit(kept) - _logit(centred), gain / area, moved


def _logit(share: float) -> float:
    # Comparisons: `min` and `max` would take longer than the logarithm.
    bounded = _MARGIN if share < _MARGIN else 1 - _MARGIN if share > 1 - _MARGIN else share
    return math.log(bounded / (1 - bounded))


def _probability(weights: Sequence[float], intercept: float, values: Sequence[float]) -> float:
    """Of a logistic regression over four features, 0 to 1."""
    (a, b, c, d), (p, q, r, s) = weights, values
    score = intercept + (a * p + b * q + c * r + d * s)
    return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression over four features."""

    weights: tuple[float, ...]
    intercept: float = 0.0

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> "Logistic":
        """Raises KeyError or ValueError when the entry is incomplete or wrong."""
        weights = tuple(float(weight) for weight in entry["weights"])
        if len(weights) != 4:
            raise ValueError(f"a calibration has 4 weights, not {len(weights)}")
        found = cls(weights, float(entry.get("intercept", 0.0)))
        if not all(map(math.isfinite, (*weights, found.intercept))):
            raise ValueError("a weight of a calibration is not finite")
        return found

    def __call__(self, values: Sequence[float]) -> float:
        """The probability, 0 to 1."""
        return _probability(self.weights, self.intercept, values)


# Of the shipped network, for maps whose network is not known: the same in gazecrop.js.
BEATS = Logistic((2.0833, 0.825368, 3.798885, 1.031086))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one network: a logistic regression over `features` for crops of policy `window`, the weights of policy
    `balanced`, the same regression for its crops (None: not fitted), and the one over `compared`."""

    weights: tuple[float, ...]
    intercept: float
    balance: Weights = Weights()
    balanced: Logistic | None = None
    beats: Logistic = BEATS

    @classmethod
    def from_manifest(cls, entry: dict[str, Any], balance: dict[str, Any] | None = None) -> "Calibration":
        """From the entries `calibration` and, where there is one, `balance` of a network. Raises KeyError or ValueError
        when one is incomplete."""
        window = Logistic.from_manifest({"intercept": entry["intercept"], **entry})
        if not balance:
            return cls(window.weights, window.intercept)
        balanced, beats = balance.get("calibration"), balance.get("beats_centre")
        return cls(
            window.weights,
            window.intercept,
            Weights.from_manifest(balance),
            Logistic.from_manifest(balanced) if balanced else None,
            Logistic.from_manifest(beats) if beats else BEATS,
        )

    def __call__(self, values: Sequence[float]) -> float:
        """The probability, 0 to 1, for `features(...)` of a crop of policy `window`."""
        return _probability(self.weights, self.intercept, values)

    def confidence(self, kept: float, centred: float, length: float) -> float:
        """The probability that a crop of policy `window` is one of the best; 1 for one of the whole picture (`length`
        1)."""
        return 1.0 if length >= 1 else self(features(kept, centred, length))

    def confidence_balanced(self, kept: float, centred: float, length: float) -> float | None:
        """That of a crop of policy `balanced`; None where its regression was not fitted."""
        if length >= 1:
            return 1.0
        return None if self.balanced is None else self.balanced(features(kept, centred, length))
