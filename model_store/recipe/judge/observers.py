"""Scores of the observers themselves: every metric of one observer against the others, the gain of half of the
observers on the other half, and the number of people that a network is worth. Pure, numpy only."""

from typing import Any

import numpy as np

from model_store.recipe import data, metrics
from model_store.recipe.metrics import Boxes, Pairs

SPLITS = 5
JUDGES = 7  # people whose gaze is predicted on the curve of n people
CURVE = (1, 2, 3, 4, 5, 6, 7, 8)

Croppers = dict[str, Boxes]


def _split(
    points: np.ndarray, count: int, judges: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """Fixations of `count` observers drawn at random, and of `judges` others; None if there are too few observers."""
    observers = generator.permutation(np.unique(points[:, 2]))
    if len(observers) < count + judges:
        return None
    first = points[np.isin(points[:, 2], observers[:count])]
    others = points[np.isin(points[:, 2], observers[count : count + judges])]
    return (first, others) if len(first) and len(others) else None


def leave_one_out(points: list[np.ndarray], sizes: list[tuple[int, int]]) -> dict[str, float]:
    """NSS and AUC-Judd of all other observers' density at each observer's fixations, the mean over pictures."""
    values: list[tuple[float, float]] = []
    for fixations, (width, height) in zip(points, sizes, strict=True):
        for one in np.unique(fixations[:, 2]):
            mine = fixations[:, 2] == one
            if mine.all():
                continue
            p = data.density(fixations[~mine, :2], width, height)
            values.append((metrics.nss(p, fixations[mine]), metrics.auc_judd(p, fixations[mine])))
    table = np.array(values)
    return {"nss": float(table[:, 0].mean()), "auc_judd": float(table[:, 1].mean())}


def _judged(boxes: Boxes, chosen: list[int], sizes: list[tuple[int, int]], points: list[np.ndarray]) -> Pairs:
    """Judges the boxes of the `chosen` pictures, whose `sizes` and `points` (of some of the observers) are given."""
    return metrics.judge(lambda i, name: boxes[chosen[i]][name], sizes, points)


def halves(croppers: Croppers, points: list[np.ndarray], sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """Half of the observers against the other half: their scores, and each cropper's gain as a share of theirs.

    Both are judged on the same half; the figures are means over SPLITS random splits.
    """
    generator = np.random.default_rng(0)
    gains: dict[str, list[float]] = {name: [] for name in croppers}
    human: list[dict[str, float]] = []
    for _ in range(SPLITS):
        drawn = []
        for i, fixations in enumerate(points):
            half = len(np.unique(fixations[:, 2])) // 2
            parts = _split(fixations, half, half, generator)
            if parts is not None:
                drawn.append((i, *parts))
        chosen = [sizes[i] for i, _, _ in drawn]
        others = [other for _, _, other in drawn]
        first = [data.density(part[:, :2], *sizes[i]) for i, part, _ in drawn]
        second = [data.density(part[:, :2], *sizes[i]) for i, _, part in drawn]
        pairs = metrics.window_pairs(first, chosen, others)
        gain = float((pairs.crop - pairs.centre).sum())
        human.append(
            {
                "crop_score": pairs.score(),
                "below_centre": pairs.below(),
                "retained": 100 * float(pairs.crop.mean()),
                "off_centre": pairs.off_centre(),
                "cc": float(np.mean([metrics.cc(p, q) for p, q in zip(first, second, strict=True)])),
                "kl": float(np.mean([metrics.kl(p, q) for p, q in zip(first, second, strict=True)])),
                "sim": float(np.mean([metrics.sim(p, q) for p, q in zip(first, second, strict=True)])),
            }
        )
        for name, boxes in croppers.items():
            mine = _judged(boxes, [i for i, _, _ in drawn], chosen, others)
            gains[name].append(float((mine.crop - mine.centre).sum()) / gain)
    return {
        "human": {key: float(np.mean([one[key] for one in human])) for key in human[0]},
        "share": {name: 100 * float(np.mean(values)) for name, values in gains.items()},
    }


def curve(croppers: Croppers, points: list[np.ndarray], sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """Crop score of n people's density on seven others, n = 1 to 8, and of each cropper on the same seven.

    Only pictures with at least 15 observers are used. A cropper is worth the n at which the curve reaches its score;
    beyond the last point the curve is continued as a - b / n, fitted to its last four points.
    """
    generator = np.random.default_rng(1)
    able = [i for i, fixations in enumerate(points) if len(np.unique(fixations[:, 2])) >= JUDGES + CURVE[-1]]
    if not able:
        return {"curve": {}, "people": {}}
    chosen = [sizes[i] for i in able]
    found: dict[int, list[float]] = {n: [] for n in CURVE}
    scores: dict[str, list[float]] = {name: [] for name in croppers}
    for _ in range(SPLITS):
        parts = [_split(points[i], CURVE[-1], JUDGES, generator) for i in able]
        others = [part[1] for part in parts if part is not None]
        for n in CURVE:
            some = []
            for part, size in zip(parts, chosen, strict=True):
                assert part is not None
                first = part[0]
                keep = generator.permutation(np.unique(first[:, 2]))[:n]
                some.append(data.density(first[np.isin(first[:, 2], keep), :2], *size))
            found[n].append(metrics.window_pairs(some, chosen, others).score())
        for name, boxes in croppers.items():
            scores[name].append(_judged(boxes, able, chosen, others).score())
    line = {n: float(np.mean(values)) for n, values in found.items()}
    slope, limit = np.polyfit([1 / n for n in CURVE[-4:]], [line[n] for n in CURVE[-4:]], 1)

    def worth(score: float) -> float:
        if score <= line[CURVE[-1]]:
            return float(np.interp(score, [0.0, *line.values()], [0.0, *line.keys()]))
        return float(slope / (score - limit)) if score < limit else float("inf")

    return {
        "curve": line,
        "limit": float(limit),
        "people": {name: worth(float(np.mean(values))) for name, values in scores.items()},
        "on_seven": {name: float(np.mean(values)) for name, values in scores.items()},
    }


def measure(
    croppers: Croppers, maps: dict[str, np.ndarray], points: list[np.ndarray], sizes: list[tuple[int, int]]
) -> dict[str, Any]:
    """All of the above: {"people": ..., "croppers": {name: {"share_of_half", "people", "on_seven", "nss_share"}}};
    `nss_share` only for croppers that have maps."""
    alone = leave_one_out(points, sizes)
    half, line = halves(croppers, points, sizes), curve(croppers, points, sizes)
    rows: dict[str, dict[str, float | None]] = {
        name: {
            "share_of_half": half["share"][name],
            "people": line["people"].get(name),
            "on_seven": line.get("on_seven", {}).get(name),
        }
        for name in croppers
    }
    for name, found in maps.items():
        nss = float(np.mean([metrics.nss(m, f) for m, f in zip(found, points, strict=True)]))
        rows[name]["nss_share"] = 100 * nss / alone["nss"]
    return {
        "people": {
            "leave_one_out": alone,
            "half": half["human"],
            "curve": line["curve"],
            "limit": line.get("limit"),
        },
        "croppers": rows,
    }
