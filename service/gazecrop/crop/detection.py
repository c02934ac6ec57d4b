"""The network's second output -> objects: boxes of faces and text lines, scored, without overlaps.

The output is float [10, rows, columns], five channels a kind in the order of `objects.KINDS`. Of each five: 0 the logit
of a box whose middle is in this cell; 1 and 2 how far right and down of the cell's middle, in cells; 3 and 4 the
logarithms of the box's width and height in cells.

Around the middle of a large face a hundred cells may have a high score. Only peaks are taken: of faces the cells that
no neighbour exceeds, of text lines those that none to the left or right does, because lines may be a row apart. Of
peaks whose boxes overlap the higher one stays. A cell with a value that is not finite has no box.

The box of a peak that stays is the mean of those boxes of the cells around it that are alike, weighted by their scores
(box voting: Gidaris and Komodakis 2015, arXiv 1505.01749). It removes a part of the cells' errors: recall of faces from
0.08 of the side rose by 3 points on "train" and by 5 on "val", at a precision of 0.9.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.objects import KINDS, MOST, Kind, Object, most_important

CHANNELS = 5  # of a kind
CANDIDATES = 48  # of a kind, the highest peaks: bounds the comparison of all pairs, 0.1 ms
OVERLAP = 0.5  # intersection over union with a box of a higher score, above which a box is the same object
_VOTERS = 3  # cells to each side of a peak: their boxes are in the mean
_LIKELY = 0.3  # with at least this share of the peak's score
_ALIKE = 0.6  # and at least this intersection over union with its box
_FACE = KINDS.index("face")
_LONGEST = 6.0  # of a logarithm: 400 cells, more than the picture; its exponential is finite
_LEAST_SIDE = 1e-3  # of the picture's: a quarter of the 255th that an object's edge is rounded to

Floats = NDArray[np.float64]


class Candidates(NamedTuple):
    """kinds: int64[n], indices into `objects.KINDS`; boxes: float64[n, 4], left, top, right, bottom in fractions,
    clipped to the picture; logits: float64[n], descending within a kind."""

    kinds: NDArray[np.int64]
    boxes: Floats
    logits: Floats


@dataclass(frozen=True, slots=True)
class Scoring:
    """Of one kind: a box of this logit is right with the probability sigmoid(scale * logit + shift); those below
    `least` are dropped. A value of the network's manifest (model_store/recipe/make/calibrate_objects.py)."""

    scale: float
    shift: float
    least: float

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> "Scoring":
        """Raises KeyError, TypeError or ValueError when the entry is incomplete or wrong."""
        found = cls(*(float(entry[name]) for name in ("scale", "shift", "least")))
        if not (isfinite(found.scale) and found.scale > 0 and isfinite(found.shift) and 0 < found.least < 1):
            raise ValueError("objects: `scale` is above 0, `shift` finite, `least` between 0 and 1")
        return found

    @property
    def least_logit(self) -> float:
        """The logit whose score is `least`."""
        return (log(self.least / (1 - self.least)) - self.shift) / self.scale

    def score(self, logit: float) -> float:
        """0 to 1."""
        return 1 / (1 + exp(-min(max(self.scale * logit + self.shift, -500.0), 500.0)))


def scorings(entry: Mapping[str, Any]) -> dict[Kind, Scoring]:
    """From the entry `objects` of a network in the manifest. Raises as `Scoring.from_manifest`."""
    return {kind: Scoring.from_manifest(entry[kind]) for kind in KINDS}


def decode(output: NDArray[np.floating], scoring: Mapping[Kind, Scoring]) -> tuple[Object, ...]:
    """The objects of one picture, the most important first: the 16 boxes with the largest size times score at most.
    `output`: float [10, rows, columns]."""
    kinds, boxes, logits = candidates(output, [scoring[kind].least_logit for kind in KINDS])
    found: list[tuple[float, Object]] = []
    for place, (left, top, right, bottom), logit in zip(
        kinds.tolist(), boxes.tolist(), logits.tolist(), strict=True
    ):
        kind = KINDS[place]
        score = scoring[kind].score(logit)
        width, height = right - left, bottom - top
        importance = width * height * score
        if len(found) == MOST and importance <= found[-1][0]:
            continue
        insort(found, (importance, Object.detected(kind, left, top, width, height, score)), key=_falling)
        del found[MOST:]
    return most_important(one for _, one in found)


def _falling(scored: tuple[float, Object]) -> float:
    return -scored[0]


