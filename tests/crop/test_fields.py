"""fields: each system, cropping by its own rule from its own field, makes our crop."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.answers import crop_answer, cut_of
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.fields import FORMS, Cut
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box
from gazecrop.crop.ratios import parse_ratio

CUT = Cut(Box(1250, 0, 1500, 2000), (4000, 2000), (1500, 2000), "3:4", (1700, 200, 2100, 700))
EXPECTED = {
    "wordpress": {"x": 0.5, "y": 0.5},
    "sanity": {
        "crop": {"_type": "sanity.imageCrop", "top": 0.0, "bottom": 0.0, "left": 0.3125, "right": 0.3125},
        "hotspot": {"_type": "sanity.imageHotspot", "x": 0.5, "y": 0.5, "width": 0.375, "height": 1.0},
    },
    "strapi": {"x": 50.0, "y": 50.0},
    "payload": {"focalX": 50.0, "focalY": 50.0},
    "contentful": "center",
    "storyblok": "1999x999:2000x1000",
    "craft": {"x": 0.5, "y": 0.5},
    "statamic": "50-50-1",
    "kirby": "50% 50%",
    "wagtail": {
        "focal_point_x": 2000,
        "focal_point_y": 1000,
        "focal_point_width": 1500,
        "focal_point_height": 2000,
    },
    "directus": {"focal_point_x": 2000, "focal_point_y": 1000},
    "typo3": {
        "default": {
            "cropArea": {"x": 0.3125, "y": 0.0, "width": 0.375, "height": 1.0},
            "selectedRatio": "3:4",
            "focusArea": {"x": 0.3, "y": 0.1, "width": 0.2667, "height": 0.25},
        }
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_each_system(name: str) -> None:
    assert FORMS[name](CUT) == EXPECTED[name]
    assert "https://" in (FORMS[name].__doc__ or "")


@pytest.mark.parametrize(
    ("x", "width", "name"),
    [(0, 1500, "left"), (2500, 1500, "right"), (1250, 1500, "center"), (0, 4000, "center")],
)
def test_contentful_has_names_for_thirds(x: int, width: int, name: str) -> None:
    assert FORMS["contentful"](Cut(Box(x, 0, width, 2000), (4000, 2000), (width, 2000), "1:1")) == name
    tall = Cut(Box(0, x // 2, 2000, width // 2), (2000, 2000), (2000, width // 2), "1:1")
    assert FORMS["contentful"](tall) == {"left": "top", "right": "bottom"}.get(name, "center")


def test_without_a_face_there_is_no_focus_area() -> None:
    found = FORMS["typo3"](Cut(Box(0, 0, 100, 100), (200, 100), (100, 100), "1:1"))
    assert found["default"]["focusArea"] is None


def by_position(point: tuple[float, float], cut: Cut) -> tuple[float, float]:
    """CSS Images 3, section 5.5: the corner of the largest box."""
    (wide, high), (width, height) = cut.picture, cut.largest
    return point[0] * (wide - width), point[1] * (high - height)


def by_middle(point: tuple[float, float], cut: Cut) -> tuple[float, float]:
    """The corner of the largest box with its middle at the point, moved into the picture."""
    (wide, high), (width, height) = cut.picture, cut.largest
    return (
        min(max(point[0] * wide - width / 2, 0), wide - width),
        min(max(point[1] * high - height / 2, 0), high - height),
    )


def storyblok_point(form: str, cut: Cut) -> tuple[float, float]:
    (left, top), (right, bottom) = (map(int, part.split("x")) for part in form.split(":"))
    assert right - left == 1 == bottom - top and 0 <= left < cut.picture[0] and 0 <= top < cut.picture[1]
    return (left + right) / 2 / cut.picture[0], (top + bottom) / 2 / cut.picture[1]


Point = tuple[float, float]
READERS: dict[str, tuple[Callable[[Any, Cut], Point], Callable[[Point, Cut], Point], float]] = {
    # name: the point of a form, the system's rule, its largest rounding in shares of a side
    "wordpress": (lambda form, cut: (form["x"], form["y"]), by_position, 1e-4),
    "strapi": (lambda form, cut: (form["x"] / 100, form["y"] / 100), by_position, 1e-4),
    "payload": (lambda form, cut: (form["focalX"] / 100, form["focalY"] / 100), by_middle, 1e-4),
    "craft": (lambda form, cut: (form["x"], form["y"]), by_middle, 1e-4),
    "storyblok": (storyblok_point, by_middle, 0),
    "statamic": (
        lambda form, cut: (int(form.split("-")[0]) / 100, int(form.split("-")[1]) / 100),
        by_middle,
        0.01,
    ),
    "kirby": (lambda form, cut: tuple(float(part[:-1]) / 100 for part in form.split()), by_middle, 1e-4),  # type: ignore[dict-item, return-value]
    "directus": (
        lambda form, cut: (form["focal_point_x"] / cut.picture[0], form["focal_point_y"] / cut.picture[1]),
        by_middle,
        0,
    ),
}


def cropper(width: int, height: int, seed: int, *objects: Object) -> Cropper:
    levels = (np.random.default_rng(seed).random((6, 8)) ** 4 * 31).astype(np.uint8)
    levels[seed % 6, seed % 8] = 31
    return Cropper(SaliencyGrid(levels, width, height, objects=objects))


Sides = st.integers(20, 5000)
Ratios = st.sampled_from(["1:1", "16:9", "9:16", "3:1", "4:5"]).map(parse_ratio)


@given(Sides, Sides, st.integers(0, 1000), Ratios)
@settings(deadline=None, max_examples=150)
def test_systems_with_a_point_make_the_same_crop(width: int, height: int, seed: int, ratio: Any) -> None:
    made = cropper(width, height, seed)
    crop = made.crop(ratio, Options("window"))
    cut = cut_of(crop, made.grid)
    for name, (read, rule, rounding) in READERS.items():
        x, y = rule(read(FORMS[name](cut), cut), cut)
        assert abs(x - crop.box.x) <= 1 + rounding * width, name
        assert abs(y - crop.box.y) <= 1 + rounding * height, name


@given(Sides, Sides, st.integers(0, 1000), Ratios, st.sampled_from(["1", "1.7", "4"]))
@settings(deadline=None, max_examples=150)
def test_systems_with_a_box_make_the_same_crop(
    width: int, height: int, seed: int, ratio: Any, zoom: str
) -> None:
    face = Object("face", 60, 60, 130, 140, 100)
    made = cropper(width, height, seed, face)
    crop = made.crop(ratio, Options("window", Fraction(zoom)))
    box, cut = crop.box, cut_of(crop, made.grid)
    sanity = FORMS["sanity"](cut)["crop"]
    edges = (
        (sanity["left"] * width, box.x),
        ((1 - sanity["right"]) * width, box.x + box.width),
        (sanity["top"] * height, box.y),
        ((1 - sanity["bottom"]) * height, box.y + box.height),
    )
    assert all(abs(mine - exact) <= 1e-4 * max(width, height) for mine, exact in edges)
    typo3 = FORMS["typo3"](cut)["default"]
    area = typo3["cropArea"]
    assert (
        abs(area["x"] * width - box.x) <= 1e-4 * width
        and abs(area["height"] * height - box.height) <= 1e-4 * height
    )
    wagtail = FORMS["wagtail"](cut)  # `fill` moves its box until it covers the area, which is as large
    assert abs(wagtail["focal_point_x"] - wagtail["focal_point_width"] / 2 - box.x) <= 0.5
    x, y, zoomed = FORMS["statamic"](cut).split("-")
    assert 0 <= int(x) <= 100 and 0 <= int(y) <= 100 and 1 <= float(zoomed) <= 6
    whole = crop.objects is not None and crop.objects.whole == 1
    assert (typo3["focusArea"] is not None) == whole
    if whole:
        assert all(0 <= typo3["focusArea"][side] <= 1 for side in ("x", "y", "width", "height"))


def test_the_answer_has_the_fields_asked_for_in_their_order() -> None:
    made = cropper(800, 600, 3)
    found = crop_answer(made.crop(parse_ratio("square"), Options(fields=("typo3", "kirby"))), made)
    assert list(found["fields"]) == ["typo3", "kirby"]
    assert found["fields"]["typo3"]["default"]["selectedRatio"] == "1:1"
    assert "fields" not in crop_answer(made.crop(parse_ratio("square"), Options()), made)
