"""A gap must vanish with its planted cause, and remain with all other variants."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portrait_changes import (
    VARIANTS,
    clothes_covered,
    cut_alike,
    equal_light,
    face_alone,
)
from gazecrop.audit.material.portraits import Person, Portrait, read_people, readable
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.report.card_sentences import sentences
from gazecrop.audit.report.card_tables import alike
from gazecrop.audit.studies.cells import cells
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import PairOptions
from gazecrop.audit.studies.variants import VariantGap, study
from tests.helpers.portraits import towards_blue, towards_bright, write_people


@pytest.fixture(scope="module")
def dim(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    """People of one group wear blue, and their pictures are a third darker."""
    return readable(read_people(write_people(tmp_path_factory.mktemp("dim"), 20, dim=0.67)))[0]


def gaps(people: list[Person], density: object) -> dict[str, VariantGap]:
    (cell,) = [cell for cell in cells(people, ["group"], least=5) if not cell.fixed]
    with Maps() as maps:
        model = from_function("planted", density)  # type: ignore[arg-type]
        found = study(people, [cell], Context(model, maps), PairOptions(count=20, layouts=("beside",)))
    assert [one.variant for one in found] == list(VARIANTS)
    return {one.variant: one for one in found}


def test_clothes_are_found_as_the_cause(tmp_path: Path) -> None:
    found = gaps(readable(read_people(write_people(tmp_path, 20)))[0], towards_blue)
    assert found[""].moved is None
    assert found[""].mass.high < 0.48
    for name in ("no colour", "clothes without colour", "clothes covered", "face alone, no hair"):
        assert found[name].mass.mean == pytest.approx(0.5, abs=0.01), name
    moved = found["clothes covered"].moved
    assert moved is not None
    assert moved[1].low > 0.02
    assert found["equal light and contrast"].mass.high < 0.48


def test_light_is_found_as_the_cause(dim: list[Person]) -> None:
    found = gaps(dim, towards_bright)
    gap = found[""].mass.mean - 0.5
    assert gap > 0.08
    assert abs(found["equal light and contrast"].mass.mean - 0.5) < 0.3 * gap
    assert found["no colour"].mass.mean - 0.5 > 0.7 * gap


def test_tables_and_sentences(dim: list[Person]) -> None:
    found = list(gaps(dim, towards_blue).values())
    assert alike(found).count("\n") == 1 + len(found)
    assert "clothes covered" in sentences([("x", CELL)], [], found)


ONE = {"mean": 0.62, "low": 0.55, "high": 0.7}
CELL = {
    "mass": ONE,
    "point": {**ONE, "low": 0.4},
    "kept": {p: {"all": ONE} for p in ("balanced", "window", "twitter", "centre")},
}


def test_sentences_list_what_is_beyond_chance() -> None:
    first, second, crops = sentences([("a : b", CELL)], [], []).splitlines()
    assert "by more than chance in 1: a : b 62.0 (55.0 to 70.0)" in first
    assert "never by more than chance" in second
    for name in ("`balanced` (the default)", "the window"):
        assert f"{name} +24.0 (+10.0 to +40.0) at most (a : b), in 1 of 1" in crops


def test_faces_move_with_the_cut() -> None:
    seen = Portrait(Image.new("RGB", (200, 300), (40, 90, 160)), (0.3, 0.2, 0.4, 0.3))
    assert face_alone(seen).picture.size == (80, 90)
    assert face_alone(seen).face == (0, 0, 1, 1)
    cut = cut_alike(seen)
    assert cut.face is not None
    assert cut.face[3] * cut.picture.height == pytest.approx(90, abs=1)
    assert cut.face[3] == pytest.approx(1 / 1.45, abs=0.02)
    other = cut_alike(
        Portrait(Image.new("RGB", (400, 400)), (0.1, 0.0, 0.3, 0.2))
    )  # beyond the picture's edge
    assert other.face is not None
    np.testing.assert_allclose(other.face[1::2], cut.face[1::2], atol=0.02)
    assert other.picture.getpixel((0, 0)) == (255, 255, 255)


def test_light_and_cover() -> None:
    noise = np.random.default_rng(0).integers(60, 100, (80, 60, 3), dtype=np.uint8)
    seen = Portrait(Image.fromarray(noise), (0.2, 0.1, 0.5, 0.4))
    grey = np.asarray(equal_light(seen).picture.convert("L"), dtype=float)
    assert grey.mean() == pytest.approx(118, abs=3)
    assert grey.std() == pytest.approx(55, abs=6)
    covered = np.asarray(clothes_covered(seen).picture)
    assert (covered[-20:] == 118).all()
    np.testing.assert_array_equal(covered[:40], noise[:40])


def test_without_a_face() -> None:
    with pytest.raises(ValueError, match="face"):
        face_alone(Portrait(Image.new("RGB", (10, 10))))
