import math
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.balance import Balance, Weights
from gazecrop.crop.confidence import Calibration, Logistic
from gazecrop.crop.cropping import Cropper, Options, Policy
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box, Constraint, Field, place
from gazecrop.crop.ratios import Ratio, box_size, parse_ratio
from tests.helpers import brute
from tests.helpers.brute import Constraints, grids, objects

Ratios = st.one_of(
    st.sampled_from(["1:1", "16:9", "1.91:1", "9:16", "20:1", "1:20", "3:1", "0.8", "1.7778"]),
    st.tuples(st.integers(1, 20), st.integers(1, 20)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
).map(parse_ratio)
Zooms = st.sampled_from(
    [Fraction(1), Fraction(1), Fraction(4), Fraction("1.5"), Fraction("2.25"), Fraction(3)]
)
WINDOW = Options(policy="window")


def constraints(drawn: list[tuple[str, tuple[int, ...]]]) -> tuple[Constraint, ...]:
    return tuple(Constraint(kind, *(value / 100 for value in percent)) for kind, percent in drawn)


def api_size(ratio: Ratio, width: int, height: int, zoom: Fraction) -> tuple[int, int]:
    """The documented rule: if W/H > r then h = H, w = H r, else w = W, h = W/r; rounded half up, clamped."""
    r = Fraction(ratio.numerator, ratio.denominator)
    if Fraction(width, height) > r:
        w, h = height * r, Fraction(height)
    else:
        w, h = Fraction(width), width / r
    half = Fraction(1, 2)
    return min(max(floor(w / zoom + half), 1), width), min(max(floor(h / zoom + half), 1), height)


@given(Ratios, st.integers(1, 70_000), st.integers(1, 70_000), Zooms)
@settings(deadline=None, max_examples=500)
def test_the_size_of_the_box_follows_the_documented_rule(
    ratio: Ratio, width: int, height: int, zoom: Fraction
) -> None:
    size = box_size(ratio, width, height, zoom)
    assert size == api_size(ratio, width, height, zoom)
    assert 1 <= size[0] <= width and 1 <= size[1] <= height
    if zoom == 1:
        assert size[0] == width or size[1] == height


@pytest.mark.parametrize(
    ("ratio", "picture", "size"),
    [
        ("16:9", (4000, 3000), (4000, 2250)),
        ("1:1", (3, 2), (2, 2)),
        ("2:1", (5, 5), (5, 3)),  # 2.5 is rounded up
        ("1:2", (5, 5), (3, 5)),
        ("20:1", (3, 3), (3, 1)),  # 0.15 would be no pixel
        ("20:1", (1, 1), (1, 1)),
        ("1:1", (30000, 2), (2, 2)),
        ("1:20", (1, 260), (1, 20)),
    ],
)
def test_sizes(ratio: str, picture: tuple[int, int], size: tuple[int, int]) -> None:
    assert box_size(parse_ratio(ratio), *picture) == size


@given(
    grids(),
    Ratios,
    Zooms,
    st.sampled_from(["auto", "window", "point", "centre", "focus", "balanced", "careful"]),
    Constraints,
    st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=300)
def test_a_crop_is_inside_scored_exactly_and_lists_unmet_constraints(
    grid: SaliencyGrid,
    ratio: Ratio,
    zoom: Fraction,
    policy: Policy,
    drawn: list[tuple[str, tuple[int, ...]]],
    focus: tuple[float, float] | None,
    candidates: int,
) -> None:
    if policy == "focus" and focus is None:
        focus = 0.5, 0.5
    crop = Cropper(grid).crop(ratio, Options(policy, zoom, constraints(drawn), candidates), focus)
    box = crop.box
    size = api_size(ratio, grid.width, grid.height, zoom)
    total = brute.weight(grid, 0, 0, grid.width, grid.height)
    boxes = [(box, crop.importance), *crop.alternatives]
    assert crop.ratio is ratio
    assert len(boxes) <= candidates
    for each, importance in boxes:
        assert (each.width, each.height) == size
        assert 0 <= each.x <= grid.width - size[0] and 0 <= each.y <= grid.height - size[1]
        assert importance == float(Fraction(brute.weight(grid, each.x, each.y, *size), total))
        for other, _ in boxes:
            if other is not each:
                assert brute.iou((each.x, each.y), (other.x, other.y), *size) <= Fraction(1, 2)
    scores = [importance for _, importance in crop.alternatives]
    assert scores == sorted(scores, reverse=True)
    x, y = (grid.width - size[0]) // 2, (grid.height - size[1]) // 2
    assert crop.centred == float(Fraction(brute.weight(grid, x, y, *size), total))
    assert crop.whole == (size == (grid.width, grid.height))
    assert crop.policy == (policy if policy != "auto" else "balanced" if focus is None else "focus")
    assert 0 < crop.beats_centre < 1 and (crop.beats_centre == 0.5 or (box.x, box.y) != (x, y))

    # Those that some box meets together are met, the first ones before others; of the rest, the unmet ones are listed.
    boxes_asked = [(kind, brute.edges(percent, grid.width, grid.height)) for kind, percent in drawn]

    def met(asked: list[tuple[str, brute.Edges]], corner: brute.Corner) -> bool:
        return all(brute.meets(kind, edges, corner, *size) for kind, edges in asked)

    corners = list(brute.corners(grid, *size))
    kept: list[tuple[str, brute.Edges]] = []
    for one in boxes_asked:
        if any(met([*kept, one], corner) for corner in corners):
            kept.append(one)
    assert all(met(kept, (each.x, each.y)) for each, _ in boxes)
    unmet = [
        constraint
        for constraint, (kind, edges) in zip(constraints(drawn), boxes_asked, strict=True)
        if not brute.meets(kind, edges, (box.x, box.y), *size)
    ]
    assert list(crop.unmet) == unmet
    if crop.policy == "window":
        assert (box.x, box.y) == brute.best(grid, *size, lambda corner: met(kept, corner))
        assert all(score <= crop.importance for score in scores)


def test_a_constraint_that_contradicts_earlier_ones_is_dropped() -> None:
    grid = SaliencyGrid(np.array([[1, 31, 1, 1]], np.uint8), 400, 100)
    left, right, middle = (Constraint("keep", x, 0.2, 0.1, 0.2) for x in (0.0, 0.9, 0.1))
    crop = Cropper(grid).crop(parse_ratio("1:1"), Options("window", constraints=(left, right, middle)))
    assert (crop.box, crop.unmet) == (
        Box(0, 0, 100, 100),
        (right,),
    )  # `middle` happens to be met as well
    crop = Cropper(grid).crop(parse_ratio("1:1"), Options("window", constraints=(right, left, middle)))
    assert (crop.box, crop.unmet) == (Box(300, 0, 100, 100), (left, middle))
    wide = Constraint("keep", 0, 0, 0.5, 1)  # no box is as wide, which must not cost those behind it
    crop = Cropper(grid).crop(parse_ratio("1:1"), Options("window", constraints=(wide, right)))
    assert (crop.box, crop.unmet) == (Box(300, 0, 100, 100), (wide,))
    everything = Constraint("avoid", 0, 0, 1, 1)
    crop = Cropper(grid).crop(parse_ratio("1:1"), Options("window", constraints=(everything,)))
    assert (crop.box, crop.unmet) == (Box(100, 0, 100, 100), (everything,))


@given(grids(cells=8, side=60), Ratios, Zooms)
@settings(deadline=None, max_examples=200)
def test_a_mirrored_map_has_the_mirrored_window(grid: SaliencyGrid, ratio: Ratio, zoom: Fraction) -> None:
    options = Options(policy="window", zoom=zoom)
    box = Cropper(grid).crop(ratio, options).box
    flipped = SaliencyGrid(grid.levels[::-1, ::-1], grid.width, grid.height)
    other = Cropper(flipped).crop(ratio, options).box
    x, y = grid.width - box.width - box.x, grid.height - box.height - box.y
    if (other.x, other.y) != (
        x,
        y,
    ):  # two are equally good and equally far from the middle: the smaller offset
        size = box.width, box.height
        assert brute.weight(flipped, x, y, *size) == brute.weight(flipped, other.x, other.y, *size)
        room = grid.width - box.width, grid.height - box.height
        assert sum((2 * a - b) ** 2 for a, b in zip((x, y), room, strict=True)) == sum(
            (2 * a - b) ** 2 for a, b in zip((other.x, other.y), room, strict=True)
        )
        assert (other.y, other.x) < (y, x)


@given(grids(cells=8, side=200), Ratios, st.booleans())
@settings(deadline=None, max_examples=200)
def test_the_point_is_as_central_as_the_picture_allows(
    grid: SaliencyGrid, ratio: Ratio, symmetric: bool
) -> None:
    grid = SaliencyGrid(grid.levels, grid.width, grid.height, symmetric)
    cropper = Cropper(grid)
    box = cropper.crop(ratio, Options(policy="point")).box
    assert box.width == grid.width or box.height == grid.height
    if grid.flat or symmetric:
        assert (box.x, box.y) == ((grid.width - box.width) // 2, (grid.height - box.height) // 2)
        return
    point = cropper.points[0]
    for at, offset, length, side in (
        (point.x, box.x, box.width, grid.width),
        (point.y, box.y, box.height, grid.height),
    ):
        exact = Fraction(at) * side

        def off(x: int, length: int = length, exact: Fraction = exact) -> Fraction:
            return abs(x + Fraction(length, 2) - exact)

        assert off(offset) <= min(map(off, range(side - length + 1))) + Fraction(1, 10**9)
    if (box.width, box.height) != (grid.width, grid.height):
        assert box.x <= point.x * grid.width <= box.x + box.width
        assert box.y <= point.y * grid.height <= box.y + box.height


@given(
    st.floats(0, 1), st.floats(0, 1), Ratios, Zooms, st.integers(1, 300), st.integers(1, 300), st.booleans()
)
@settings(deadline=None, max_examples=200)
def test_a_persons_focus_is_as_central_as_the_picture_allows(
    x: float, y: float, ratio: Ratio, zoom: Fraction, width: int, height: int, named: bool
) -> None:
    grid = SaliencyGrid(np.array([[0, 31]], np.uint8), width, height, True)
    crop = Cropper(grid).crop(ratio, Options("focus" if named else "auto", zoom), (x, y))
    assert crop.policy == "focus"
    for at, offset, length, side in (
        (x, crop.box.x, crop.box.width, width),
        (y, crop.box.y, crop.box.height, height),
    ):
        best = min(abs(o + Fraction(length, 2) - Fraction(at) * side) for o in range(side - length + 1))
        got = abs(offset + Fraction(length, 2) - Fraction(at) * side)
        assert got <= best + Fraction(1, 10**9)


@pytest.mark.parametrize("policy", ["window", "point", "centre"])
def test_other_policies_ignore_the_focus(policy: Policy) -> None:
    grid = SaliencyGrid(np.array([[0, 1, 31, 1, 0, 0]], np.uint8), 600, 100)
    cropper, ratio = Cropper(grid), parse_ratio("1:1")
    there = cropper.crop(ratio, Options(policy), (0.0, 0.0))
    assert there.policy == policy
    assert there.box == cropper.crop(ratio, Options(policy)).box != Box(0, 0, 100, 100)


@given(Ratios, Zooms, st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 31), st.integers(1, 4))
@settings(deadline=None, max_examples=200)
def test_a_flat_map_is_cropped_at_the_exact_centre(
    ratio: Ratio, zoom: Fraction, width: int, height: int, level: int, cells: int
) -> None:
    grid = SaliencyGrid(np.full((cells, cells + 1), level, np.uint8), width, height)
    cropper = Cropper(grid)
    for policy in ("auto", "window", "point", "centre", "balanced", "careful"):
        crop = cropper.crop(ratio, Options(policy, zoom))
        box = crop.box
        assert (box.x, box.y) == ((width - box.width) // 2, (height - box.height) // 2)
        assert crop.importance == float(Fraction(box.width * box.height, width * height)) == crop.centred
    assert cropper.points == ()


def test_verdicts() -> None:
    grid = SaliencyGrid(np.array([[8, 2], [0, 0]], np.uint8), 100, 100)

    def verdict(ratio: str) -> str:
        return Cropper(grid).crop(parse_ratio(ratio), WINDOW).verdict

    # A width of w holds 0.016 w of all up to 50 and 0.8 there: from 0.5 good, from 0.375 tight.
    expected = {
        "1:1": "good",
        "0.5": "good",
        "0.49": "tight",
        "0.38": "tight",
        "0.37": "poor",
        "2:1": "good",
        "3:1": "tight",
    }
    assert {ratio: verdict(ratio) for ratio in expected} == expected
    everywhere_else = SaliencyGrid(np.array([[31, 0, 31]], np.uint8), 300, 100)
    assert Cropper(everywhere_else).crop(parse_ratio("3:1"), WINDOW).verdict == "good"


def least_good(grid: SaliencyGrid, across: bool) -> int:
    """The smallest length along one axis, the other one whole, whose best window holds 0.80 of all."""
    size = (1, grid.height) if across else (grid.width, 1)
    lines = [value for _, value in sorted(brute.weights(grid, *size).items())]
    for length in range(1, len(lines) + 1):
        most = max(sum(lines[at : at + length]) for at in range(len(lines) - length + 1))
        if Fraction(most, sum(lines)) >= Fraction(8, 10):
            return length
    raise AssertionError("the whole holds all")


def test_confidence_is_given_for_plain_window_and_balanced_crops_only() -> None:
    """From the share kept, that of the centre crop and the length (confidence.py), None for every other crop."""
    calibration = Calibration((0.5, -2.0, 3.0, 0.25), -1.0, Weights(0, 0, 0, 0), Logistic((0, 0, 0, 0), 2.0))
    grid = SaliencyGrid(np.array([[8, 2, 0, 0]], np.uint8), 400, 100)
    cropper, ratio = Cropper(grid, calibration), parse_ratio("1:1")
    crop = cropper.crop(ratio, WINDOW)
    kept, centred, length = 0.8, 0.2 / 2, 0.25  # the centre crop holds half of the second cell
    score = -1 + 0.5 * math.log(kept / (1 - kept)) - 2 * (kept - centred) + 3 * length + 0.25 * kept / length
    assert crop.confidence == pytest.approx(1 / (1 + math.exp(-score)))
    assert cropper.crop(parse_ratio("4:1"), WINDOW).confidence == 1
    balanced = cropper.crop(ratio, Options())
    assert (balanced.policy, balanced.box) == ("balanced", crop.box)
    assert balanced.confidence == pytest.approx(1 / (1 + math.exp(-2)))
    assert Cropper(grid, Calibration((0.5, -2.0, 3.0, 0.25), -1.0)).crop(ratio, Options()).confidence is None
    assert cropper.crop(ratio, Options("careful")).confidence is None
    keep = Options(constraints=(Constraint("keep", 0.0, 0.0, 0.1, 0.1),))
    assert cropper.crop(ratio, keep).confidence is None
    assert cropper.crop(ratio, Options(), (0.5, 0.5)).confidence is None
    assert cropper.crop(ratio, Options("centre")).confidence is None
    assert cropper.crop(ratio, Options("point")).confidence is None
    assert Cropper(grid).crop(ratio, WINDOW).confidence is None
    assert Cropper(SaliencyGrid.uniform(3, 4, 400, 100), calibration).crop(ratio, WINDOW).confidence is None


@given(grids(side=24))
@settings(deadline=None, max_examples=150)
def test_good_ratios_are_good_and_those_beyond_are_not(grid: SaliencyGrid) -> None:
    cropper = Cropper(grid)
    narrow, broad = (
        Fraction(least_good(grid, True), grid.height),
        Fraction(grid.width, least_good(grid, False)),
    )
    if narrow > 20 or broad < Fraction(1, 20):  # a strip: no accepted ratio keeps enough of it
        assert cropper.good_ratios is None
        return
    assert cropper.good_ratios is not None
    ends = [parse_ratio(text) for text in cropper.good_ratios]  # both are accepted ratios
    low, high = (Fraction(end.numerator, end.denominator) for end in ends)
    narrow, broad = max(narrow, Fraction(1, 20)), min(broad, Fraction(20))
    assert narrow <= low <= min(narrow * Fraction(101, 100), broad)
    assert max(broad * Fraction(99, 100), narrow) <= high <= broad
    for end in ends:
        assert cropper.crop(end, WINDOW).verdict == "good"
        assert cropper.crop(end, WINDOW).importance >= 0.8


@pytest.mark.parametrize("seed", range(30))
def test_good_ratios_of_pictures_with_all_saliency_in_the_corners(seed: int) -> None:
    """Their span is narrower than one percent, and both ends are beside the picture's own ratio."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(100, 256, 2).tolist()
    levels = np.zeros((rows, columns), np.uint8)
    levels[:: rows - 1, :: columns - 1] = 31
    cropper = Cropper(SaliencyGrid(levels, int(rng.integers(300, 3000)), int(rng.integers(300, 3000))))
    assert cropper.good_ratios is not None
    for end in cropper.good_ratios:
        assert cropper.crop(parse_ratio(end), WINDOW).verdict == "good"


def test_alternatives_of_a_zoomed_crop_are_best_first() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        levels = (rng.random(rng.integers(2, 12, 2)) ** 3 * 31).astype(np.uint8)
        levels[0, 0] = 31
        cropper = Cropper(SaliencyGrid(levels, *rng.integers(20, 900, 2).tolist()))
        options = Options("window", Fraction(int(rng.integers(11, 40)), 10), candidates=5)
        crop = cropper.crop(parse_ratio("1:1"), options)
        scores = [crop.importance, *(importance for _, importance in crop.alternatives)]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (30000, 2), (1, 260), (2, 1), (8000, 8000), (1, 30_000_000)]
)
@pytest.mark.parametrize("policy", ["window", "point", "centre", "focus", "balanced", "careful"])
def test_strips_and_the_largest_pictures(width: int, height: int, policy: Policy) -> None:
    levels = np.random.default_rng(width).integers(0, 32, (30, 40), np.uint8)
    cropper = Cropper(SaliencyGrid(levels, width, height))
    constrained = Options(policy, Fraction("1.3"), (Constraint("keep", 0.4, 0.4, 0.01, 0.01),), 3)
    for ratio in ("1:1", "20:1", "1:20", "16:9"):
        for options in (Options(policy), constrained):
            box = cropper.crop(parse_ratio(ratio), options, (0.99, 0.01)).box
            assert 0 <= box.x <= width - box.width and 0 <= box.y <= height - box.height
    for end in cropper.good_ratios or ():
        assert parse_ratio(end)


def test_sixteen_constraints_of_each_kind_and_five_candidates() -> None:
    levels = np.random.default_rng(3).integers(0, 32, (30, 40), np.uint8)
    constraints = tuple(
        Constraint(kind, x / 16, x / 16, 1 / 16, 1 / 16) for x in range(16) for kind in ("keep", "avoid")
    )
    crop = Cropper(SaliencyGrid(levels, 4000, 3000)).crop(
        parse_ratio("1:1"), Options(zoom=Fraction(4), constraints=constraints, candidates=5)
    )
    assert constraints[0].met(crop.box, 4000, 3000)
    assert constraints[1] in crop.unmet  # the same square kept and avoided


@given(
    grids(side=60), objects(), st.lists(Ratios, min_size=1, max_size=8), st.sampled_from(["auto", "window"])
)
@settings(deadline=None, max_examples=150)
def test_crops_of_several_ratios_are_those_of_single_ones(
    grid: SaliencyGrid, found: tuple[Object, ...], ratios: list[Ratio], policy: Policy
) -> None:
    """And their boxes are those of `place`, which finds boxes of any kind."""
    grid = replace(grid, objects=found)
    options = Options(policy)
    fitted = Calibration((0.5, 1.0, -0.3, 0.2), 0.1, balanced=Logistic((0.4, 0.9, -0.2, 0.1), 0.3))
    together = Cropper(grid, fitted).crops(ratios, options, [None] * len(ratios))
    assert together == [Cropper(grid, fitted).crop(ratio, options) for ratio in ratios]
    field = Field(grid)
    value = Balance(field, found, fitted.balance) if policy == "auto" else None
    for ratio, crop in zip(ratios, together, strict=True):
        size = box_size(ratio, grid.width, grid.height)
        assert crop.box == place(field, *size, value=value)
        assert (crop.importance, crop.centred) == tuple(
            field.sum(box) / field.total
            for box in (crop.box, Box((grid.width - size[0]) // 2, (grid.height - size[1]) // 2, *size))
        )


def test_a_focus_of_one_profile_changes_its_crop_alone() -> None:
    levels = np.ones((4, 6), np.uint8)
    levels[0, 0] = 31
    cropper = Cropper(SaliencyGrid(levels, 600, 400))
    square, wide = parse_ratio("1:1"), parse_ratio("3:1")
    alone = cropper.crops([square, wide], Options(), [None, None])
    found = cropper.crops([square, wide], Options(), [(0.9, 0.9), None])
    assert [crop.policy for crop in found] == ["focus", "balanced"]
    assert found[1] == alone[1] and found[0] != alone[0]
