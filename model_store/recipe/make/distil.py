"""Stage 4, distil: a student learns the ensemble's maps of all pictures, and human gaze where it was recorded.

    python -m model_store.recipe.make.distil --frozen                                          # the unpruned student
    python -m model_store.recipe.make.distil --start=prune-6 --name=pruned --epochs=12 --int8  # the pruned one

Expected crop score on "val" (gaze-1, card's table of pruning): 60.0 unpruned, 58.7 pruned, 59.3 with composed pictures.
All layers learn, from pixels; with `--frozen` the layers up to 1/8 do not, as in the plain network.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from model_store.recipe import data
from model_store.recipe.make import targets
from model_store.recipe.make.imagenet import freeze
from model_store.recipe.make.learn import Learner, groups, of_heads
from model_store.recipe.make.losses import correlation, divergence, gaze_loss
from model_store.recipe.make.material import Batch, Material
from model_store.recipe.make.network import Conv, Student, multiply_adds, with_objects
from model_store.recipe.make.plain import densities, load, save, scores
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    name: str = "distilled"
    start: str = "plain-lite0"  # name of the checkpoint to start from
    kinds: str = "gaze,photos,squashed"  # of pictures: material.py
    without: str = ""  # a collection left out
    epochs: int = 3  # over all kinds together
    batch: int = 16
    rate: float = 1e-3  # of the decoder
    backbone: float = 0.4  # factor of the rate for all other layers, which are pre-trained
    decay: float = 0.02  # weight decay of AdamW
    average: float = 0.998  # of the weights, exponentially: about the last 500 steps
    human: float = 0.5  # weight of human gaze against the teachers' maps, where there are both: folds.py
    teachers: bool = True  # use the teachers' maps; without them only human gaze
    frozen: bool = False  # the layers up to 1/8 do not learn
    detector: bool = False  # only the layers of the second output learn
    often: int = 1  # times that a picture with objects is in an epoch
    harmed: float = 0.0  # share of pictures that are blurred, dark, turned, tilted or bordered: harm.py
    mirror: float = (
        0.0  # weight of the divergence between the maps of a picture and its mirror image; halves the batch
    )
    twins: bool = False  # `mirror` takes the mirror image of a copy in the other quality
    objects: float = 0.0  # weight of the second output's loss; with 0 a student without it does not get it
    zoomed: float = 0.0  # share of pictures with other scales and words, for the second output alone
    int8: bool = False  # round weights to int8 while they learn
    seed: int = 5
    threads: int = 2
    smoke: bool = False


def loss(log_p: Tensor, human: Tensor, teacher: Tensor, share: float) -> Tensor:
    """Mean loss of a batch: KL - CC against the teacher, mixed with the loss on human gaze where there are both.

    Shapes [n, rows, columns]. A human map of zeros means that no gaze was recorded, a teacher's map of zeros that no
    teacher computed one; a picture without either has no loss.
    """
    has = (human.sum((1, 2)) > 0) | (teacher.sum((1, 2)) > 0)
    log_p, human, teacher = log_p[has], human[has], teacher[has]
    if not has.any():
        return log_p.sum()
    soft = divergence(log_p, teacher) - correlation(log_p, teacher)
    weight = share * (human.sum((1, 2)) > 0)
    weight = torch.where(teacher.sum((1, 2)) > 0, weight, torch.ones_like(weight))
    hard = gaze_loss(log_p, human)
    return (weight * hard + (1 - weight) * soft).sum() / len(has)


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss: human gaze against the teachers, mirror consistency, objects."""

    human: float
    mirror: float = 0.0
    objects: float = 0.0


