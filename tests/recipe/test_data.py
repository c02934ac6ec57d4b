"""Parts of the recipe that need only numpy: densities, folds, scores of observers, options, the manifest's
calibrations."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from gazecrop.crop.confidence import Calibration
from model_store.recipe import data, metrics, options
from model_store.recipe.judge import observers as people


def test_density_has_its_peak_at_the_fixation_and_one_sigma_around() -> None:
    p = data.density(np.array([[0.5125, 0.5167]]), 800, 600)  # the middle of a cell
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert int(p.argmax()) == 15 * 40 + 20
    # Two cells to the right are 40 of 800 px away; sigma is 0.032 x 800 = 25.6 px.
    assert p[15, 22] / p[15, 20] == pytest.approx(np.exp(-0.5 * (40 / 25.6) ** 2), rel=1e-2)


def test_sigma_is_a_share_of_the_longest_side() -> None:
    wide, tall = (
        data.density(np.array([[0.5, 0.5]]), *size, grid=(40, 40)) for size in ((800, 400), (400, 800))
    )
    assert np.allclose(wide, tall.T, atol=1e-7)


def test_folds_are_fixed_and_even() -> None:
    folds = np.array([data.fold(f"picture-{i}") for i in range(2000)])
    assert data.fold("picture-7") == folds[7]
    assert np.bincount(folds, minlength=data.FOLDS).min() > 330


def boxes(maps: np.ndarray, sizes: list[tuple[int, int]]) -> metrics.Boxes:
    return [
        {name: metrics.window_crop(m, *size, metrics.RATIOS[name]) for name in metrics.judged_ratios(*size)}
        for m, size in zip(maps, sizes, strict=True)
    ]


def test_observers_with_the_same_gaze_predict_each_other() -> None:
    """Sixteen observers who all look left: half of them reach the best score on the others, and so does one."""
    generator = np.random.default_rng(0)
    points, sizes = [], [(400, 200)] * 6
    for _ in sizes:
        rows = [
            (generator.normal(0.15, 0.02), generator.normal(0.5, 0.02), o)
            for o in range(16)
            for _ in range(5)
        ]
        points.append(np.array(rows, np.float32).clip(0, 15))
    left = np.stack([data.density(f[:, :2], *size) for f, size in zip(points, sizes, strict=True)])
    found = people.measure({"left": boxes(left, sizes)}, {"left": left}, points, sizes)
    assert found["people"]["half"]["crop_score"] > 95
    assert found["croppers"]["left"]["share_of_half"] == pytest.approx(100, abs=3)
    assert found["people"]["curve"][1] > 90
    assert found["croppers"]["left"]["nss_share"] > 95


def test_a_map_of_the_other_side_is_worth_no_observer() -> None:
    generator = np.random.default_rng(1)
    points, sizes = [], [(400, 200)] * 6
    for _ in sizes:
        rows = [
            (generator.uniform(0, 0.6), generator.uniform(0.2, 0.8), o) for o in range(16) for _ in range(5)
        ]
        points.append(np.array(rows, np.float32))
    right = np.repeat(data.density(np.array([[0.95, 0.5]]), 400, 200)[None], len(sizes), 0)
    found = people.measure({"right": boxes(right, sizes)}, {}, points, sizes)
    assert found["croppers"]["right"]["share_of_half"] < 0
    assert found["croppers"]["right"]["people"] == 0
    assert "nss_share" not in found["croppers"]["right"]


@dataclass(frozen=True)
class Example:
    name: str = "a"
    epochs: int = 3
    rate: float = 0.1
    smoke: bool = False


def test_options_from_the_command_line() -> None:
    found = options.parse(Example, ["--name=b-c", "--epochs=5", "--rate=1e-3", "--smoke"])
    assert found == Example("b-c", 5, 1e-3, True)
    assert options.parse(Example, ["--smoke=0"]) == Example()
    with pytest.raises(SystemExit, match="known: --name, --epochs"):
        options.parse(Example, ["--epoch=5"])


def test_every_network_of_the_manifest_has_a_plausible_calibration() -> None:
    stored = json.loads((options.STORE / "manifest.json").read_text())
    assert "calibration" in stored["networks"][stored["default"]]
    for network in stored["networks"].values():
        sure, unsure = (
            Calibration.from_manifest(network["calibration"]).confidence(k, 0.5, 0.6) for k in (0.98, 0.6)
        )
        assert 0 < unsure < sure < 1
        assert network["calibration"]["expected_calibration_error"] <= 0.05
