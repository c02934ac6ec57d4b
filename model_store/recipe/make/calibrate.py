"""Stage 5b, calibrate: how sure a crop is, fitted on people. `confidence` of the API is the chance that the
window crop keeps at least 90 % of the fixations that the best crop of its ratio keeps.

    python -m model_store.recipe.make.calibrate

The features, all from the grid's integers and the box (service/gazecrop/crop/confidence.py computes them alike):
  kept      share of the picture's saliency in the window crop, 0 to 1 (`importance_fraction`)
  centred   that of the centre crop of the same size
  length    the box's side over the picture's along the axis that it slides on, 0 to 1
and of them: logit of kept, kept - centred, length, kept / length. A logistic regression with an intercept.

Every picture of "train" is judged by a network that did not see it: two plain networks, each trained on one
part of "train" (split by a hash of the key). "val" only says how well it came out.
"""

import json
from dataclasses import dataclass, replace

import numpy as np
import torch

from gazecrop.crop.confidence import Calibration, features
from gazecrop.crop.cropping import Cropper
from gazecrop.crop.cropping import Options as CropOptions
from gazecrop.crop.grid import SaliencyGrid
from model_store.recipe import data, metrics
from model_store.recipe.crops import RATIOS, Judged, network_maps, sliding
from model_store.recipe.make import plain as plain_network
from model_store.recipe.make.export import manifest, update
from model_store.recipe.options import STORE, parse

ENOUGH = 0.9  # of what the best crop keeps
BINS = 10


@dataclass(frozen=True)
class Options:
    name: str = "gaze-0"
    epochs: int = 4
    threads: int = 2
    smoke: bool = False


def examples(maps: np.ndarray, judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Features float64 [n, 4] of every judged crop, and whether it kept enough."""
    rows, kept_enough = [], []
    for m, (width, height), points in zip(maps, judged.sizes, judged.points, strict=True):
        cropper = Cropper(SaliencyGrid.from_density(np.asarray(m, np.float64), width, height))
        for name in metrics.judged_ratios(width, height):
            crop = cropper.crop(RATIOS[name], CropOptions(policy="window"))
            box = sliding(crop.box, (width, height))
            rows.append(features(crop.importance, crop.centred, box.length / box.side))
            kept_enough.append(metrics.kept(box, points) >= ENOUGH * metrics.best_kept(box, points))
    return np.array(rows), np.array(kept_enough, np.float64)


def fit(x: np.ndarray, y: np.ndarray, ridge: float = 1e-3) -> tuple[list[float], float]:
    """Logistic regression by Newton's method: weights and intercept."""
    design = np.concatenate([x, np.ones((len(x), 1))], 1)
    beta = np.zeros(design.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ beta))
        hessian = (design * (p * (1 - p))[:, None]).T @ design / len(y) + ridge * np.eye(len(beta))
        beta -= np.linalg.solve(hessian, design.T @ (p - y) / len(y) + ridge * beta)
    return [float(b) for b in beta[:-1]], float(beta[-1])


def reliability(p: np.ndarray, y: np.ndarray) -> tuple[list[list[float]], float]:
    """[[mean confidence, share right, count]] per filled bin of BINS, and the expected calibration error."""
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    rows = [
        [float(p[place == b].mean()), float(y[place == b].mean()), int((place == b).sum())]
        for b in range(BINS)
        if (place == b).any()
    ]
    return rows, float(sum(abs(mean - share) * count for mean, share, count in rows) / len(p))


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    gaze = data.read("gaze", options.smoke)
    every = gaze.where("train")
    side = np.array([data.fold(gaze.about[i]["key"] + "/half") % 2 for i in every])
    maps = np.zeros((len(every), *data.GRID), np.float32)
    base = plain_network.Options(epochs=options.epochs, threads=options.threads, smoke=options.smoke)
    for half in (0, 1):
        plain_network.main(replace(base, name=f"half-{half}", half=half))
        network = plain_network.load(folder / f"half-{half}.pt")
        features_, _ = plain_network.cached_lower(
            network, gaze.pixels()[every], gaze.maps[every], folder / "lower-train"
        )
        maps[side != half] = plain_network.predict(
            network, features_[0, torch.from_numpy(np.flatnonzero(side != half))]
        )
    x, y = examples(maps, Judged(gaze, every))
    weights, intercept = fit(x, y)
    calibration = Calibration(tuple(weights), intercept)
    _, within = reliability(np.array([calibration(one) for one in x]), y)

    store = folder if options.smoke else STORE
    path = store / manifest(store)["networks"][options.name]["files"]["fp32"]["file"]
    val = Judged(gaze, gaze.where("val"))
    vx, vy = examples(network_maps(path, gaze.pixels()[val.chosen]), val)
    p = np.array([calibration(one) for one in vx])
    rows, error = reliability(p, vy)
    entry = {
        "weights": [round(w, 6) for w in weights],
        "intercept": round(intercept, 6),
        "expected_calibration_error": round(error, 4),
    }
    update(options.name, {"calibration": entry}, default=False, store=store)
    (folder / f"reliability-{options.name}.json").write_text(json.dumps({"bins": rows, "error": error}))
    print(
        json.dumps(
            entry
            | {
                "within_train": within,
                "base_rate_val": float(vy.mean()),
                "brier": float(((p - vy) ** 2).mean()),
            }
        ),
        rows,
    )


if __name__ == "__main__":
    main(parse(Options))
