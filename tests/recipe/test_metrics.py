"""recipe/metrics.py against brute force and hand-made cases. numpy only."""

import numpy as np
import pytest

from model_store.recipe import metrics
from model_store.recipe.metrics import Box, Pairs


def blob(rows: int, columns: int, y: float, x: float, sigma: float = 2.0) -> np.ndarray:
    across = np.exp(-0.5 * ((np.arange(columns) - x) / sigma) ** 2)
    down = np.exp(-0.5 * ((np.arange(rows) - y) / sigma) ** 2)
    total = np.outer(down, across)
    return np.asarray(total / total.sum())


def test_map_metrics_of_a_perfect_map() -> None:
    q = blob(30, 40, 12, 25)
    assert metrics.cc(q, q) == pytest.approx(1)
    assert metrics.kl(q, q) == pytest.approx(0, abs=1e-9)
    assert metrics.sim(q, q) == pytest.approx(1)


def test_map_metrics_of_a_flat_map() -> None:
    flat, q = np.full((30, 40), 1 / 1200), blob(30, 40, 12, 25)
    fixations = np.array([[0.6, 0.4], [0.1, 0.9]])
    assert metrics.nss(flat, fixations) == 0
    assert metrics.auc_judd(flat, fixations) == 0.5
    assert metrics.cc(flat, q) == 0
    assert metrics.kl(flat, q) == pytest.approx(float((q * np.log(1200 * q + 1e-300)).sum()), abs=1e-3)


def test_nss_is_the_mean_z_score_at_the_fixations() -> None:
    p = np.arange(12, dtype=float).reshape(3, 4)
    fixations = np.array([[0.99, 0.99], [0.0, 0.0]])  # the last and the first cell
    expected = np.mean([(11 - 5.5) / p.std(), (0 - 5.5) / p.std()])
    assert metrics.nss(p, fixations) == pytest.approx(expected)


def test_auc_judd_by_comparing_every_pair() -> None:
    generator = np.random.default_rng(0)
    p = generator.integers(0, 6, (5, 7)).astype(float)
    fixations = generator.random((9, 2))
    rows, columns = metrics.cells(fixations, (5, 7))
    wins = [(p < p[r, c]).mean() + 0.5 * (p == p[r, c]).mean() for r, c in zip(rows, columns, strict=True)]
    assert metrics.auc_judd(p, fixations) == pytest.approx(np.mean(wins))


def test_crop_size_rounds_half_up_and_stays_inside() -> None:
    assert metrics.crop_size(400, 300, 1.0) == (300, 300)
    assert metrics.crop_size(400, 301, 0.5) == (151, 301)  # 150.5
    assert metrics.crop_size(1000, 3, 0.05) == (1, 3)  # 0.15 of a pixel


def test_window_is_the_best_of_all_offsets() -> None:
    generator = np.random.default_rng(1)
    for side, length, cells in ((400, 300, 40), (333, 97, 40), (61, 60, 30), (50, 50, 30), (1024, 11, 7)):
        marginal = generator.random(cells)
        edges = np.arange(cells + 1) * side / cells
        sums = np.concatenate([[0], np.cumsum(marginal)])
        every = np.arange(side - length + 1)
        kept = np.interp(every + length, edges, sums) - np.interp(every, edges, sums)
        offset = metrics.window(marginal, side, length)
        assert kept[offset] == pytest.approx(kept.max(), rel=1e-9)


def test_window_of_a_flat_map_is_the_middle() -> None:
    assert metrics.window(np.ones(40), 400, 300) == 50


def test_best_kept_is_the_best_of_all_offsets() -> None:
    generator = np.random.default_rng(2)
    fixations = generator.random((25, 3))
    box = Box(0, 200, 61, 0)
    every = [metrics.kept(Box(0, 200, 61, offset), fixations) for offset in range(140)]
    assert metrics.best_kept(box, fixations) == pytest.approx(max(every))


def test_the_crop_score_is_0_for_the_centre_crop_and_100_for_the_best() -> None:
    sizes, fixations = [(400, 300)], [np.array([[0.9, 0.5], [0.95, 0.4], [0.5, 0.5]])]

    def centre(_: int, name: str) -> Box:
        return metrics.centre_crop(400, 300, metrics.RATIOS[name])

    def best(_: int, name: str) -> Box:
        box = centre(0, name)
        offsets = range(box.side - box.length + 1)
        candidates = [Box(box.axis, box.side, box.length, offset) for offset in offsets]
        return max(candidates, key=lambda one: metrics.kept(one, fixations[0]))

    assert metrics.judge(centre, sizes, fixations).score() == 0
    assert metrics.judge(best, sizes, fixations).score() == pytest.approx(100)


def test_a_ratio_close_to_the_pictures_own_is_not_judged() -> None:
    pairs = metrics.judge(
        lambda _, name: metrics.centre_crop(303, 300, metrics.RATIOS[name]),
        [(303, 300)],
        [np.full((3, 2), 0.5)],
    )
    assert list(metrics.RATIOS).index("1:1") not in pairs.ratio
    assert len(pairs.ratio) == len(metrics.RATIOS) - 1


def test_figures_of_three_pairs() -> None:
    crop, centre, best = np.array([0.5, 0.9, 0.4]), np.array([0.61, 0.7, 0.4]), np.array([0.7, 0.9, 0.4])
    pairs = Pairs(np.arange(3), np.zeros(3, int), crop, centre, best)
    assert pairs.below() == pytest.approx(100 / 3)
    assert pairs.off_centre() == pytest.approx(100)  # only the second pair has 10 points to gain
    low, high = pairs.interval(200)
    assert low <= pairs.score() <= high


def test_asymmetry_is_1_for_one_side_and_0_for_a_flat_map() -> None:
    left = np.zeros((3, 4))
    left[1, 0] = 1
    assert metrics.asymmetry(left) == 1
    assert metrics.asymmetry(np.full((3, 4), 1 / 12)) == 0
