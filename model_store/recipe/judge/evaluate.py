"""Stage 7, evaluate: all metrics on "val" in one table, for networks, functions, peers, baselines and people.

    python -m model_store.recipe.judge.evaluate                      # the files of manifest.json, peers and baselines
    python -m model_store.recipe.judge.evaluate --onnx=a.onnx,b.onnx --functions=package.module:crop --peers=0
    python -m model_store.recipe.judge.evaluate --croppers           # runs peers' croppers, too; set-up: peers.py

Expected for gaze-2: crop score 60.9, NSS 2.33 (gaze-2.int8: 61.0, 2.33), with bars for tall and wide pictures.

An ONNX file takes `picture` uint8 [n, h, w, 3] and gives a density. A function takes a picture, uint8
[height, width, 3] RGB, and a ratio (width / height), and gives (x, y, width, height) in its pixels.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.recipe import crops, data
from model_store.recipe.crops import Function, Judged
from model_store.recipe.judge import faces_cut, kept, robustness, scores
from model_store.recipe.judge import observers as people
from model_store.recipe.judge import score_tables as tables
from model_store.recipe.make.export import manifest
from model_store.recipe.metrics import Boxes
from model_store.recipe.options import STORE, parse


@dataclass(frozen=True)
class Options:
    onnx: str = ""  # files, separated by commas; empty: those in manifest.json
    mean: str = ""  # name of a row for the mean of these files' maps; empty: no such row
    functions: str = ""  # package.module:name, separated by commas
    peers: bool = True  # Twitter's network, the centre prior, and the stored boxes of peers' croppers
    croppers: bool = False  # runs peers' croppers that are installed and have no stored boxes yet
    moves: int = 150  # pictures of the stability and robustness tables; 0 leaves them out
    split: str = "val"
    write: bool = True  # scores.json beside the manifest
    smoke: bool = False


@dataclass
class Croppers:
    """All croppers that are judged: their boxes, the maps of those that have maps, and their rows of the table."""

    judged: Judged
    boxes: dict[str, Boxes]
    maps: dict[str, np.ndarray]
    rows: dict[str, scores.Row]

    def add_maps(self, name: str, maps: Sequence[np.ndarray] | np.ndarray) -> None:
        self.maps[name] = crops.on_grid(maps)
        self.add(name, crops.map_boxes(maps, self.judged.sizes), scores.map_row(self.maps[name], self.judged))

    def add(self, name: str, boxes: Boxes, more: scores.Row | None = None) -> None:
        self.boxes[name] = boxes
        self.rows[name] = scores.crop_row(self.judged.pairs(boxes), self.judged.sets) | (more or {})
        print(scores.line(name, self.rows[name]), flush=True)


def files(options: Options) -> list[Path]:
    if options.onnx:
        return [Path(name) for name in options.onnx.split(",")]
    networks = manifest()["networks"].values()
    return [STORE / file["file"] for network in networks for file in network["files"].values()]


def networks(options: Options, croppers: Croppers, encoded: list[bytes]) -> None:
    paths = files(options)
    for path in paths:
        served = crops.served_map(path)
        croppers.add_maps(path.stem, [served(file) for file in encoded])
    if options.mean:
        croppers.add_maps(options.mean, np.mean([croppers.maps[path.stem] for path in paths], 0))


def baselines(croppers: Croppers, folder: Path) -> None:
    """Adds the centre prior (the mean density of "train") and Twitter's network by three rules: the published one
    (centred on the most salient point), the window, and the window over its map times the centre prior."""
    from model_store.recipe.judge.twitter import NAME, fastgaze_maps  # torch

    judged = croppers.judged
    prior = judged.gaze.maps[judged.gaze.where("train")].mean(0)
    croppers.add_maps("centre prior", np.repeat(prior[None], len(judged.chosen), 0))
    maps = fastgaze_maps(judged, folder)
    croppers.add(f"{NAME}, its own rule", crops.map_boxes(maps, judged.sizes, "point"))
    croppers.add_maps(NAME, maps)
    weighed = maps * prior
    croppers.add_maps(f"{NAME} x centre prior", weighed / weighed.sum((1, 2), keepdims=True))


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    gaze = data.read("gaze", options.smoke)
    judged = Judged(gaze, gaze.where(options.split))
    encoded = judged.files()
    croppers = Croppers(judged, {}, {}, {})
    networks(options, croppers, encoded)
    if options.moves:
        for path in files(options):
            cropper = crops.network_cropper(path)
            croppers.rows[path.stem] |= robustness.of(cropper, judged, encoded, options.moves)
    for name in options.functions.split(",") if options.functions else ():
        cropper = crops.function_cropper(function(name))
        boxes = [cropper(file, size) for file, size in zip(encoded, judged.sizes, strict=True)]
        croppers.add(name, boxes, robustness.of(cropper, judged, encoded, options.moves))
    if options.croppers:
        kept.ask(judged, folder, options.moves)
    if options.peers:
        baselines(croppers, folder)
        for name, boxes, more in kept.answers(judged, folder):
            croppers.add(name, boxes, more)

    human = people.measure(croppers.boxes, croppers.maps, judged.points, judged.sizes)
    faces = faces_cut.faces(judged, folder)
    for name, boxes in croppers.boxes.items():
        croppers.rows[name] |= human["croppers"][name]
        if faces is not None:
            croppers.rows[name] |= faces_cut.measure(boxes, faces, judged.sizes)
    result = {
        "split": options.split,
        "pictures": len(judged.chosen),
        "rows": croppers.rows,
        "people": human["people"],
    }
    print(tables.scores(result))
    if options.write:
        scores.keep(result, folder if options.smoke else STORE)


def function(name: str) -> Function:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    main(parse(Options))
