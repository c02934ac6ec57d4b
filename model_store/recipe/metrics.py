"""The metrics: how well a map predicts human fixations, and how many of them its crops keep. Pure, numpy only.

Map metrics have the field's names and definitions (Bylinskii et al. 2019, "What do different evaluation
metrics tell us about saliency models?"): `p` is the predicted density, `q` the human one, both float [rows,
columns] that sum to 1; `fixations` is float [n, 2], x and y as fractions of the picture's sides. The crop score
scales the share of human fixations that a crop keeps: 0 is the centre crop's share, 100 that of the best crop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RATIOS: dict[str, float] = {
    "1:1": 1.0,
    "4:5": 0.8,
    "9:16": 9 / 16,
    "16:9": 16 / 9,
    "2:1": 2.0,
    "3:1": 3.0,
    "1:2": 0.5,
}
NAMES = list(RATIOS)
SAME_RATIO = 0.02  # a ratio within 2 % of the picture's own removes too little to be judged


def cells(fixations: np.ndarray, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells that the fixations fall into."""
    rows, columns = grid
    return (
        np.clip((fixations[:, 1] * rows).astype(int), 0, rows - 1),
        np.clip((fixations[:, 0] * columns).astype(int), 0, columns - 1),
    )


def nss(p: np.ndarray, fixations: np.ndarray) -> float:
    """Normalised scanpath saliency: the mean z-score of the map at the fixations (0 for a flat map)."""
    deviation = float(p.std())
    if deviation == 0 or len(fixations) == 0:
        return 0.0
    return float(((p[cells(fixations, p.shape)] - p.mean()) / deviation).mean())  # type: ignore[arg-type]


