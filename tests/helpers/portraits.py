"""Drawn people with invented labels, in a folder with a CSV, for the tests of the audit."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from gazecrop.audit.material.drawn_people import STYLES, Style, figure

GROUPS = ("round", "square")
KINDS = ("tall", "short")
BLUE = (30, 60, 230)  # clothes of the group "square", for networks that respond to blue
GREY = (90, 90, 90)


def write_people(
    folder: Path, count: int = 24, *, faces: bool = True, sets: tuple[str, ...] = ("",), dim: float = 1.0
) -> Path:
    """`count` pictures of each set; half of them "square", in blue. `dim` multiplies the brightness of the "square"
    pictures; everything else is equal in both halves."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in sets:
        for number in range(count):
            group = GROUPS[number % 2]
            style = Style(
                STYLES[number // 2 % len(STYLES)].skin, BLUE if group == "square" else GREY, number // 2
            )
            picture, face = figure(style, height=200 + 20 * (number // 2 % 3))
            if group == "square":
                picture = ImageEnhance.Brightness(picture).enhance(dim)
            file = f"{name or 'p'}{number:03}.png"
            picture.save(folder / file)
            row = {"file": file, "set": name, "group": group, "kind": KINDS[number // 2 % 2]}
            if faces:
                row |= {f"face_{side}": f"{value:.4f}" for side, value in zip("xywh", face, strict=True)}
            rows.append(row)
    table = folder / "people.csv"
    with table.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def write_tar(path: Path, count: int = 6) -> Path:
    """WebDataset's convention: KEY.png and KEY.json."""
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            picture, face = figure(STYLES[number], height=160)
            data = io.BytesIO()
            picture.save(data, "PNG")
            about = {"group": GROUPS[number % 2], "face": list(face), "year": None, "age": 30 + number}
            for suffix, content in (("png", data.getvalue()), ("json", json.dumps(about).encode())):
                member = tarfile.TarInfo(f"{'ab'[number % 2]}_{number}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def coarse(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Means over 30x40 cells of float[height, width, 3] -> [30, 40, 3]."""
    small = Image.fromarray(pixels).resize((40, 30), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)


def even(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A flat map with a little noise, seeded by the picture."""
    seed = int(coarse(pixels).sum())
    return 1 + 0.05 * np.random.default_rng(seed).random((30, 40))


def towards_left(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The left half gets three quarters."""
    found = even(pixels)
    found[:, :20] *= 3
    return found


def towards_bright(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.exp(coarse(pixels).mean(axis=-1) / 40)
    return found


def towards_blue(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Blue cells weigh three times as much as others."""
    colours = coarse(pixels)
    blue = (colours[..., 2] > 150) & (colours[..., 0] < 90)
    found: NDArray[np.float64] = np.where(blue, 3.0, 1.0) * even(pixels)
    return found
