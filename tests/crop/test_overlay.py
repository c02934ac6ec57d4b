"""overlay: what matters is kept from under what the page covers."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.answers import crop_answer
from gazecrop.crop.balance import Balance, Weights
from gazecrop.crop.cropping import Cropper, Options, Policy
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.overlay import COVERED, Overlaid
from gazecrop.crop.placing import Box, Constraint, Field
from gazecrop.crop.ratios import box_size, parse_ratio
from gazecrop.crop.zooming import AutoZoom
from tests.helpers import brute
from tests.helpers.brute import Constraints, grids, objects

Ratios = st.sampled_from(["1:1", "16:9", "9:16", "1:3", "3:2"]).map(parse_ratio)
Zooms = st.sampled_from([Fraction(1), Fraction(1), Fraction(2), Fraction("1.5")])
LEFT = Constraint("overlay", 0, 0, 0.5, 1)


def overlay(*box: float) -> Constraint:
    return Constraint("overlay", *box)


Overlays = st.lists(
    st.tuples(*[st.sampled_from([0, 0.25, 0.5, 0.7])] * 2, *[st.sampled_from([0.1, 0.25, 0.3])] * 2),
    max_size=3,
).map(lambda boxes: tuple(overlay(*box) for box in boxes))


def share(grid: SaliencyGrid, left: int, top: int, width: int, height: int) -> Fraction:
    total = int(grid.levels.sum()) * grid.width * grid.height
    return Fraction(brute.weight(grid, left, top, width, height), total)


def hidden(grid: SaliencyGrid, box: Box, overlays: tuple[Constraint, ...]) -> tuple[Fraction, int]:
    """The importance under all overlays, and how many objects they hide a part of, from every pixel and object."""
    under, parts = Fraction(0), [each.edges(box.width, box.height) for each in overlays]
    parts = [part for part in parts if part[0] < part[2] and part[1] < part[3]]
    covered = set()
    for left, top, right, bottom in parts:
        corner, size = (box.x + left, box.y + top), (right - left, bottom - top)
        under += share(grid, *corner, *size)
        for number, each in enumerate(grid.objects):
            if brute.share_of(each, corner, *size, (grid.width, grid.height)) > brute.LOOSE[each.kind]:
                covered.add(number)
    return under, len(covered)


@given(grids(side=30), objects(), Ratios, Zooms, Overlays, st.booleans(), st.data())
@settings(deadline=None, max_examples=200)
def test_values_are_as_documented(
    grid: SaliencyGrid,
    found: tuple[Object, ...],
    ratio: Any,
    zoom: Fraction,
    overlays: tuple[Constraint, ...],
    balanced: bool,
    data: Any,
) -> None:
    grid = replace(grid, objects=found)
    size = box_size(ratio, grid.width, grid.height, zoom)
    x, y = data.draw(st.integers(0, grid.width - size[0])), data.draw(st.integers(0, grid.height - size[1]))
    field = Field(grid)
    base = Balance(field, found, Weights()) if balanced else None
    at = np.array([x]), np.array([y])
    [[start]] = (base.values(*at, *size) if base else field.sums(*at, *size) / field.total).tolist()
    [[value]] = Overlaid(field, found, overlays, size, base).values(*at, *size).tolist()
    under, covered = hidden(grid, Box(x, y, *size), overlays)
    assert value == pytest.approx(start - float(under) - COVERED * covered, abs=1e-12)


@given(grids(), Ratios, Overlays, Constraints)
@settings(deadline=None, max_examples=150)
def test_the_visible_importance_is_the_largest_of_all_boxes(
    grid: SaliencyGrid,
    ratio: Any,
    overlays: tuple[Constraint, ...],
    drawn: list[tuple[str, tuple[int, ...]]],
) -> None:
    """Pictures of 14 pixels: every box is tried. Along one axis, without objects, none is better."""
    constraints = tuple(Constraint(kind, *(part / 100 for part in percent)) for kind, percent in drawn)
    options = Options("window", constraints=constraints, overlays=overlays)
    crop = Cropper(grid).crop(ratio, options)
    size = crop.box[2:]
    kept = [each for each in constraints if each not in crop.unmet]
    if len(kept) < len(constraints):
        return
    values = {}
    for corner in brute.corners(grid, *size):
        box = Box(*corner, *size)
        if all(each.met(box, grid.width, grid.height) for each in kept):
            values[corner] = share(grid, *box) - hidden(grid, box, overlays)[0]
    assert values[crop.box[:2]] >= max(values.values()) - Fraction(1, 10**12)


@given(grids(), objects(), Ratios, Zooms, Overlays, st.sampled_from(["window", "balanced"]))
@settings(deadline=None, max_examples=150)
def test_no_candidate_is_better(
    grid: SaliencyGrid,
    found: tuple[Object, ...],
    ratio: Any,
    zoom: Fraction,
    overlays: tuple[Constraint, ...],
    policy: Policy,
) -> None:
    """In two dimensions, with objects: the best of the candidates is found although most values are not computed."""
    grid = replace(grid, objects=found)
    crop = Cropper(grid).crop(ratio, Options(policy, zoom, overlays=overlays))
    size = crop.box.width, crop.box.height
    field = Field(grid)
    base = Balance(field, found, Weights()) if policy == "balanced" else None
    measure = Overlaid(field, found, overlays, size, base)
    both, none = size[0] < grid.width and size[1] < grid.height, np.zeros(1, np.int64)
    xs = field.across.bends(size[0], measure.across, both=both) if size[0] < grid.width else none
    ys = field.down.bends(size[1], measure.down, both=both) if size[1] < grid.height else none
    each = [
        measure.values(np.array([x]), np.array([y]), *size)[0, 0]
        for x in set(xs.tolist())
        for y in set(ys.tolist())
    ]
    mine = measure.values(np.array([crop.box.x]), np.array([crop.box.y]), *size)[0, 0]
    assert mine >= max(each) - 1e-12


def test_the_subject_moves_from_under_the_title() -> None:
    levels = np.zeros((10, 40), np.uint8)
    levels[:, 18:22] = 31
    cropper, ratio = Cropper(SaliencyGrid(levels, 4000, 1000)), parse_ratio("1:1")
    policies: list[Policy] = ["window", "balanced"]
    for policy in policies:
        free = cropper.crop(ratio, Options(policy, overlays=(LEFT,)))
        assert free.box.x <= 1300 and free.unmet == ()  # all of it is in the right half of the crop
        right = cropper.crop(ratio, Options(policy, overlays=(overlay(0.5, 0, 0.5, 1),)))
        assert right.box.x >= 1700 and right.unmet == ()


def test_a_face_leaves_the_overlay_and_stays_in_the_crop() -> None:
    face = Object("face", 102, 76, 128, 178, 127)  # x 1600 to 2008 of 4000
    levels = np.full((10, 40), 3, np.uint8)
    levels[:, 14:20] = 8
    grid = SaliencyGrid(levels, 4000, 1000, objects=(face,))
    crop = Cropper(grid).crop(parse_ratio("1:1"), Options("window", overlays=(LEFT,)))
    assert crop.objects is not None and crop.objects.whole == 1 and crop.box.x + 500 <= 1600 + 21
    ignored = Cropper(grid).crop(parse_ratio("1:1"), Options("window", overlays=(LEFT,), protect=()))
    assert [each.kind for each in ignored.unmet] in ([], ["overlay"])


def test_what_cannot_be_kept_free_is_unmet() -> None:
    levels = np.array([[9, 9, 31, 9, 9]], np.uint8)
    cropper = Cropper(SaliencyGrid(levels, 500, 100))
    half = overlay(0, 0, 1, 0.5)
    crop = cropper.crop(parse_ratio("3:1"), Options(overlays=(half, overlay(0, 0, 0.01, 0.01))))
    assert crop.unmet == (half,)
    assert crop_answer(crop, cropper)["unmet"] == [{"parameter": "overlay", "value": "0,0,1,0.5"}]
    flat = Cropper(SaliencyGrid.uniform(3, 4, 400, 300))
    assert flat.crop(parse_ratio("1:1"), Options(overlays=(half,))).unmet == ()
    face = Object("face", 0, 0, 255, 255, 127)
    close = Cropper(SaliencyGrid.uniform(3, 4, 400, 300))
    close.grid = replace(close.grid, objects=(face,))
    assert close.crop(parse_ratio("1:1"), Options(overlays=(half,))).unmet == (half,)


def test_a_zoom_to_the_subject_keeps_it_whole_and_free() -> None:
    face = Object("face", 102, 102, 128, 153, 127)
    noise = np.random.default_rng(3).random((30, 40))
    cropper = Cropper(SaliencyGrid.from_density(noise, 4000, 3000, objects=(face,)))
    title = overlay(0, 0.7, 1, 0.3)
    auto = AutoZoom(Fraction(1, 2))
    plain = cropper.crop(parse_ratio("1:1"), Options(auto_zoom=auto))
    titled = cropper.crop(parse_ratio("1:1"), Options(auto_zoom=auto, overlays=(title,)))
    assert titled.policy == plain.policy == "subject" and titled.box[2:] == plain.box[2:]
    assert titled.objects is not None and titled.objects.whole == 1
    assert (
        "overlay" not in [each.kind for each in titled.unmet]
        or titled.box.y + 0.7 * titled.box.height >= 1800 - 60
    )
    person = cropper.crop(parse_ratio("1:1"), Options(auto_zoom=auto, overlays=(title,)), (0.5, 0.5))
    assert person.policy == "focus"  # the point stays where it is


def test_a_focus_stays_and_says_what_is_hidden() -> None:
    levels = np.array([[1, 1, 31, 1, 1]], np.uint8)
    cropper = Cropper(SaliencyGrid(levels, 500, 100))
    crop = cropper.crop(parse_ratio("1:1"), Options(overlays=(LEFT,)), (0.5, 0.5))
    assert crop.box.x == 200 and crop.unmet == (LEFT,)
