"""Planted misses of face detection must be found in their group; and the crops of the audit are the served ones."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Box, Person, as_bytes, read_people, readable
from gazecrop.audit.material.saliency_models import SaliencyModel, from_function, from_served, identity_of
from gazecrop.audit.report import detection as report
from gazecrop.audit.studies import detection
from gazecrop.audit.studies.bootstrap import differences
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.favour import favour, measures
from gazecrop.cli import main
from gazecrop.crop.balance import Weights
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.ratios import parse_ratio
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import analyse, limits_of
from gazecrop.settings import Settings
from tests.helpers.networks import WITH_OBJECTS, network, picture_with_objects, write_store
from tests.helpers.portraits import even, write_people

FACE: Box = (0.35, 0.1, 0.3, 0.25)
WARM = {"outputs": WITH_OBJECTS["outputs"], "objects": WITH_OBJECTS["objects"]}


def detector(people: list[Person], missed: str) -> SaliencyModel:
    """Finds the face of every picture, but no face in pictures of the group `missed`."""
    faces = {}
    for person in people:
        with Image.open(person.item.path) as picture:
            faces[picture.convert("RGB").tobytes()] = person

    def predict(picture: Image.Image) -> SaliencyGrid:
        person = faces[picture.tobytes()]
        assert person.face is not None
        found = [Object.detected("text", 0.1, 0.8, 0.5, 0.1, 0.9)]
        if person.labels["group"] != missed:
            found.append(Object.detected("face", *person.face, 0.9))
        density = even(np.asarray(picture))
        return SaliencyGrid.from_density(density, picture.width, picture.height, objects=found)

    return SaliencyModel("planted", missed.encode(), predict, objects=True)


@pytest.mark.parametrize("missed", ["square", ""])
def test_a_group_whose_faces_are_missed_is_found(missed: str, tmp_path: Path) -> None:
    people = readable(read_people(write_people(tmp_path, 24)))[0]
    with Maps() as maps:
        context = Context(detector(people, missed), maps)
        found = detection.study(people, context, ("group", "kind"), least=4)
    assert found is not None
    recall = {one.group: one.recall for one in found.groups}
    assert set(recall) == {
        "all", "round", "square", "tall", "short",
        "round (short)", "square (short)", "round (tall)", "square (tall)",
    }  # fmt: skip
    gap = {one.text: one for one in found.differences}
    if missed:
        assert [each.mean for each in recall["round"]] == [1, 1]
        assert [each.mean for each in recall["square"]] == [0, 0]
        assert recall["all"][0].mean == 0.5
        assert gap["round : square"].difference[0].mean == 1
        assert gap["short : tall"].difference[0].low < 0 < gap["short : tall"].difference[0].high
    else:
        assert all(each.mean == 1 for both in recall.values() for each in both)
        assert all(one.difference[0].mean == 0 for one in found.differences)
    data = report.data(found)
    assert data is not None
    text = report.sentence("planted", data)
    if missed:
        assert (
            "between two groups +100.0 (+100.0 to +100.0) (round : square), within the bar in 1 of 2" in text
        )
        assert "beyond chance in 1" in text
    else:
        assert "between two groups +0.0 (+0.0 to +0.0)" in text
        assert "within the bar in 2 of 2 comparisons, beyond chance in 0" in text
    assert len(report.group_rows(data)) == 9


def test_the_box_of_the_face_counts_and_not_that_of_the_head() -> None:
    """A tight box of the face is found although the object is the head; a shifted one is found at 0.3 alone."""
    found = Object.detected("face", *FACE, 0.9)
    assert detection.best_overlap([found], FACE) > 0.9
    shifted = (FACE[0] + 0.4 * FACE[2], *FACE[1:])  # 0.6 of 1.4
    assert 0.3 < detection.best_overlap([found], shifted) < 0.5
    assert detection.best_overlap([replace(found, kind="text")], FACE) == 0
    assert detection.best_overlap([], FACE) == 0
    other = Object.detected("face", 0.7, 0.7, 0.1, 0.1, 1.0)
    assert detection.best_overlap([other, found], FACE) == detection.best_overlap([found], FACE)


def test_a_network_without_objects(tmp_path: Path) -> None:
    people = readable(read_people(write_people(tmp_path, 4)))[0]
    with Maps() as maps:
        context = Context(from_function("even", even), maps)
        assert detection.study(people, context, ("group",)) is None
        assert maps.made == 0
    assert report.data(None) is None


def test_differences_resample_persons_of_both_sides() -> None:
    """The standard error of a difference of means of persons: sqrt(p (1 - p) / n + q (1 - q) / k)."""
    one, other = np.repeat([1.0, 0.0], [80, 20]), np.repeat([1.0, 0.0], [30, 30])
    (found,) = differences(one[:, None], other[:, None], np.arange(100), np.arange(60))
    error = np.sqrt(0.8 * 0.2 / 100 + 0.25 / 60)
    assert found.mean == pytest.approx(0.3)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    (wide,) = differences(one[:, None], other[:, None], np.arange(100) // 20, np.arange(60))
    assert wide.high - wide.low > 1.2 * (found.high - found.low)


def served(folder: Path, least: float = 0.5, **entry: object) -> tuple[Model, Limits]:
    folder.mkdir(exist_ok=True)
    scoring = {kind: {"scale": 1.0, "shift": 0.0, "least": least} for kind in ("face", "text")}
    write_store(folder, {"fp32": network(objects=True)}, **{**WARM, "objects": scoring, **entry})
    settings = Settings(model_store=folder)
    return Model.load(settings), limits_of(settings)


def test_maps_are_kept_apart_by_the_scoring_of_the_manifest(tmp_path: Path) -> None:
    """The same file with another least score has other objects."""
    one, _ = served(tmp_path / "a")
    other, _ = served(tmp_path / "b", least=0.9)
    assert one.sha256 == other.sha256
    assert identity_of(one) != identity_of(other)
    assert identity_of(one) == identity_of(served(tmp_path / "c")[0])


def test_the_balanced_crop_is_the_served_one(tmp_path: Path) -> None:
    """With the objects, and with the weights of the network's own manifest entry."""
    balance = {"middle": 0.0, "mass": 0.0, "face": 0.9, "text": 0.9}
    calibration = {"weights": [1.0, 0.0, 0.0, 0.0], "intercept": 0.0}
    model, limits = served(tmp_path / "s", calibration=calibration, balance=balance)
    ours = from_served(model, limits)
    assert ours.objects
    with Image.open(BytesIO(picture_with_objects())) as file:
        picture = file.convert("RGB")
    with Maps() as maps:
        cropper = Context(ours, maps).cropper(lambda: picture, b"test 1")
    record = analyse(as_bytes(picture), model, limits)
    expected = Cropper(SaliencyGrid.from_code(record.code), model.calibration)
    assert {each.kind for each in cropper.grid.objects} == {"face", "text"}
    for text in ("1:1", "9:16"):
        ratio = parse_ratio(text)
        assert cropper.crop(ratio, Options()) == expected.crop(ratio, Options())