def candidates(output: NDArray[np.floating], least: Sequence[float], most: int = CANDIDATES) -> Candidates:
    """The boxes with a logit of at least `least` (one number a kind), without those that overlap a better one of their
    kind. Of each kind the `most` highest peaks are compared. `output`: float [10, rows, columns]."""
    rows, columns = output.shape[1:]
    planes = output.reshape(len(KINDS), CHANNELS, -1)
    logits = planes[:, 0]
    enough = logits >= np.array(least).reshape(-1, 1)  # no comparison with a NaN is true
    if enough.any():
        enough &= logits >= _around(logits.reshape(len(KINDS), rows, columns)).reshape(len(KINDS), -1)
    kinds, cells = np.nonzero(enough)
    if not len(cells):
        return Candidates(kinds, np.zeros((0, 4)), np.zeros(0))
    best = np.argsort(-logits[kinds, cells], kind="stable")
    if len(best) > most:
        best = np.concatenate([best[kinds[best] == kind][:most] for kind in range(len(KINDS))])
    kinds, cells = kinds[best], cells[best]
    values = planes[kinds, :, cells].astype(np.float64)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        kinds, cells, values = kinds[finite], cells[finite], values[finite]
    sides = columns, rows, columns, rows
    boxes = _clipped(np.concatenate(_ends(values.T, cells % columns, cells // columns)).T / sides)
    kept = np.flatnonzero(_has_area(boxes))
    kept = kept[_apart(kinds[kept], boxes[kept])]
    means = _clipped(_means(planes, kinds[kept], cells[kept], columns) / sides)
    shown = _has_area(means)  # the mean of boxes far out of the picture may have none in it
    kept, means = kept[shown], means[shown]
    return Candidates(kinds[kept], means, values[kept, 0])


def _has_area(boxes: Floats) -> NDArray[np.bool_]:
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.logical_and(sides[:, 0] >= _LEAST_SIDE, sides[:, 1] >= _LEAST_SIDE)


def _ends(channels: Floats, across: NDArray[np.int64], down: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(left, top) and (right, bottom) of boxes in cells, [2, ...] each. channels: [CHANNELS, ...]; across, down: of the
    cell of each."""
    middles = channels[1:3] + (across + 0.5, down + 0.5)
    halves = np.exp(np.minimum(channels[3:], _LONGEST)) / 2
    return middles - halves, middles + halves


def _clipped(boxes: Floats) -> Floats:
    """To the picture."""
    found: Floats = np.minimum(np.maximum(boxes, 0.0), 1.0)
    return found


_STEPS = np.arange(-_VOTERS, _VOTERS + 1)
_DOWN, _ACROSS = (each.reshape(-1) for each in np.meshgrid(_STEPS, _STEPS, indexing="ij"))
_PEAK = len(_DOWN) // 2


def _means(
    planes: NDArray[np.floating], kinds: NDArray[np.int64], cells: NDArray[np.int64], columns: int
) -> Floats:
    """The boxes of peaks, whose values are finite: left, top, right, bottom in cells, [n, 4]."""
    count = planes.shape[2]
    down, across = np.add.outer(cells // columns, _DOWN), np.add.outer(cells % columns, _ACROSS)
    inside = (down >= 0) & (across >= 0) & (down < count // columns) & (across < columns)
    index = np.where(inside, down * columns + across, cells[:, None])
    index += (kinds * CHANNELS * count)[:, None]
    channels = np.arange(CHANNELS)[:, None, None] * count
    values = planes.reshape(-1)[index + channels].astype(np.float64)  # [channels, n, voters]
    values[~np.isfinite(values)] = np.nan  # of which no comparison is true
    scores = 1 / (1 + np.exp(np.minimum(-values[0], 500.0)))
    first, last = _ends(values, across, down)
    own = slice(_PEAK, _PEAK + 1)
    shared = np.minimum(last, last[..., own]) - np.maximum(first, first[..., own])
    np.maximum(shared, 0.0, out=shared)
    areas = (last[0] - first[0]) * (last[1] - first[1])
    votes = shared[0] * shared[1] * (1 + _ALIKE) >= _ALIKE * (areas + areas[:, own])
    votes &= inside
    votes &= scores >= _LIKELY * scores[:, own]
    weights = np.where(votes, scores, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    edges = np.concatenate((first, last))
    edges[:, ~votes] = 0.0
    found: Floats = (edges * weights).sum(axis=2).T
    return found


def merged(frames: Iterable[Sequence[Object]]) -> tuple[Object, ...]:
    """The objects of several frames of one picture: of those of a kind that overlap the one with the highest score."""
    every = sorted((each for frame in frames for each in frame), key=lambda each: -each.score)
    chosen: list[Object] = []
    for each in every:
        if not any(each.kind == other.kind and _overlap(each, other) for other in chosen):
            chosen.append(each)
    return most_important(chosen)


def _overlap(one: Object, other: Object) -> bool:
    wide = min(one.right, other.right) - max(one.left, other.left)
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(wide, 0) * max(high, 0)
    areas = sum((each.right - each.left) * (each.bottom - each.top) for each in (one, other))
    return shared * (1 + OVERLAP) > OVERLAP * areas


def _around(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """The highest logit of each cell and its neighbours, NaN apart: [kinds, rows, columns]."""
    found = logits.copy()
    np.fmax(found[:, :, 1:], logits[:, :, :-1], out=found[:, :, 1:])
    np.fmax(found[:, :, :-1], logits[:, :, 1:], out=found[:, :, :-1])
    face, beside = found[_FACE], found[_FACE].copy()
    np.fmax(face[1:], beside[:-1], out=face[1:])
    np.fmax(face[:-1], beside[1:], out=face[:-1])
    return found


def _apart(kinds: NDArray[np.int64], boxes: Floats) -> NDArray[np.int64]:
    """Indices of the boxes that overlap none of the chosen ones of their kind before them: greedy, in this order."""
    count = len(boxes)
    if count < 2:
        return np.arange(count)
    left, top, right, bottom = boxes.T
    shared = np.maximum(np.minimum(right[:, None], right) - np.maximum(left[:, None], left), 0.0)
    shared *= np.maximum(np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top), 0.0)
    areas = (right - left) * (bottom - top)
    # Intersection over union above the limit, without a division.
    same = shared * (1 + OVERLAP) > OVERLAP * (areas[:, None] + areas)
    same &= kinds[:, None] == kinds
    chosen, gone = [], np.zeros(count, np.bool_)
    for i in range(count):
        if not gone[i]:
            chosen.append(i)
            gone |= same[i]
    return np.array(chosen, np.int64)
