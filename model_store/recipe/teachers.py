"""Stage 3, teachers: larger networks of different kinds on human gaze, and the maps of some for every picture.

    python -m model_store.recipe.teachers      # trains all, then writes the ensemble's maps: 2 hours on two cores

Each teacher's map is the mean of the picture's and of its mirror image's, turned back; the ensemble's is the mean of
its members (of densities, not of logarithms: a teacher that is sure and wrong should not veto the others).
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe import data, imagenet
from model_store.recipe.export import session
from model_store.recipe.losses import gaze_loss
from model_store.recipe.options import parse
from model_store.recipe.teacher_networks import ENSEMBLE, KINDS, Pyramid
from model_store.recipe.train import VIEWS, averager, cached_lower, scores


@dataclass(frozen=True)
class Options:
    kind: str = ""  # only this one, and no maps: two can be trained at once, one thread each
    without: str = ""  # a collection left out
    epochs: int = 5
    batch: int = 16
    rate: float = 1e-3
    backbone: float = 0.2
    decay: float = 0.02
    average: float = 0.99
    seed: int = 3
    threads: int = 2
    shards: str = "photos,gaze"  # whose maps the ensemble writes afterwards; empty: none
    part: str = "0/1"  # k/n: only every n-th map from the k-th, so that n processes can share the work
    smoke: bool = False


def halved(pixels: np.ndarray) -> np.ndarray:
    """Every second pixel's box mean, uint8."""
    n, h, w, _ = pixels.shape
    out = np.empty((n, h // 2, w // 2, 3), np.uint8)
    for i in range(0, n, 64):
        part = pixels[i : i + 64].reshape(-1, h // 2, 2, w // 2, 2, 3)
        out[i : i + 64] = (part.astype(np.uint16).sum((2, 4)) + 2) // 4
    return out


class Ensemble(nn.Module):
    """uint8 pictures of LARGE -> the mean density of the teachers, mirrored passes averaged. What is exported."""

    def __init__(self, teachers: dict[str, nn.Module]) -> None:
        super().__init__()
        bodies = {KINDS[name][1] for name in teachers}
        self.lower = nn.ModuleDict({body: imagenet.student(body) for body in bodies})
        self.teachers = nn.ModuleDict(teachers)

    def forward(self, picture: Tensor) -> Tensor:
        total = torch.zeros(1)
        for mirrored in (False, True):
            x = picture.float().flip(2) if mirrored else picture.float()
            eighth = {body: lower.lower(x) for body, lower in self.lower.items()}
            for name, teacher in self.teachers.items():
                body = KINDS[name][1]
                inputs = [eighth[body]]
                if isinstance(teacher, Pyramid):
                    small = F.avg_pool2d(x.permute(0, 3, 1, 2), 2).round().permute(0, 2, 3, 1)
                    inputs.append(self.lower[body].lower(small))
                p = teacher(*inputs).exp()
                total = total + (p.flip(2) if mirrored else p)
        return total / (2 * len(self.teachers))


def train(kind: str, options: Options, folder: Path) -> nn.Module:
    """Trains one teacher, or loads it when it is there. Checkpoint after every epoch."""
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

    old = list(teacher.features.parameters())
    new = [p for name, p in teacher.named_parameters() if not name.startswith("features")]
    steps = options.epochs * -(-len(mine) // options.batch)
    adam = torch.optim.AdamW(
        [{"params": new, "lr": options.rate}, {"params": old, "lr": options.rate * options.backbone}],
        weight_decay=options.decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min((k + 1) / 50, 0.5 + 0.5 * float(np.cos(np.pi * min(k / steps, 1.0))))
    )
    averaged = averager(teacher, options.average)
    resume, first, log = folder / f"{name}.resume.pt", 0, []
    if resume.exists():
        stored = torch.load(resume, weights_only=False)
        for part in ("teacher", "averaged", "adam", "schedule"):
            {"teacher": teacher, "averaged": averaged, "adam": adam, "schedule": schedule}[
                part
            ].load_state_dict(stored[part])
        first, log = stored["epoch"], stored["log"]
    for epoch in range(first, options.epochs):
        teacher.train()
        draw = torch.Generator().manual_seed(options.seed * 1000 + epoch)
        order = torch.from_numpy(mine)[torch.randperm(len(mine), generator=draw)]
        for batch in order.split(options.batch):
            view = torch.randint(0, VIEWS, (len(batch),))
            parts = [part[view, batch].float() for part in inputs]
            loss = gaze_loss(teacher(*parts), targets[view, batch]).mean()
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(teacher.parameters(), 5.0)
            adam.step()
            schedule.step()
            averaged.update_parameters(teacher)
        averaged.eval()
        with torch.no_grad():
            maps = torch.cat(
                [
                    averaged.module(*(part[0, i : i + 32].float() for part in judged)).exp()
                    for i in range(0, len(val), 32)
                ]
            ).numpy()
        log.append({"epoch": epoch + 1, "seconds": round(time.time() - started), **scores(maps, gaze, val)})
        print(kind, json.dumps(log[-1]), flush=True)
        torch.save(
            {
                "teacher": teacher.state_dict(),
                "averaged": averaged.state_dict(),
                "adam": adam.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch + 1,
                "log": log,
            },
            resume,
        )
    torch.save({"state": averaged.module.state_dict(), "log": log}, final)
    resume.unlink(missing_ok=True)
    return averaged.module.eval()


def export(teachers: dict[str, nn.Module], path: Path) -> None:
    """One ONNX file of some teachers; evaluate.py judges it like any other."""
    module = Ensemble(teachers).to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    torch.onnx.export(
        module,
        (torch.zeros(2, *data.LARGE, 3, dtype=torch.uint8),),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["picture"],
        output_names=["density"],
        dynamic_axes={"picture": {0: "batch"}, "density": {0: "batch"}},
    )


def apart(without: str) -> str:
    """What the names of everything end in that never saw a collection."""
    return f"-without-{without}" if without else ""


def write_maps(shards: str, options: Options, folder: Path, network: str = "ensemble") -> None:
    """A network's maps, float16 [n, rows, columns], of pictures that may be learned from; the others' are NaN."""
    pictures = data.read(shards, options.smoke)
    path = folder / f"{shards}-teacher{apart(options.without)}.npy"
    part, _, parts = options.part.partition("/")
    done = folder / f"{path.stem}-{part}-of-{parts}.done"
    every = pictures.where("train", gaze=False)
    if options.without:  # one trial of three: what it learns from is cut short
        every = np.array(
            [i for i in every if pictures.about[i]["dataset"] not in (data.SQUASHED, options.without)]
        )
    allowed = every[int(part) :: int(parts)]
    start = int(done.read_text()) if done.exists() else 0
    if start >= len(allowed):
        return
    if not path.exists():
        np.save(path, np.full((len(pictures.about), *data.GRID), np.nan, np.float16))
    out = np.load(path, mmap_mode="r+")
    run = session(folder / f"{network}.onnx", options.threads)
    pixels, began = pictures.pixels(data.LARGE), time.time()
    for i in range(start, len(allowed), 4):
        some = allowed[i : i + 4]
        out[some] = run.run(None, {"picture": np.ascontiguousarray(pixels[some])})[0]
        if i % 200 == 0 or i + 4 >= len(allowed):
            out.flush()
            done.write_text(str(min(i + 4, len(allowed))))
            print(f"{shards}: {i + 4} of {len(allowed)} maps, {time.time() - began:.0f} s", flush=True)


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    if options.kind:
        train(options.kind, options, folder)
        return
    teachers = {kind: train(kind, options, folder) for kind in KINDS}
    for kind, teacher in teachers.items():
        if not (folder / f"teacher-{kind}.onnx").exists():
            export({kind: teacher}, folder / f"teacher-{kind}.onnx")
    if not (folder / "ensemble.onnx").exists():
        export({kind: teachers[kind] for kind in ENSEMBLE}, folder / "ensemble.onnx")
    for shards in options.shards.split(","):
        if shards:
            write_maps(shards, options, folder)


if __name__ == "__main__":
    main(parse(Options))
