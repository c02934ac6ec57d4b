"""service/gazecrop/crop/confidence.py: the probability that a crop is one of the best."""

import math

import pytest

from gazecrop.crop.confidence import Calibration, features

SURE = Calibration((1.0, 0.5, 0.25, -0.1), 0.2)


def test_features_by_hand() -> None:
    assert features(0.8, 0.5, 0.75) == pytest.approx((math.log(4), 0.3, 0.75, 0.8 / 0.75))


def test_the_logit_is_bounded_at_both_ends() -> None:
    assert features(1.0, 1.0, 1.0)[0] == pytest.approx(math.log(999))
    assert features(0.0, 0.0, 0.1)[0] == pytest.approx(-math.log(999))


def test_confidence_by_hand() -> None:
    score = 0.2 + math.log(4) + 0.5 * 0.3 + 0.25 * 0.75 - 0.1 * 0.8 / 0.75
    assert SURE.confidence(0.8, 0.5, 0.75) == pytest.approx(1 / (1 + math.exp(-score)))


def test_the_whole_picture_is_the_best_crop_of_itself() -> None:
    assert Calibration((0, 0, 0, 0), -50.0).confidence(1.0, 1.0, 1.0) == 1.0


def test_confidence_is_a_probability_for_any_weights() -> None:
    for weights, intercept in (((1e9, 0.0, 0.0, 0.0), 0.0), ((0.0, 0.0, 0.0, -1e9), 0.0)):
        assert 0 <= Calibration(weights, intercept).confidence(0.99, 0.1, 0.3) <= 1


def test_from_manifest() -> None:
    entry = {"weights": [1.0, 0.5, 0.25, -0.1], "intercept": 0.2, "expected_calibration_error": 0.03}
    assert Calibration.from_manifest(entry) == SURE
    with pytest.raises(ValueError, match="4 weights, not 3"):
        Calibration.from_manifest({"weights": [1, 2, 3], "intercept": 0})
    with pytest.raises(KeyError):
        Calibration.from_manifest({"weights": [1, 2, 3, 4]})
