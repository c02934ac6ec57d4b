"""The JSON of crops: every link, position and piece of advice describes the right box."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gazecrop.crop import answers
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.focus import Focus
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import ALL_PROFILES, parse_ratio
from gazecrop.http.openapi import schemas
from gazecrop.store.base import Record

RNG = np.random.default_rng(3)


def cropper(
    width: int = 4000, height: int = 3000, *, rotated: bool = False, peak: tuple[int, int] = (7, 12)
) -> Cropper:
    """A map with one round peak, at a cell (row, column) of 30x40."""
    rows, columns = np.mgrid[0:30, 0:40]
    density = np.exp(-((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2) / 40)
    return Cropper(SaliencyGrid.from_density(density, width, height, rotated=rotated))


def test_a_document_matches_its_schema() -> None:
    made = cropper()
    crops = [made.crop(ratio, Options(candidates=3)) for ratio in ALL_PROFILES]
    document = answers.document("0" * 32, "v", "gaze-0", "jpeg", made, None, crops)
    schemas.Document.model_validate(document)
    assert document["image"] == {"width": 4000, "height": 3000, "format": "jpeg"}
    assert document["focus"]["source"] == "model"
    assert (document["focus"]["x"], document["focus"]["y"]) == (
        document["points"][0]["x"],
        document["points"][0]["y"],
    )
    assert SaliencyGrid.from_text(document["saliency"]["encoded"]).code == made.grid.code


def test_the_documented_example_of_a_box_in_other_tools_syntax() -> None:
    box = Box(0, 412, 4000, 2250)
    assert answers.object_position(box, 4000, 3000) == "50% 54.93%"
    assert answers.links(box, rotated=False) == {
        "imgproxy": "crop:4000:2250:nowe:0:412",
        "sharp": "rotate().extract({ left: 0, top: 412, width: 4000, height: 2250 })",
        "iiif": "0,412,4000,2250",
        "cloudinary": "c_crop,x_0,y_412,w_4000,h_2250",
        "thumbor": "0x412:4000x2662",
    }


def test_for_a_rotated_file_only_links_of_tools_that_rotate_are_given() -> None:
    assert answers.links(Box(1, 2, 3, 4), rotated=True).keys() == {"imgproxy", "sharp"}
    crop = cropper(rotated=True).crop(parse_ratio("1:1"), Options())
    assert answers.crop_answer(crop, cropper(rotated=True))["links"].keys() == {"imgproxy", "sharp"}


@pytest.mark.parametrize(("rotated", "orientation"), [(False, 1), (True, 6), (True, 2)])
def test_the_orientation_of_the_file(rotated: bool, orientation: int) -> None:
    made = cropper(rotated=rotated)
    document = answers.document("0" * 32, "v", "m", "jpeg", made, None, [], orientation=orientation)
    assert document["image"]["orientation"] == orientation


def test_the_orientation_of_a_map_of_release_0_1_is_unknown() -> None:
    """Its record has none; only its grid records that the file is turned."""
    record = Record.unpack(b"gaze-0 jpeg GC1")
    assert record == Record("gaze-0", "jpeg", b"GC1", 1) and record.pack() == b"gaze-0 jpeg GC1"
    document = answers.document(
        "0" * 32, "v", "m", "jpeg", cropper(rotated=True), None, [], orientation=record.orientation
    )
    assert "orientation" not in document["image"]


@given(
    st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.floats(0, 1)
)  # fmt: skip
def test_object_position_shows_the_box(
    width: int, height: int, high: int, low: int, across: float, down: float
) -> None:
    """CSS Images 3, 5.5: a percentage p puts the point p of the picture on the point p of the frame."""
    ratio = Fraction(high, low)
    if Fraction(width, height) > ratio:
        size = max(1, round(height * ratio)), height
    else:
        size = width, max(1, round(width / ratio))
    size = min(size[0], width), min(size[1], height)
    room = width - size[0], height - size[1]
    box = Box(round(across * room[0]), round(down * room[1]), *size)
    match = re.fullmatch(r"([\d.]+)% ([\d.]+)%", answers.object_position(box, width, height))
    assert match
    for share, free, start in ((match[1], room[0], box.x), (match[2], room[1], box.y)):
        assert abs(float(share) / 100 * free - start) <= 0.00005 * free + 1e-9 if free else float(share) == 50


def test_a_crop_is_compared_with_the_centre_crop_of_its_size() -> None:
    """By hand: a map of four columns; the box of the ratio is one of them, the centre crop halves the middle two."""
    made = Cropper(SaliencyGrid(np.array([[1, 4, 2, 9]], np.uint8), 400, 100))
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("window")), made)
    assert (answer["importance_fraction"], answer["centre_fraction"], answer["gain"]) == (
        0.5625,
        0.1875,
        0.375,
    )
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("focus"), (0.0, 0.5)), made)
    assert (answer["importance_fraction"], answer["gain"]) == (0.0625, -0.125)
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("centre")), made)
    assert answer["gain"] == 0


def test_css_is_given_only_where_it_can_show_the_box() -> None:
    made = cropper()
    assert "css" in answers.crop_answer(made.crop(parse_ratio("1:1"), Options()), made)
    assert "css" not in answers.crop_answer(made.crop(parse_ratio("1:1"), Options(zoom=Fraction(2))), made)


def test_only_a_poor_crop_is_advised() -> None:
    made = Cropper(SaliencyGrid.from_density(np.ones((30, 40)) + RNG.random((30, 40)) / 10, 4000, 3000))
    seen = set()
    for text in ("4:3", "1:1", "9:16", "20:1", "1:20", "3:1"):
        crop = made.crop(parse_ratio(text), Options())
        answer = answers.crop_answer(crop, made)
        seen.add(answer["verdict"])
        assert ("advice" in answer) == (answer["verdict"] == "poor")
        if answer["verdict"] == "poor":
            advised = made.crop(parse_ratio(answer["advice"]["nearest_good_ratio"]), Options())
            assert advised.verdict == "good"
            canvas = answer["advice"]["pad_to"]
            assert canvas["width"] >= 4000 and canvas["height"] >= 3000
            assert 4000 in canvas.values() or 3000 in canvas.values()
            assert abs(canvas["width"] / canvas["height"] - crop.ratio.value) <= crop.ratio.value / 1000
    assert seen == {"good", "tight", "poor"}


@pytest.mark.parametrize(
    ("options", "focus"),
    [
        (Options(zoom=Fraction(4)), None),
        (Options(), (0.0, 0.5)),
        (Options("centre"), None),
        (Options(constraints=(Constraint("avoid", 0.2, 0, 0.8, 1),)), None),
    ],
)
def test_no_ratio_is_advised_where_another_ratio_would_not_help(
    options: Options, focus: tuple[float, float] | None
) -> None:
    """The range of good ratios is that of plain windows; a crop that is poor for another reason gets no such advice."""
    density = np.full((30, 40), 0.001)
    density[:, 36:] = 1
    made = Cropper(SaliencyGrid.from_density(density, 4000, 3000))
    crop = made.crop(parse_ratio("1:8"), options, focus)
    assert crop.verdict == "poor"
    assert answers.advice(crop, made)["nearest_good_ratio"] is None


def test_a_strip_beyond_every_ratio_has_no_good_one() -> None:
    made = Cropper(SaliencyGrid.from_density(np.ones((30, 40)) + RNG.random((30, 40)), 5000, 3))
    assert made.good_ratios is None
    crop = made.crop(parse_ratio("20:1"), Options())
    assert answers.advice(crop, made)["nearest_good_ratio"] is None
    assert answers.document("0" * 32, "v", "m", "jpeg", made, None, [crop])["good_ratios"] is None


def test_unmet_constraints_are_repeated_as_sent() -> None:
    made = cropper()
    constraints = (Constraint("keep", 0, 0, 0.1, 1), Constraint("keep", 0.123456789, 0, 0.876543211, 1))
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options(constraints=constraints)), made)
    assert answer["unmet"] == [{"parameter": "keep", "value": "0.123456789,0,0.876543211,1"}]


def test_a_persons_focus_outranks_the_networks() -> None:
    made = cropper()
    person = answers.focus_answer(made, Focus(0.1, 0.9, 1))
    assert person == {"x": 0.1, "y": 0.9, "source": "person"}
    flat = Cropper(SaliencyGrid.uniform(30, 40, 100, 100))
    assert answers.focus_answer(flat, None) == {"x": 0.5, "y": 0.5, "source": "model"}


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_the_smallest_pictures_have_valid_answers(size: tuple[int, int]) -> None:
    made = cropper(*size)
    for ratio in ALL_PROFILES:
        answer = answers.crop_answer(made.crop(ratio, Options(candidates=5)), made)
        schemas.Crop.model_validate(answer)
        assert all(0 <= value <= 1 for value in answer["normalized"].values())
