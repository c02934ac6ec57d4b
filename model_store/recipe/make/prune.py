"""Stage 5, prune: Fisher pruning (Theis et al. 2018, arXiv 1801.05787) of the distilled student, and a thin control.

    python -m model_store.recipe.make.prune          # prune-1 to prune-6, about a quarter of an hour on two cores

Expected crop scores on "val": 60.0 before, 54.9 after six rounds, 41.6 for the control.
Removing feature map k raises the loss by about half the mean over examples of g_nk squared. g_nk is the gradient of
example n's loss with respect to a mask on k, which is the sum over all positions of activation x gradient. The maps
with the smallest rise per multiply-add saved (in the layers before and after as well) are removed from the network, and
each round is followed by training on teachers' maps and human gaze. The control has the same cost and as many steps of
training, but is uniformly thinner; its maps are chosen by the norm of their weights.

    python -m model_store.recipe.make.prune --name=slim --start=gaze-2 --time=gaze-2 --objects=0.15 --rounds=1

With `--time` the cost of a map is its microseconds in ONNX Runtime instead, by the tables of latency.py: the mean of
its shares of the int8 file's time and of the fp32 file's.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make import channels, latency
from model_store.recipe.make.backbones import Widths
from model_store.recipe.make.distil import Weights, judge, step_loss
from model_store.recipe.make.learn import Learner
from model_store.recipe.make.material import Batch, Material
from model_store.recipe.make.network import Student, multiply_adds
from model_store.recipe.make.plain import load, save
from model_store.recipe.options import parse

Cost = Callable[[Widths], float]


@dataclass(frozen=True)
class Options:
    name: str = "prune"  # of the checkpoints and the log
    start: str = "distilled"  # name of the checkpoint to prune
    kinds: str = "gaze,photos,squashed"  # of pictures: material.py
    without: str = ""  # a collection left out
    rounds: int = 6  # leave 0.185 G of 0.611 G; the aim was at most 0.2 G
    thin: bool = True  # also make the control, of the last round's cost
    factor: float = 0.82  # share of the cost that each round leaves: 0.30 after six
    time: str = ""  # name of the network whose table of latency.py has the cost; empty: multiply-adds
    objects: float = 0.0  # weight of the second output's loss
    probes: int = 10  # batches for the estimate of a round
    steps: int = 100  # of training after each round
    batch: int = 16
    rate: float = 4e-4  # of all layers
    average: float = 0.97  # of the weights, exponentially: about the last 33 of a round's steps
    human: float = 0.5  # weight of human gaze against the teachers' maps
    seed: int = 7
    threads: int = 2
    smoke: bool = False


def rise(student: Student, batch: Batch, options: Options) -> Tensor:
    """Mean loss of a batch."""
    return step_loss(student, batch, Weights(options.human, objects=options.objects))


def fisher(student: Student, batches: Iterator[Batch], options: Options) -> dict[str, Tensor]:
    """The estimated rise of the loss for every map of every group."""
    groups = channels.sites(student)
    rises = {group: torch.zeros(channels.width(student.widths, group)) for group in groups}
    outputs: dict[str, list[Tensor]] = {}
    hooks = []
    for group, modules in groups.items():
        for module in modules:

            def listen(_: object, __: object, output: Tensor, group: str = group) -> None:
                output.retain_grad()
                outputs.setdefault(group, []).append(output)

            hooks.append(module.register_forward_hook(listen))
    student.train()
    for _ in range(options.probes):
        outputs.clear()
        batch = next(batches)
        # The sum over examples: each activation's gradient is then that of its own example's loss.
        (rise(student, batch, options) * len(batch.pixels)).backward()
        for group, found in outputs.items():
            mask = sum((x.detach() * x.grad).sum((2, 3)) for x in found if x.grad is not None)
            rises[group] += 0.5 * mask.square().mean(0) / options.probes  # type: ignore[union-attr]
        student.zero_grad()
    for hook in hooks:
        hook.remove()
    return rises


def cost_of(options: Options) -> Cost:
    """Multiply-adds, or the share of the measured time, 1 for the network that was measured."""
    if not options.time:
        return channels.cost
    folder = data.folder(options.smoke)
    tables = json.loads((folder / f"latency-{options.time}.json").read_text())
    whole = load(folder / f"{options.time}.pt").widths
    costs = [(latency.timed(table, whole), sum(table.values())) for table in tables.values()]
    return lambda widths: sum(cost(widths) / total for cost, total in costs) / len(costs)


def choose(
    student: Student, rises: dict[str, Tensor], limit: float, cost: Cost = channels.cost
) -> dict[str, Tensor]:
    """The maps that stay, by group, so that the cost is at most `limit`. Blocks of maps are removed one by one, each
    time the one with the smallest rise per cost saved."""
    order = {group: rise.argsort(descending=True) for group, rise in rises.items()}
    widths = student.widths
    while cost(widths) > limit:
        now, best = cost(widths), (float("inf"), "", 0)
        for group, ranked in order.items():
            step = channels.STEP[group.partition(".")[0]]
            have = channels.width(widths, group)
            left = (have - 1) // step * step  # the first cut brings a width to a multiple of the step
            if left < step:
                continue
            saved = now - cost(channels.resized(widths, group, left))
            rise = float(rises[group][ranked[left:have]].sum())
            if saved > 0:
                best = min(best, (rise / saved, group, left))
        widths = channels.resized(widths, best[1], best[2])
    return {group: ranked[: channels.width(widths, group)].sort().values for group, ranked in order.items()}


def thinner(student: Student, limit: int) -> Student:
    """A uniformly thinner student of about `limit` multiply-adds: in each group the maps of the largest weights."""

    def keep(alpha: float) -> dict[str, int]:
        return {
            g: max(4, round(alpha * channels.width(student.widths, g) / 4) * 4)
            for g in channels.sites(student)
        }

    def spent(alpha: float) -> int:
        widths = student.widths
        for group, size in keep(alpha).items():
            widths = channels.resized(widths, group, size)
        return channels.cost(widths)

    alpha = min(np.linspace(0.2, 1.0, 401), key=lambda a: abs(spent(float(a)) - limit))
    decoder = student.decoder
    separable = (decoder.coarse, decoder.middle, decoder.fine)
    norms: dict[str, Tensor] = {}
    for group, size in keep(float(alpha)).items():
        kind, _, index = group.partition(".")
        i = int(index)
        layers = list(decoder.lateral)
        if kind == "hidden":
            layers = [student.blocks[i].depthwise]
        elif kind == "inner":
            layers = [separable[i].depthwise]
        elif kind == "stream":
            streams = student.body.stream
            layers = [block.project for block, s in zip(student.blocks, streams, strict=True) if s == i]
        norm = torch.stack([layer.weight.detach().flatten(1).square().sum(1) for layer in layers]).sum(0)
        norms[group] = norm.argsort(descending=True)[:size].sort().values
    return channels.sliced(student, norms)


def train(student: Student, batches: Iterator[Batch], steps: int, options: Options) -> Student:
    """Trains for `steps` steps of AdamW with a cosine schedule and returns the averaged network."""
    learner = Learner(
        student,
        [{"params": student.parameters(), "lr": options.rate}],
        steps=steps,
        warm=20,
        decay=0.01,
        average=options.average,
    )
    for _ in range(steps):
        learner.step(rise(student, next(batches), options))
    return learner.mean


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    curve = folder / f"{options.name}.json"
    log: list[dict[str, object]] = json.loads(curve.read_text()) if curve.exists() else []
    material = Material(
        folder,
        tuple(options.kinds.split(",")),
        size=options.batch,
        seed=options.seed,
        without=options.without,
        worn=0.0,
        coloured=0.0,
        objects=options.objects > 0,
        smoke=options.smoke,
    )
    batches, started = material.forever(), time.time()

    def note(name: str, student: Student) -> None:
        save(student, folder / f"{name}.pt", {"widths": student.widths.as_json()})
        log.append(
            {
                "name": name,
                "seconds": round(time.time() - started),
                "multiply_adds": multiply_adds(student),
                "parameters": sum(p.numel() for p in student.parameters()),
                **judge(student, material.gaze),
                "widths": student.widths.as_json(),
            }
        )
        curve.write_text(json.dumps(log, indent=1))
        print(json.dumps({k: v for k, v in log[-1].items() if k != "widths"}), flush=True)

    def checkpoint(name: str) -> Student:
        return load(folder / f"{name}.pt").requires_grad_(True)

    cost = cost_of(options)
    whole = cost(checkpoint(options.start).widths)
    if not log:
        note(f"{options.name}-0", checkpoint(options.start))
    for k in range(1, options.rounds + 1):
        if not (folder / f"{options.name}-{k}.pt").exists():
            student = checkpoint(f"{options.name}-{k - 1}")
            keep = choose(student, fisher(student, batches, options), whole * options.factor**k, cost)
            note(
                f"{options.name}-{k}",
                train(channels.sliced(student, keep), batches, options.steps, options),
            )
    if options.thin and not (folder / f"{options.name}-thin.pt").exists():
        limit = channels.cost(checkpoint(f"{options.name}-{options.rounds}").widths)
        student = thinner(checkpoint(options.start), limit).requires_grad_(True)
        note(f"{options.name}-thin", train(student, batches, options.rounds * options.steps, options))


if __name__ == "__main__":
    main(parse(Options))
