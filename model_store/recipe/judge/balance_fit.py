"""Fits policy `balanced` on "train" and writes it into the manifest: the six weights, the curve of what each buys, the
confidence of its crops and the chance of beating the centre crop. Run by whole_objects.py --fit, minutes on one core.

Maps. Every network has seen "train": its maps are better there (gaze-1: a crop score of 68 instead of 59), so that
weights fitted to them would trust maps too much. The maps are the mean of the network's map and of its map of the same
picture harmed (noise, darkness or blur, by a hash of the key), which score nearly as on new pictures. Maps of two plain
networks, each for the half of "train" that it has not seen, are worse (50.9): chances that were fitted to them were too
low on "val" (expected calibration errors of `confidence` 0.033, now 0.011, of `beats_centre` 0.071, now 0.031).

Objective: the points of crop score lost below `window`, plus for each bar of whole_objects.py, and for those of AIMS,
its excess as a share of the bar, times EXCESS. In place of its bar, the crops far under the centre are at most UNDER of
those of `window`, since these maps err less than those of new pictures. `mass` is at least MASS times `middle`, or a
lone subject would not come to the middle of its crop. The weights are searched by turns, coarse then fine, without each
fold; the medians of the five results ship, since these differ up to threefold where the loss hardly
does. "Out of fold": each fold's crops by the weights of the other four.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, fields, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from gazecrop.crop.balance import Balance, Weights
from gazecrop.crop.confidence import Logistic, compared, features
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.placing import Field
from gazecrop.crop.ratios import box_size
from gazecrop.model import Model
from gazecrop.pipeline import analyse, limits_of
from gazecrop.settings import read_settings
from model_store.recipe import data, metrics
from model_store.recipe.crops import RATIOS
from model_store.recipe.judge.robustness import HARM
from model_store.recipe.judge.whole_objects import (
    BARS,
    FACES,
    HEADS,
    LINES,
    LONE,
    NOTHING,
    Scene,
    cuts,
    detected,
    line,
    objects,
    pictures,
)
from model_store.recipe.logistic import fit, reliability
from model_store.recipe.options import ROOT, STORE

EXCESS = {"lost": 2.0}  # of the bar that can be met; of the others 1
STEP = 0.05  # the least gain for which a weight is changed: less is noise between folds
UNDER = 0.67  # 0.7 % where `window` has 1.04
MASS = 1.25
# Percent: no bars, but of two crops that keep as much gaze the one with the head is better, and a picture's only face
# is what people see first.
AIMS = {"heads": 6.0, "lone": 6.0}
START = Weights(0.0169, 0.0211, 0.04, 0.06, 0.015, 0.06)  # middle and mass of the fit without heads
FACTORS = ((0.5, 0.71, 1.41, 2.0), (0.84, 1.19))  # coarse, then fine
CURVE = (0.0, 0.5, 1.0, 2.0)  # of each weight, the others as fitted
ENOUGH = 0.9  # of the fixations that the best crop keeps: the confidence of calibrate.py
CLASSES = (
    *(("faces", *ends) for ends in zip(FACES[:-1], FACES[1:], strict=True)),
    *(("text", *ends) for ends in zip(LINES[:-1], LINES[1:], strict=True)),
    ("heads", *HEADS),
    ("lone", *LONE),
)
NAMES = tuple(each.name for each in fields(Weights))
NONE = Weights(*(0 for _ in NAMES))


@dataclass(frozen=True)
class Candidates:
    """Of many pairs of picture and ratio, all boxes that `balanced` chooses from; those of pair i are in
    starts[i]:starts[i + 1]. `terms` float32 [boxes, 7]: importance, then what each of NAMES adds with a weight of 1.
    `cut` float32 [boxes, classes]: how many of the detectors' boxes it cuts; `fitting` [pairs, classes]: of how many.
    By box: `far` from the middle, `moved` in shares of the side, `kept` of the fixations. By pair: `centre`, `best`:
    the shares that the centre crop and the best one keep; `centred`: the importance of the centre crop; `length`;
    `fold`."""

    starts: np.ndarray
    terms: np.ndarray
    cut: np.ndarray
    fitting: np.ndarray
    far: np.ndarray
    moved: np.ndarray
    kept: np.ndarray
    centre: np.ndarray
    best: np.ndarray
    centred: np.ndarray
    length: np.ndarray
    fold: np.ndarray

    def choose(self, weights: Weights) -> np.ndarray:
        """The box of each pair."""
        return self._largest(
            self.terms @ np.array([1, *(getattr(weights, name) for name in NAMES)], np.float32)
        )

    def window(self) -> np.ndarray:
        return self._largest(self.terms[:, 0])

    def _largest(self, values: np.ndarray) -> np.ndarray:
        starts, counts = self.starts[:-1], np.diff(self.starts)
        most = np.repeat(np.maximum.reduceat(values, starts), counts)
        far = np.where(values >= most - 1e-7, self.far, np.inf)
        rows = np.flatnonzero(far <= np.repeat(np.minimum.reduceat(far, starts), counts))
        _, first = np.unique(np.searchsorted(self.starts, rows, "right"), return_index=True)
        found: np.ndarray = rows[first]
        return found

    def measures(self, chosen: np.ndarray, pairs: np.ndarray) -> dict[str, float]:
        """As Tally.measures, of the pairs where `pairs` is true."""
        crop, centre, best = self.kept[chosen][pairs], self.centre[pairs], self.best[pairs]
        cut, fitting = self.cut[chosen][pairs].sum(0), np.maximum(self.fitting[pairs].sum(0), 1e-9)

        def share(*classes: int) -> float:
            return float(100 * cut[list(classes)].sum() / fitting[list(classes)].sum())

        return {
            "score": float(100 * (crop - centre).sum() / (best - centre).sum()),
            "under": float(100 * (crop < centre - 0.10).mean()),
            "faces": share(0, 1, 2),
            "faces <.08": share(0),
            "faces .08-.16": share(1),
            "faces larger": share(2),
            "text .1-.4": share(3, 4),
            "heads": share(5),
            "lone": share(6),
        }


def unseen(*, detector: bool, limit: int) -> Iterator[Scene]:
    """The pictures of "train", their maps about as good as those of new pictures; with a line every 200 pictures."""
    settings, boxes = read_settings(), detected()
    model = Model.load(settings)

    def seen(file: bytes) -> SaliencyGrid:
        return SaliencyGrid.from_code(analyse(file, model, limits_of(settings)).code)

    for count, (key, file, about, points) in enumerate(pictures("train")):
        if limit and count == limit:
            return
        if count % 200 == 0:
            print(f"{count} pictures", flush=True)
        grid = seen(file)
        density = (grid.density() + seen(harmed(file, key)).density()) / 2
        theirs = boxes.get(key, NOTHING)
        found = objects(theirs) if detector else grid.objects
        size = int(str(about["width"])), int(str(about["height"]))
        yield Scene(key, SaliencyGrid.from_density(density, *size, objects=found), points, theirs)


def harmed(file: bytes, key: str) -> bytes:
    """With noise, darker or blurred, as its key decides."""
    functions = list(HARM.values())[:3]
    with Image.open(BytesIO(file)) as image:
        return functions[zlib.crc32(key.encode()) % 3](image.convert("RGB"))


def candidates(scenes: Iterable[Scene]) -> Candidates:
    units = [NONE] + [replace(NONE, **{name: 1.0}) for name in NAMES]
    rows: dict[str, list[Any]] = {each.name: [] for each in fields(Candidates)}
    for scene in scenes:
        grid, scene_field = scene.grid, Field(scene.grid)
        measures = [Balance(scene_field, grid.objects, each) for each in units]
        for name in metrics.judged_ratios(grid.width, grid.height):
            width, height = box_size(RATIOS[name], grid.width, grid.height)
            axis = 0 if width < grid.width else 1
            side, length = ((grid.width, width), (grid.height, height))[axis]
            along = [(each.across, each.down)[axis] for each in measures]
            profile = (scene_field.across, scene_field.down)[axis]
            # Those of faces, text and heads.
            offsets = np.unique(profile.bends(length, along[1 + NAMES.index("head")]))
            importance, *others = (each.values(offsets, length) for each in along)
            rows["terms"].append(np.stack([importance, *(each - importance for each in others)], 1))
            far = np.abs(2 * offsets - (side - length))
            rows["far"].append(far)
            rows["moved"].append(far / (2 * side))
            at = np.sort(scene.points[:, axis].astype(np.float64) * side)
            inside = np.searchsorted(at, offsets + length) - np.searchsorted(at, offsets)
            rows["kept"].append(inside / len(at))
            middle = metrics.Box(axis, side, length, (side - length) // 2)
            rows["centre"].append(metrics.kept(middle, scene.points))
            rows["best"].append(metrics.best_kept(middle, scene.points))
            rows["centred"].append(float(along[0].values(np.array([middle.offset]), length)[0]))
            rows["length"].append(length / side)
            rows["fold"].append(data.fold(scene.key))
            counts, fitting = [], []
            for kind, least, most in CLASSES:
                boxes = scene.boxes[kind]
                sizes = boxes[:, 2:4].max(1)
                fits, cut = cuts(boxes, axis, side, length, offsets)
                chosen = fits & (sizes >= least) & (sizes < most)
                counts.append(cut[:, chosen].sum(1))
                fitting.append(chosen.sum())
            rows["cut"].append(np.stack(counts, 1))
            rows["fitting"].append(fitting)
    starts = np.cumsum([0, *map(len, rows["far"])])
    by_box = {name: np.concatenate(rows[name]) for name in ("terms", "cut", "far", "moved", "kept")}
    pairs = ("fitting", "centre", "best", "centred", "length", "fold")
    by_pair = {name: np.array(rows[name]) for name in pairs}
    for name in ("terms", "cut"):
        by_box[name] = by_box[name].astype(np.float32)
    return Candidates(starts=starts, **by_box, **by_pair)


def loss(found: dict[str, float], window: dict[str, float]) -> float:
    lost = window["score"] - found["score"]
    values = found | {"lost": lost}
    most = BARS | {"under": max(UNDER * window["under"], 0.01)} | AIMS
    excess = {name: max(0.0, values[name] / bar - 1) for name, bar in most.items()}
    return lost + sum(EXCESS.get(name, 1.0) * share for name, share in excess.items())


def search(table: Candidates, pairs: np.ndarray) -> Weights:
    """The weights with the least loss over these pairs: one at a time is multiplied while that helps."""
    window = table.measures(table.window(), pairs)
    known: dict[Weights, float] = {}

    def of(weights: Weights) -> float:
        if weights not in known:
            known[weights] = loss(table.measures(table.choose(weights), pairs), window)
        return known[weights]

    best = START
    for factors in FACTORS:
        better = True
        while better:
            better = False
            for name in NAMES:
                for factor in factors:
                    tried = replace(best, **{name: round(min(getattr(best, name) * factor, 1.0), 4)})
                    tried = replace(tried, mass=max(tried.mass, round(MASS * tried.middle, 4)))
                    if of(tried) < of(best) - STEP:
                        best, better = tried, True
    return best


def compared_rows(table: Candidates, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features of `beats_centre` and whether more is kept than by the centre crop (0.5: as much), of the boxes that are
    not the centre crop."""
    moved = table.moved[chosen]
    away = moved > 0
    kept, centre = table.kept[chosen], table.centre
    shares = zip(
        table.terms[chosen, 0][away], table.centred[away], table.length[away], moved[away], strict=True
    )
    x = np.array([compared(*map(float, each)) for each in shares])
    return x, np.where(kept > centre, 1.0, np.where(kept == centre, 0.5, 0.0))[away]


