"""zoom=auto: the subject, how large it becomes, where it is placed; heads of ten portraits equally tall."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gazecrop.crop.answers import crop_answer
from gazecrop.crop.cropping import Crop, Cropper, Options, Policy
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import HEAD, TWENTIETHS, Object, most_important
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import box_size, parse_ratio
from gazecrop.crop.zooming import EYES, AutoZoom, find_subject
from tests.conftest import ROOT
from tests.helpers.brute import grids, objects

FACE = Object("face", 102, 51, 127, 102, 127)  # x 0.4 to 0.498, y 0.2 to 0.4
AUTO = Options(auto_zoom=AutoZoom())
Ratios = st.sampled_from(["1:1", "16:9", "9:16", "2:1", "1:3", "20:1"]).map(parse_ratio)


def spot(size: tuple[int, int] = (1200, 900), *found: Object) -> SaliencyGrid:
    """All the importance in rows 9 to 11, columns 24 to 27 of 30 x 40 cells."""
    levels = np.zeros((30, 40), np.uint8)
    levels[9:12, 24:28] = 31
    return SaliencyGrid(levels, *size, objects=found)


def crop(grid: SaliencyGrid, ratio: str, focus: tuple[float, float] | None = None, **auto: Any) -> Crop:
    return Cropper(grid).crop(parse_ratio(ratio), Options(auto_zoom=AutoZoom(**auto)), focus)


@given(grids(cells=7), objects(), st.booleans(), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=300)
def test_the_subject_is_the_smallest_box_of_all(
    grid: SaliencyGrid, found: tuple[Object, ...], by_person: bool, x: float, y: float
) -> None:
    """Every box of cells is tried."""
    grid, focus = replace(grid, objects=found), (x, y) if by_person else None
    points = Cropper(grid).points
    subject = find_subject(grid, points, ("face", "text"), focus)
    faces = [each for each in found if each.kind == "face"]
    if focus is not None:
        faces = [f for f in faces if f.left <= x * 255 <= f.right and f.top <= y * 255 <= f.bottom]
    if faces:
        first = faces[0]
        assert subject is not None and subject.face
        assert (subject.left, subject.top, subject.right, subject.bottom) == (
            first.left,
            first.top,
            first.right,
            first.bottom,
        )
        subject = find_subject(grid, points, ("text",), focus)
    if not points:
        assert subject is None
        return
    at = focus or (points[0].x, points[0].y)
    column, row = min(int(at[0] * grid.columns), grid.columns - 1), min(int(at[1] * grid.rows), grid.rows - 1)
    boxes = []
    for top, bottom in product(range(row + 1), range(row + 1, grid.rows + 1)):
        for left, right in product(range(column + 1), range(column + 1, grid.columns + 1)):
            held = int(grid.levels[top:bottom, left:right].sum())
            if Fraction(held, int(grid.levels.sum())) >= Fraction(3, 5):
                boxes.append(((right - left) * (bottom - top), -held, top, left, bottom, right))
    assert subject is not None and not subject.face and subject.parts == (grid.columns, grid.rows)
    assert min(boxes)[2:] == (subject.top, subject.left, subject.bottom, subject.right)


Keep = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.6), st.floats(0.01, 0.6)).map(
    lambda box: Constraint("keep", box[0], box[1], min(box[2], 1 - box[0]), min(box[3], 1 - box[1]))
)


@given(grids(side=600, cells=7), objects(), Ratios, Keep)
@settings(deadline=None, max_examples=300)
def test_what_must_be_kept_widens_the_box_as_far_as_it_needs(
    grid: SaliencyGrid, found: tuple[Object, ...], ratio: Any, keep: Constraint
) -> None:
    """It is inside wherever the largest box can hold it, with the subject where both fit; else nothing changes."""
    grid = replace(grid, objects=found)
    cropper, picture = Cropper(grid), (grid.width, grid.height)
    plain, kept = cropper.crop(ratio, AUTO), cropper.crop(ratio, replace(AUTO, constraints=(keep,)))
    subject = find_subject(grid, cropper.points, ("face", "text"))
    if subject is None:
        return
    assert plain.zoom is not None and kept.zoom is not None and kept.zoom <= plain.zoom
    largest, edges = box_size(ratio, *picture), keep.edges(*picture)
    around, alone = subject.whole.edges(*picture), edges
    both = (
        *(min(pair) for pair in zip(edges[:2], around[:2], strict=True)),
        *(max(pair) for pair in zip(edges[2:], around[2:], strict=True)),
    )

    def fits(box: tuple[int, ...], size: tuple[int, int]) -> bool:
        return box[2] - box[0] <= size[0] and box[3] - box[1] <= size[1]

    if not fits(alone, largest):
        return
    assert kept.unmet == ()
    if fits(both, largest) and fits(around, (plain.box.width, plain.box.height)):
        assert subject.whole.met(kept.box, *picture)
    if kept.zoom < plain.zoom:  # a box one pixel smaller would not hold them
        needed = both if fits(both, largest) else alone
        size = kept.box.width - 1, kept.box.height - 1
        assert needed[2] - needed[0] > size[0] or needed[3] - needed[1] > size[1]


def test_a_subject_without_a_face_fills_its_share_in_the_middle() -> None:
    """Two of the three rows, the upper ones, hold more than 60 %: 120 x 60 pixels, the middle at 780, 300."""
    near = crop(spot(), "4:3", fill=Fraction(3, 10))
    assert near.policy == "subject" and near.zoom == 3 and near.box == Box(580, 150, 400, 300)
    closest = crop(spot(), "4:3", fill=Fraction(9, 10))
    assert closest.zoom == 4 and closest.box == Box(630, 188, 300, 225)


def test_the_larger_share_counts_and_the_closest_zoom_is_four() -> None:
    levels = np.zeros((10, 10), np.uint8)
    levels[3:7, 2:8] = 31  # 24 cells; 60 % of them: 5 columns of 3 rows, 15 cells, in any place
    levels[4, 4] = 30  # the place of the point is not on a plateau's edge
    grid = SaliencyGrid(levels, 1000, 1000)
    subject = find_subject(grid, Cropper(grid).points, ())
    assert subject is not None
    wide, high = subject.right - subject.left, subject.bottom - subject.top
    for fill in (Fraction(6, 10), Fraction(9, 10)):
        side = crop(grid, "1:1", fill=fill).box.width
        assert side == max(250, round(float(max(wide, high) * 100 / fill)))


def test_a_head_fills_its_share_by_its_height_with_the_eyes_at_a_third() -> None:
    grid = spot((1000, 1000), FACE)
    for fill in (Fraction(3, 10), Fraction(6, 10), Fraction(9, 10)):
        found = crop(grid, "1:1", fill=fill)
        head = 51 / 255 * 1000
        assert abs(found.box.height - max(head / float(fill), 250)) <= 0.5 and found.policy == "subject"
        eyes = 200 + head * EYES
        if fill < Fraction(9, 10):  # a head as tall as that reaches the upper edge first
            assert abs((eyes - found.box.y) / found.box.height - 1 / 3) <= 1 / found.box.height
        assert found.box.y <= 200 and found.box.y + found.box.height >= 400  # the head is whole
        assert abs(found.box.x + found.box.width / 2 - 449) <= 1
        assert found.objects is not None and found.objects.whole == 1


def test_a_head_in_a_narrow_box_is_limited_by_its_width() -> None:
    wide = Object("face", 51, 51, 153, 102, 127)  # 400 x 200 of 1000 pixels
    found = crop(spot((1000, 1000), wide), "9:20", fill=Fraction(9, 10))
    assert abs(found.box.width - 400 / 0.9) <= 0.5 and found.objects is not None and found.objects.whole == 1


def test_align_places_the_middle() -> None:
    grid = spot((1000, 1000), FACE)
    for align in ((0.5, 0.5), (0.3, 0.6), (0.6, 0.4)):
        box = crop(grid, "1:1", align=align).box
        assert abs((449 - box.x) / box.width - align[0]) <= 0.005
        assert abs((300 - box.y) / box.height - align[1]) <= 0.005
    assert crop(grid, "1:1", align=(0.0, 0.5)).box.x == 400  # the head stays whole


def test_what_is_not_protected_is_no_subject() -> None:
    grid = spot((1200, 900), FACE)
    without = Cropper(grid).crop(parse_ratio("1:1"), replace(AUTO, protect=("text",)))
    assert without.box == crop(spot(), "1:1").box != crop(grid, "1:1").box


def test_the_box_has_the_pixels_of_the_output() -> None:
    grid = spot((1000, 1000), FACE)
    assert crop(grid, "1:1").box.width == 333
    assert crop(grid, "1:1", pixels=(600, 1)).box.width == 600
    assert crop(grid, "2:1", pixels=(1, 400)).box[2:] == (800, 400)
    assert crop(grid, "1:1", pixels=(5000, 5000)).box.width == 1000


def test_a_persons_focus_decides() -> None:
    other = Object("face", 180, 51, 200, 82, 60)
    grid = spot((1000, 1000), FACE, other)
    on_other = crop(grid, "1:1", (0.745, 0.25))
    assert on_other.policy == "focus" and abs(on_other.box.height - 31 / 255 * 1000 / 0.6) <= 48  # zoom 4
    assert on_other.box == Box(620, 125, 250, 250)  # the point is central
    lower = crop(grid, "1:1", (0.745, 0.25), align=(0.5, 0.3))
    assert (lower.box.x, lower.box.y) == (620, 175)
    elsewhere = crop(grid, "1:1", (0.65, 0.35))  # in the spot, in no face
    assert abs(elsewhere.box.x + elsewhere.box.width / 2 - 650) <= 1


def test_other_policies_place_a_box_of_that_size() -> None:
    grid = spot((1000, 1000), FACE)
    cropper, ratio = Cropper(grid), parse_ratio("1:1")
    policies: list[Policy] = ["window", "centre", "point", "balanced"]
    for policy in policies:
        found = cropper.crop(ratio, replace(AUTO, policy=policy))
        zoomed = cropper.crop(ratio, Options(policy, zoom=found.zoom or Fraction(1)))
        assert found.policy == policy and found.box == zoomed.box and found.confidence is None


def test_a_flat_map_has_no_subject() -> None:
    flat = SaliencyGrid.uniform(30, 40, 800, 600)
    found = crop(flat, "1:1")
    assert found.zoom == 1 and found.box == Box(100, 0, 600, 600) and found.policy != "subject"


def test_keep_and_avoid_come_first() -> None:
    grid = spot((1000, 1000), FACE)
    kept = Cropper(grid).crop(
        parse_ratio("1:1"), replace(AUTO, constraints=(Constraint("keep", 0, 0, 0.1, 0.1),))
    )
    assert (kept.box.x, kept.box.y) == (0, 0) and kept.unmet == ()


def test_the_answer_states_the_zoom() -> None:
    cropper = Cropper(spot((1000, 1000), FACE))
    found = cropper.crop(parse_ratio("1:1"), AUTO)
    assert crop_answer(found, cropper)["zoom"] == round(1000 / 333.333, 4)
    assert "zoom" not in crop_answer(cropper.crop(parse_ratio("1:1"), Options(zoom=Fraction(2))), cropper)


@given(grids(side=60, cells=8, least=2), objects(), Ratios, st.integers(30, 90), st.booleans())
@settings(deadline=None, max_examples=300)
def test_the_subject_is_whole_where_it_fits(
    grid: SaliencyGrid, found: tuple[Object, ...], ratio: Any, fill: int, high: bool
) -> None:
    grid = replace(grid, objects=found)
    align = (0.2, 0.9) if high else None
    made = Cropper(grid).crop(ratio, Options(auto_zoom=AutoZoom(Fraction(fill, 100), align)))
    assert made.zoom is not None and 1 <= made.zoom <= 4
    assert made.box[2:] == box_size(ratio, grid.width, grid.height, made.zoom)
    subject = find_subject(grid, Cropper(grid).points, ("face", "text"))
    if subject is None:
        return
    for first, last, parts, start, length, side in (
        (subject.left, subject.right, subject.parts[0], made.box.x, made.box.width, grid.width),
        (subject.top, subject.bottom, subject.parts[1], made.box.y, made.box.height, grid.height),
    ):
        low, last_pixel = floor(first * side / parts), ceil(last * side / parts)
        if last_pixel - low <= length:
            assert start <= low and last_pixel <= start + length


def portraits() -> list[tuple[tuple[int, int], tuple[float, float, float, float]]]:
    """Ten framings of one photograph: its size, and a detector's box of the face in fractions."""
    picture = Image.open(ROOT / "service" / "gazecrop" / "page" / "examples" / "astronaut.jpg")
    left, top, width, height = (
        part * picture.width / 512 for part in (177, 70, 92, 125)
    )  # of the photograph
    found = []
    for number in range(10):
        x, y = picture.width * (0.02 * number), picture.height * 0.012 * (number % 4)
        wide, high = picture.width * (0.58 + 0.025 * number) - x / 2, picture.height * (0.55 + 0.045 * number)
        framed = picture.crop((round(x), round(y), round(x + wide), round(min(y + high, picture.height))))
        grown = framed.resize((framed.width * (2 + number % 3), framed.height * (2 + number % 3)))
        box = (left - round(x)) / framed.width, (top - round(y)) / framed.height
        found.append((grown.size, (*box, width / framed.width, height / framed.height)))
    return found


