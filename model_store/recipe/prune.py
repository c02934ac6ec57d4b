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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import channels, data
from model_store.recipe.distil import loss, photographs, teacher_maps
from model_store.recipe.network import STREAM, Student, multiply_adds
from model_store.recipe.options import parse
from model_store.recipe.train import averager, load, save, scores


@dataclass(frozen=True)
class Options:
    start: str = "plain"
    teachers: bool = False  # their maps too, half of each batch photographs without gaze
    rounds: int = 6
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


class Material:
    """Batches of pictures with human maps (and with the teachers', then half of each batch has no gaze), mirrored
    at random."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.gaze, self.photos = data.read("gaze", options.smoke), data.read("photos", options.smoke)
        self.train, self.pixels = self.gaze.where("train"), (self.gaze.pixels(), self.photos.pixels())
        self.draw, self.batch, self.teachers = (
            np.random.default_rng(options.seed),
            options.batch,
            options.teachers,
        )
        if options.teachers:
            self.more = photographs(folder, options.smoke)
            self.soft = teacher_maps("gaze", folder), teacher_maps("photos", folder)

    def next(self) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 [n, h, w, 3], human and teacher maps [n, rows, columns]; maps that are not there are all zero."""
        count = self.batch // 2 if self.teachers else self.batch
        a = np.sort(self.draw.choice(self.train, count))
        pixels, human = self.pixels[0][a], self.gaze.maps[a]
        soft = self.soft[0][a] if self.teachers else np.zeros_like(human)
        if self.teachers:
            b = np.sort(self.draw.choice(self.more, self.batch - count))
            pixels = np.concatenate([pixels, self.pixels[1][b]])
            human = np.concatenate([human, np.zeros((len(b), *data.GRID), np.float32)])
            soft = np.concatenate([soft, self.soft[1][b]])
        turn = self.draw.random(len(pixels)) < 0.5
        pixels[turn], human[turn], soft[turn] = (
            pixels[turn, :, ::-1],
            human[turn, :, ::-1],
            soft[turn, :, ::-1],
        )
        return torch.from_numpy(pixels), torch.from_numpy(human), torch.from_numpy(soft)

    def share(self, options: Options) -> float:
        return options.human if self.teachers else 1.0


def fisher(student: Student, material: Material, options: Options) -> dict[str, Tensor]:
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
        pixels, human, soft = material.next()
        # The sum over examples: each activation's gradient is then that of its own example's loss.
        (loss(student(pixels), human, soft, material.share(options)) * len(pixels)).backward()
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
            layers = [block.project for block, s in zip(student.blocks, STREAM, strict=True) if s == i]
        norm = torch.stack([layer.weight.detach().flatten(1).square().sum(1) for layer in layers]).sum(0)
        norms[group] = norm.argsort(descending=True)[:size].sort().values
    return channels.sliced(student, norms)


def train(student: Student, material: Material, steps: int, options: Options) -> Student:
    """`steps` of AdamW with a cosine; gives the averaged weights."""
    student.train()
    adam = torch.optim.AdamW(student.parameters(), lr=options.rate, weight_decay=0.01)
    averaged = averager(student, options.average)
    for k in range(steps):
        for group in adam.param_groups:
            group["lr"] = options.rate * min(
                (k + 1) / 20, 0.05 + 0.475 * (1 + float(np.cos(np.pi * k / steps)))
            )
        pixels, human, soft = material.next()
        value = loss(student(pixels), human, soft, material.share(options))
        adam.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        adam.step()
        averaged.update_parameters(student)
    return averaged.module  # type: ignore[no-any-return]


def judge(student: Student, material: Material) -> dict[str, float]:
    gaze = material.gaze
    val, pixels = gaze.where("val"), material.pixels[0]
    student.eval()
    with torch.no_grad():
        maps = [
            student(torch.from_numpy(pixels[np.sort(val[i : i + 32])])).exp().numpy()
            for i in range(0, len(val), 32)
        ]
    return {
        "multiply_adds": multiply_adds(student),
        "parameters": sum(p.numel() for p in student.parameters()),
        **scores(np.concatenate(maps), gaze, val),
    }


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    curve = folder / "prune.json"
    log: list[dict[str, object]] = json.loads(curve.read_text()) if curve.exists() else []
    material, started = Material(folder, options), time.time()

    def note(name: str, student: Student) -> None:
        save(student, folder / f"{name}.pt", {"widths": student.widths.as_json()})
        log.append(
            {
                "name": name,
                "seconds": round(time.time() - started),
                **judge(student, material),
                "widths": student.widths.as_json(),
            }
        )
        curve.write_text(json.dumps(log, indent=1))
        print(json.dumps({k: v for k, v in log[-1].items() if k != "widths"}), flush=True)

    student = load(folder / f"{options.start}.pt").requires_grad_(True)
    whole = channels.cost(student.widths)
    if not log:
        note("prune-0", student)
    for k in range(1, options.rounds + 1):
        path = folder / f"prune-{k}.pt"
        if path.exists():
            continue
        student = load(folder / f"prune-{k - 1}.pt").requires_grad_(True)
        keep = choose(student, fisher(student, material, options), whole * options.factor**k)
        note(f"prune-{k}", train(channels.sliced(student, keep), material, options.steps, options))
    if not (folder / "thin.pt").exists():
        limit = channels.cost(load(folder / f"prune-{options.rounds}.pt").widths)
        student = thinner(load(folder / f"{options.start}.pt"), limit).requires_grad_(True)
        for _ in range(options.rounds):
            student = train(student, material, options.steps, options)
        note("thin", student)


if __name__ == "__main__":
    main(parse(Options))