def step_loss(student: Student, whole: Batch, weights: Weights, part: slice = slice(None)) -> Tensor:
    """Loss of a part of a batch; with `mirror` of its mirror images as well, plus the divergence of both maps."""
    batch = whole.part(part)
    pixels, its = batch.pixels, batch.objects
    if weights.mirror:
        other = pixels if batch.twins is None else batch.twins
        pixels = torch.cat([pixels, other.flip(2)])
        its = its and its.followed_by(its.mirrored())
    log_p, objects = student.both(pixels)
    one = log_p[: len(batch.pixels)]
    total = loss(one, batch.human, batch.teacher, weights.human)
    if weights.mirror:
        other = log_p[len(batch.pixels) :].flip(2)
        apart = (one.exp() - other.exp()) * (one - other)  # KL both ways
        both = total + loss(other, batch.human, batch.teacher, weights.human)
        total = both / 2 + weights.mirror * apart.sum((1, 2)).mean()
    if objects is not None and its is not None:
        total = total + weights.objects * targets.loss(objects, its)
    return total


class Int8(nn.Module):
    """Rounds weights to 127 steps of each filter's largest one; the gradient passes unchanged (straight-through).

    Rounding the weights only after training moved maps by 0.08 of total variation, rounding the activations by 0.01.
    """

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-3) / 127
        return weight + ((weight / scale).round() * scale - weight).detach()


def round_weights(student: Student) -> None:
    """Rounds the weights of frozen convolutions, and makes the others compute with rounded weights."""
    for layer in [m for m in student.modules() if isinstance(m, Conv)]:
        if layer.weight.requires_grad:
            parametrize.register_parametrization(layer, "weight", Int8())
        else:
            layer.weight.data = Int8()(layer.weight.data)


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; the next one is made while one is learnt."""
    with ThreadPoolExecutor(1) as worker:
        made = worker.submit(next, batches, None)
        while (batch := made.result()) is not None:
            made = worker.submit(next, batches, None)
            yield batch


def predict(student: Student, pixels: np.ndarray) -> np.ndarray:
    """Densities float32 [n, rows, columns] of pictures uint8 [n, h, w, 3]."""
    student.eval()
    return densities(lambda part: student(torch.from_numpy(pixels[part])), len(pixels))


def judge(student: Student, gaze: data.Pictures) -> dict[str, float]:
    """Scores on "val"."""
    val = gaze.where("val")
    return scores(predict(student, gaze.pixels()[val]), gaze, val)


def note(folder: Path, student: Student, options: Options, log: list[dict[str, Any]]) -> None:
    """Adds the last scores to distil.json, which the card's table and plot read."""
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
    torch.set_num_threads(1)  # Learner.share() computes a part of each batch on each core
    folder = data.folder(options.smoke)
    final = folder / f"{options.name}.pt"
    if final.exists():
        return
    student = load(folder / f"{options.start}.pt")
    if options.objects and student.objects is None:
        student = with_objects(student)
    student.requires_grad_(True)
    if options.frozen:
        freeze(student)
    if options.detector:
        for parameter_name, parameter in student.named_parameters():
            parameter.requires_grad_(parameter_name.startswith("objects"))
    if options.int8:
        round_weights(student)
    material = Material(
        folder,
        tuple(options.kinds.split(",")),
        size=options.batch // 2 if options.mirror else options.batch,
        seed=options.seed,
        teachers=options.teachers,
        harmed=options.harmed,
        objects=options.objects > 0,
        zoomed=options.zoomed,
        often=options.often,
        twins=options.twins,
        without=options.without,
        smoke=options.smoke,
    )
    print(f"{len(material.rows)} pictures", flush=True)
    learner = Learner(
        student,
        groups(student, of_heads, options.rate, options.backbone),
        steps=options.epochs * len(material),
        warm=50,
        decay=options.decay,
        average=options.average,
        threads=options.threads,
    )
    weights = Weights(options.human if options.teachers else 1.0, options.mirror, options.objects)
    resume = folder / f"{options.name}.resume.pt"
    for epoch in learner.epochs(
        options.epochs, resume, lambda mean: judge(mean, material.gaze), options.name
    ):
        material.reseed(options.seed + epoch)
        for batch in ahead(material.epoch()):
            learner.share(partial(step_loss, student, batch, weights), len(batch.pixels))
    found = learner.mean
    for layer in found.modules():
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight")  # leaves the rounded weights
    save(found, final, {"log": learner.log})
    if not options.without:  # the table has only networks trained on all collections
        note(folder, found, options, learner.log)
    resume.unlink(missing_ok=True)


if __name__ == "__main__":
    main(parse(Options))
