"""Stage 1, data: tar shards -> uint8 pictures of one size, human fixations, densities on the grid.

    python -m model_store.recipe.data            # about 2 minutes, 4 GB in the work folder

A density is a sum of Gaussians, one per fixation. SIGMA is about one degree of visual angle: 24 px of 800 in
OSIE (Xu et al. 2014, 0.030 of the width), 35 px of 1024 in MIT1003 (Judd et al. 2009, 0.034); the mean, 0.032
of the longest side, is used for all four collections. The first fixation of each observer is at the screen's
centre, where every trial starts, and is dropped.
"""

import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gazecrop.picture.decode import stretched
from gazecrop.picture.probe import draft_scale, inspect, nearest_shape
from model_store.recipe.options import DATA, WORK, parse

SIGMA = 0.032  # of the longest side
SHAPE = (240, 320)  # the student's input
LARGE = (288, 384)  # the teachers' input: 1.44 times the pixels
GRID = (30, 40)
FOLDS = 5
SQUASHED = "cv2course"  # its densities were made by another method, over pictures stretched to a square
KINDS = ("map.png", "json", "jpg")  # by name, because a key may contain dots


@dataclass(frozen=True)
class Options:
    smoke: bool = False  # 24 pictures of each kind, for the tests


def folder(smoke: bool = False) -> Path:
    """The work folder, where the stages keep their arrays and checkpoints. It is created if it is missing."""
    path = WORK / ("smoke" if smoke else "full")
    path.mkdir(parents=True, exist_ok=True)
    return path


def samples(shards: str) -> Iterator[dict[str, Any]]:
    """The samples of every shard named `shards`-*.tar: {"key", "jpg": bytes, "json": bytes, "map.png": bytes}."""
    for shard in sorted(DATA.glob(f"{shards}-*.tar")):
        sample: dict[str, Any] = {}
        with tarfile.open(shard) as archive:
            for member in archive:
                kind = next(one for one in KINDS if member.name.endswith("." + one))
                key = member.name.removesuffix("." + kind)
                if sample and sample["key"] != key:
                    yield sample
                    sample = {}
                file = archive.extractfile(member)
                if file is not None:
                    sample["key"] = key
                    sample[kind] = file.read()
        if sample:
            yield sample


def picture(data: bytes, shapes: tuple[tuple[int, int], ...] = (SHAPE,)) -> np.ndarray:
    """uint8[height, width, 3]: decoded as the service does it and stretched to the nearest of `shapes`. Networks are
    trained without the bars that the service gives to long pictures (gazecrop.picture.bars)."""
    header = inspect(data)
    rows, columns = nearest_shape(header.width, header.height, shapes)
    scale = draft_scale(header.width, header.height, columns, rows) if header.format == "jpeg" else 1
    return stretched(data, header, scale, (columns, rows))


def density(fixations: np.ndarray, width: float, height: float, grid: tuple[int, int] = GRID) -> np.ndarray:
    """float32[rows, columns] that sums to 1: one Gaussian of SIGMA per fixation (x, y as fractions of the sides)."""
    rows, columns = grid
    sigma = SIGMA * max(width, height)
    across = (np.arange(columns) + 0.5) / columns
    down = (np.arange(rows) + 0.5) / rows
    gx = np.exp(-0.5 * ((across[None] - fixations[:, :1]) * width / sigma) ** 2)
    gy = np.exp(-0.5 * ((down[None] - fixations[:, 1:]) * height / sigma) ** 2)
    total = gy.T @ gx
    return (total / total.sum()).astype(np.float32)


def fold(key: str) -> int:
    """The fold of a picture: a hash of its key, so that every stage has the same folds."""
    return zlib.crc32(key.encode()) % FOLDS


def _fixations(observers: list[list[list[float]]]) -> np.ndarray:
    """float32[n, 3]: x, y, observer; without the first fixation of each observer and those outside the picture."""
    rows = [
        (x, y, o) for o, points in enumerate(observers) for x, y in points[1:] if 0 <= x < 1 and 0 <= y < 1
    ]
    return np.array(rows, np.float32).reshape(-1, 3)


