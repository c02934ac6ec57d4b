"""How sure a window crop is: the chance that it keeps at least 90 % of what the best crop of its ratio would
keep of where people look. Pure; the weights come with each network (model_store/recipe/make/calibrate.py fits them
on people)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_NEVER_SURE = 0.001  # shares are kept this far from 0 and 1 before their logit is taken


def features(kept: float, centred: float, length: float) -> tuple[float, float, float, float]:
    """What the chance is told from. `kept`, `centred`: shares of the picture's saliency in the window crop
    and in the centre crop of the same size; `length`: the box's side over the picture's, along the axis it
    slides on."""
    bounded = min(max(kept, _NEVER_SURE), 1 - _NEVER_SURE)
    return math.log(bounded / (1 - bounded)), kept - centred, length, kept / length


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over `features`."""

    weights: tuple[float, ...]
    intercept: float

    @classmethod
    def from_manifest(cls, entry: dict[str, Any]) -> "Calibration":
        """Raises KeyError or ValueError when the entry `calibration` of a network is not whole."""
        weights = tuple(float(weight) for weight in entry["weights"])
        if len(weights) != len(features(0.5, 0.5, 0.5)):
            raise ValueError(f"a calibration has 4 weights, not {len(weights)}")
        return cls(weights, float(entry["intercept"]))

    def __call__(self, values: Sequence[float]) -> float:
        """The chance, 0 to 1, of `features(...)`."""
        score = self.intercept + sum(w * value for w, value in zip(self.weights, values, strict=True))
        return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))

    def confidence(self, kept: float, centred: float, length: float) -> float:
        """The chance that the crop is one of the best; a crop of the whole picture (`length` 1) is one for
        sure."""
        return 1.0 if length >= 1 else self(features(kept, centred, length))
