"""How far crops move when a picture is transformed in ways that do not change what it shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gazecrop.audit.material.folder_crops import (
    MOVED,
    CachedPipeline,
    Move,
    centre,
    crops_by_ratio,
    each_picture,
)
from gazecrop.audit.material.transforms import TRANSFORMS, Transform, saved
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.ratios import Ratio
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


def study(
    items: Sequence[Item],
    pipeline: CachedPipeline,
    ratios: Sequence[Ratio],
    options: Options,
    threads: int,
    step: Callable[[bool], None],
) -> tuple[list[Row], list[str]]:
    """A row for each transformation, and the names of unreadable pictures."""
    moves: dict[str, list[Move]] = {name: [] for name in TRANSFORMS}
    unreadable = []
    work = lambda item: _moves(item, pipeline, ratios, options)  # noqa: E731 - mypy takes its type from `over`
    for item, answer in each_picture(items, work, threads, step):
        if answer is None:
            unreadable.append(item.name)
            continue
        for name, found in answer.items():
            moves[name] += found
    return [row(name, found) for name, found in moves.items() if found], unreadable


def row(name: str, found: Sequence[Move]) -> Row:
    far = np.array([move.distance for move in found])
    worst = sorted(found, key=lambda move: -move.distance)[:12]
    return Row(
        name, len(far), float((far > MOVED).mean()), float(np.median(far)), float(far.max()), tuple(worst)
    )


def _moves(
    item: Item, pipeline: CachedPipeline, ratios: Sequence[Ratio], options: Options
) -> dict[str, list[Move]]:
    image = upright(item.read(), pipeline.limits)
    plain = pipeline.cropper(saved(image))
    return {
        transform.name: _between(
            item.name, plain, pipeline.cropper(transform.change(image)), transform, ratios, options
        )
        for transform in TRANSFORMS.values()
    }


def upright(data: bytes, limits: Limits) -> Image.Image:
    """RGB with a long side of at most LONG_SIDE. Raises PictureError."""
    header = inspect(data)
    limits.check(header)
    scale = min(1.0, LONG_SIDE / max(header.width, header.height))
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    return cut(data, header, (0, 0, header.width, header.height), size).picture.convert("RGB")


def _between(
    name: str,
    plain: Cropper,
    changed: Cropper,
    transform: Transform,
    ratios: Sequence[Ratio],
    options: Options,
) -> list[Move]:
    """Both crops in the frame of the original: with a border, as if crops were limited to the picture within it."""
    grid = transform.on_original(changed.grid, plain.grid.width, plain.grid.height)
    back = Cropper(grid)
    before, after = crops_by_ratio(plain, ratios, options), crops_by_ratio(back, ratios, options)
    return [Move(name, text, centre(before[text], plain), centre(after[text], back)) for text in before]
