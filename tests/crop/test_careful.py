"""Policy `careful`: the balanced box only where it surely beats the centre crop, or saves what that would cut."""

import math

import numpy as np
import pytest

from gazecrop.crop.balance import Weights
from gazecrop.crop.confidence import Calibration, Logistic, compared
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import parse_ratio

SQUARE = parse_ratio("1:1")
RIGHT = SaliencyGrid(np.array([[4, 4, 4, 4, 4, 5]], np.uint8), 600, 300)
PLAIN = Weights(0, 0, 0.05, 0.05)


def cropper(grid: SaliencyGrid, gain: float) -> Cropper:
    """The chance of beating the centre: 1 / (1 + e^-(gain * what is kept more))."""
    return Cropper(grid, Calibration((0, 0, 0, 0), 0, PLAIN, None, Logistic((gain, 0, 0, 0))))


def test_features_by_hand() -> None:
    assert compared(0.8, 0.5, 0.5, 0.2) == pytest.approx((0.3, math.log(4), 0.6, 0.2))
    assert compared(0.5, 0.5, 0.3, 0.0) == (0, 0, 0, 0)


def test_the_centre_is_left_only_where_that_is_sure_enough() -> None:
    """The balanced box keeps 13 of 25, the centre crop 12: a gain of 0.04."""
    sure = -math.log(1 / 0.85 - 1) / 0.04
    for gain, careful, box in (
        (sure, 0.8, Box(300, 0, 300, 300)),
        (sure, 0.9, Box(150, 0, 300, 300)),
        (0.0, 0.5, Box(300, 0, 300, 300)),
        (0.0, 0.51, Box(150, 0, 300, 300)),
    ):
        crop = cropper(RIGHT, gain).crop(SQUARE, Options("careful", careful=careful))
        assert (crop.policy, crop.box) == ("careful", box)
        if box.x == 150:
            assert (crop.beats_centre, crop.gain) == (0.5, 0)
        elif gain:
            assert crop.beats_centre == pytest.approx(0.85)


def test_it_leaves_the_centre_for_an_object_that_the_centre_crop_cuts() -> None:
    face = Object("face", 180, 60, 210, 200, 127)  # x 424 to 494: the centre crop ends at 450
    grid = SaliencyGrid(RIGHT.levels, 600, 300, objects=(face,))
    crop = cropper(grid, 0.0).crop(SQUARE, Options("careful", careful=0.99))
    assert crop.box.x > 150 and crop.objects is not None and crop.objects.whole == 1
    ignored = cropper(grid, 0.0).crop(SQUARE, Options("careful", careful=0.99, protect=()))
    assert ignored.box.x == 150
    tiny = SaliencyGrid(RIGHT.levels, 600, 300, objects=(Object("face", 110, 60, 120, 200, 127),))
    assert cropper(tiny, 0.0).crop(SQUARE, Options("careful", careful=0.99)).box.x == 150


def test_constraints_are_met_and_the_centre_is_left_no_further() -> None:
    keep = Constraint("keep", 0.0, 0.2, 0.3, 0.2)
    crop = cropper(RIGHT, 0.0).crop(SQUARE, Options("careful", constraints=(keep,), careful=0.99))
    assert (crop.box.x, crop.unmet) == (0, ())
    keep = Constraint("keep", 0.2, 0.2, 0.3, 0.2)
    crop = cropper(RIGHT, 0.0).crop(SQUARE, Options("careful", constraints=(keep,), careful=0.99))
    assert crop.box.x == 120


def test_a_network_without_the_entry_has_that_of_the_shipped_one() -> None:
    calibration = {"weights": [0, 0, 0, 0], "intercept": 0}
    balance = {"middle": 0, "mass": 0, "face": 0, "text": 0}
    beats = balance | {"beats_centre": {"weights": [1, 2, 3, 4]}}
    assert Calibration.from_manifest(calibration, beats).beats == Logistic((1, 2, 3, 4))
    assert Calibration.from_manifest(calibration, balance).beats == Calibration((0,) * 4, 0).beats
    for wrong in ({"weights": [1, 2]}, {"weights": [1, 2, 3, float("nan")]}):
        with pytest.raises(ValueError, match=r"weight"):
            Calibration.from_manifest(calibration, balance | {"beats_centre": wrong})