def test_what_each_policy_keeps_of_a_face_off_the_saliency() -> None:
    """All saliency is left of a detected face: the window leaves the face out, `balanced` with a large weight holds it
    whole, with none it does not. Twitter's rule stays centred on the point and cuts the face."""
    density = np.full((30, 40), 1e-6)
    density[13:17, 8:10] = 1  # of 800 pixels 160 to 200
    face = (0.45, 0.3, 0.15, 0.3)
    grid = SaliencyGrid.from_density(density, 800, 400, objects=[Object.detected("face", *face, 1.0)])
    faces = (face, (0.9, 0.3, 0.09, 0.3))

    def kept(weight: float) -> dict[str, float]:
        weights = Weights(middle=0.0, mass=0.0, face=weight, text=0.0)
        calibration = Calibration((0.0, 0.0, 0.0, 0.0), 0.0, weights)
        values = favour(grid, (face, faces[1]), faces, (parse_ratio("1:1"),), calibration)
        return dict(zip((m.text for m in measures((parse_ratio("1:1"),))), values, strict=True))

    with_faces = kept(0.9)
    assert with_faces["kept balanced 1:1"] == 1
    assert with_faces["kept twitter 1:1"] == 0.5
    plain = Cropper(replace(grid, objects=())).crop(parse_ratio("1:1"), Options(policy="window")).box
    whole = plain.x <= 0.45 * 800 and plain.x + plain.width >= 0.6 * 800
    assert with_faces["kept window 1:1"] == (1 if whole else 0.5)


@pytest.mark.parametrize("objects", [True, False])
def test_the_report(objects: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    store.mkdir()
    fields = WARM if objects else {}
    write_store(store, {"fp32": network(objects=objects)}, **fields)
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    table = write_people(tmp_path / "p", 8)
    arguments = ["audit", "detection", str(table), "--labels", "group", "--least", "3"]
    assert main([*arguments, "--out", str(tmp_path / "o")]) == 0
    data = json.loads((tmp_path / "o" / "report.json").read_text())["detection"]["warm fp32"]
    html = (tmp_path / "o" / "report.html").read_text()
    assert "Faces found in pictures of one person" in html
    if objects:
        assert [one["group"] for one in data["groups"]] == ["all", "round", "square"]
        assert data["differences"][0]["text"] == "round : square"
        assert "difference at IoU 0.5, points" in html
        assert "has no objects" not in html
    else:
        assert data is None
        assert "warm fp32 has no objects." in html
