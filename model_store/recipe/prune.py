"""Stage 4, prune: Fisher pruning (Theis et al. 2018, arXiv 1801.05787) of the student, and a thin control.

    python -m model_store.recipe.prune

Removing feature map k raises the loss by about half the mean over examples of g_nk squared, g_nk being the
gradient of example n's loss with respect to a mask on k, which is the sum over places of activation x gradient.
The maps with the smallest rise per multiply-add saved go (those of the layers before and after counted), really
removed; training goes on between. The control is uniformly thinner, of equal cost, its maps chosen by the norm
of their weights, and is trained with the same number of steps. Both are then distilled (stage 5) alike.

It starts from the plain network, on human gaze alone, and distillation comes after: a pruned network learns the
teachers' maps at a third of the cost, and two cores did not allow the other order. `--start=distilled
--teachers` is the other order.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import channels, data
from model_store.recipe.bodies import Widths
from model_store.recipe.distil import judge, loss
from model_store.recipe.material import Batch, Material
from model_store.recipe.network import Student, multiply_adds
from model_store.recipe.options import parse
from model_store.recipe.train import averager, load, save


@dataclass(frozen=True)
class Options:
    start: str = "plain"
    cut: str = (
        ""  # a name: one round more of what has learned from teachers, to `third` of the unpruned network
    )
    third: float = 1 / 3
    without: str = ""  # a collection left out
    teachers: bool = False  # their maps too, and photographs without gaze
    rounds: int = 6
    thin: int = 6  # the round that the control costs as much as
    factor: float = 0.82  # of the multiply-adds left by each round: 0.30 after six
    probes: int = 10  # batches for the estimate of a round
    steps: int = 60  # of training after each round
    batch: int = 16
    rate: float = 4e-4
    average: float = 0.97
    human: float = 0.5  # weight of human gaze against the teachers' maps
    seed: int = 7
    threads: int = 2
    smoke: bool = False


def rise(student: Student, batch: Batch, options: Options) -> Tensor:
    """Mean loss of a batch."""
    return loss(student(batch.pixels), batch.human, batch.teacher, options.human)


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


def choose(student: Student, rises: dict[str, Tensor], limit: float) -> dict[str, Tensor]:
    """Which maps stay, so that the cost is at most `limit`: block by block the cheapest rise per
    multiply-add."""
    order = {group: rise.argsort(descending=True) for group, rise in rises.items()}
    widths = student.widths
    while channels.cost(widths) > limit:
        now, best = channels.cost(widths), (float("inf"), "", 0)
        for group, ranked in order.items():
            step = channels.STEP[group.partition(".")[0]]
            have = channels.width(widths, group)
            left = (have - 1) // step * step  # the first cut brings a width to a multiple of the step
            if left < step:
                continue
            saved = now - channels.cost(channels.resized(widths, group, left))
            rise = float(rises[group][ranked[left:have]].sum())
            best = min(best, (rise / saved, group, left))
        widths = channels.resized(widths, best[1], best[2])
    return {group: ranked[: channels.width(widths, group)].sort().values for group, ranked in order.items()}


def thinner(student: Student, limit: int) -> Student:
    """A uniformly thinner student of about `limit` multiply-adds: in every group the maps of the largest
    weights."""

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
    """`steps` of AdamW with a cosine; gives the averaged weights."""
    student.train()
    adam = torch.optim.AdamW(student.parameters(), lr=options.rate, weight_decay=0.01)
    averaged = averager(student, options.average)
    for k in range(steps):
        for group in adam.param_groups:
            group["lr"] = options.rate * min(
                (k + 1) / 20, 0.05 + 0.475 * (1 + float(np.cos(np.pi * k / steps)))
            )
        value = rise(student, next(batches), options)
        adam.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        adam.step()
        averaged.update_parameters(student)
    return averaged.module  # type: ignore[no-any-return]


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    curve = folder / "prune.json"
    log: list[dict[str, object]] = json.loads(curve.read_text()) if curve.exists() else []
    kinds = ("gaze", "photos") if options.teachers else ("gaze",)
    material = Material(
        folder,
        kinds,
        size=options.batch,
        seed=options.seed,
        teachers=options.teachers,
        without=options.without,
        worn=0.0,
        coloured=0.0,
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

    student = load(folder / f"{options.start}.pt").requires_grad_(True)
    if options.cut:
        if not (folder / f"{options.cut}.pt").exists():
            keep = choose(
                student,
                fisher(student, batches, options),
                channels.cost(Widths.of(student.widths.body)) * options.third,
            )
            note(options.cut, train(channels.sliced(student, keep), batches, options.steps, options))
        return
    whole = channels.cost(student.widths)
    if not log:
        note("prune-0", student)
    for k in range(1, options.rounds + 1):
        path = folder / f"prune-{k}.pt"
        if path.exists():
            continue
        student = load(folder / f"prune-{k - 1}.pt").requires_grad_(True)
        keep = choose(student, fisher(student, batches, options), whole * options.factor**k)
        note(f"prune-{k}", train(channels.sliced(student, keep), batches, options.steps, options))
    if not (folder / "thin.pt").exists():
        limit = channels.cost(load(folder / f"prune-{options.thin}.pt").widths)
        student = thinner(load(folder / f"{options.start}.pt"), limit).requires_grad_(True)
        for _ in range(options.thin):
            student = train(student, batches, options.steps, options)
        note("thin", student)


if __name__ == "__main__":
    main(parse(Options))
