"""Stage 7, evaluate: the whole measure on "val", one table, for networks, functions, baselines and people.

    python -m model_store.recipe.evaluate                                  # gaze-0 and everything below it, 8 minutes
    python -m model_store.recipe.evaluate --onnx=a.onnx,b.onnx --functions=package.module:crop --peers=0

An ONNX file takes `picture` uint8 [n, h, w, 3] and gives a density. A function takes a PIL picture and a
ratio (width / height) and gives (x, y, width, height) in pixels of that picture. Every network's crops are
made by service.grid and service.cropping, from 32 levels, as they are served.
"""

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model_store.recipe import data, metrics, people, robustness
from model_store.recipe.export import manifest, session, update
from model_store.recipe.metrics import Box, Pairs
from model_store.recipe.options import STORE, parse
from service.cropping import Cropper
from service.cropping import Options as CropOptions
from service.grid import SaliencyGrid
from service.ratios import parse as parse_ratio

RATIOS = {name: parse_ratio(name) for name in metrics.RATIOS}


@dataclass(frozen=True)
class Options:
    onnx: str = ""  # files, separated by commas; empty: those in manifest.json
    mean: str = ""  # a name: adds a row for the mean of those files' maps
    functions: str = ""  # package.module:name, separated by commas
    peers: bool = True  # Twitter's network and the priors too
    moves: int = 150  # pictures of the stability and robustness tables; 0 leaves them out
    split: str = "val"
    write: bool = True  # scores.json beside the manifest
    smoke: bool = False


@dataclass(frozen=True)
class Judged:
    """The pictures to judge on, with what the metrics need of each."""

    gaze: data.Pictures
    chosen: np.ndarray

    @property
    def points(self) -> list[np.ndarray]:
        return [self.gaze.points[i] for i in self.chosen]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [(self.gaze.about[i]["width"], self.gaze.about[i]["height"]) for i in self.chosen]

    @property
    def sets(self) -> np.ndarray:
        return np.array([self.gaze.about[i]["dataset"] for i in self.chosen])


def network_maps(path: Path, pixels: np.ndarray) -> np.ndarray:
    """float32 [n, rows, columns] of an ONNX file, two pictures at a time on two threads."""
    run = session(path, 2)
    return np.concatenate(
        [
            run.run(None, {"picture": np.ascontiguousarray(pixels[i : i + 2])})[0]
            for i in range(0, len(pixels), 2)
        ]
    )


def input_shape(path: Path) -> tuple[int, int]:
    _, height, width, _ = session(path).get_inputs()[0].shape
    return int(height), int(width)


def served_box(cropper: Cropper, ratio: str) -> Box:
    """The box that the service would answer, as the metrics take it."""
    box = cropper.crop(RATIOS[ratio], CropOptions(policy="window")).box
    if box.width < cropper.grid.width:
        return Box(0, cropper.grid.width, box.width, box.x)
    return Box(1, cropper.grid.height, box.height, box.y)


def map_pairs(maps: np.ndarray, judged: Judged) -> Pairs:
    croppers = [
        Cropper(SaliencyGrid.from_density(np.asarray(m, np.float64), w, h))
        for m, (w, h) in zip(maps, judged.sizes, strict=True)
    ]
    return metrics.judge(lambda i, ratio: served_box(croppers[i], ratio), judged.sizes, judged.points)


def function_pairs(
    function: Callable[[Image.Image, float], Sequence[float]], judged: Judged, pictures: dict[str, bytes]
) -> Pairs:
    """Judges any cropper; its boxes are scaled from the file's pixels to those the observers saw."""
    opened = [
        Image.open(BytesIO(pictures[judged.gaze.about[i]["key"]])).convert("RGB") for i in judged.chosen
    ]

    def crop(i: int, name: str) -> Box:
        (width, height), image = judged.sizes[i], opened[i]
        w, h = metrics.crop_size(width, height, metrics.RATIOS[name])
        x, y, _, _ = function(image, metrics.RATIOS[name])
        if w < width:
            return Box(0, width, w, int(np.clip(round(x * width / image.width), 0, width - w)))
        return Box(1, height, h, int(np.clip(round(y * height / image.height), 0, height - h)))

    return metrics.judge(crop, judged.sizes, judged.points)


def crop_row(pairs: Pairs, sets: np.ndarray) -> dict[str, Any]:
    """The figures of one table row that need crops only."""
    low, high = pairs.interval()
    return {
        "crop_score": pairs.score(),
        "interval": [low, high],
        "retained": 100 * float(pairs.crop.mean()),
        "below_centre": pairs.below(),
        "off_centre": pairs.off_centre(),
        "sets": {name: pairs.of(sets[pairs.picture] == name).score() for name in np.unique(sets)},
        "ratios": {name: pairs.of(pairs.ratio == j).score() for j, name in enumerate(metrics.RATIOS)},
    }


def map_row(maps: np.ndarray, judged: Judged) -> dict[str, Any]:
    """One table row of a network: crops and map metrics."""
    row = crop_row(map_pairs(maps, judged), judged.sets)
    human = [judged.gaze.maps[i] for i in judged.chosen]
    per = [
        {
            "nss": metrics.nss(p, f),
            "auc_judd": metrics.auc_judd(p, f),
            "cc": metrics.cc(p, q),
            "kl": metrics.kl(p, q),
            "sim": metrics.sim(p, q),
        }
        for p, q, f in zip(maps, human, judged.points, strict=True)
    ]
    return row | {name: float(np.mean([one[name] for one in per])) for name in per[0]}