def build(options: Options) -> None:
    """Writes, for gaze and photos, NAME.json (metadata), NAME-HEIGHT.npy (pixels), NAME-maps.npy, NAME-fixations.npz
    and NAME-worn.npy; then duplicates.json."""
    for shards in ("gaze", "photos"):
        write(shards, options)
        wear(shards, options)
    duplicates(options)


def write(shards: str, options: Options) -> None:
    path = folder(options.smoke)
    if (path / f"{shards}.json").exists():
        return
    about: list[dict[str, Any]] = []
    pixels: dict[tuple[int, int], list[np.ndarray]] = {SHAPE: [], LARGE: []}
    fixations: list[np.ndarray] = []
    maps: list[np.ndarray] = []
    kept: dict[tuple[str, str], int] = {}
    for sample in samples(shards):
        one = json.loads(sample.get("json", b"{}"))
        kind = (one.get("dataset", sample["key"].split("_")[0]), one.get("split", "train"))
        kept[kind] = kept.get(kind, 0) + 1
        if options.smoke and kept[kind] > 6:
            continue
        with Image.open(io.BytesIO(sample["jpg"])) as image:
            width, height = one.get("width", image.width), one.get("height", image.height)
        points = _fixations(one.get("observers", []))
        if "map.png" in sample:
            with Image.open(io.BytesIO(sample["map.png"])) as image:
                small = image.convert("L").resize(GRID[::-1], Image.Resampling.BOX)
            target = np.asarray(small, np.float32) + 1e-3
        elif len(points):
            target = density(points[:, :2], width, height)
        else:
            target = np.zeros(GRID, np.float32)
        about.append(
            {
                "key": sample["key"],
                "dataset": kind[0],
                "split": kind[1],
                "width": width,
                "height": height,
                "observers": len({int(o) for o in points[:, 2]}),
                "map": bool("map.png" in sample or len(points)),
            }
        )
        for shape, stack in pixels.items():
            stack.append(picture(sample["jpg"], (shape,)))
        fixations.append(points)
        maps.append(target / max(float(target.sum()), 1e-9))
    for shape, stack in pixels.items():
        np.save(path / f"{shards}-{shape[0]}.npy", np.stack(stack))
    np.save(path / f"{shards}-maps.npy", np.stack(maps).astype(np.float32))
    ends = np.cumsum([len(points) for points in fixations])
    np.savez(path / f"{shards}-fixations.npz", points=np.concatenate(fixations), ends=ends)
    (path / f"{shards}.json").write_text(json.dumps(about))
    print(f"{shards}: {len(about)} pictures")


def worn(image: Image.Image, draw: np.random.Generator) -> bytes:
    """A picture as a poor copy: 45 to 100 % of its size, a JPEG of quality 35 to 75."""
    scale, quality, saved = draw.uniform(0.45, 1.0), int(draw.integers(35, 76)), io.BytesIO()
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(saved, "JPEG", quality=quality)
    return saved.getvalue()


def wear(shards: str, options: Options) -> None:
    """Writes NAME-worn.npy: a poor copy of every picture."""
    pictures = read(shards, options.smoke)
    path = pictures.path / f"{shards}-worn.npy"
    if path.exists():
        return
    draft = path.with_suffix(".draft.npy")
    out = np.lib.format.open_memmap(draft, "w+", np.uint8, (len(pictures.about), *SHAPE, 3))
    at = {one["key"]: i for i, one in enumerate(pictures.about)}
    for sample in samples(shards):
        if sample["key"] not in at:
            continue
        draw = np.random.default_rng(zlib.crc32(sample["key"].encode()))
        with Image.open(io.BytesIO(sample["jpg"])) as image:
            saved = worn(image, draw)
        out[at[sample["key"]]] = picture(saved)
    out.flush()
    draft.rename(path)


