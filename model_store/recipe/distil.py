"""Stage 5, distil: the plain network learns the ensemble's maps of all photographs, and human gaze where
there is some.

    python -m model_store.recipe.distil

The student starts from the plain network. The lower layers stay frozen and cached; pruning frees them again.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from model_store.recipe import data
from model_store.recipe.losses import correlation, divergence, gaze_loss
from model_store.recipe.network import Conv, Student, multiply_adds
from model_store.recipe.options import parse
from model_store.recipe.train import VIEWS, averager, cached_lower, freeze, load, predict, save, scores, views


@dataclass(frozen=True)
class Options:
    name: str = "distilled"
    start: str = "plain"
    epochs: int = 3  # over gaze and photographs together
    batch: int = 16
    rate: float = 1e-3
    backbone: float = 0.3
    decay: float = 0.02
    average: float = 0.995
    views: int = (
        VIEWS  # of pictures with gaze; 2, the picture and its mirror image, is cached in half the time
    )
    human: float = 0.5  # weight of human gaze against the teachers' maps, where there is both
    int8: bool = False  # weights are rounded to what int8 will hold
    seed: int = 5
    threads: int = 2
    smoke: bool = False


def loss(log_p: Tensor, human: Tensor, teacher: Tensor, share: float) -> Tensor:
    """Mean loss of a batch: KL - CC against the teacher, mixed with the loss on human gaze where there is
    some.

    Shapes [n, rows, columns]; a human map that is all zero says that nobody looked at this picture.
    """
    soft = divergence(log_p, teacher) - correlation(log_p, teacher)
    weight = share * (human.sum((1, 2)) > 0)
    hard = gaze_loss(log_p, human)
    return (weight * hard + (1 - weight) * soft).mean()


class Int8(nn.Module):
    """Weights rounded to 127 steps of each filter's largest; the gradient passes as if they were not.

    Rounding the weights afterwards moved maps by 0.08 of total variation, rounding the activations by 0.01.
    """

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-3) / 127
        return weight + ((weight / scale).round() * scale - weight).detach()


def round_weights(student: Student) -> None:
    """Rounds the weights of frozen convolutions, and lets those that learn see theirs rounded."""
    for layer in [m for m in student.modules() if isinstance(m, Conv)]:
        if layer.weight.requires_grad:
            parametrize.register_parametrization(layer, "weight", Int8())
        else:
            layer.weight.data = Int8()(layer.weight.data)


def viewed(maps: np.ndarray, count: int = VIEWS) -> Tensor:
    """The views of maps [n, k, rows, columns] that belong to what cached_lower kept: the same draws, no
    pixels."""
    generator, found = torch.Generator().manual_seed(0), []
    for view in range(count):
        for start in range(0, len(maps), 32):
            part = torch.from_numpy(maps[start : start + 32])
            found.append(views(torch.zeros(len(part), 8, 8, 3, dtype=torch.uint8), part, view, generator)[1])
    return torch.cat(found).view(count, *maps.shape)


def teacher_maps(shards: str, folder: Path) -> np.ndarray:
    """float32 [n, rows, columns]; rows of NaN where there is none."""
    return np.load(folder / f"{shards}-teacher.npy").astype(np.float32)


def photographs(folder: Path, smoke: bool) -> np.ndarray:
    """Indices of the unlabelled photographs with a teacher's map, duplicates of "val" left out."""
    chosen = data.read("photos", smoke).where("train", gaze=False)
    return chosen[np.isfinite(teacher_maps("photos", folder)[chosen, 0, 0])]


def note(folder: Path, student: Student, options: Options, log: list[dict[str, Any]]) -> None:
    """Adds what came out to distil.json, which the card's table and plot read."""
    path = folder / "distil.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    found[options.name] = {
        "start": options.start,
        "epochs": options.epochs,
        "int8": options.int8,
        "multiply_adds": multiply_adds(student),
        **log[-1],
    }
    path.write_text(json.dumps(found, indent=1))


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    final = folder / f"{options.name}.pt"
    if final.exists():
        return
    started = time.time()
    student: Student = load(folder / f"{options.start}.pt")
    freeze(student)
    if options.int8:
        round_weights(student)
    gaze, photos = data.read("gaze", options.smoke), data.read("photos", options.smoke)
    train, val, more = gaze.where("train"), gaze.where("val"), photographs(folder, options.smoke)
    seen, _ = cached_lower(
        student, gaze.pixels()[train], gaze.maps[train], folder / "lower-train", options.views
    )
    unseen, _ = cached_lower(student, photos.pixels()[more], photos.maps[more], folder / "lower-photos", 2)
    judged, _ = cached_lower(student, gaze.pixels()[val], gaze.maps[val], folder / "lower-val", 1)
    targets = viewed(np.stack([gaze.maps[train], teacher_maps("gaze", folder)[train]], 1), options.views)
    soft = teacher_maps("photos", folder)[more]
    others = viewed(np.stack([np.zeros_like(soft), soft], 1), 2)
    others[:, :, 0] = 0.0
    print(
        f"{len(train)} pictures with gaze, {len(more)} without, after {time.time() - started:.0f} s",
        flush=True,
    )

    total = len(train) + len(more)
    steps = options.epochs * -(-total // options.batch)
    new = [p for name, p in student.named_parameters() if name.startswith("decoder")]
    old = [p for name, p in student.named_parameters() if not name.startswith("decoder") and p.requires_grad]
    adam = torch.optim.AdamW(
        [{"params": new, "lr": options.rate}, {"params": old, "lr": options.rate * options.backbone}],
        weight_decay=options.decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min((k + 1) / 50, 0.5 + 0.5 * float(np.cos(np.pi * min(k / steps, 1.0))))
    )
    averaged = averager(student, options.average)
    resume, first, log = folder / f"{options.name}.resume.pt", 0, []
    if resume.exists():
        stored = torch.load(resume, weights_only=False)
        student.load_state_dict(stored["student"])
        averaged.load_state_dict(stored["averaged"])
        adam.load_state_dict(stored["adam"])
        schedule.load_state_dict(stored["schedule"])
        first, log = stored["epoch"], stored["log"]
    for epoch in range(first, options.epochs):
        student.train()
        order = torch.randperm(total, generator=torch.Generator().manual_seed(options.seed * 1000 + epoch))
        for batch in order.split(options.batch):
            mine, other = batch[batch < len(train)], batch[batch >= len(train)] - len(train)
            a, b = torch.randint(0, options.views, (len(mine),)), torch.randint(0, 2, (len(other),))
            x = torch.cat([seen[a, mine], unseen[b, other]]).float()
            y = torch.cat([targets[a, mine], others[b, other]])
            value = loss(student.upper(x), y[:, 0], y[:, 1], options.human)
            adam.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            adam.step()
            schedule.step()
            averaged.update_parameters(student)
        result = scores(predict(averaged.module, judged[0]), gaze, val)
        log.append({"epoch": epoch + 1, "seconds": round(time.time() - started), **result})
        print(json.dumps(log[-1]), flush=True)
        torch.save(
            {
                "student": student.state_dict(),
                "averaged": averaged.state_dict(),
                "adam": adam.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch + 1,
                "log": log,
            },
            resume,
        )
    for layer in averaged.module.modules():
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight")  # leaves the rounded weights
    save(averaged.module, final, {"log": log})
    note(folder, averaged.module, options, log)
    resume.unlink(missing_ok=True)


if __name__ == "__main__":
    main(parse(Options))
