"""Stage 3a, teachers: larger networks of different kinds, trained on human gaze, and those of finetune.py; all are
exported.

    python -m model_store.recipe.make.teachers                               # all, one after the other
    python -m model_store.recipe.make.teachers --kind=attentive --threads=1  # one; two can be trained at once

Expected crop scores on "val": 63.1 (contextual-lite), 62.8 (attentive-lite), 56 to 59 (those over MobileNetV2).
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model_store.recipe import data
from model_store.recipe.make import finetune, imagenet
from model_store.recipe.make.ensemble import apart, export
from model_store.recipe.make.learn import Learner, groups
from model_store.recipe.make.losses import gaze_loss
from model_store.recipe.make.plain import VIEWS, cached_lower, densities, scores
from model_store.recipe.make.teacher_networks import ENSEMBLE, KINDS, Pyramid
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    kind: str = ""  # train only this one, without exporting it
    without: str = ""  # a collection left out
    epochs: int = 5
    batch: int = 16
    rate: float = 1e-3  # of the new layers
    backbone: float = 0.2  # factor of the rate for the pre-trained layers
    decay: float = 0.02  # weight decay of AdamW
    average: float = 0.99  # of the weights, exponentially: about the last 100 steps
    seed: int = 3
    threads: int = 2
    smoke: bool = False


def halved(pixels: np.ndarray) -> np.ndarray:
    """Pictures uint8 [n, h, w, 3] at half size, by the mean of 2x2 pixels."""
    n, h, w, _ = pixels.shape
    out = np.empty((n, h // 2, w // 2, 3), np.uint8)
    for i in range(0, n, 64):
        part = pixels[i : i + 64].reshape(-1, h // 2, 2, w // 2, 2, 3)
        out[i : i + 64] = (part.astype(np.uint16).sum((2, 4)) + 2) // 4
    return out


def train(kind: str, options: Options, folder: Path) -> nn.Module:
    """Trains a teacher, or loads its checkpoint if there is one. A training that was stopped continues after its last
    epoch."""
    torch.manual_seed(options.seed)
    network, body = KINDS[kind]
    below = imagenet.student(body)
    teacher = network(below, data.GRID).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    name = f"teacher-{kind}{apart(options.without)}"
    final = folder / f"{name}.pt"
    if final.exists():
        teacher.load_state_dict(torch.load(final, weights_only=True)["state"])
        return teacher.eval()
    gaze = data.read("gaze", options.smoke)
    chosen, val = gaze.where("train"), gaze.where("val")
    started = time.time()
    caches = []
    for split, indices, count in (("train", chosen, VIEWS), ("val", val, 1)):
        pixels, maps = gaze.pixels(data.LARGE)[indices], gaze.maps[indices]
        large, targets = cached_lower(below, pixels, maps, folder / f"lower-large-{split}", count)
        inputs = [large]
        if network is Pyramid:
            inputs.append(cached_lower(below, halved(pixels), maps, folder / f"lower-half-{split}", count)[0])
        caches.append((inputs, targets))
    (inputs, targets), (judged, _) = caches
    mine = np.flatnonzero(np.isin(chosen, gaze.where("train", without=options.without)))
    print(f"{kind}: cached {tuple(inputs[0].shape)} after {time.time() - started:.0f} s", flush=True)

    def judge(mean: nn.Module) -> dict[str, float]:
        maps = densities(lambda part: mean(*(each[0, part].float() for each in judged)), len(val))
        return scores(maps, gaze, val)

    learner = Learner(
        teacher,
        groups(teacher, lambda name: not name.startswith("features"), options.rate, options.backbone),
        steps=options.epochs * -(-len(mine) // options.batch),
        warm=50,
        decay=options.decay,
        average=options.average,
    )
    resume = folder / f"{name}.resume.pt"
    for epoch in learner.epochs(options.epochs, resume, judge, name):
        draw = torch.Generator().manual_seed(options.seed * 1000 + epoch)
        order = torch.from_numpy(mine)[torch.randperm(len(mine), generator=draw)]
        for batch in order.split(options.batch):
            view = torch.randint(0, VIEWS, (len(batch),))
            features = [part[view, batch].float() for part in inputs]
            learner.step(gaze_loss(teacher(*features), targets[view, batch]).mean())
    torch.save({"state": learner.mean.state_dict(), "log": learner.log}, final)
    resume.unlink(missing_ok=True)
    return learner.mean.eval()


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    if options.kind:
        train(options.kind, options, folder)
        return
    teachers = {kind: train(kind, options, folder) for kind in KINDS}
    wanted = {f"teacher-{kind}": {kind: teacher} for kind, teacher in teachers.items()}
    for one in (one for one in finetune.MEMBERS if one.name in ENSEMBLE):
        epochs = min(one.epochs, options.epochs)
        its = replace(one, epochs=epochs, threads=options.threads, smoke=options.smoke)
        wanted[f"teacher-{one.name}"] = {one.name: finetune.train(its)}
    wanted["ensemble"] = {name: wanted[f"teacher-{name}"][name] for name in ENSEMBLE}
    for name, members in wanted.items():
        if not (folder / f"{name}.onnx").exists():
            export(members, folder / f"{name}.onnx")


if __name__ == "__main__":
    main(parse(Options))
