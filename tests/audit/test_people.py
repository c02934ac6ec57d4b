from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material import drawn_people
from gazecrop.audit.material.covariates import covariates, ita, lab
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portrait_changes import Change
from gazecrop.audit.material.portraits import (
    Portrait,
    load_portrait,
    read_people,
    readable,
    with_digest,
    with_room,
)
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.studies import changes, gaze
from gazecrop.audit.studies.bootstrap import estimates
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.favour import mass_in
from gazecrop.audit.studies.gaze import body_of, head_of
from gazecrop.console.sources import SourceError
from gazecrop.crop.cropping import Cropper
from gazecrop.crop.grid import SaliencyGrid
from tests.helpers.portraits import coarse, even, towards_bright, write_people, write_tar


def towards(row: float, column: float, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    found = even(pixels)
    found[int(row * 30), int(column * 40)] = 50
    return found


def test_a_table_and_a_tar(tmp_path: Path) -> None:
    people = read_people(write_people(tmp_path / "t", 6))
    assert [person.labels for person in people[:2]] == [
        {"group": "round", "kind": "tall"},
        {"group": "square", "kind": "tall"},
    ]
    assert all(person.face for person in people)
    people = read_people(write_tar(tmp_path / "p.tar"))
    assert [person.set for person in people] == ["a", "b", "a", "b", "a", "b"]
    assert people[0].labels == {"group": "round", "age": "30"}
    portrait = load_portrait(people[0])
    assert (portrait.picture.height, portrait.picture.mode) == (160, "RGB")
    assert portrait.face is not None
    again = with_digest(people[0])
    assert len(again.digest) == 16
    assert with_digest(people[1]).digest != again.digest


def test_errors_of_a_source(tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    for text, word in (
        ("a,b\n1,2\n", "file"),
        ("file\n", "no pictures"),
        ("file,face_x,face_y,face_w,face_h\na,.5,.5,.9,.1\n", "face"),
    ):
        table.write_text(text)
        with pytest.raises(SourceError, match=word):
            read_people(table)
    with pytest.raises(SourceError):
        read_people(tmp_path / "none.csv")


def test_unreadable_pictures_are_named(tmp_path: Path) -> None:
    table = write_people(tmp_path, 4)
    (tmp_path / "p001.png").write_bytes(b"no picture")
    (tmp_path / "p002.png").unlink()
    good, bad = readable(read_people(table))
    assert [person.name for person in good] == ["p000.png", "p003.png"]
    assert bad == ["p001.png", "p002.png"]


def test_a_margin_moves_the_face_with_its_picture() -> None:
    portrait = with_room(Portrait(Image.new("RGB", (100, 50), (9, 9, 9)), (0.0, 0.0, 0.5, 1.0)), 0.5)
    assert portrait.picture.size == (200, 100)
    assert portrait.face == (0.25, 0.25, 0.25, 0.5)


def test_head_and_body() -> None:
    face = (0.4, 0.2, 0.2, 0.2)
    head, body = head_of(face), body_of(face)
    assert head == pytest.approx((0.3667, 0.1, 0.2667, 0.31), abs=1e-3)
    assert body[1] == pytest.approx(head[1] + head[3])
    assert body[1] + body[3] == pytest.approx(1.0)


@pytest.mark.parametrize(("place", "part"), [((0.2, 0.5), 0), ((0.6, 0.5), 1), ((0.2, 0.02), 2)])
def test_planted_gaze_is_found(tmp_path: Path, place: tuple[float, float], part: int) -> None:
    people = readable(read_people(write_people(tmp_path, 6)))[0]
    model = from_function(f"to {place}", lambda pixels: towards(*place, pixels))
    with Maps() as maps:
        found = gaze.study(people, Context(model, maps), "group")
    assert [(fall.group, fall.people) for fall in found] == [("round", 3), ("square", 3)]
    for fall in found:
        assert [estimate.mean for estimate in fall.point] == [float(part == i) for i in range(3)]
        assert sum(estimate.mean for estimate in fall.mass) == pytest.approx(1)


def test_the_effect_of_a_change_is_found(tmp_path: Path) -> None:
    """A network that favours brightness: brightened gets more, darkened less, mirrored the same. A flat one: parity."""
    people = readable(read_people(write_people(tmp_path, 8)))[0]
    with Maps() as maps:
        bright = {
            one.name: one
            for one in changes.against_itself(people, Context(from_function("b", towards_bright), maps))
        }
        none = changes.against_itself(people, Context(from_function("e", even), maps))
    assert bright["brightened by 30 %"].mass.low > 0.6
    assert bright["darkened by 30 %"].mass.high < 0.4
    assert bright["mirrored"].mass.mean == pytest.approx(0.5, abs=0.01)
    assert bright["brightened by 30 %"].point.mean == 1
    for one in none:
        assert one.mass.mean == pytest.approx(0.5, abs=0.01), one.name


def yellow(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    colours = coarse(pixels)
    found: NDArray[np.float64] = 1 + np.maximum(colours[..., 0] - colours[..., 2] - 60, 0) ** 2
    return found


def test_a_sign_that_attracts_the_point(tmp_path: Path) -> None:
    """A network that responds to yellow has its point on the sign, and without the sign often on the skin."""
    people = readable(read_people(write_people(tmp_path, 12)))[0]
    with Maps() as maps:
        found = {
            one.name: one.groups["all"]
            for one in changes.off_the_face(people, Context(from_function("y", yellow), maps))
        }
    number, nothing = found["nothing"]
    assert number == 12
    assert found["text beside"][1].mean == found["empty ground beside"][1].mean
    assert found["a bright sign beside the face"][1].mean < min(0.1, nothing.mean - 0.3)


@pytest.mark.parametrize("change", [*changes.AGAINST_ITSELF.values(), *changes.OFF_THE_FACE.values()])
def test_changes_keep_the_face_in_the_picture(change: Change) -> None:
    picture, face = drawn_people.figure(drawn_people.STYLES[3])
    before = np.asarray(picture).copy()
    changed = change(Portrait(picture, face))
    assert changed.face is not None
    assert min(changed.face) >= 0
    assert changed.face[0] + changed.face[2] <= 1
    np.testing.assert_array_equal(np.asarray(picture), before)


def test_the_seated_figure_is_smaller_but_the_same_person() -> None:
    both, places = drawn_people.pair(drawn_people.STYLES[4], seated_first=True)
    other, _ = drawn_people.pair(drawn_people.STYLES[4], seated_first=False)
    assert both.size == other.size == (2 * drawn_people.WIDTH, drawn_people.HEIGHT)
    assert places[0][0] == 0
    _, standing = drawn_people.figure(drawn_people.STYLES[4])
    _, seated = drawn_people.figure(drawn_people.STYLES[4], seated=True)
    assert standing[2:] == pytest.approx(seated[2:])
    assert seated[1] > standing[1] + 0.2
    with Maps() as maps:
        assert changes.seated(Context(from_function("e", even), maps)).mass.mean == pytest.approx(
            0.5, abs=0.01
        )


def test_colours() -> None:
    """Values of CIE Lab (D65) as colour calculators give them."""
    colours = lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8))
    expected = [(100, 0, 0), (0, 0, 0), (53.24, 80.09, 67.20), (32.30, 79.19, -107.86)]
    np.testing.assert_allclose(colours, expected, atol=0.05)
    assert ita(lab(np.full((4, 4, 3), (250, 220, 200), np.uint8))) > 55
    assert ita(lab(np.full((4, 4, 3), (70, 45, 35), np.uint8))) < -30


def test_lighter_figures_have_a_higher_angle() -> None:
    angles = []
    for style in drawn_people.STYLES[::3]:
        picture, face = drawn_people.figure(style)
        angles.append(covariates(Portrait(picture, face))[2])
    assert angles == sorted(angles, reverse=True)
    assert angles[0] > 41
    assert angles[-1] < 10


def test_mass_of_a_box() -> None:
    density = np.zeros((30, 40))
    density[:, :20] = 3
    density[:, 20:] = 1
    cropper = Cropper(SaliencyGrid.from_density(density, 400, 300))
    assert mass_in(cropper, (0.0, 0.0, 0.5, 1.0)) == pytest.approx(0.75, abs=0.01)
    assert mass_in(cropper, (0.5, 0.25, 0.5, 0.5)) == pytest.approx(0.125, abs=0.01)


def test_no_rows_no_estimate() -> None:
    assert np.isnan(estimates(np.empty((0, 1)), np.empty(0, np.int64))[0].mean)
