"""What a student learns from, in batches: pictures, where people looked, what the teachers think.

Pictures with fixations and photographs that nobody looked at; half of all are mirrored, some are zoomed and coloured,
some are seen worn (smaller, then saved as a poor JPEG): their maps are those of the clean picture, so that a student
learns to see through it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.train import views


def teacher_maps(shards: str, folder: Path) -> np.ndarray:
    """float32 [n, rows, columns]; all zero where there is none."""
    return np.nan_to_num(np.load(folder / f"{shards}-teacher.npy").astype(np.float32))


@dataclass(frozen=True)
class Batch:
    """uint8 [n, h, w, 3]; human and teacher maps float32 [n, rows, columns], all zero where there is none."""

    pixels: Tensor
    human: Tensor
    teacher: Tensor


class Material:
    """`kinds` of pictures ("gaze", "photos"), in batches of `size`, drawn anew in every epoch.

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
        zoomed: float = 0.3,
        without: str = "",
        smoke: bool = False,
    ) -> None:
        self.size, self.worn, self.zoomed = size, worn, zoomed
        self.reseed(seed)
        self.gaze, photos = data.read("gaze", smoke), data.read("photos", smoke)
        self.sets = (self.gaze, photos)
        self.clean = [pictures.pixels() for pictures in self.sets]
        self.poor = [pictures.worn() for pictures in self.sets] if worn else self.clean
        self.soft = [
            teacher_maps(pictures.name, folder) if teachers else np.zeros_like(pictures.maps)
            for pictures in self.sets
        ]
        found = {
            "gaze": (0, self.gaze.where("train", without=without)),
            "photos": (1, photos.where("train", gaze=False)),
        }
        rows = [(which, i) for which, indices in (found[kind] for kind in kinds) for i in indices]
        self.rows = np.array(
            [(which, i) for which, i in rows if self.sets[which].maps[i].any() or self.soft[which][i].any()]
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
        maps = np.stack([[self.sets[which].maps[i], self.soft[which][i]] for which, i in rows])
        x, y = torch.from_numpy(pixels), torch.from_numpy(maps)
        kind = (self.draw.random(len(rows)) < 0.5) + 2 * (self.draw.random(len(rows)) < self.zoomed)
        for view in range(1, 4):  # 0 is the picture as it is
            mine = torch.from_numpy(np.flatnonzero(kind == view))
            if len(mine):
                x[mine], y[mine] = views(x[mine], y[mine], view, self.torch_draw)
        return Batch(x, y[:, 0], y[:, 1])
