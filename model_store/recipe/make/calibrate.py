"""Stage 6c, calibrate: fits the confidence of a crop to human fixations. `confidence` of the API is the probability
that the window crop keeps at least 90 % of the fixations that the best crop of its ratio keeps.

    python -m model_store.recipe.make.calibrate     # expected calibration error on "val": at most 0.05

A logistic regression with an intercept on four features: logit(kept), kept - centred, length, kept / length. They are
computed from the grid's integers and the box by the service's own code (service/gazecrop/crop/confidence.py):
  kept      share of the picture's saliency in the window crop, 0 to 1 (`importance_fraction`)
  centred   the same of the centre crop of this size
  length    side of the box over that of the picture, along the axis that the box slides on, 0 to 1

Every picture of "train" is judged by a network that was not trained on it: there are two plain networks, each trained
on one half of "train" (split by a hash of the key). "val" only measures the calibration error.
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
from model_store.recipe.logistic import fit, reliability
from model_store.recipe.make import plain as plain_network
from model_store.recipe.make.export import manifest, update
from model_store.recipe.options import STORE, parse

ENOUGH = 0.9  # of the fixations that the best crop keeps


@dataclass(frozen=True)
class Options:
    name: str = "gaze-0"
    epochs: int = (
        4  # of the plain network of each half; fewer than the usual six, because it has half of the pictures
    )
    threads: int = 2
    smoke: bool = False


def examples(maps: np.ndarray, judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Features float64 [n, 4] of every judged crop, and whether it kept ENOUGH, float64 [n] of 0 and 1."""
    rows, kept_enough = [], []
    for m, (width, height), points in zip(maps, judged.sizes, judged.points, strict=True):
        cropper = Cropper(SaliencyGrid.from_density(np.asarray(m, np.float64), width, height))
        for name in metrics.judged_ratios(width, height):
            crop = cropper.crop(RATIOS[name], CropOptions(policy="window"))
            box = sliding(crop.box, (width, height))
            rows.append(features(crop.importance, crop.centred, box.length / box.side))
            kept_enough.append(metrics.kept(box, points) >= ENOUGH * metrics.best_kept(box, points))
    return np.array(rows), np.array(kept_enough, np.float64)


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
