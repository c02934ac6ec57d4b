"""The lock file: expected boxes of a folder's pictures, so that a CI job can detect moved crops.

JSON, sorted, one picture on a line: a changed crop is one changed line in a diff.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gazecrop.audit.material.folder_crops import FolderCrops, Move, Step
from gazecrop.console.sources import Item, SourceError
from gazecrop.crop.ratios import parse_ratio

FORMAT = 1

Entry = dict[str, Any]  # size: [width, height]; boxes: ratio -> [x, y, width, height]


@dataclass(frozen=True, slots=True)
class LockComparison:
    """`moves`: of every locked crop, also of those that did not move. `missing`: locked pictures that cannot be read
    now. `new`: pictures that are not locked. `resized`: pictures of another size, whose boxes cannot be compared."""

    moves: tuple[Move, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]
    resized: tuple[str, ...]

    def beyond(self, tolerance: float) -> list[Move]:
        """Crops that moved by more than this share of the frame, the farthest first."""
        return sorted(
            (move for move in self.moves if move.distance > tolerance), key=lambda move: -move.distance
        )


def boxes(items: Sequence[Item], crops: FolderCrops, step: Step) -> dict[str, Entry]:
    """For each readable picture its size and a box for each ratio."""

    def work(item: Item) -> Entry:
        cropper = crops.cropper(item.read())
        found = crops.crops(cropper)
        cut = {text: [c.box.x, c.box.y, c.box.width, c.box.height] for text, c in found.items()}
        return {"size": [cropper.grid.width, cropper.grid.height], "boxes": cut}

    return {item.name: answer for item, answer in crops.each(items, work, step) if answer is not None}


def dumps(found: dict[str, Entry], crops: FolderCrops) -> str:
    head = {
        "format": FORMAT,
        "network": crops.model.name,
        "policy": crops.options.policy,
        "ratios": [ratio.text for ratio in crops.ratios],
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(about)}" for name, about in sorted(found.items())]
    return json.dumps(head)[:-1] + ', "pictures": {\n' + ",\n".join(lines) + "\n}}\n"


def read(path: Path) -> dict[str, Any]:
    """The lock file as a dict, with ratios parsed. Raises SourceError if `dumps` did not write it."""
    if not path.exists():
        raise SourceError(f"No lock file at {path}: run `gazecrop audit lock` first.")
    try:
        lock: dict[str, Any] = json.loads(path.read_bytes())
        if lock["format"] != FORMAT:
            raise ValueError(f"its format is {lock['format']}, this release reads {FORMAT}")
        lock["ratios"] = [parse_ratio(ratio) for ratio in lock["ratios"]]
        _ = lock["policy"], lock["network"]
        for about in lock["pictures"].values():
            _ = about["size"][1], [box[3] for box in about["boxes"].values()]
    except ValueError as error:
        raise SourceError(f"{path} is not a lock file: {error}") from error
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise SourceError(f"{path} is not a lock file: its structure is another") from error
    return lock


def compare_boxes(locked: dict[str, Entry], now: dict[str, Entry]) -> LockComparison:
    moves, resized = [], []
    for name, about in locked.items():
        if name not in now:
            continue
        if now[name]["size"] != about["size"]:
            resized.append(name)
            continue
        for ratio, box in about["boxes"].items():
            ends = [_centre(each, about["size"]) for each in (box, now[name]["boxes"][ratio])]
            moves.append(Move(name, ratio, ends[0], ends[1]))
    missing, new = sorted(locked.keys() - now.keys()), sorted(now.keys() - locked.keys())
    return LockComparison(tuple(moves), tuple(missing), tuple(new), tuple(sorted(resized)))


def _centre(box: Sequence[int], size: Sequence[int]) -> tuple[float, float]:
    return (box[0] + box[2] / 2) / size[0], (box[1] + box[3] / 2) / size[1]
