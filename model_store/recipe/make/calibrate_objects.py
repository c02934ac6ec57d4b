"""Stage 6d, calibrate objects: what a logit of a face or a text line is worth, and from which score on it is an object.

    python -m model_store.recipe.make.calibrate_objects --name=gaze-2    # minutes; after quantise, before the judges

A box of the network's output is right when it matches a detector's box (model_store/recipe/detections.py). For each
kind a logistic regression on the logits of all boxes of the labelled pictures of "train" above FLOOR gives `scale` and
`shift`: score = sigmoid(scale * logit + shift). The fp32 and the int8 file together, because both are served with the
same numbers. `least` is the smallest score at which PRECISION of the boxes with at least that score are right.
The expected calibration error is that of every fold with the constants of the others. The network was trained on these
pictures: judge/detection.py measures the error on "val".
"""

import json
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
import onnxruntime as ort

from gazecrop.crop.detection import Scoring
from gazecrop.crop.objects import KINDS, Kind
from model_store.recipe import data
from model_store.recipe.detections import (
    Finder,
    Hits,
    Scene,
    all_of,
    calibrated,
    curve,
    hits,
    reliability,
    scenes,
)
from model_store.recipe.options import STORE, parse

FLOOR = (
    -4.0
)  # a probability of 0.02 before calibration: nearly all boxes are below, and would outvote the others
PRECISION: dict[Kind, float] = {"face": 0.8, "text": 0.7}
DIGITS = 4  # of the manifest's numbers


@dataclass(frozen=True)
class Options:
    name: str = "gaze-2"
    limit: int = 0  # pictures; 0: all
    smoke: bool = False


def finder(path: Path) -> Finder:
    """The boxes of at least FLOOR. Raises ValueError for a file without the output `objects`."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if "objects" not in {output.name for output in session.get_outputs()}:
        raise ValueError(f"{path.name} has no output `objects`")
    return lambda pixels: all_of(session.run(["objects"], {"picture": pixels[None]})[0][0], FLOOR)


def fit(logits: np.ndarray, right: np.ndarray, ridge: float = 1e-3) -> tuple[float, float]:
    """(scale, shift) of a logistic regression, by 30 steps of Newton's method. `ridge` holds them near 1 and 0 where
    the boxes decide nothing: all right, all wrong, or none."""
    design = np.stack((logits, np.ones(len(logits))), axis=1)
    prior = np.array((1.0, 0.0))
    beta, count = prior.copy(), max(len(logits), 1)
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -50, 50)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design / count + ridge * np.eye(2)
        beta -= np.linalg.solve(hessian, design.T @ (p - right) / count + ridge * (beta - prior))
    return max(float(beta[0]), 10.0**-DIGITS), float(beta[1])


def least_score(found: Hits, scale: float, shift: float, precision: float) -> float:
    """The smallest score at which so many of the boxes with at least it are right. 0.99: there is none."""
    logits, precisions, _ = curve(found)
    enough = np.flatnonzero(precisions >= precision)
    if not len(enough):
        return 0.99
    score = float(calibrated(Scoring(scale, shift, 0.5), logits[enough[-1:]])[0])
    return min(max(floor(score * 10**DIGITS) / 10**DIGITS, 0.01), 0.99)  # rounded down: the box itself is in


def across_folds(chosen: list[Scene], kind: Kind) -> float:
    """The expected calibration error of all boxes, each scored with the constants of the other folds."""
    scores, right = [], []
    for fold in range(data.FOLDS):
        others = [scene for scene in chosen if data.fold(scene.key) != fold]
        held_out = [scene for scene in chosen if data.fold(scene.key) == fold]
        known, judged = hits(others, kind), hits(held_out, kind)
        scores.append(calibrated(Scoring(*fit(known.logits, known.right), 0.5), judged.logits))
        right.append(judged.right)
    return reliability(np.concatenate(scores), np.concatenate(right))[1]


def entry(chosen: list[Scene], kind: Kind) -> dict[str, float]:
    """The manifest's numbers of one kind, with what they give on these pictures."""
    found = hits(chosen, kind)
    scale, shift = (round(number, DIGITS) for number in fit(found.logits, found.right))
    least = least_score(found, scale, shift, PRECISION[kind])
    kept = calibrated(Scoring(scale, shift, least), found.logits) >= least
    right = int(found.right[kept].sum())
    return {
        "scale": scale,
        "shift": shift,
        "least": least,
        "precision": round(right / max(int(kept.sum()), 1), 3),
        "recall": round(right / max(found.labels, 1), 3),
        "expected_calibration_error": round(across_folds(chosen, kind), 4),
    }


def main(options: Options) -> None:
    from model_store.recipe.make.export import (
        manifest,
        update,
    )  # imports torch, which the functions do not need

    store = data.folder(True) if options.smoke else STORE
    network = manifest(store)["networks"][options.name]
    shapes = tuple((height, width) for height, width in network["shapes"])
    chosen: list[Scene] = []
    for file in network["files"].values():
        chosen += scenes(finder(store / file["file"]), shapes, "train", options.limit)
    found = {kind: entry(chosen, kind) for kind in KINDS}
    update(options.name, {"outputs": ["density", "objects"], "objects": found}, default=False, store=store)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
