"""What policy `balanced` costs and buys: gaze kept, faces and text lines cut through, beside policy `window`.

    python -m model_store.recipe.judge.whole_objects              # "val", the table; half a minute, no torch
    python -m model_store.recipe.judge.whole_objects --fit        # "train", every fold, a table of weights

The maps are the served network's, through the service's own decoder. The objects are those of objects.json.gz, a face
and a text detector's at full resolution; a map gets the 16 most important, faces grown to heads, in 255ths. Judged are
all of the detectors' boxes as they are. Along the axis that a crop slides on, an object is *cut* between 5 and 95 % of
its box inside, and counts where it is no longer than the crop. Sizes are shares of the
picture's width or height, whichever is larger.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gazecrop.crop.balance import Weights
from gazecrop.crop.cropping import Cropper, Policy
from gazecrop.crop.cropping import Options as CropOptions
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Kind, Object
from gazecrop.model import Model
from gazecrop.settings import read_settings
from model_store.recipe import data, metrics
from model_store.recipe.crops import RATIOS
from model_store.recipe.options import DATA, parse

LEAST, MOST = 0.05, 0.95  # of an object inside a crop: between, it is cut
FACES = (0.0, 0.08, 0.16, 1.01)
LINES = (0.1, 0.2, 0.4)
# One weight moved at a time, from the table of the defaults.
SETTINGS = (
    Weights(),
    *(Weights(middle=each) for each in (0.0, 0.03, 0.08)),
    *(Weights(mass=each) for each in (0.0, 0.05, 0.15)),
    *(Weights(face=each) for each in (0.0, 0.01, 0.03, 0.05)),
    *(Weights(text=each) for each in (0.0, 0.01, 0.03)),
)


@dataclass(frozen=True)
class Options:
    split: str = "val"
    fit: bool = False
    limit: int = 0  # pictures; 0: all


@dataclass
class Scene:
    """A picture: its map with objects, people's fixations (fractions), the detectors' boxes (fractions) by kind."""

    key: str
    grid: SaliencyGrid
    points: np.ndarray
    boxes: dict[str, np.ndarray]


@dataclass
class Tally:
    """Pairs of picture and ratio, and pairs of object and ratio: (size, cut)."""

    pairs: list[tuple[float, float, float]] = field(default_factory=list)  # kept by crop, centre, best
    objects: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: {"faces": [], "text": []})

    def cut(self, kind: str, least: float, most: float) -> float:
        """In percent, of the objects of these sizes; NaN where there are none."""
        flags = [cut for size, cut in self.objects[kind] if least <= size < most]
        return 100 * float(np.mean(flags)) if flags else float("nan")

    def line(self) -> str:
        crop, centre, best = np.array(self.pairs).T
        score = 100 * (crop - centre).sum() / (best - centre).sum()
        faces = [self.cut("faces", 0, 2)]
        faces += [self.cut("faces", *ends) for ends in zip(FACES[:-1], FACES[1:], strict=True)]
        text = [self.cut("text", *ends) for ends in zip(LINES[:-1], LINES[1:], strict=True)]
        text.append(self.cut("text", LINES[0], LINES[-1]))
        under = 100 * (crop < centre - 0.10).mean()
        columns = [f"{score:5.1f}", f"{under:5.2f}", *(f"{each:5.1f}" for each in (*faces, *text))]
        return " ".join(columns)


HEADER = "score under faces <.08  <.16 larger  text .1-.2 .2-.4 .1-.4   (under: > 10 points under the centre crop, %)"


def scenes(split: str, limit: int = 0) -> list[Scene]:
    """Every picture with fixations of a split, its map by the served network."""
    found = json.loads(gzip.decompress((DATA / "objects.json.gz").read_bytes()))
    model, made = Model.load(read_settings()), []
    for sample in data.samples("gaze"):
        about = json.loads(sample["json"])
        points = data._fixations(about.get("observers", []))
        if about["split"] != split or len(points) < 8:
            continue
        boxes = {
            kind: np.array(found[kind].get(sample["key"], []), np.float64).reshape(-1, 5) for kind in found
        }
        pixels = data.picture(sample["jpg"], model.shapes)
        density = np.asarray(model.run(pixels[None]).density[0], np.float64)
        grid = SaliencyGrid.from_density(density, about["width"], about["height"], objects=objects(boxes))
        made.append(Scene(sample["key"], grid, points[:, :2], boxes))
        if len(made) == limit:
            break
    return made


def objects(boxes: dict[str, np.ndarray]) -> list[Object]:
    kinds: tuple[tuple[Kind, str], ...] = (("face", "faces"), ("text", "text"))
    return [Object.detected(kind, *map(float, box)) for kind, name in kinds for box in boxes[name]]


def judge(chosen: Sequence[Scene], policy: Policy, weights: Weights | None = None) -> Tally:
    tally = Tally()
    for scene in chosen:
        width, height = scene.grid.width, scene.grid.height
        cropper = Cropper(scene.grid, weights=weights)
        for name in metrics.judged_ratios(width, height):
            box = cropper.crop(RATIOS[name], CropOptions(policy=policy)).box
            across = box.width < width
            side, length, offset = (width, box.width, box.x) if across else (height, box.height, box.y)
            one = metrics.Box(0 if across else 1, side, length, offset)
            centre = metrics.centre_crop(width, height, metrics.RATIOS[name])
            kept = metrics.kept(one, scene.points), metrics.kept(centre, scene.points)
            tally.pairs.append((*kept, metrics.best_kept(one, scene.points)))
            for kind, boxes in scene.boxes.items():
                first, extent = boxes[:, one.axis] * side, boxes[:, 2 + one.axis] * side
                shared = np.minimum(first + extent, offset + length) - np.maximum(first, offset)
                inside = np.clip(shared / extent, 0, 1)
                sizes = boxes[:, 2:4].max(1)
                fits = extent <= length
                cut = (inside > LEAST) & (inside < MOST)
                tally.objects[kind] += list(zip(sizes[fits].tolist(), cut[fits].tolist(), strict=True))
    return tally


def main(options: Options) -> None:
    chosen = scenes("train" if options.fit else options.split, options.limit)
    print(f"{len(chosen)} pictures\n{'':44} {HEADER}")
    print(f"{'window':44} {judge(chosen, 'window').line()}", flush=True)
    for weights in SETTINGS if options.fit else (Weights(),):
        name = f"balanced {weights.middle:g} {weights.mass:g} {weights.face:g} {weights.text:g}"
        print(f"{name:44} {judge(chosen, 'balanced', weights).line()}", flush=True)
        for fold in range(data.FOLDS) if options.fit else ():
            part = [scene for scene in chosen if data.fold(scene.key) == fold]
            print(f"{f'  fold {fold}':44} {judge(part, 'balanced', weights).line()}", flush=True)


if __name__ == "__main__":
    main(parse(Options))
