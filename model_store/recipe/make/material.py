"""The training data of a student, in batches: pictures, human densities, teachers' maps.

There are four kinds: pictures with fixations, photographs without, the squashed collection, whose own densities are
not used, and pictures composed of all these. Half of the pictures are mirrored, half have other colours, three tenths
are poor copies (smaller, then saved as a poor JPEG) with the map of the original, so that a student learns not to
depend on quality. A share `harmed` is blurred, dark, turned, tilted or bordered, and its maps change with it. With
`objects` a batch has the targets of the second output as well. A share `zoomed` of its pictures has other scales and
words, and no maps: they are for the second output alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make import detect, harm
from model_store.recipe.make.targets import Boxes, Targets, targets

NONE = np.zeros((0, 5))
WRITTEN = 0.5  # of the zoomed pictures


def uncovered(boxes: Boxes, words: Boxes) -> Boxes:
    """The objects whose middle no word covers."""
    middle = boxes[:, None, 1:3] + boxes[:, None, 3:] / 2
    covered = ((middle > words[None, :, 1:3]) & (middle < words[None, :, 1:3] + words[None, :, 3:])).all(2)
    return boxes[~covered.any(1)]


def teacher_maps(shards: str, folder: Path, without: str = "") -> np.ndarray:
    """float32 [n, rows, columns], by teachers trained without the collection `without`; zeros where there is no map."""
    name = f"{shards}-teacher-without-{without}" if without else f"{shards}-teacher"
    return np.nan_to_num(np.load(folder / f"{name}.npy").astype(np.float32))


def recoloured(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [n, h, w, 3] with brightness and contrast within 25 %; half of the pictures also with exchanged and paler
    colours (down to grey), so that saliency does not depend on red alone."""
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
    """Pictures uint8 [n, h, w, 3]; human and teachers' maps float32 [n, rows, columns], zeros where there is no map.
    `twins`: the same pictures in the other quality and in their own colours; harmed ones as in `pixels`."""

    pixels: Tensor
    human: Tensor
    teacher: Tensor
    objects: Targets | None = None
    twins: Tensor | None = None

    def part(self, which: slice) -> "Batch":
        objects = None if self.objects is None else self.objects.part(which)
        twins = None if self.twins is None else self.twins[which]
        return Batch(self.pixels[which], self.human[which], self.teacher[which], objects, twins)


def fonts() -> list[str]:
    """The font files that matplotlib brings, without its mathematical ones and the one without letters."""
    import matplotlib

    found = Path(matplotlib.get_data_path()).glob("fonts/ttf/DejaVu*.ttf")
    return sorted(str(path) for path in found if "Display" not in path.name)


class Labels:
    """The objects of the pictures of one set: rows of kind, left, top, width, height; and which kinds are labelled."""

    def __init__(self, about: list[dict[str, Any]], smoke: bool) -> None:
        found = detect.labels(smoke)
        kinds = [found["faces"], found["text"]]
        self.boxes: list[Boxes] = []
        self.labelled = np.zeros((len(about), len(kinds)), bool)
        for i, one in enumerate(about):
            rows = []
            for kind, its in enumerate(kinds):
                self.labelled[i, kind] = one["key"] in its
                rows += [[kind, *box[:4]] for box in its.get(one["key"], ())]
            self.boxes.append(np.array(rows, float).reshape(-1, 5))


class Material:
    """Pictures of some `kinds` ("gaze", "photos", "squashed", "composed"), in batches of `size`, in another order in
    every epoch.

    Raises FileNotFoundError if `teachers` is set and their maps were not written.
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
        objects: bool = False,
        zoomed: float = 0.0,
        often: int = 1,
        twins: bool = False,
        without: str = "",
        smoke: bool = False,
    ) -> None:
        self.size, self.worn, self.coloured, self.harmed, self.zoomed = size, worn, coloured, harmed, zoomed
        self.twins = twins
        self.reseed(seed)
        self.gaze = data.read("gaze", smoke)
        shards = [name for name in ("photos", "composed") if name in kinds]
        self.sets = (self.gaze, *(data.read(name, smoke) for name in shards))
        self.labels = [Labels(pictures.about, smoke) for pictures in self.sets] if objects else []
        self.fonts = fonts() if objects else []
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
            [
                (which, i)
                for which, i in rows
                if self.hard[which][i].any() or self.soft[which][i].any()
                for _ in range(often if objects and len(self.labels[which].boxes[i]) else 1)
            ]
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

    def _copies(self, rows: np.ndarray, poor: np.ndarray) -> Tensor:
        """uint8 [n, h, w, 3]: the poor copies where `poor` is true."""
        pairs = zip(poor, rows, strict=True)
        return torch.from_numpy(
            np.stack([(self.poor if it else self.clean)[which][i] for it, (which, i) in pairs])
        )

    def _batch(self, rows: np.ndarray) -> Batch:
        poor = self.draw.random(len(rows)) < self.worn
        x, twins = self._copies(rows, poor), self._copies(rows, ~poor) if self.twins else None
        y = torch.from_numpy(np.stack([[self.hard[which][i], self.soft[which][i]] for which, i in rows]))
        flipped = torch.from_numpy(np.flatnonzero(self.draw.random(len(rows)) < 0.5))
        x[flipped], y[flipped] = x[flipped].flip(2), y[flipped].flip(3)
        boxes = [self.labels[which].boxes[i] for which, i in rows] if self.labels else [NONE] * len(rows)
        for i in flipped:
            boxes[i] = boxes[i] * [1, -1, 1, 1, 1] + np.outer(1 - boxes[i][:, 3], [0, 1, 0, 0, 0])
        chosen = self.draw.random(len(rows))
        for i in np.flatnonzero(chosen < self.harmed):
            x[i], y[i], motion = harm.any_of(x[i], y[i], self.draw)
            boxes[i] = harm.moved(boxes[i], motion)
        for i in np.flatnonzero(chosen > 1 - self.zoomed):
            x[i], motion = harm.zoomed(x[i], self.draw)
            boxes[i], y[i] = harm.moved(boxes[i], motion), 0
            if self.draw.random() < WRITTEN:
                x[i], words = harm.written(x[i], self.fonts, self.draw)
                boxes[i] = np.concatenate([uncovered(boxes[i], words), words])
        if twins is not None:
            twins[flipped] = twins[flipped].flip(2)
            changed = torch.from_numpy((chosen < self.harmed) | (chosen > 1 - self.zoomed))
            twins[changed] = x[changed]
        other = torch.from_numpy(np.flatnonzero(self.draw.random(len(rows)) < self.coloured))
        if len(other):
            x[other] = recoloured(x[other], self.torch_draw)
        if not self.labels:
            return Batch(x, y[:, 0], y[:, 1], None, twins)
        labelled = np.array([self.labels[which].labelled[i] for which, i in rows])
        return Batch(x, y[:, 0], y[:, 1], targets(boxes, labelled), twins)
