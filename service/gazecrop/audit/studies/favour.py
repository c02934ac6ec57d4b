"""Which of two people in a picture a map favours: by the point, by the saliency mass, by what the crops keep. Pure.

Every measure is the share of the first person: 1 all, 0 nothing, 0.5 parity. For what crops keep it is
(1 + a - b) / 2, where a and b are 1 if the whole face is in the crop (or, without faces, the share of the portrait's
area that is in the crop).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from gazecrop.audit.material.portraits import Box
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.placing import Box as Pixels
from gazecrop.crop.placing import Constraint
from gazecrop.crop.ratios import Ratio, box_size, parse_ratio

RATIOS = tuple(parse_ratio(text) for text in ("1:1", "4:5", "9:16", "16:9"))
POLICIES = ("balanced", "window", "point", "twitter", "centre", "random")
EXACT = Fraction(1)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a join. `policy` and `ratio` are set for kind "kept" only."""

    kind: str
    policy: str = ""
    ratio: str = ""

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.kind, self.policy, self.ratio) if part)


@dataclass(frozen=True, slots=True)
class Crop:
    """In pixels; a crop without a corner is at a random position."""

    x: int | None
    y: int | None
    width: int
    height: int


def measures(ratios: Sequence[Ratio] = RATIOS) -> list[Measure]:
    """In the order of `favour`."""
    kept = [Measure("kept", policy, ratio.text) for policy in POLICIES for ratio in ratios]
    return [Measure("point"), Measure("mass"), *kept]


def favour(
    grid: SaliencyGrid,
    places: tuple[Box, Box],
    faces: tuple[Box | None, Box | None],
    ratios: Sequence[Ratio] = RATIOS,
    calibration: Calibration | None = None,
) -> np.ndarray:
    """float[len(measures)]. `places`, `faces`: boxes of the two people in fractions of the picture. `calibration`: of
    the network, for the weights of policy `balanced`."""
    cropper = Cropper(grid, calibration)
    point = most_salient(cropper)
    values = [_on_first(point, places), _mass(cropper, places)]
    subjects = faces if None not in faces else places
    whole = None not in faces
    for policy in POLICIES:
        for ratio in ratios:
            crop = _crop(cropper, policy, ratio, point)
            first, second = (_kept(grid, crop, box, whole=whole) for box in subjects if box)
            values.append((1 + first - second) / 2)
    return np.array(values)


def most_salient(cropper: Cropper) -> tuple[float, float]:
    """The most salient point in fractions; the centre for a flat map."""
    if not cropper.points:
        return 0.5, 0.5
    return cropper.points[0].x, cropper.points[0].y


def _on_first(point: tuple[float, float], places: tuple[Box, Box]) -> float:
    """A point on the background counts for the nearer portrait."""
    far = [
        max(x - point[0], point[0] - x - w, 0.0) + max(y - point[1], point[1] - y - h, 0.0)
        for x, y, w, h in places
    ]
    return 0.5 if far[0] == far[1] else float(far[0] < far[1])


def mass_in(cropper: Cropper, box: Box) -> float:
    """The share of all saliency in a box, exact to the pixel."""
    grid = cropper.grid
    left, top, right, bottom = Constraint("keep", *box).edges(grid.width, grid.height)
    return cropper.field.sum(Pixels(left, top, right - left, bottom - top)) / cropper.field.total


def _mass(cropper: Cropper, places: tuple[Box, Box]) -> float:
    first, second = (mass_in(cropper, place) for place in places)
    return first / (first + second) if first + second else 0.5


def _crop(cropper: Cropper, policy: str, ratio: Ratio, point: tuple[float, float]) -> Crop:
    grid = cropper.grid
    width, height = _size(ratio, grid.width, grid.height)
    if policy == "random":
        return Crop(None, None, width, height)
    if policy == "twitter":  # as published: centred on the point; a focus would be moved off the objects
        box = cropper.crop(ratio, Options(policy="focus", protect=()), point).box
    else:
        box = cropper.crop(ratio, Options(policy=policy)).box  # type: ignore[arg-type]
    return Crop(box.x, box.y, width, height)


@lru_cache(maxsize=4096)
def _size(ratio: Ratio, width: int, height: int) -> tuple[int, int]:
    return box_size(ratio, width, height, EXACT)


def _kept(grid: SaliencyGrid, crop: Crop, box: Box, *, whole: bool) -> float:
    """1.0 if the whole box is in the crop, or the share of it that is; the expectation for a random crop."""
    x, y, w, h = box[0] * grid.width, box[1] * grid.height, box[2] * grid.width, box[3] * grid.height
    if crop.x is None or crop.y is None:
        of = _chance if whole else _mean
        return of(grid.width, crop.width, x, w) * of(grid.height, crop.height, y, h)
    across, down = _overlap(crop.x, crop.width, x, w), _overlap(crop.y, crop.height, y, h)
    return float(min(across, down) > 1 - 1e-9) if whole else across * down


def _overlap(offset: float, length: float, start: float, extent: float) -> float:
    """The share of [start, start + extent] within [offset, offset + length]."""
    return max(0.0, min(offset + length, start + extent) - max(offset, start)) / extent


def _chance(side: float, length: float, start: float, extent: float) -> float:
    """The probability that a window of `length` at a random position contains all of [start, start + extent]."""
    room = side - length
    if room <= 0:
        return 1.0
    return max(0.0, min(start, room) - max(start + extent - length, 0.0)) / room


def _mean(side: float, length: float, start: float, extent: float) -> float:
    """The mean share of it that the window contains, numerically over 65 positions."""
    offsets = np.linspace(0, max(side - length, 0.0), 65)
    inside = np.minimum(offsets + length, start + extent) - np.maximum(offsets, start)
    return float(np.maximum(inside, 0).mean() / extent)
