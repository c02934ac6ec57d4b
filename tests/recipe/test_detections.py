"""Matching, precision and recall of the network's boxes, and their calibration, on boxes made by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gazecrop.crop.detection import Candidates, Scoring
from model_store.recipe import detections
from model_store.recipe.detections import (
    Hits,
    Scene,
    calibrated,
    curve,
    hits,
    match,
    overlaps,
    recall_at,
    reliability,
)
from model_store.recipe.judge import detection
from model_store.recipe.make import calibrate_objects
from tests.helpers.networks import SCORING, SHAPE, WITH_OBJECTS, network, write_store

FACE = [0.1, 0.1, 0.3, 0.3]
FAR = [0.7, 0.7, 0.9, 0.9]
NONE = np.zeros((0, 4))


def found(boxes: list[list[float]], labels: list[list[float]], *sizes: float) -> tuple[list[bool], int]:
    """Whether each box that counts is right, by falling logit, and the number of labels."""
    arrays = [np.array(each, np.float64).reshape(-1, 4) for each in (boxes, labels)]
    right = match(arrays[0], -np.arange(len(boxes), dtype=float), arrays[1], *sizes)
    return right.right.tolist(), right.labels


def test_overlaps_are_intersection_over_union() -> None:
    a = np.array([FACE, FAR])
    b = np.array([FACE, [0.2, 0.1, 0.4, 0.3], [0.1, 0.1, 0.3, 0.2]])
    np.testing.assert_allclose(overlaps(a, b), np.array([[1.0, 1 / 3, 0.5], [0.0, 0.0, 0.0]]), atol=1e-12)
    assert overlaps(NONE, b).shape == (0, 3) and overlaps(a, NONE).shape == (2, 0)


def test_a_label_is_found_once() -> None:
    assert found([FACE, FACE, FAR], [FACE]) == ([True, False, False], 1)
    assert found([], [FACE, FAR]) == ([], 2)
    assert found([FACE], []) == ([False], 0)


def test_a_box_takes_the_label_that_it_overlaps_most() -> None:
    shifted = [0.14, 0.1, 0.34, 0.3]
    assert found([shifted, FACE], [FACE, shifted]) == ([True, True], 2)
    assert found([[0.2, 0.1, 0.4, 0.3]], [FACE]) == ([False], 1)  # a third


def test_other_sizes_are_neither_hits_nor_misses() -> None:
    small = [0.5, 0.5, 0.55, 0.55]
    assert found([FACE, small, FAR], [FACE, small], 0.08) == ([True, False], 1)  # the small one is left out
    assert found([FACE, small, FAR], [FACE, small], 0.04, 0.08) == ([True], 1)
    assert found([small], [FACE], 0.08) == ([], 1)  # a wrong box of another size


def test_a_box_of_another_size_may_find_a_label_of_this_one() -> None:
    label, box = [0.5, 0.5, 0.581, 0.581], [0.5, 0.5, 0.579, 0.579]
    assert found([box], [label], 0.08) == ([True], 1)
    assert found([label], [box], 0.08) == ([], 0)  # and a label of another size takes one of this


def test_precision_and_recall_by_threshold() -> None:
    one = Hits(np.array([1.0, 4.0, 2.0, 3.0]), np.array([True, True, False, True]), 4)
    thresholds, precision, recall = curve(one)
    assert thresholds.tolist() == [4, 3, 2, 1]
    np.testing.assert_allclose(precision, [1, 1, 2 / 3, 3 / 4])
    np.testing.assert_allclose(recall, [0.25, 0.5, 0.5, 0.75])
    assert recall_at(one, 0.9) == 0.5 and recall_at(one, 0.75) == 0.75
    assert recall_at(Hits(np.array([1.0]), np.array([False]), 2), 0.5) == 0
    assert math.isnan(recall_at(Hits(np.zeros(0), np.zeros(0, bool), 0), 0.5))
    assert recall_at(Hits(np.zeros(0), np.zeros(0, bool), 3), 0.5) == 0


def test_equal_logits_are_one_threshold() -> None:
    """The order within them would decide the recall otherwise."""
    one = Hits(np.array([2.0, 2.0, 2.0]), np.array([True, True, False]), 2)
    assert recall_at(one, 0.9) == 0 and recall_at(one, 0.6) == 1


def test_reliability_is_the_mean_difference() -> None:
    rows, error = reliability(np.array([0.95, 0.95, 0.15, 0.15]), np.array([True, True, True, False]))
    np.testing.assert_allclose(rows, [(0.15, 0.5, 2), (0.95, 1.0, 2)])
    assert error == pytest.approx((0.35 + 0.05) / 2)


def drawn(count: int, seed: int = 0) -> Hits:
    """Boxes that are right with the probability sigmoid(1.5 logit - 0.6)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    right = rng.random(count) < 1 / (1 + np.exp(-(1.5 * logits - 0.6)))
    return Hits(logits, right, int(right.sum()))


