"""Stage 5a, front: a patch embedding takes the place of the pruned student's stem and first two blocks.

    python -m model_store.recipe.front

At half the picture's resolution these layers are a sixth of the operations and nearly half of the time: the maps are
large, and moving them is what costs. One 6x6 convolution at stride 4 learns to give what they gave at 1/4, and with the
blocks after it what the student had at 1/8 (least squares per channel, on all pictures, no labels); distillation then
trains the whole. Fisher pruning cannot find this: it removes maps, not layers.
"""

import json
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.material import Material
from model_store.recipe.network import FROZEN, PATCHED, Student
from model_store.recipe.options import parse
from model_store.recipe.train import load, save


@dataclass(frozen=True)
class Options:
    start: str = "prune-5"
    name: str = "front"
    patch: int = 48  # channels of the embedding
    epochs: int = 2
    batch: int = 32
    rate: float = 4e-3  # of the embedding; a quarter of it for the blocks up to 1/8
    seed: int = 11
    threads: int = 2
    smoke: bool = False


def patched(student: Student, width: int) -> Student:
    """The same student with an untrained patch embedding of `width` channels."""
    new = Student(replace(student.widths, patch=width))
    state = new.state_dict()
    own = student.state_dict()
    new.load_state_dict(
        {name: value if name.startswith("stem") else own[name] for name, value in state.items()}
    )
    return new.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def features(student: Student, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Those at 1/4 and at 1/8."""
    x = student.stem(pixels.permute(0, 3, 1, 2).float())
    for block in student.blocks[:PATCHED]:
        x = block(x)
    quarter = x
    for block in student.blocks[PATCHED : FROZEN - 1]:
        x = block(x)
    return quarter, x


def unexplained(found: Tensor, wanted: Tensor) -> Tensor:
    """Share of the variance that is missed, mean of the channels."""
    return ((found - wanted).square().mean((0, 2, 3)) / wanted.var((0, 2, 3))).mean()


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    final = folder / f"{options.name}.pt"
    if final.exists():
        return
    old = load(folder / f"{options.start}.pt").requires_grad_(False)
    new = patched(old, options.patch)
    material = Material(folder, size=options.batch, seed=options.seed, teachers=False, smoke=options.smoke)
    adam = torch.optim.Adam(
        [
            {"params": new.stem.parameters(), "lr": options.rate},
            {"params": new.blocks[PATCHED : FROZEN - 1].parameters(), "lr": options.rate / 4},
        ]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam, [options.rate, options.rate / 4], total_steps=options.epochs * len(material), pct_start=0.1
    )
    started = time.time()
    for epoch in range(options.epochs):
        missed = []
        for batch in material.epoch():
            with torch.no_grad():
                wanted = features(old, batch.pixels)
            shares = [unexplained(a, b) for a, b in zip(features(new, batch.pixels), wanted, strict=True)]
            adam.zero_grad()
            torch.stack(shares).sum().backward()
            adam.step()
            schedule.step()
            missed.append([float(share.detach()) for share in shares])
        last = np.mean(missed[-len(missed) // 4 :], 0).round(4).tolist()
        seconds = round(time.time() - started)
        print(json.dumps({"epoch": epoch + 1, "seconds": seconds, "missed at 1/4 and 1/8": last}), flush=True)
    save(new, final, {"missed": last})


if __name__ == "__main__":
    main(parse(Options))
