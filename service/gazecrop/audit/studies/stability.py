"""How far crops move when a picture is transformed in ways that do not change what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gazecrop.audit.material.folder_crops import MOVED, FolderCrops, Move, Step, centre
from gazecrop.audit.material.transforms import TRANSFORMS, Transform, saved
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Cropper
from gazecrop.picture.decode import Limits
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import cut

LONG_SIDE = 1280  # pixels of the transformed picture; larger ones only take longer


@dataclass(frozen=True, slots=True)
class Row:
    """One transformation. `moved`: share of crops whose centre moved by more than MOVED; `median` and `farthest` move
    as fractions of the frame; `worst`: the 12 farthest moves, farthest first."""

    name: str
    crops: int
    moved: float
    median: float
    farthest: float
    worst: tuple[Move, ...]


def study(items: Sequence[Item], crops: FolderCrops, step: Step) -> tuple[list[Row], list[str]]:
    """A row for each transformation, and the names of unreadable pictures."""

    def work(item: Item) -> dict[str, list[Move]]:
        image = upright(item.read(), crops.limits)
        plain = crops.cropper(saved(image))
        return {
            one.name: _between(item.name, plain, crops.cropper(one.change(image)), one, crops)
            for one in TRANSFORMS.values()
        }

    moves: dict[str, list[Move]] = {name: [] for name in TRANSFORMS}
    unreadable = []
    for item, answer in crops.each(items, work, step):
        if answer is None:
            unreadable.append(item.name)
            continue
        for name, found in answer.items():
            moves[name] += found
    return [row(name, found) for name, found in moves.items() if found], unreadable


def _between(
    name: str, plain: Cropper, changed: Cropper, transform: Transform, crops: FolderCrops
) -> list[Move]:
    """Both crops in the frame of the original: with a border, as if crops were limited to the picture within it."""
    grid = transform.on_original(changed.grid, plain.grid.width, plain.grid.height)
    back = Cropper(grid)
    before, after = crops.crops(plain), crops.crops(back)
    return [Move(name, text, centre(before[text], plain), centre(after[text], back)) for text in before]


def row(name: str, found: Sequence[Move]) -> Row:
    far = np.array([move.distance for move in found])
    worst = sorted(found, key=lambda move: -move.distance)[:12]
    return Row(
        name, len(far), float((far > MOVED).mean()), float(np.median(far)), float(far.max()), tuple(worst)
    )


def upright(data: bytes, limits: Limits) -> Image.Image:
    """RGB with a long side of at most LONG_SIDE. Raises PictureError."""
    header = inspect(data)
    limits.check(header)
    scale = min(1.0, LONG_SIDE / max(header.width, header.height))
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    return cut(data, header, (0, 0, header.width, header.height), size).picture.convert("RGB")
