"""What a student learns from, in batches: pictures, where people looked, what the teachers think.

Pictures with fixations, photographs that nobody looked at, those of the squashed collection, whose own densities are
not used, and pictures composed of all these. Half of all are mirrored, half are seen in other colours, three tenths
worn (smaller, then saved as a poor JPEG): their maps are those of the picture as it was, so that a student learns to
see through it. A share `harmed` is blurred, dark, turned, tilted or bordered, its maps along with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make import harm


def teacher_maps(shards: str, folder: Path, without: str = "") -> np.ndarray:
    """float32 [n, rows, columns], of teachers that never saw the collection `without`; all zero where there is none."""
    name = f"{shards}-teacher-without-{without}" if without else f"{shards}-teacher"
    return np.nan_to_num(np.load(folder / f"{name}.npy").astype(np.float32))


def recoloured(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [n, h, w, 3]: brightness and contrast within 25 %, half of the pictures with their colours exchanged and
    paled down to grey, so that what is salient is not a matter of red alone."""
    x, n = pixels.float(), len(pixels)
    gain = 0.75 + 0.5 * torch.rand(n, 2, 1, 1, 1, generator=generator)
    x = x * gain[:, 0]
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * gain[:, 1]
    grey = x.mean(3, keepdim=True)
    channels = torch.randperm(3, generator=generator)
    other = grey + (x[..., channels] - grey) * torch.rand(n, 1, 1, 1, generator=generator)
    x = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.5, other, x)
    return x.clamp(0, 255).round().byte()


@dataclass(frozen=True)
class Batch:
    """uint8 [n, h, w, 3]; human and teacher maps float32 [n, rows, columns], all zero where there is none."""

    pixels: Tensor
    human: Tensor
    teacher: Tensor

    def part(self, which: slice) -> "Batch":
        return Batch(self.pixels[which], self.human[which], self.teacher[which])


class Material:
    """`kinds` of pictures ("gaze", "photos", "squashed", "composed"), in batches of `size`, drawn anew in every epoch.

    Raises FileNotFoundError where maps of the teachers are asked for that were not written.
    """

    def __init__(
        self,
        folder: Path,
        kinds: tuple[str, ...] = ("gaze", "photos"),
        *,
        size: int = 16,
        seed: int = 0,
        teachers: bool = True,
        worn: float = 0.3,
        coloured: float = 0.5,
        harmed: float = 0.0,
        without: str = "",
        smoke: bool = False,
    ) -> None:
        self.size, self.worn, self.coloured, self.harmed = size, worn, coloured, harmed
        self.reseed(seed)
        self.gaze = data.read("gaze", smoke)
        shards = [name for name in ("photos", "composed") if name in kinds]
        self.sets = (self.gaze, *(data.read(name, smoke) for name in shards))
        self.clean = [pictures.pixels() for pictures in self.sets]
        self.poor = [pictures.worn() for pictures in self.sets] if worn else self.clean
        self.soft = [
            teacher_maps(pictures.name, folder, without) if teachers else np.zeros_like(pictures.maps)
            for pictures in self.sets
        ]
        mine = self.gaze.where("train", without=without)
        squashed = [
            i for i in self.gaze.where("train", gaze=False) if self.gaze.about[i]["dataset"] == data.SQUASHED
        ]
        self.hard = [pictures.maps for pictures in self.sets]
        self.hard[0] = self.gaze.maps.copy()
        self.hard[0][squashed] = 0
        found: dict[str, tuple[int, np.ndarray]] = {
            "gaze": (0, mine),
            "squashed": (0, np.array(squashed, np.int64)),
            **{
                name: (which, self.sets[which].where("train", gaze=False))
                for which, name in enumerate(shards, 1)
            },
        }
        rows = [(which, i) for which, indices in (found[kind] for kind in kinds) for i in indices]
        self.rows = np.array(
            [(which, i) for which, i in rows if self.hard[which][i].any() or self.soft[which][i].any()]
        )

    def reseed(self, seed: int) -> None:
        self.draw, self.torch_draw = np.random.default_rng(seed), torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.rows) // self.size)

    def epoch(self) -> Iterator[Batch]:
        order = self.draw.permutation(len(self.rows))
        for start in range(0, len(order), self.size):
            yield self._batch(self.rows[np.sort(order[start : start + self.size])])

    def forever(self) -> Iterator[Batch]:
        while True:
            yield from self.epoch()

    def _batch(self, rows: np.ndarray) -> Batch:
        pixels = np.stack(
            [(self.poor if self.draw.random() < self.worn else self.clean)[which][i] for which, i in rows]
        )
        maps = np.stack([[self.hard[which][i], self.soft[which][i]] for which, i in rows])
        x, y = torch.from_numpy(pixels), torch.from_numpy(maps)
        flipped = torch.from_numpy(np.flatnonzero(self.draw.random(len(rows)) < 0.5))
        x[flipped], y[flipped] = x[flipped].flip(2), y[flipped].flip(3)
        for i in np.flatnonzero(self.draw.random(len(rows)) < self.harmed) if self.harmed else ():
            x[i], y[i] = harm.any_of(x[i], y[i], self.draw)
        other = torch.from_numpy(np.flatnonzero(self.draw.random(len(rows)) < self.coloured))
        if len(other):
            x[other] = recoloured(x[other], self.torch_draw)
        return Batch(x, y[:, 0], y[:, 1])
