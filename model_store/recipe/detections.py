"""The network's boxes of faces and text lines beside the labels, those of objects.json.gz: hits, precision, recall.

The labels are those of a face and a text detector at full resolution, for the pictures of three collections; a picture
without an entry has no objects. A box of the network is right when its intersection over union with a label is at least
0.5. Boxes are taken from the raw output, before any least score, without overlaps (gazecrop.crop.detection).
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gazecrop.crop.detection import Candidates, Scoring, candidates
from gazecrop.crop.objects import KINDS, Kind
from model_store.recipe import data
from model_store.recipe.options import DATA

COLLECTIONS = ("mit1003", "osie", "eyecrowd")
LABELS: dict[Kind, str] = {"face": "faces", "text": "text"}  # the members of the file
SAME = 0.5  # intersection over union of a right box with its label
CELLS = 400  # of each kind, the highest: a crowd of 100 faces has several cells a face
BINS = 10  # of a table of calibration

# uint8[height, width, 3] -> boxes without overlaps.
Finder = Callable[[np.ndarray], Candidates]


@dataclass(frozen=True)
class Scene:
    """A picture: the labels' boxes by kind, float64[n, 4] as left, top, right, bottom in fractions, and the
    network's."""

    key: str
    labels: dict[Kind, np.ndarray]
    found: Candidates


class Hits(NamedTuple):
    """The network's boxes of one kind and class of sizes, of any number of pictures. logits: float64[n]; right:
    bool[n]; labels: the number of labels of this class."""

    logits: np.ndarray
    right: np.ndarray
    labels: int


def scenes(
    find: Finder,
    shapes: tuple[tuple[int, int], ...],
    split: str,
    limit: int = 0,
) -> list[Scene]:
    """The labelled pictures of a split, with the boxes found; `limit`: at most so many, 0: all."""
    listed = json.loads(gzip.decompress((DATA / "objects.json.gz").read_bytes()))
    made: list[Scene] = []
    for sample in data.samples("gaze"):
        about = json.loads(sample["json"])
        if about["split"] != split or about["dataset"] not in COLLECTIONS:
            continue
        labels = {}
        for kind, name in LABELS.items():
            x, y, width, height = (
                np.array(listed[name].get(sample["key"], []), np.float64).reshape(-1, 5).T[:4]
            )
            labels[kind] = np.stack((x, y, x + width, y + height), axis=1)
        made.append(Scene(sample["key"], labels, find(data.picture(sample["jpg"], shapes))))
        if len(made) == limit:
            break
    return made


def all_of(output: np.ndarray, least: float = -np.inf) -> Candidates:
    """Of the network's output `objects`, float32[10, rows, columns]: the boxes of at least this logit."""
    return candidates(output, [least] * len(KINDS), CELLS)


def sizes(boxes: np.ndarray) -> np.ndarray:
    """float64[n]: the longer side of each box, as a share of the picture's side."""
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of `a` with every one of `b`: float64[len(a), len(b)]."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.maximum(sides, 0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(
    boxes: np.ndarray, logits: np.ndarray, labels: np.ndarray, least: float = 0.0, most: float = np.inf
) -> Hits:
    """Of one picture and kind. In the order of falling logits a box takes the free label of sizes [least, most) that
    it overlaps most. A box that matches no such label and either a label of another size, or is itself of another
    size, is neither right nor wrong and is left out."""
    wanted = (sizes(labels) >= least) & (sizes(labels) < most)
    of_class = (sizes(boxes) >= least) & (sizes(boxes) < most)
    shared, free = overlaps(boxes, labels), wanted.copy()
    counted, right = [], []
    for i in np.argsort(-logits, kind="stable").tolist():
        near = np.where(free, shared[i], 0.0)
        hit = len(near) > 0 and float(near.max()) >= SAME
        if hit:
            free[int(near.argmax())] = False
        elif (shared[i][~wanted] >= SAME).any() or not of_class[i]:
            continue
        counted.append(logits[i])
        right.append(hit)
    return Hits(np.array(counted, np.float64), np.array(right, np.bool_), int(wanted.sum()))


def hits(chosen: Sequence[Scene], kind: Kind, least: float = 0.0, most: float = np.inf) -> Hits:
    """`match` of all pictures together."""
    parts = []
    for scene in chosen:
        of_kind = scene.found.kinds == KINDS.index(kind)
        parts.append(
            match(scene.found.boxes[of_kind], scene.found.logits[of_kind], scene.labels[kind], least, most)
        )
    if not parts:
        return Hits(np.zeros(0), np.zeros(0, np.bool_), 0)
    logits, right, labels = zip(*parts, strict=True)
    return Hits(np.concatenate(logits), np.concatenate(right), sum(labels))


def curve(found: Hits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(thresholds, precision, recall), float64[m] each, by falling threshold: of the boxes with at least that logit.
    Equal logits, which are frequent in int8, are one threshold."""
    order = np.argsort(-found.logits, kind="stable")
    logits, right = found.logits[order], np.cumsum(found.right[order])
    last = np.flatnonzero(np.append(logits[1:] < logits[:-1], True)[: len(logits)])
    return logits[last], right[last] / (last + 1), right[last] / max(found.labels, 1)


def recall_at(found: Hits, precision: float) -> float:
    """The largest recall at a threshold with at least this precision, 0 to 1; NaN without labels."""
    if not found.labels:
        return float("nan")
    _, precisions, recalls = curve(found)
    return float(recalls[precisions >= precision].max(initial=0.0))


def calibrated(scoring: Scoring, logits: np.ndarray) -> np.ndarray:
    """0 to 1, as many as logits."""
    return np.array([scoring.score(each) for each in logits.tolist()])


def reliability(of: np.ndarray, right: np.ndarray) -> tuple[list[tuple[float, float, int]], float]:
    """`of`: scores. (mean score, share right, count) of every bin of a tenth that is not empty, and the expected
    calibration error: their mean difference, weighted by the counts."""
    place = np.minimum((of * BINS).astype(int), BINS - 1)
    rows = [
        (float(of[place == one].mean()), float(right[place == one].mean()), int((place == one).sum()))
        for one in np.unique(place)
    ]
    error = sum(abs(mean - share) * count for mean, share, count in rows) / max(len(of), 1)
    return rows, float(error)