@pytest.mark.parametrize(("ratio", "fill"), [("1:1", 60), ("4:5", 60), ("3:4", 70)])
def test_heads_of_ten_portraits_are_equally_tall(ratio: str, fill: int) -> None:
    """The heads' heights in the crops differ by 10 % at most; in the pictures the tallest has 1.5 times the smallest's
    share."""
    shares, before = [], []
    noise = np.random.default_rng(0).random((30, 40))
    for size, (x, y, width, height) in portraits():
        face = Object.detected("face", x, y, width, height, 0.9)
        grid = SaliencyGrid.from_density(noise, *size, objects=most_important([face]))
        found = crop(grid, ratio, fill=Fraction(fill, 100))
        head = height * (1 + (HEAD[1] + HEAD[2]) / TWENTIETHS) * size[1]
        shares.append(head / found.box.height)
        before.append(head / size[1])
        eyes = (y - HEAD[1] / TWENTIETHS * height) * size[1] + head * EYES
        assert 0.28 <= (eyes - found.box.y) / found.box.height <= 0.4
        assert found.objects is not None and found.objects.whole == 1
    assert max(before) / min(before) > 1.5
    assert max(shares) / min(shares) <= 1.1
    assert all(abs(share - fill / 100) <= 0.1 * fill / 100 for share in shares)
