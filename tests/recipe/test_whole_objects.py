"""The judge of objects cut through, on pictures made by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from gazecrop.crop.balance import Weights
from gazecrop.crop.grid import SaliencyGrid
from model_store.recipe.judge import whole_objects
from model_store.recipe.judge.whole_objects import Scene
from tests.helpers.networks import WITH_OBJECTS, network, write_store


def scene(face: tuple[float, float, float, float]) -> Scene:
    """1000 x 300 pixels, gaze rising to the right; one face."""
    boxes = {"faces": np.array([[*face, 0.9]]), "text": np.zeros((0, 5))}
    levels = np.array([[20, 20, 20, 20, 21, 21, 21, 21, 21, 21]], np.uint8)
    grid = SaliencyGrid(levels, 1000, 300, objects=tuple(whole_objects.objects(boxes)))
    points = np.array([[0.1, 0.5], [0.45, 0.5], [0.95, 0.5]])
    return Scene("a", grid, points, boxes)


def test_a_face_on_an_edge_counts_as_cut() -> None:
    """Some of the seven ratios cut the face, which is 100 pixels wide; all of them could hold it."""
    tally = whole_objects.judge([scene((0.35, 0.1, 0.1, 0.2))], "window")
    assert tally.cut("faces", 0, 2) > 0
    assert tally.cut("faces", 0.16, 2) == tally.cut("faces", 0, 2)  # 0.2 of the height
    assert math.isnan(tally.cut("faces", 0.5, 2)) and math.isnan(tally.cut("text", 0, 2))
    balanced = whole_objects.judge([scene((0.35, 0.1, 0.1, 0.2))], "balanced", Weights(0, 0, 0.5, 0.5))
    assert balanced.cut("faces", 0, 2) == 0


def test_a_face_too_large_for_the_crop_does_not_count() -> None:
    tally = whole_objects.judge([scene((0.03, 0.0, 0.95, 1.0))], "window")
    assert [size for size, _ in tally.objects["faces"]] == []


def test_the_pairs_are_those_of_the_crop_score() -> None:
    [first, *_] = whole_objects.judge([scene((0.35, 0.1, 0.1, 0.2))], "centre").pairs
    crop, centre, best = first
    assert crop == centre == pytest.approx(1 / 3) and best >= crop


def test_the_objects_are_the_detectors_or_the_networks_own(shards: Path) -> None:
    """The network finds the face and the line; the detector's list lacks the line of the picture of "train"."""
    write_store(shards, {"fp32": network(objects=True)}, **WITH_OBJECTS)
    [listed], [own] = (whole_objects.scenes("train", detector=detector) for detector in (True, False))
    assert [one.kind for one in listed.grid.objects] == ["face"]
    assert [one.kind for one in own.grid.objects] == ["face", "text"]
    assert listed.boxes["text"].shape == own.boxes["text"].shape == (0, 5)
    write_store(shards)
    [none] = whole_objects.scenes("train")
    assert none.grid.objects == ()
