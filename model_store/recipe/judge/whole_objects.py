"""What policy `balanced` costs and buys through the served path: gaze kept, faces and text lines cut through, beside
policy `window`, and whether each bar is met. Half a minute, no torch.

    python -m model_store.recipe.judge.whole_objects                    # "val", the objects that the network finds
    python -m model_store.recipe.judge.whole_objects --detector         # a face and a text detector's boxes instead
    python -m model_store.recipe.judge.whole_objects --policy=careful   # another policy
    python -m model_store.recipe.judge.whole_objects --write            # into objects.json, which the card reads
    python -m model_store.recipe.judge.whole_objects --fit --write      # fits the weights on "train": balance_fit.py
    python -m model_store.recipe.judge.whole_objects --fit --keep --write  # only the chances, for a new network

A picture's map and objects are what the service stores for it: its decoder, the network of the settings, levels and
255ths. With --detector the objects are the 16 most important of objects.json.gz, found at full resolution. Judged are
all of the detectors' boxes as they are. Along the axis that a crop slides on, an object is *cut* between 5 and 95 % of
its box inside, and counts where it is no longer than the crop. A head is the box of a face, grown as the service grows
its own; a lone face is the only one of its picture. Sizes are shares of the picture's width or height, whichever is
larger.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gazecrop.crop.balance import Weights
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Cropper, Policy
from gazecrop.crop.cropping import Options as CropOptions
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import HEAD, TWENTIETHS, Kind, Object, most_important
from gazecrop.crop.ratios import parse_ratio
from gazecrop.model import Model
from gazecrop.pipeline import analyse, limits_of
from gazecrop.settings import read_settings
from model_store.recipe import data, metrics
from model_store.recipe.crops import RATIOS
from model_store.recipe.judge.scores import keep_objects
from model_store.recipe.options import DATA, ROOT, parse

LEAST, MOST = 0.05, 0.95  # of an object inside a crop: between, it is cut
FACES = (0.0, 0.08, 0.16, 1.01)
LINES = (0.1, 0.2, 0.4)
HEADS = (0.1, 1.01)
LONE = (0.08, 1.01)
NOTHING = {kind: np.zeros((0, 5)) for kind in ("faces", "text", "heads", "lone")}
# The most of each measure: points of crop score below `window`, then percent.
BARS = {"lost": 0.7, "under": 0.7, "faces": 1.8, "faces .08-.16": 3.0, "faces larger": 9.0, "text .1-.4": 9.0}
PRODUCT = ROOT.parent / "shared" / "cases" / "k_product_right.jpg"  # one product on plain ground
OFF_MIDDLE = 0.05  # the most that its middle may be from the crop's, as a share of the crop's side


@dataclass(frozen=True)
class Options:
    split: str = "val"
    policy: str = "balanced"
    detector: bool = False
    fit: bool = False
    keep: bool = False  # with `fit`: the weights stay, only the two regressions are fitted
    write: bool = False
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
    objects: dict[str, list[tuple[float, bool]]] = field(
        default_factory=lambda: {kind: [] for kind in NOTHING}
    )

    def cut(self, kind: str, least: float, most: float) -> float:
        """In percent, of the objects of these sizes; NaN where there are none."""
        flags = [cut for size, cut in self.objects[kind] if least <= size < most]
        return 100 * float(np.mean(flags)) if flags else float("nan")

    def measures(self) -> dict[str, float]:
        """The crop score; percent of the crops over 10 points under the centre crop; percent of the objects cut."""
        crop, centre, best = np.array(self.pairs).T
        return {
            "score": float(100 * (crop - centre).sum() / (best - centre).sum()),
            "under": float(100 * (crop < centre - 0.10).mean()),
            "faces": self.cut("faces", 0, 2),
            "faces <.08": self.cut("faces", *FACES[:2]),
            "faces .08-.16": self.cut("faces", *FACES[1:3]),
            "faces larger": self.cut("faces", *FACES[2:]),
            "text .1-.2": self.cut("text", *LINES[:2]),
            "text .2-.4": self.cut("text", *LINES[1:]),
            "text .1-.4": self.cut("text", LINES[0], LINES[-1]),
            "heads": self.cut("heads", *HEADS),
            "lone": self.cut("lone", *LONE),
        }


def line(measures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.2f}" for name, value in measures.items())


def pictures(split: str) -> Iterator[tuple[str, bytes, dict[str, object], np.ndarray]]:
    """Key, file, description and fixations (x, y in fractions) of every picture of a split with 8 fixations or more."""
    for sample in data.samples("gaze"):
        about = json.loads(sample["json"])
        points = data._fixations(about.get("observers", []))
        if about["split"] == split and len(points) >= 8:
            yield sample["key"], sample["jpg"], about, points[:, :2]


def detected() -> dict[str, dict[str, np.ndarray]]:
    """The detectors' boxes, float [n, 5] (x, y, width, height in fractions, score), by picture and kind; of the faces
    also the heads, and the face of a picture with only one ("lone")."""
    found = json.loads(gzip.decompress((DATA / "objects.json.gz").read_bytes()))
    keys = {key for boxes in found.values() for key in boxes}
    boxes = {
        key: {kind: np.array(found[kind].get(key, []), np.float64).reshape(-1, 5) for kind in found}
        for key in keys
    }
    return {
        key: each | {"heads": heads(faces := each["faces"]), "lone": faces[: len(faces) == 1]}
        for key, each in boxes.items()
    }


def heads(faces: np.ndarray) -> np.ndarray:
    """The boxes [n, 5] of faces, grown to heads and clipped to the picture."""
    beside, above, below = (share / TWENTIETHS for share in HEAD)
    corners, sizes = faces[:, :2], faces[:, 2:4]
    first = np.maximum(corners - sizes * (beside, above), 0)
    last = np.minimum(corners + sizes * (1 + beside, 1 + below), 1)
    return np.concatenate((first, last - first, faces[:, 4:]), axis=1)


def scenes(split: str, limit: int = 0, *, detector: bool = False) -> list[Scene]:
    """Every picture with fixations of a split, with its map by the served network."""
    boxes, settings, made = detected(), read_settings(), []
    model = Model.load(settings)
    for key, file, about, points in pictures(split):
        grid = SaliencyGrid.from_code(analyse(file, model, limits_of(settings)).code)
        theirs = boxes.get(key, NOTHING)
        found = most_important(objects(theirs)) if detector else grid.objects
        # The frame that the observers saw: larger than the file, which the shards hold at 352 pixels.
        grid = replace(grid, width=int(str(about["width"])), height=int(str(about["height"])), objects=found)
        made.append(Scene(key, grid, points, theirs))
        if len(made) == limit:
            break
    return made


def objects(boxes: dict[str, np.ndarray]) -> list[Object]:
    kinds: tuple[tuple[Kind, str], ...] = (("face", "faces"), ("text", "text"))
    return [Object.detected(kind, *map(float, box)) for kind, name in kinds for box in boxes[name]]


def judge(
    chosen: Iterable[Scene],
    policy: Policy,
    weights: Weights | None = None,
    calibration: Calibration | None = None,
) -> Tally:
    tally = Tally()
    for scene in chosen:
        width, height = scene.grid.width, scene.grid.height
        cropper = Cropper(scene.grid, calibration, weights)
        for name in metrics.judged_ratios(width, height):
            box = cropper.crop(RATIOS[name], CropOptions(policy=policy)).box
            across = box.width < width
            side, length, offset = (width, box.width, box.x) if across else (height, box.height, box.y)
            one = metrics.Box(0 if across else 1, side, length, offset)
            centre = metrics.centre_crop(width, height, metrics.RATIOS[name])
            kept = metrics.kept(one, scene.points), metrics.kept(centre, scene.points)
            tally.pairs.append((*kept, metrics.best_kept(one, scene.points)))
            for kind, boxes in scene.boxes.items():
                fits, cut = cuts(boxes, one.axis, side, length, np.array([offset]))
                sizes = boxes[:, 2:4].max(1)
                tally.objects[kind] += list(zip(sizes[fits].tolist(), cut[0][fits].tolist(), strict=True))
    return tally


def cuts(
    boxes: np.ndarray, axis: int, side: int, length: int, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the detectors' boxes [n, 5] are no longer than a crop, [n]; and which it cuts, [offsets, n]."""
    first, extent = boxes[:, axis] * side, boxes[:, 2 + axis] * side
    last, begin = first + extent, offsets[:, None]
    shared = np.minimum(last, begin + length) - np.maximum(first, begin)
    inside = np.clip(shared / np.maximum(extent, 1e-9), 0, 1)
    return extent <= length, (inside > LEAST) & (inside < MOST)


