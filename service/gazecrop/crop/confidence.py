"""Confidence of a window crop: the probability that it keeps at least 90 % of the gaze that the best crop of its ratio
keeps. The weights are in each network's manifest entry; model_store/recipe/make/calibrate.py fits them to recorded
fixations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gazecrop.crop.balance import Weights

_MARGIN = 0.001  # shares are clipped to this distance from 0 and 1, where the logit is infinite


def features(kept: float, centred: float, length: float) -> tuple[float, float, float, float]:
    """Features of the logistic regression. `kept`, `centred`: shares of the picture's saliency in the window crop
    and in the centre crop of the same size; `length`: the box's side over the picture's, along the axis that is
    cut."""
    bounded = min(max(kept, _MARGIN), 1 - _MARGIN)
    return math.log(bounded / (1 - bounded)), kept - centred, length, kept / length


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over `features`. `balance`: the weights of policy `balanced`."""

    weights: tuple[float, ...]
    intercept: float
    balance: Weights = Weights()

    @classmethod
    def from_manifest(cls, entry: dict[str, Any], balance: dict[str, Any] | None = None) -> "Calibration":
        """From the entries `calibration` and, where there is one, `balance` of a network. Raises KeyError or ValueError
        when one is incomplete."""
        weights = tuple(float(weight) for weight in entry["weights"])
        if len(weights) != len(features(0.5, 0.5, 0.5)):
            raise ValueError(f"a calibration has 4 weights, not {len(weights)}")
        return cls(
            weights, float(entry["intercept"]), Weights.from_manifest(balance) if balance else Weights()
        )

    def __call__(self, values: Sequence[float]) -> float:
        """The probability, 0 to 1, for `features(...)`."""
        score = self.intercept + sum(w * value for w, value in zip(self.weights, values, strict=True))
        return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))

    def confidence(self, kept: float, centred: float, length: float) -> float:
        """The probability that the crop is one of the best; 1 for a crop of the whole picture (`length` 1)."""
        return 1.0 if length >= 1 else self(features(kept, centred, length))