def confidence_rows(table: Candidates, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shares = zip(table.terms[chosen, 0], table.centred, table.length, strict=True)
    x = np.array([features(*map(float, each)) for each in shares])
    return x, (table.kept[chosen] >= ENOUGH * table.best).astype(np.float64)


def error(x: np.ndarray, y: np.ndarray, fitted: Logistic) -> float:
    return reliability(np.array([fitted(one) for one in x]), y)[1]


def run(*, detector: bool, write: bool, limit: int, keep: bool = False) -> None:
    """`keep`: the weights stay as they are; only the two regressions are fitted."""
    table = candidates(unseen(detector=detector, limit=limit))
    every = np.ones(len(table.fold), np.bool_)
    print(f"{len(every)} pairs of picture and ratio, {len(table.far)} boxes", flush=True)
    print(f"{'window':32} {line(table.measures(table.window(), every))}", flush=True)
    found: list[tuple[float, ...]] = []
    crops = np.zeros(len(every), np.int64)
    for fold in range(0 if keep else data.FOLDS):
        mine = table.fold == fold
        weights = search(table, ~mine) if mine.any() else START
        crops[mine] = table.choose(weights)[mine]
        found.append(astuple(weights))
        print(f"without fold {fold}: {shown(weights)}", flush=True)
    if not keep:
        print(f"{'out of fold':32} {line(table.measures(crops, every))}", flush=True)
    weights = Weights() if keep else Weights(*np.median(found, axis=0).round(4).tolist())
    chosen = table.choose(weights)
    print(f"{shown(weights):32} {line(table.measures(chosen, every))}", flush=True)
    entry = asdict(weights) | {"curve": curve(table, weights, every)}
    for name, rows, intercept in (
        ("calibration", confidence_rows, True),
        ("beats_centre", compared_rows, False),
    ):
        x, y = rows(table, chosen)
        if name == "beats_centre":  # of any crop: those of `window` and one of chance, too
            draw = np.random.default_rng(0)
            others = table.window(), draw.integers(table.starts[:-1], table.starts[1:])
            x, y = (
                np.concatenate(each)
                for each in zip((x, y), *(rows(table, one) for one in others), strict=True)
            )
        fitted, constant = fit(x, y, intercept=intercept)
        values = Logistic(tuple(round(each, 6) for each in fitted), round(constant, 6))
        entry[name] = {"weights": list(values.weights), "intercept": values.intercept}
        entry[name]["expected_calibration_error"] = round(error(*rows(table, chosen), values), 4)
        print(name, json.dumps(entry[name]), flush=True)
    if write:
        put(entry, weights)


def curve(table: Candidates, weights: Weights, pairs: np.ndarray) -> list[dict[str, Any]]:
    """What each weight buys: the measures with a multiple of it, the others as fitted."""
    found = []
    for name in NAMES:
        for factor in CURVE:
            value = round(factor * getattr(weights, name), 4)
            measures = table.measures(table.choose(replace(weights, **{name: value})), pairs)
            rounded = {each: round(share, 2) for each, share in measures.items()}
            found.append({"weight": name, "value": value} | rounded)
            print(f"{name} {value:g}".ljust(32), line(measures), flush=True)
    return found


def shown(weights: Weights) -> str:
    return " ".join(f"{name} {getattr(weights, name):g}" for name in NAMES)


def put(entry: dict[str, Any], weights: Weights) -> None:
    """Writes the entry `balance` of the network, and the same numbers where a map's network is not known."""
    path = STORE / "manifest.json"
    stored = json.loads(path.read_text())
    stored["networks"][read_settings().model or stored["default"]]["balance"] = entry
    path.write_text(json.dumps(stored, indent=2) + "\n")
    beats = ", ".join(repr(each) for each in entry["beats_centre"]["weights"])
    given = asdict(weights)
    package = ROOT / "service" / "gazecrop"
    changes = [
        (package / "crop" / "balance.py", rf"\b{name}: float = [\d.]+", f"{name}: float = {given[name]!r}")
        for name in NAMES
    ]
    texts = ", ".join(f"{name}: {given[name]!r}" for name in NAMES)
    changes += [
        (package / "crop" / "confidence.py", r"BEATS = Logistic\(\(.*?\)\)", f"BEATS = Logistic(({beats}))"),
        (
            package / "page" / "gazecrop.js",
            r"WEIGHTS = Object.freeze\(\{.*?\}\)",
            f"WEIGHTS = Object.freeze({{ {texts} }})",
        ),
        (
            package / "page" / "gazecrop.js",
            r"BEATS = Object.freeze\(\[.*?\]\)",
            f"BEATS = Object.freeze([{beats}])",
        ),
    ]
    for file, pattern, text in changes:
        changed, count = re.subn(pattern, text, file.read_text(), flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{file.name} has not one {pattern}")
        file.write_text(changed)