def product(path: Path, policy: Policy) -> float:
    """How far the middle of the product is from that of its 1:1 crop, as a share of the crop's side; its middle is that
    of the pixels that differ from the upper left one."""
    from PIL import Image

    settings = read_settings()
    model = Model.load(settings)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.int64)
    columns = (np.abs(pixels - pixels[0, 0]).max(2) > 24).any(0).nonzero()[0]
    grid = SaliencyGrid.from_code(analyse(path.read_bytes(), model, limits_of(settings)).code)
    box = Cropper(grid, model.calibration).crop(parse_ratio("1:1"), CropOptions(policy=policy)).box
    middle = (int(columns[0]) + int(columns[-1]) + 1) / 2
    best = min(max(middle - box.width / 2, 0), grid.width - box.width)  # where the picture allows
    return abs(box.x - best) / box.width


def bars(window: dict[str, float], found: dict[str, float]) -> list[str]:
    """A line for each bar: the measure, the most that it may be, whether it is."""
    values = found | {"lost": window["score"] - found["score"]}
    return [
        f"{name:14} {values[name]:6.2f}  at most {most:g}  {'yes' if values[name] <= most else 'NO'}"
        for name, most in BARS.items()
    ]


def compared(
    chosen: Sequence[Scene], policy: Policy, calibration: Calibration | None
) -> dict[str, dict[str, float]]:
    """The measures of `window` and of a policy, by policy."""
    found = {"window": judge(chosen, "window").measures()}
    return found | {policy: judge(chosen, policy, calibration=calibration).measures()}


def table(found: dict[str, dict[str, float]]) -> list[str]:
    rows = [f"{policy:9} {line(measures)}" for policy, measures in found.items()]
    return [*rows, *bars(found["window"], list(found.values())[-1])]


def main(options: Options) -> None:
    if options.fit:
        from model_store.recipe.judge import balance_fit

        balance_fit.run(
            detector=options.detector, write=options.write, limit=options.limit, keep=options.keep
        )
    policy: Policy = options.policy  # type: ignore[assignment]
    model = Model.load(read_settings())
    chosen = scenes(options.split, options.limit, detector=options.detector)
    having = sum(bool(scene.grid.objects) for scene in chosen)
    print(f'{len(chosen)} pictures of "{options.split}", {having} with objects')
    found = compared(chosen, policy, model.calibration)
    print("\n".join(table(found)))
    if options.write:
        keep_objects(model.name, {"detector boxes" if options.detector else "crops": found})
    if PRODUCT.exists():
        off = product(PRODUCT, policy)
        print(f"lone product   {off:6.3f}  at most {OFF_MIDDLE}  {'yes' if off <= OFF_MIDDLE else 'NO'}")


if __name__ == "__main__":
    main(parse(Options))
