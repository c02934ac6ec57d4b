"""Stage 8, card: the plots and the tables of model_store/README.md, from the figures that the stages wrote.

    python -m model_store.recipe.judge.model_card             # figures/*.svg, and the text between README.md's markers
    python -m model_store.recipe.judge.model_card --worst=10  # also draws the worst of "val" into the work folder

A table or plot whose stage was not run stays as it is; none is filled in by hand.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model_store.recipe import data
from model_store.recipe.crops import Judged, input_shape, map_pairs, network_maps, read
from model_store.recipe.judge import score_plots as figures
from model_store.recipe.judge import score_tables as tables
from model_store.recipe.make.export import manifest
from model_store.recipe.options import STORE, parse


@dataclass(frozen=True)
class Options:
    name: str = ""  # of the network; empty: the default one
    worst: int = 0
    smoke: bool = False


def fill(text: str, marker: str, content: str) -> str:
    """Replaces the text between <!-- marker --> and <!-- /marker -->."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


def draw_worst(count: int, path: Path, folder: Path) -> None:
    """Draws the pictures of "val" whose crops lose most against the best ones, with the fixations in red."""
    gaze = data.read("gaze")
    judged = Judged(gaze, gaze.where("val"))
    pairs = map_pairs(network_maps(path, gaze.pixels(input_shape(path))[judged.chosen]), judged)
    loss = np.bincount(pairs.picture, pairs.best - pairs.crop, len(judged.chosen))
    files = judged.files()
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for rank, i in enumerate(loss.argsort()[::-1][:count], 1):
        about = gaze.about[judged.chosen[i]]
        image = Image.fromarray(read(files[i]))
        pen = ImageDraw.Draw(image)
        for x, y in judged.points[i][:, :2]:
            pen.ellipse(
                [x * image.width - 2, y * image.height - 2, x * image.width + 2, y * image.height + 2], "red"
            )
        image.save(folder / f"{rank:02d}-{about['dataset']}.png")
        print(rank, about["dataset"], f"{loss[i]:.2f} of the fixations lost over all ratios")


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    store = folder if options.smoke else STORE
    plots = store / "figures"
    plots.mkdir(exist_ok=True)
    stored = manifest(store)
    name = options.name or stored["default"]
    parts = {"files": tables.networks(stored)}

    def measured(path: Path) -> Any:
        return json.loads(path.read_text()) if path.exists() else None

    if found := measured(store / "scores.json"):
        parts |= {
            "scores": tables.scores(found),
            "sets": tables.per_set(found),
            "stability": tables.stability(found),
        }
        if found["people"].get("curve"):
            figures.people(found, plots / "people.svg")
    if log := measured(folder / "prune.json"):
        distilled = measured(folder / "distil.json") or {}
        parts["pruning"] = tables.pruning(log, distilled)
        figures.pruning(log, distilled, plots / "pruning.svg")
    if objects := measured(store / "objects.json"):
        parts |= {"detection": tables.detection(objects), "objects": tables.whole_objects(objects)}
    if times := measured(store / "speed.json"):
        parts["speed"] = tables.speed(times)
    if left := measured(folder / "leave-out.json"):
        parts["leave out"] = tables.leave_out(left)
    if tried := measured(folder / "folds.json"):
        parts["folds"] = tables.folds(tried)
    if reliability := measured(folder / f"reliability-{name}.json"):
        figures.reliability(reliability, plots / "reliability.svg")
    readme = store / "README.md"
    text = readme.read_text() if readme.exists() else ""
    for marker, content in parts.items():
        text = fill(text, marker, content)
    readme.write_text(text)
    if options.worst:
        draw_worst(options.worst, store / stored["networks"][name]["files"]["fp32"]["file"], folder / "worst")


if __name__ == "__main__":
    main(parse(Options))
