"""Shared by the two compatibility endpoints: ratios as numbers, and a crop of the server's choice without ratios."""

from typing import Any

from gazecrop.crop.cropping import Crop, Options
from gazecrop.crop.params import Wanted, one_ratio
from gazecrop.crop.ratios import ALL_PROFILES, MOST, Ratio
from gazecrop.errors import BadParameters
from gazecrop.parts import Parts
from gazecrop.pipeline import Known

_FITTING = tuple(ratio for ratio in ALL_PROFILES if 0.5 <= ratio.value <= 2)


def ratios_of(values: Any, parameter: str) -> tuple[Ratio, ...]:
    """Parses ratios in the vendors' form, as numbers. Raises BadParameters."""
    if not isinstance(values, list) or len(values) > MOST:
        raise BadParameters.one(parameter, f"{parameter} is a list of at most {MOST} numbers.", limit=MOST)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise BadParameters.one(parameter, f"{parameter} are numbers above 0: width / height.")
    return tuple(one_ratio(f"{value:.6f}") for value in values)


def crops_of(parts: Parts, known: Known, ratios: tuple[Ratio, ...]) -> list[Crop]:
    """The crops of these ratios. Without ratios: one between 0.5 and 2, the smallest good one, else the one with
    most importance."""
    crops = parts.pipeline.crops(known, Wanted(ratios or _FITTING, Options(), {}))
    if ratios:
        return crops
    good = [crop for crop in crops if crop.verdict == "good"]
    if good:
        return [min(good, key=lambda crop: crop.box.width * crop.box.height)]
    return [max(crops, key=lambda crop: crop.importance)]
