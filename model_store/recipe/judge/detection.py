"""The served network's faces and text lines against a face and a text detector's at full resolution.

    python -m model_store.recipe.judge.detection                   # "val"; half a minute, no torch
    python -m model_store.recipe.judge.detection --split=train
    python -m model_store.recipe.judge.detection --write           # "val", into objects.json, which the card reads
    python -m model_store.recipe.judge.detection --tools --write   # the labels' own detectors, on the network's input

With --tools YuNet and RapidOCR, whose boxes at full resolution are the labels, get the pictures that the network gets:
what these lose by the size alone. Minutes, with the training packages.

Recall at a precision is the largest one over all thresholds, from the raw output. Sizes are the longer side of a box as
a share of the picture's; labels and boxes of other sizes are neither hits nor misses. `served`: precision and recall of
what is shipped, with the manifest's least scores, at all sizes. Calibration: the share of right boxes in bins of the
score, of boxes of a score of 0.1 or more.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazecrop.crop.detection import Candidates, Scoring
from gazecrop.crop.objects import KINDS, Kind
from gazecrop.model import Model
from gazecrop.settings import read_settings
from model_store.recipe.detections import (
    Finder,
    Hits,
    Scene,
    all_of,
    calibrated,
    hits,
    recall_at,
    reliability,
    scenes,
)
from model_store.recipe.judge.scores import keep_objects
from model_store.recipe.options import parse

FLOOR = 0.1  # of the scores in the table of calibration
LEAST = 0.02  # score of a box of the tools
TOOLS = "YuNet, RapidOCR on 240x320"  # their row in objects.json


@dataclass(frozen=True)
class Sizes:
    """A row of the table. `aim`: the recall that the recipe aims at."""

    kind: Kind
    least: float
    most: float
    precision: float
    aim: float | None = None


ROWS = (
    Sizes("face", 0.08, np.inf, 0.9, 0.9),
    Sizes("face", 0.04, 0.08, 0.9, 0.7),
    Sizes("face", 0.0, 0.04, 0.9),
    Sizes("text", 0.1, np.inf, 0.8, 0.75),
    Sizes("text", 0.05, 0.1, 0.8),
    Sizes("text", 0.0, 0.05, 0.8),
)


@dataclass(frozen=True)
class Options:
    split: str = "val"
    limit: int = 0  # pictures; 0: all
    write: bool = False
    tools: bool = False


def title(wanted: Sizes) -> str:
    return f"{wanted.kind} {wanted.least:g}" + ("" if np.isinf(wanted.most) else f" to {wanted.most:g}")


def by_size(chosen: list[Scene]) -> dict[str, Any]:
    rows = {}
    for one in ROWS:
        found = hits(chosen, one.kind, one.least, one.most)
        recall = recall_at(found, one.precision)
        rows[title(one)] = {"labels": found.labels, "precision": one.precision, "recall": recall}
    return rows


def measure(chosen: list[Scene], scoring: dict[Kind, Scoring]) -> dict[str, Any]:
    """`rows`: by size. `served`: by kind what is shipped, at all sizes; `bins` of its calibration are mean score, share
    right and the number of boxes."""
    shipped = {}
    for kind in KINDS:
        found = hits(chosen, kind)
        precision, recall = served(found, scoring[kind])
        scores = calibrated(scoring[kind], found.logits)
        likely = scores >= FLOOR
        bins, error = reliability(scores[likely], found.right[likely])
        shipped[kind] = {"precision": precision, "recall": recall, "calibration_error": error, "bins": bins}
    return {"rows": by_size(chosen), "served": shipped}


def served(found: Hits, scoring: Scoring) -> tuple[float, float]:
    """Precision and recall of the boxes with at least the least score."""
    kept = calibrated(scoring, found.logits) >= scoring.least
    right = int(found.right[kept].sum())
    return right / max(int(kept.sum()), 1), right / max(found.labels, 1)


def report(count: int, found: dict[str, Any]) -> list[str]:
    """The lines of what `measure` found on `count` pictures."""
    aims = {title(one): "" if one.aim is None else f"   (aim {one.aim:.2f})" for one in ROWS}
    lines = [f"{count} pictures", f"{'size':18} labels recall"]
    lines += [
        f"{size:18} {row['labels']:6} {row['recall']:6.3f} at precision {row['precision']:g}{aims[size]}"
        for size, row in found["rows"].items()
    ]
    for kind, one in found.get("served", {}).items():
        lines.append(f"{kind}, served: precision {one['precision']:.3f}, recall {one['recall']:.3f}")
        lines.append(f"expected calibration error {one['calibration_error']:.3f}; score, share right, boxes:")
        lines += [f"  {mean:.2f} {share:.2f} {boxes:6}" for mean, share, boxes in one["bins"]]
    return lines


def tools() -> Finder:
    """YuNet and RapidOCR, their boxes of a score of LEAST or more. Both take BGR."""
    from model_store.recipe.make import detect

    detectors = (detect.face_detector(LEAST), detect.line_detector(LEAST))

    def find(pixels: np.ndarray) -> Candidates:
        found = [np.array(each(np.ascontiguousarray(pixels[..., ::-1]))).reshape(-1, 5) for each in detectors]
        kinds = np.repeat(np.arange(len(KINDS)), [len(each) for each in found])
        x, y, width, height, score = np.concatenate(found).T
        return Candidates(kinds, np.stack((x, y, x + width, y + height), axis=1).clip(0, 1), score)

    return find


def main(options: Options) -> None:
    """Raises SystemExit for a network without objects."""
    model = Model.load(read_settings())
    if model.scoring is None:
        raise SystemExit(f"{model.name} has no output `objects`")

    def find(pixels: np.ndarray) -> Candidates:
        objects = model.run(pixels[None]).objects
        assert objects is not None  # `scoring` is there
        return all_of(objects[0])

    if options.tools:
        print(f"YuNet and RapidOCR on pictures of {model.shapes}, {options.split}:", file=sys.stderr)
        chosen = scenes(tools(), model.shapes, options.split, options.limit)
        found = {"rows": by_size(chosen)}
    else:
        print(f"{model.file}, {model.precision}, {options.split}:", file=sys.stderr)
        chosen = scenes(find, model.shapes, options.split, options.limit)
        found = measure(chosen, model.scoring)
    print("\n".join(report(len(chosen), found)))
    if options.write:
        keep_objects(TOOLS if options.tools else model.name, {"detection": found})


if __name__ == "__main__":
    main(parse(Options))
