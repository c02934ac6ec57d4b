"""The boxes of peers' croppers on "val", stored in the work folder: they do not change when a network does, and the
environment that trains does not have the croppers' packages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_store.recipe import crops, metrics
from model_store.recipe.crops import Judged
from model_store.recipe.judge import robustness
from model_store.recipe.judge.peers import CROPPERS, installed
from model_store.recipe.metrics import Box, Boxes


def _path(judged: Judged, folder: Path) -> Path:
    return folder / f"croppers-{len(judged.chosen)}.json"


def _read(judged: Judged, folder: Path) -> dict[str, dict[str, Any]]:
    path = _path(judged, folder)
    return json.loads(path.read_text()) if path.exists() else {}


def ask(judged: Judged, folder: Path, moves: int) -> None:
    """Runs every installed cropper for what is not stored yet: first the crops of all, then the figures of the table of
    stability, on `moves` pictures."""
    stored = _read(judged, folder)
    encoded = judged.files()
    wanted = [name for name in CROPPERS if name not in stored or (moves and not stored[name]["more"])]
    croppers = {name: crops.function_cropper(function) for name, function in installed(wanted).items()}

    def save(name: str, part: str) -> None:
        _path(judged, folder).write_text(json.dumps(stored))
        print(f"{name}: {part}", flush=True)

    for name, cropper in croppers.items():
        if name not in stored:
            boxes = [cropper(file, size) for file, size in zip(encoded, judged.sizes, strict=True)]
            offsets = [{ratio: box.offset for ratio, box in each.items()} for each in boxes]
            stored[name] = {"offsets": offsets, "more": {}}
            save(name, "crops")
    for name, cropper in croppers.items():
        if moves and not stored[name]["more"]:
            stored[name]["more"] = robustness.of(cropper, judged, encoded, moves)
            save(name, "stability")


def answers(judged: Judged, folder: Path) -> Iterator[tuple[str, Boxes, dict[str, Any]]]:
    """Name, boxes, and the figures of its row that cannot be computed from the boxes, of every stored cropper."""
    for name, found in _read(judged, folder).items():
        boxes: Boxes = []
        for size, offsets in zip(judged.sizes, found["offsets"], strict=True):
            centre = {ratio: metrics.centre_crop(*size, metrics.RATIOS[ratio]) for ratio in offsets}
            boxes.append(
                {ratio: Box(c.axis, c.side, c.length, offsets[ratio]) for ratio, c in centre.items()}
            )
        yield name, boxes, found["more"]