def cc(p: np.ndarray, q: np.ndarray) -> float:
    """Pearson's correlation of two maps (0 when one is flat)."""
    a, b = p - p.mean(), q - q.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence of the prediction p from the human density q, in nats."""
    return float((q * np.log((q + 1e-9) / (p + 1e-9))).sum())


def sim(p: np.ndarray, q: np.ndarray) -> float:
    """Histogram intersection of two densities, 0 to 1."""
    return float(np.minimum(p, q).sum())


def auc_judd(p: np.ndarray, fixations: np.ndarray) -> float:
    """Area under the ROC curve of fixated against all cells (Judd et al.); ties count half."""
    if len(fixations) == 0:
        return 0.5
    values = np.sort(p.ravel())
    at = p[cells(fixations, p.shape)]  # type: ignore[arg-type]
    below = np.searchsorted(values, at, side="left")
    upto = np.searchsorted(values, at, side="right")
    return float(((below + upto) / 2 / values.size).mean())


def crop_size(width: int, height: int, ratio: float) -> tuple[int, int]:
    """Width and height of the largest box of a ratio, rounded half up and clamped to 1..side as in the service."""
    if width / height > ratio:
        return min(max(int(height * ratio + 0.5), 1), width), height
    return width, min(max(int(width / ratio + 0.5), 1), height)


def window(marginal: np.ndarray, side: int, length: int) -> int:
    """Offset of the heaviest `length` pixels of `side`, over a piecewise-constant density of equal cells.

    The sum is piecewise linear in the offset, so that its maximum is at an offset where an edge of the window meets
    the border of a cell. Ties go to the middle, then to the smaller offset.
    """
    span = side - length
    border = np.arange(len(marginal) + 1) * (side / len(marginal))
    offsets = np.concatenate(
        [np.floor(border), np.ceil(border), np.floor(border - length), np.ceil(border - length)]
    )
    offsets = np.unique(np.clip(np.append(offsets, [0, span // 2, span]), 0, span))
    sums = np.concatenate([[0.0], np.cumsum(marginal)])
    kept = np.interp(offsets + length, border, sums) - np.interp(offsets, border, sums)
    best = offsets[kept >= kept.max() - 1e-12 * max(float(sums[-1]), 1e-12)]
    return int(best[np.argmin(np.abs(2 * best - span))])


@dataclass(frozen=True)
class Box:
    """A crop that slides along one axis: 0 is x, 1 is y. `offset` and `length` in pixels of a side of `side`."""

    axis: int
    side: int
    length: int
    offset: int


Boxes = list[dict[str, Box]]  # per picture, by the ratio's name


def window_crop(p: np.ndarray, width: int, height: int, ratio: float) -> Box:
    """The window rule: the box of this ratio with the largest sum of the map inside."""
    w, h = crop_size(width, height, ratio)
    axis = 0 if w < width else 1
    side, length = ((width, w), (height, h))[axis]
    return Box(axis, side, length, window(p.sum(axis), side, length))


def centre_crop(width: int, height: int, ratio: float) -> Box:
    w, h = crop_size(width, height, ratio)
    axis = 0 if w < width else 1
    side, length = ((width, w), (height, h))[axis]
    return Box(axis, side, length, (side - length) // 2)


def kept(box: Box, fixations: np.ndarray) -> float:
    """Share of the fixations inside the box."""
    at = fixations[:, box.axis] * box.side
    return float(((at >= box.offset) & (at < box.offset + box.length)).mean())


def best_kept(box: Box, fixations: np.ndarray) -> float:
    """The largest share that any box of this size keeps."""
    at = np.sort(fixations[:, box.axis].astype(np.float64) * box.side)
    starts = np.clip(
        np.unique(np.concatenate([np.floor(at), np.floor(at) - box.length + 1, [0]])),
        0,
        box.side - box.length,
    )
    counts = np.searchsorted(at, starts + box.length, "left") - np.searchsorted(at, starts, "left")
    return float(counts.max() / len(at))


@dataclass(frozen=True)
class Pairs:
    """Every judged pair of picture and ratio: the shares of fixations that the crop, the centre crop and the best crop
    keep."""

    picture: np.ndarray
    ratio: np.ndarray
    crop: np.ndarray
    centre: np.ndarray
    best: np.ndarray

    def of(self, chosen: np.ndarray) -> "Pairs":
        return Pairs(
            *(column[chosen] for column in (self.picture, self.ratio, self.crop, self.centre, self.best))
        )

    def score(self) -> float:
        """The crop score: 0 for the centre crop, 100 for the best crop there is."""
        gain = float((self.best - self.centre).sum())
        return 100 * float((self.crop - self.centre).sum()) / gain if gain > 0 else 0.0

    def below(self) -> float:
        """Percent of the pairs that keep over 10 points less than the centre crop."""
        return 100 * float((self.crop < self.centre - 0.10).mean())

    def off_centre(self) -> float:
        """The crop score of the pairs where the best crop keeps over 10 points more than the centre crop."""
        return self.of(self.best > self.centre + 0.10).score()

    def interval(self, times: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % interval of the crop score, bootstrapped over pictures."""
        names, place = np.unique(self.picture, return_inverse=True)
        gained = np.bincount(place, self.crop - self.centre, len(names))
        possible = np.bincount(place, self.best - self.centre, len(names))
        draw = np.random.default_rng(seed).integers(0, len(names), (times, len(names)))
        total = np.maximum(
            possible[draw].sum(1), 1e-9
        )  # a draw of pictures where nothing can be gained scores 0
        low, high = np.percentile(100 * gained[draw].sum(1) / total, [2.5, 97.5])
        return float(low), float(high)


def judged_ratios(width: int, height: int) -> list[str]:
    """Names of the ratios that a picture of this size is judged at: all but its own."""
    return [name for name, ratio in RATIOS.items() if abs(ratio * height / width - 1) > SAME_RATIO]


Cropper = Callable[[int, str], Box]


def judge(cropper: Cropper, sizes: Sequence[tuple[int, int]], fixations: Sequence[np.ndarray]) -> Pairs:
    """Judges `cropper(picture index, ratio name)` on every picture and ratio."""
    rows = []
    for i, (width, height) in enumerate(sizes):
        for name in judged_ratios(width, height):
            box, points = cropper(i, name), fixations[i]
            middle = centre_crop(width, height, RATIOS[name])
            rows.append(
                (i, NAMES.index(name), kept(box, points), kept(middle, points), best_kept(box, points))
            )
    table = np.array(rows, np.float64).reshape(-1, 5)
    return Pairs(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3], table[:, 4])


def window_pairs(
    maps: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]], fixations: Sequence[np.ndarray]
) -> Pairs:
    """Judges the window crop of each picture's map."""
    return judge(lambda i, name: window_crop(maps[i], *sizes[i], RATIOS[name]), sizes, fixations)


def asymmetry(p: np.ndarray) -> float:
    """Total variation distance between a map and its mirror image, 0 (symmetric) to 1."""
    return 0.5 * float(np.abs(p - p[:, ::-1]).sum())
