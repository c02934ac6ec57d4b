"""Planted effects must be found with their size, at equal size and position."""

from pathlib import Path

import numpy as np
import pytest

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people, with_digest
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.report.crowd import data, html
from gazecrop.audit.report.html import Provenance
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.crowd import NAMES, Crowd, CrowdPicture, measure, summarise
from gazecrop.cli import main
from tests.helpers.portraits import even, write_people


def planted(size: float, skin: float, seed: int = 0, pictures: int = 150) -> Crowd:
    """Heads whose attention is exp(size * z + skin * z), where light skin comes with large faces."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(pictures):
        covariates = generator.normal(size=(int(generator.integers(2, 5)), len(NAMES)))
        covariates[:, 3] += covariates[:, 0]  # correlated: only a joint fit separates them
        heads = np.exp(
            0.2 * (size * covariates[:, 0] + skin * covariates[:, 3])
            + generator.normal(0, 0.05, len(covariates))
        )
        found.append(CrowdPicture(heads, covariates, True, np.array([0.8, 0.7])))
    return summarise(found)


def test_an_effect_of_size_is_not_attributed_to_skin() -> None:
    crowd = planted(size=1.0, skin=0.0)
    slopes = [crowd.slopes[name] for name in NAMES]
    # A share is the logistic of the difference: its slope at parity is 1/4, for a step of sqrt(2).
    assert slopes[0].mean == pytest.approx(0.2 * np.sqrt(2) / 4, rel=0.1)
    for slope in slopes[1:]:
        assert abs(slope.mean) < 0.01
        assert slope.low - 0.003 < 0 < slope.high + 0.003


def test_an_effect_of_skin_is_found() -> None:
    slope = planted(size=0.0, skin=0.5).slopes[NAMES[3]]
    assert slope.low > 0
    assert slope.mean == pytest.approx(0.1 * 2 / 4, rel=0.15)  # the spread of mixed differences is twice 1


def test_report_and_data() -> None:
    crowd = planted(0.0, 0.0, pictures=20)
    provenance = Provenance.of("crowd", ["p"], "p")
    found = data(crowd, "n", provenance)
    assert found["pictures"] == 20
    assert found["kept"]["window"]["mean"] == 0.8
    assert found["command"] == "gazecrop audit crowd p"
    assert "20 photographs" in html(crowd, "n", provenance)


class Detector:
    def find_all(self, picture: object) -> list[tuple[float, float, float, float]]:
        return [(0.1, 0.1, 0.2, 0.2), (0.6, 0.1, 0.2, 0.3), (0.9, 0.9, 0.01, 0.01)]


def test_a_picture(tmp_path: Path) -> None:
    """Faces too small for the detector do not count; on a uniform map the mass of a head is its area."""
    person = with_digest(read_people(write_people(tmp_path, 2))[0])
    with Maps() as maps:
        context = Context(from_function("even", even), maps)
        picture = measure(person, context, Detector())  # type: ignore[arg-type]
    assert picture is not None
    areas = np.array([0.8 / 3 * 0.31, 0.8 / 3 * 0.415])  # the second head is clipped at the picture's edge
    np.testing.assert_allclose(picture.heads, areas, rtol=0.06)
    assert picture.covariates.shape == (2, len(NAMES))


def test_without_a_face_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gazecrop.audit.material.faces.find_spec", lambda name: None)
    assert main(["audit", "crowd", str(tmp_path)]) == 2
    assert "--faces" in capsys.readouterr().err
