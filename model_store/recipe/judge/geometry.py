"""Comparison of input geometries: every picture stretched to one shape, or to the nearest of three.

    python -m model_store.recipe.judge.geometry     # about 8 minutes; geometry.json in the work folder

Both trainings start from the same checkpoint and last two epochs on human gaze; only the shapes differ. Scores on "val"
are by the shape that is nearest to a picture. Expected: 58.5 of crop score with one shape, 58.4 with three.
"""

import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data, metrics
from model_store.recipe.make.learn import Learner
from model_store.recipe.make.losses import gaze_loss
from model_store.recipe.make.network import Student
from model_store.recipe.make.plain import load
from model_store.recipe.options import parse

SHAPES = {"landscape": data.SHAPE, "square": (280, 280), "portrait": (320, 240)}


@dataclass(frozen=True)
class Options:
    start: str = "composed"  # name of the checkpoint from which both trainings start
    epochs: int = 2
    batch: int = 16
    rate: float = 3e-4  # of all layers
    threads: int = 2
    smoke: bool = False


def nearest(width: float, height: float) -> str:
    return min(SHAPES, key=lambda name: abs(np.log(width / height * SHAPES[name][0] / SHAPES[name][1])))


def pictures(gaze: data.Pictures, wanted: np.ndarray, *, one: bool) -> dict[int, tuple[Tensor, Tensor]]:
    """{index: (uint8 [h, w, 3], density [h / 8, w / 8])}: all of one shape, or each of the nearest of SHAPES."""
    at = {gaze.about[i]["key"]: int(i) for i in wanted}
    found = {}
    for sample in data.samples("gaze"):
        if sample["key"] not in at:
            continue
        i = at[sample["key"]]
        width, height = gaze.about[i]["width"], gaze.about[i]["height"]
        shape = data.SHAPE if one else SHAPES[nearest(width, height)]
        grid = (shape[0] // 8, shape[1] // 8)
        target = data.density(gaze.points[i][:, :2], width, height, grid)
        found[i] = torch.from_numpy(data.picture(sample["jpg"], (shape,)).copy()), torch.from_numpy(target)
    return found


def trained(student: Student, seen: dict[int, tuple[Tensor, Tensor]], options: Options) -> Student:
    """Trains on human gaze, with pictures of one shape in a batch, and returns the averaged network."""
    draw = np.random.default_rng(0)
    steps = options.epochs * len(seen) // options.batch
    learner = Learner(
        student,
        [{"params": student.parameters(), "lr": options.rate}],
        steps=steps,
        warm=20,
        decay=0.02,
        average=0.99,
    )
    for _ in range(options.epochs):
        shapes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i in draw.permutation(list(seen)):
            shapes[tuple(seen[i][0].shape)].append(int(i))
        batches = [
            some[k : k + options.batch]
            for some in shapes.values()
            for k in range(0, len(some), options.batch)
        ]
        for k in draw.permutation(len(batches)):
            x = torch.stack([seen[i][0] for i in batches[k]])
            y = torch.stack([seen[i][1] for i in batches[k]])
            if draw.random() < 0.5:
                x, y = x.flip(2), y.flip(2)
            learner.step(gaze_loss(student(x), y).mean())
    return learner.mean.eval()


def scored(
    student: Student, seen: dict[int, tuple[Tensor, Tensor]], gaze: data.Pictures
) -> dict[str, object]:
    rows: dict[str, list[int]] = defaultdict(list)
    for i in seen:
        rows[nearest(gaze.about[i]["width"], gaze.about[i]["height"])].append(i)
    result: dict[str, object] = {}
    for name, indices in [*rows.items(), ("all", list(seen))]:
        with torch.no_grad():
            maps = [student(seen[i][0][None])[0].exp().numpy() for i in indices]
        pairs = metrics.window_pairs(maps, gaze.sizes(indices), [gaze.points[i] for i in indices])
        low, high = pairs.interval()
        result[name] = {"pictures": len(indices), "crop": pairs.score(), "interval": [low, high]}
    return result


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    folder, gaze = data.folder(options.smoke), data.read("gaze", options.smoke)
    path = folder / "geometry.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in ("one shape", "three shapes"):
        if name not in found:
            torch.manual_seed(0)
            one = name == "one shape"
            student = load(folder / f"{options.start}.pt").requires_grad_(True)
            student = trained(student, pictures(gaze, gaze.where("train"), one=one), options)
            found[name] = scored(student, pictures(gaze, gaze.where("val"), one=one), gaze)
            print(name, json.dumps(found[name]), flush=True)
            path.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