def encoded_pictures(judged: Judged) -> dict[str, bytes]:
    wanted = {judged.gaze.about[i]["key"] for i in judged.chosen}
    return {one["key"]: one["jpg"] for one in data.samples("gaze") if one["key"] in wanted}


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    gaze = data.read("gaze", options.smoke)
    judged = Judged(gaze, gaze.where(options.split))
    train = gaze.where("train")
    prior = gaze.maps[train].mean(0)
    rows: dict[str, dict[str, Any]] = {}
    maps: dict[str, np.ndarray] = {}

    paths = [Path(name) for name in options.onnx.split(",") if name]
    if not paths:
        stored = manifest()
        paths = [
            STORE / file["file"]
            for network in stored["networks"].values()
            for file in network["files"].values()
        ]
    for path in paths:
        maps[path.stem] = network_maps(path, gaze.pixels(input_shape(path))[judged.chosen])
    if options.mean:
        maps[options.mean] = np.mean([maps[path.stem] for path in paths], 0)
    if options.peers:
        from model_store.recipe.peers import fastgaze_maps

        maps["centre prior"] = np.repeat(prior[None], len(judged.chosen), 0)
        twitter = fastgaze_maps(judged, folder)
        maps["Twitter's network"] = twitter
        weighed = twitter * prior
        maps["Twitter's network x centre prior"] = weighed / weighed.sum((1, 2), keepdims=True)
    for name, found in maps.items():
        rows[name] = map_row(found, judged)
        print(line(name, rows[name]), flush=True)

    pictures = encoded_pictures(judged) if options.functions or options.moves else {}
    for name in options.functions.split(",") if options.functions else ():
        module, _, function = name.partition(":")
        rows[name] = crop_row(
            function_pairs(getattr(importlib.import_module(module), function), judged, pictures), judged.sets
        )
        print(line(name, rows[name]), flush=True)

    human = people.measure(maps, judged.points, judged.sizes)
    for name, row in human["networks"].items():
        rows[name] |= row
    if options.moves:
        some = np.linspace(0, len(judged.chosen) - 1, min(options.moves, len(judged.chosen))).astype(int)
        for path in paths:
            rows[path.stem] |= robustness.measure(path, judged, some, pictures)
    result = {"split": options.split, "pictures": len(judged.chosen), "rows": rows, "people": human["people"]}
    print(table(result))
    if options.write:
        place = folder if options.smoke else STORE
        before = (
            json.loads((place / "scores.json").read_text())
            if (place / "scores.json").exists()
            else {"rows": {}}
        )
        result["rows"] = before["rows"] | rows
        (place / "scores.json").write_text(json.dumps(_rounded(result), indent=1) + "\n")
        note(place, _rounded(rows))


def note(store: Path, rows: dict[str, dict[str, Any]]) -> None:
    """The few figures of every judged file that stand in the manifest: {"scores": {"fp32": ..., "int8": ...}}."""
    for name, network in manifest(store)["networks"].items():
        found = dict(network.get("scores", {}))
        for kind, file in network["files"].items():
            row = rows.get(file["file"].removesuffix(".onnx"))
            if row is not None:
                keys = ("crop_score", "interval", "below_centre", "nss", "cc", "kl", "share_of_half")
                found[kind] = {"split": "val"} | {key: row[key] for key in keys}
        update(name, {"scores": found}, default=False, store=store)


def line(name: str, row: dict[str, Any]) -> str:
    score, below = row["crop_score"], row["below_centre"]
    return f"{name}: crop score {score:.1f}, below centre {below:.1f} %, NSS {row.get('nss', 0):.2f}"


def table(result: dict[str, Any]) -> str:
    """The rows as Markdown, for the model card."""
    head = (
        "crop score (95 %)",
        "retained",
        "> 10 below centre, %",
        "off-centre",
        "NSS",
        "CC",
        "KL",
        "SIM",
        "AUC-Judd",
        "of half's gain, %",
        "worth people",
    )
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    for name, row in result["rows"].items():
        low, high = row["interval"]
        cells = [
            f"{row['crop_score']:.1f} ({low:.0f}..{high:.0f})",
            f"{row['retained']:.1f}",
            f"{row['below_centre']:.1f}",
            f"{row['off_centre']:.0f}",
        ]
        for key, digits in (
            ("nss", 2),
            ("cc", 3),
            ("kl", 3),
            ("sim", 3),
            ("auc_judd", 3),
            ("share_of_half", 0),
            ("people", 1),
        ):
            value = row.get(key)
            cells.append("-" if value is None else f"{value:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    half, alone = result["people"]["half"], result["people"]["leave_one_out"]
    lines.append(
        f"| half of the people (NSS, AUC: all but one) | {half['crop_score']:.1f} | {half['retained']:.1f} "
        f"| {half['below_centre']:.1f} | {half['off_centre']:.0f} | {alone['nss']:.2f} | {half['cc']:.3f} "
        f"| {half['kl']:.3f} | {half['sim']:.3f} | {alone['auc_judd']:.3f} | 100 | - |"
    )
    return "\n".join(lines)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main(parse(Options))