def duplicates(options: Options) -> None:
    """Lists near duplicates across collections and splits; a picture of "train" that "val" has as well is left out.

    Near duplicates: the correlation of their 16x16 grey thumbnails (mean removed) is above 0.98.
    """
    path = folder(options.smoke)
    about = [("gaze", one) for one in read("gaze", options.smoke).about]
    about += [("photos", one) for one in read("photos", options.smoke).about]
    vectors = []
    for shards in ("gaze", "photos"):
        pixels = np.load(path / f"{shards}-240.npy", mmap_mode="r")
        grey = np.stack([p.reshape(16, 15, 16, 20, 3).mean((1, 3, 4)).ravel() for p in pixels])
        vectors.append(grey - grey.mean(1, keepdims=True))
    v = np.concatenate(vectors).astype(np.float32)
    v /= np.linalg.norm(v, axis=1, keepdims=True) + 1e-6
    pairs = []
    val = np.array([one["split"] == "val" for _, one in about])
    for start in range(0, len(v), 1024):
        near = v[start : start + 1024] @ v.T > 0.98
        for i, j in zip(*np.nonzero(near), strict=True):
            if start + i < j:
                pairs.append((int(start + i), int(j)))
    drop = sorted({about[a if not val[a] else b][1]["key"] for a, b in pairs if val[a] != val[b]})
    listed = {"pairs": [(about[a][1]["key"], about[b][1]["key"]) for a, b in pairs], "drop_from_train": drop}
    (path / "duplicates.json").write_text(json.dumps(listed, indent=1))
    print(f"{len(pairs)} pairs of near duplicates; {len(drop)} pictures leave train because val has them")


@dataclass(frozen=True)
class Pictures:
    """One kind of shard as build() wrote it: metadata and fixations float32[m, 3] per picture, maps float32[n, rows,
    columns]."""

    name: str
    path: Path
    about: list[dict[str, Any]]
    maps: np.ndarray
    points: list[np.ndarray]

    def pixels(self, shape: tuple[int, int] = SHAPE) -> np.ndarray:
        """uint8[n, height, width, 3], mapped from disk."""
        return np.load(self.path / f"{self.name}-{shape[0]}.npy", mmap_mode="r")

    def worn(self) -> np.ndarray:
        """uint8[n, height, width, 3]: poor copies of the same pictures."""
        return np.load(self.path / f"{self.name}-worn.npy", mmap_mode="r")

    def sizes(self, chosen: np.ndarray | list[int]) -> list[tuple[int, int]]:
        """Width and height of the frame that the fixations of each chosen picture refer to."""
        return [(self.about[i]["width"], self.about[i]["height"]) for i in chosen]

    def where(self, split: str, *, gaze: bool = True, without: str = "") -> np.ndarray:
        """int64 indices of the pictures of a split, without duplicates and without the collection `without`.

        `gaze`: only those with at least 8 fixations.
        """
        listed = self.path / "duplicates.json"
        drop = set(json.loads(listed.read_text())["drop_from_train"]) if listed.exists() else set()
        chosen = [
            i
            for i, one in enumerate(self.about)
            if one["split"] == split
            and (len(self.points[i]) >= 8 or not gaze)
            and one["dataset"] != without
            and not (split == "train" and one["key"] in drop)
        ]
        return np.array(chosen, np.int64)


@cache
def read(shards: str = "gaze", smoke: bool = False) -> Pictures:
    """Reads what build() wrote. Raises FileNotFoundError if it was not run."""
    path = folder(smoke)
    about = json.loads((path / f"{shards}.json").read_text())
    stored = np.load(path / f"{shards}-fixations.npz")
    points = np.split(stored["points"], stored["ends"][:-1])
    return Pictures(shards, path, about, np.load(path / f"{shards}-maps.npy"), points)


if __name__ == "__main__":
    build(parse(Options))
