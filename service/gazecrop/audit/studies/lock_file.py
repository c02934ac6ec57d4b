"""Goldens for other people's CI: a file of boxes, and a check that fails when crops move. The file is JSON, one picture
on a line, sorted, so that a changed crop is one changed line in a review."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gazecrop.audit.material.folder_crops import Eyes, Move, crops, over
from gazecrop.console.sources import Item, SourceError
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import Ratio, parse_ratio

FORMAT = 1

Entry = dict[str, Any]  # size: [width, height]; boxes: ratio -> [x, y, width, height]


@dataclass(frozen=True, slots=True)
class Checked:
    """`moves`: of every crop that was locked, moved or not. `missing`: locked, but not to be read now. `new`: not in
    the lock file. `resized`: their size is another, so that boxes cannot be compared."""

    moves: tuple[Move, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]
    resized: tuple[str, ...]

    def beyond(self, tolerance: float) -> list[Move]:
        """Crops that moved by more than this share of the frame, the farthest first."""
        return sorted((move for move in self.moves if move.far > tolerance), key=lambda move: -move.far)


def boxes(
    items: Sequence[Item],
    eyes: Eyes,
    ratios: Sequence[Ratio],
    options: Options,
    threads: int,
    step: Callable[[bool], None],
) -> dict[str, Entry]:
    """For each picture that can be read its size and a box for each ratio."""

    def work(item: Item) -> Entry:
        cropper = eyes.cropper(item.read())
        found = crops(cropper, ratios, options)
        cut = {text: [c.box.x, c.box.y, c.box.width, c.box.height] for text, c in found.items()}
        return {"size": [cropper.grid.width, cropper.grid.height], "boxes": cut}

    return {item.name: answer for item, answer in over(items, work, threads, step) if answer is not None}


def text(found: dict[str, Entry], network: str, ratios: Sequence[Ratio], policy: str) -> str:
    head = {
        "format": FORMAT,
        "network": network,
        "policy": policy,
        "ratios": [ratio.text for ratio in ratios],
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(about)}" for name, about in sorted(found.items())]
    return json.dumps(head)[:-1] + ', "pictures": {\n' + ",\n".join(lines) + "\n}}\n"


def read(path: Path) -> dict[str, Any]:
    """Raises SourceError for anything that `text` did not write."""
    try:
        lock: dict[str, Any] = json.loads(path.read_bytes())
        if lock["format"] != FORMAT:
            raise ValueError(f"it has the format {lock['format']}, this release reads {FORMAT}")
        lock["ratios"] = [parse_ratio(ratio) for ratio in lock["ratios"]]
        for about in lock["pictures"].values():
            _ = about["size"][1], [box[3] for box in about["boxes"].values()]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise SourceError(f"{path} is no lock file: {error!r}") from error
    return lock


def compared(locked: dict[str, Entry], now: dict[str, Entry]) -> Checked:
    moves, resized = [], []
    for name, about in locked.items():
        if name not in now:
            continue
        if now[name]["size"] != about["size"]:
            resized.append(name)
            continue
        for ratio, box in about["boxes"].items():
            ends = [_middle(each, about["size"]) for each in (box, now[name]["boxes"][ratio])]
            moves.append(Move(name, ratio, ends[0], ends[1]))
    missing, new = sorted(locked.keys() - now.keys()), sorted(now.keys() - locked.keys())
    return Checked(tuple(moves), tuple(missing), tuple(new), tuple(sorted(resized)))


def _middle(box: Sequence[int], size: Sequence[int]) -> tuple[float, float]:
    return (box[0] + box[2] / 2) / size[0], (box[1] + box[3] / 2) / size[1]