def test_the_fit_finds_scale_and_shift() -> None:
    one = drawn(20_000)
    scale, shift = calibrate_objects.fit(one.logits, one.right)
    assert scale == pytest.approx(1.5, abs=0.06) and shift == pytest.approx(-0.6, abs=0.06)
    assert reliability(calibrated(Scoring(scale, shift, 0.5), one.logits), one.right)[1] < 0.01
    for right in (np.ones(5, bool), np.zeros(5, bool)):
        scale, shift = calibrate_objects.fit(np.zeros(5), right)
        assert math.isfinite(scale) and scale > 0 and math.isfinite(shift)
    assert calibrate_objects.fit(np.zeros(0), np.zeros(0, bool)) == (1.0, 0.0)
    against = calibrate_objects.fit(np.array([-2.0, 2.0] * 9), np.array([True, False] * 9))
    assert against[0] > 0  # a logit that means the contrary would be refused by the service


def test_the_least_score_has_the_precision() -> None:
    one = drawn(20_000, 1)
    least = calibrate_objects.least_score(one, 1.5, -0.6, 0.8)
    scores = calibrated(Scoring(1.5, -0.6, least), one.logits)
    assert one.right[scores >= least].mean() == pytest.approx(0.8, abs=0.002)
    assert one.right[scores >= least - 0.05].mean() < 0.8
    assert calibrate_objects.least_score(Hits(np.array([1.0]), np.array([False]), 1), 1, 0, 0.8) == 0.99


def scene(key: str, face: list[float] | None, boxes: list[list[float]], logits: list[float]) -> Scene:
    labels = {"face": np.array([face]) if face else NONE, "text": NONE}
    kinds = np.zeros(len(boxes), np.int64)
    return Scene(key, labels, Candidates(kinds, np.array(boxes).reshape(-1, 4), np.array(logits)))  # type: ignore[arg-type]


def test_the_manifest_entry_and_the_report() -> None:
    rng = np.random.default_rng(2)
    chosen = []
    for i in range(300):
        there = rng.random() < 0.5
        logits = [float(rng.normal(2 if there else -1)), -9.0]
        chosen.append(scene(f"p{i}", FACE if there else None, [FACE, FAR], logits))
    entry = calibrate_objects.entry(chosen, "face")
    assert Scoring.from_manifest(entry).least == entry["least"]
    assert entry["precision"] >= 0.8 and entry["recall"] > 0.9 and entry["expected_calibration_error"] < 0.1
    nothing = calibrate_objects.entry(chosen, "text")
    assert nothing["recall"] == 0 and Scoring.from_manifest(nothing)
    scoring = {"face": Scoring.from_manifest(entry), "text": Scoring.from_manifest(nothing)}
    lines = detection.report(len(chosen), detection.measure(chosen, scoring))  # type: ignore[arg-type]
    [largest] = [line for line in lines if line.startswith("face 0.08 ")]
    assert int(largest.split()[2]) == sum(len(one.labels["face"]) for one in chosen)
    recall = recall_at(hits(chosen, "face", 0.08), 0.9)
    assert f"{recall:.3f} at precision 0.9" in largest and 0.5 < recall < 1
    assert sum("expected calibration error" in line for line in lines) == 2


def test_the_judge_reads_the_served_network(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_store(shards, {"fp32": network(objects=True)}, **WITH_OBJECTS)
    detection.main(detection.Options())
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "1 pictures"
    assert any(line.split()[:4] == ["face", "0.08", "1", "1.000"] for line in out)
    assert any(line.split()[:4] == ["text", "0.1", "1", "1.000"] for line in out)
    detection.main(detection.Options(split="train"))
    out = capsys.readouterr().out.splitlines()
    assert any(line.split()[:4] == ["text", "0.1", "0", "nan"] for line in out)
    write_store(shards)
    with pytest.raises(SystemExit, match="warm has no output `objects`"):
        detection.main(detection.Options())


def test_calibration_reads_the_file_itself(shards: Path) -> None:
    """Before the manifest has an entry `objects`."""
    write_store(shards, {"fp32": network(objects=True)})
    find = calibrate_objects.finder(shards / "warm.fp32.onnx")
    [only] = detections.scenes(find, (SHAPE,), "train")
    assert only.found.logits.min() >= calibrate_objects.FLOOR
    found_faces = hits([only], "face")
    assert found_faces.labels == 1 and found_faces.right[found_faces.logits > 0].tolist() == [True]
    write_store(shards)
    with pytest.raises(ValueError, match="no output `objects`"):
        calibrate_objects.finder(shards / "warm.fp32.onnx")


def test_the_helpers_scores_are_a_manifest_entry() -> None:
    every: dict[str, Any] = SCORING
    assert {Scoring.from_manifest(one) for one in every.values()} == {Scoring(1.0, 0.0, 0.5)}
