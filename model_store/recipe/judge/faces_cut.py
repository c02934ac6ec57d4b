"""Faces cut through: of the faces in the pictures, how many are partly inside a crop. YuNet finds them; no network is
trained on its answers.

Along the axis that the crop slides on, a face is *whole* with at least 95 % of its box inside, *out* with at most 5 %,
and *cut* between. With this tolerance the centre crop of "val" cuts 9.0 % and keeps 67 %, as did the measurement from
which the aims were set (9.1, 67). The rates are over all pairs of face and ratio (the picture's own ratio left out), by
ratio, then their mean; the interval is by bootstrap over pictures. A face counts if YuNet's score is at least 0.6, at
all the pixels that the shards have (352 on the longest side, enlarged to 640 for YuNet). Four of five are in crowds, so
there is a second rate for *large* faces: LARGE of the longest side or more.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model_store.recipe import metrics
from model_store.recipe.crops import Judged, read
from model_store.recipe.judge import peers
from model_store.recipe.metrics import Boxes

LOOSE = 0.05
LARGE = 0.08  # a fifth of the faces

Sizes = Sequence[tuple[int, int]]


def faces(judged: Judged, folder: Path) -> list[np.ndarray] | None:
    """float [n, 4] per picture: x, y, width, height in fractions of its sides. Stored in the work folder; None if they
    are not stored and the package that contains YuNet is not installed."""
    kept = folder / f"faces-{len(judged.chosen)}.json"
    if not kept.exists():
        try:
            find = peers.yunet()
        except ImportError as error:
            print(f"faces cut through are left out: {error}")
            return None
        kept.write_text(json.dumps([find(Image.fromarray(read(file))) for file in judged.files()]))
    return [np.array(found, np.float64).reshape(-1, 4) for found in json.loads(kept.read_text())]


def shares(boxes: Boxes, faces: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    """float [n, 4], a row for each pair of face and ratio: picture, ratio, share of the face inside the crop, longest
    side of the face as a share of the picture's."""
    rows = [np.zeros((0, 4))]
    for i, (ratios, every, size) in enumerate(zip(boxes, faces, sizes, strict=True)):
        longest = (every[:, 2:] * size).max(1) / max(size) if len(every) else np.zeros(0)
        for name, box in ratios.items():
            first, length = every[:, box.axis] * box.side, every[:, 2 + box.axis] * box.side
            shared = np.minimum(first + length, box.offset + box.length) - np.maximum(first, box.offset)
            inside = np.clip(shared / length, 0, 1)
            same = np.ones(len(every))
            rows.append(np.stack([i * same, metrics.NAMES.index(name) * same, inside, longest], 1))
    return np.concatenate(rows)


def rate(flag: np.ndarray, ratio: np.ndarray) -> float:
    """Percent of the rows with a flag, the mean over the ratios."""
    count = np.bincount(ratio, minlength=len(metrics.NAMES))
    hits = np.bincount(ratio, flag, len(metrics.NAMES))
    return 100 * float((hits[count > 0] / count[count > 0]).mean()) if count.any() else 0.0


def measure(boxes: Boxes, faces: Sequence[np.ndarray], sizes: Sizes, times: int = 500) -> dict[str, Any]:
    """The rates of one cropper, in percent: {"faces_cut", "faces_cut_interval", "faces_whole", "large_faces_cut"}."""
    table = shares(boxes, faces, sizes)
    picture, ratio = table[:, 0].astype(int), table[:, 1].astype(int)
    cut = (table[:, 2] > LOOSE) & (table[:, 2] < 1 - LOOSE)
    large = table[:, 3] >= LARGE
    generator, drawn = np.random.default_rng(0), []
    for _ in range(times):
        weight = np.bincount(generator.integers(0, len(boxes), len(boxes)), minlength=len(boxes))[picture]
        drawn.append(rate(np.repeat(cut, weight), np.repeat(ratio, weight)))
    return {
        "faces_cut": rate(cut, ratio),
        "faces_cut_interval": [float(each) for each in np.percentile(drawn, [2.5, 97.5])],
        "faces_whole": rate(table[:, 2] >= 1 - LOOSE, ratio),
        "large_faces_cut": rate(cut[large], ratio[large]),
    }
