"""Policy `balanced` against values computed apart: with fractions, box by box, pixel by pixel."""

import math
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.balance import Balance, Weights
from gazecrop.crop.balance_axis import MOST_FOUND
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box, Constraint, Field
from gazecrop.crop.ratios import box_size, parse_ratio
from tests.helpers import brute
from tests.helpers.brute import Constraints, grids, objects

Exact = dict[str, Fraction]
WEIGHTS = Weights()
Ratios = st.sampled_from(["1:1", "16:9", "9:16", "2:1", "1:3", "3:2", "20:1"]).map(parse_ratio)
Zooms = st.sampled_from([Fraction(1), Fraction(1), Fraction(2), Fraction("1.5"), Fraction(4)])
BALANCED = Options("balanced")


def value(grid: SaliencyGrid, box: Box, found: Iterable[Object], weights: Weights) -> Fraction:
    """As the module's docstring says, exactly: the centre of mass from the overlap with every cell."""
    picture = grid.width, grid.height
    mass = across = down = Fraction(0)
    for row in range(grid.rows):
        for column in range(grid.columns):
            left, right = (Fraction(grid.width * edge, grid.columns) for edge in (column, column + 1))
            top, bottom = (Fraction(grid.height * edge, grid.rows) for edge in (row, row + 1))
            left, right = max(left, Fraction(box.x)), min(right, Fraction(box.x + box.width))
            top, bottom = max(top, Fraction(box.y)), min(bottom, Fraction(box.y + box.height))
            if left < right and top < bottom:
                part = (right - left) * (bottom - top) * int(grid.levels[row, column])
                mass += part
                across += part * (left + right) / 2
                down += part * (top + bottom) / 2
    total = Fraction(int(grid.levels.sum()) * grid.width * grid.height, grid.rows * grid.columns)
    middle = box.x + Fraction(box.width, 2), box.y + Fraction(box.height, 2)
    moved = (across / mass, down / mass) if mass else middle
    off_middle = off_mass = Fraction(0)
    for at, centre, length, side in zip(middle, moved, (box.width, box.height), picture, strict=True):
        if length < side:
            off_middle += abs(at - Fraction(side, 2)) / side
            off_mass += abs(centre - at) / side
    found_value = mass / total - Fraction(weights.middle) * off_middle - Fraction(weights.mass) * off_mass
    face = weights.alone if sum(each.kind == "face" for each in found) == 1 else weights.face
    protected = [
        # A face's box and, with another weight, the head's; `shrunk` has its own tests in test_objects.py.
        (each, one, Fraction(weight))
        for each in found
        for one, weight in (
            ((each.shrunk, face), (each, weights.head)) if each.kind == "face" else ((each, weights.text),)
        )
    ]
    for each, one, weight in protected:
        corner, size = (box.x, box.y), (box.width, box.height)
        if any(
            Fraction((last - first) * side, 255) > length
            for first, last, side, length in zip(
                (one.left, one.top), (one.right, one.bottom), picture, size, strict=True
            )
        ):
            continue
        area = (each.right - each.left) * (each.bottom - each.top)
        side = max(number for number in range(256) if number * number <= area)
        root = max(number for number in range(256) if number * number <= 256 * side)
        half = Fraction(
            math.floor(weight * root * each.score * 1024 + Fraction(1, 2)), 2 * 256 * 127 * 1024
        )  # costs are integers
        share = brute.share_of(one, corner, *size, picture)
        loose = brute.LOOSE[each.kind]
        found_value -= 0 if share >= 1 - loose else half if share <= loose else 2 * half
    return found_value


@given(grids(side=40), objects(), Ratios, Zooms, st.data())
@settings(deadline=None, max_examples=150)
def test_values_are_as_documented(
    grid: SaliencyGrid, found: tuple[Object, ...], ratio: Any, zoom: Fraction, data: Any
) -> None:
    width, height = box_size(ratio, grid.width, grid.height, zoom)
    if (width, height) == (grid.width, grid.height):
        return  # there is one box, whatever its value
    weights = Weights(*(data.draw(st.sampled_from([0.0, 0.02, 0.3])) for _ in range(6)))
    x, y = data.draw(st.integers(0, grid.width - width)), data.draw(st.integers(0, grid.height - height))
    balance = Balance(Field(grid), found, weights)
    [[one]] = balance.values(np.array([x]), np.array([y]), width, height).tolist()
    assert one == pytest.approx(float(value(grid, Box(x, y, width, height), found, weights)), abs=1e-12)


@given(grids(), objects(), Ratios, Zooms, Constraints)
@settings(deadline=None, max_examples=150)
def test_no_candidate_is_better(
    grid: SaliencyGrid,
    found: tuple[Object, ...],
    ratio: Any,
    zoom: Fraction,
    drawn: list[tuple[str, tuple[int, ...]]],
) -> None:
    """Pictures of 14 pixels: every box is tried. The candidates leave few out: a box between them is hardly better."""
    grid = replace(grid, objects=found)
    constraints = tuple(Constraint(kind, *(part / 100 for part in percent)) for kind, percent in drawn)
    crop = Cropper(grid).crop(ratio, replace(BALANCED, zoom=zoom, constraints=constraints))
    size = crop.box.width, crop.box.height
    everywhere = [Box(x, y, *size) for x, y in brute.corners(grid, *size)]
    met = [c for c in constraints if c not in crop.unmet]
    allowed = [box for box in everywhere if all(c.met(box, grid.width, grid.height) for c in met)]
    best = max(value(grid, box, found, WEIGHTS) for box in allowed) if not crop.unmet else None
    mine = value(grid, crop.box, found, WEIGHTS)
    if best is not None:
        assert mine >= best - Fraction(1, 50)
    if not constraints:
        field = Field(grid)
        balance = Balance(field, found, WEIGHTS)
        both = size[0] < grid.width and size[1] < grid.height
        xs = field.across.bends(size[0], balance.across, both=both) if size[0] < grid.width else [0]
        ys = field.down.bends(size[1], balance.down, both=both) if size[1] < grid.height else [0]
        tried = {
            (int(x), int(y)): value(grid, Box(int(x), int(y), *size), found, WEIGHTS) for x in xs for y in ys
        }
        assert mine >= max(tried.values()) - Fraction(1, 10**12)
        equal = [at for at, each in tried.items() if each == max(tried.values())]
        if mine == max(tried.values()) and len(equal) == 1:
            assert [(crop.box.x, crop.box.y)] == equal


@pytest.mark.parametrize("seed", range(12))
def test_only_what_is_surely_not_the_best_is_left_out(seed: int) -> None:
    """In two dimensions most boxes are not valued. With weights as large as these the best one is far below the
    highest bound."""
    rng, left_out = np.random.default_rng(seed), 0
    for _ in range(5):
        levels = (rng.random((30, 40)) ** 4 * 31).astype(np.uint8)
        levels[0, 0] = 31
        corners = rng.integers(0, 200, (seed % 5, 2)).tolist()
        found = [Object("face", x, y, x + 50, y + 40, 127) for x, y in corners]
        field = Field(SaliencyGrid(levels, *rng.integers(100, 4000, 2).tolist()))
        balance = Balance(field, found, Weights(*rng.choice([0.02, 0.2, 1], 6).tolist()))
        width, height = field.width * 5 // 9, field.height * 4 // 9
        xs = field.across.bends(width, balance.across, both=True)
        ys = field.down.bends(height, balance.down, both=True)
        rows, columns = (each.ravel() for each in np.indices((len(ys), len(xs))))
        every = balance.at(xs, ys, width, height, rows, columns).reshape(len(ys), len(xs))
        best = every == every.max()
        for allowed in (None, rng.random(every.shape) < 0.1):
            if allowed is not None:
                best = allowed & (every == every[allowed].max())
            values = balance.values(xs, ys, width, height, allowed)
            assert np.array_equal(values == values.max(), best)
            valued = values > -np.inf
            assert np.array_equal(values[valued], every[valued])
            assert allowed is None or allowed[valued].all()
            left_out += int((~valued).sum())
    assert left_out


def test_a_subject_alone_is_in_the_middle_of_the_box() -> None:
    """`window` keeps it anywhere in the box: all of it is inside."""
    levels = np.zeros((30, 40), np.uint8)
    levels[12:18, 27:31] = 31  # its middle at 29/40 of 4000 pixels: 2900
    cropper = Cropper(SaliencyGrid(levels, 4000, 1500))
    box = cropper.crop(parse_ratio("1:1"), BALANCED).box
    assert abs(box.x + box.width / 2 - 2900) <= 0.05 * 4000
    window = cropper.crop(parse_ratio("1:1"), Options("window")).box
    assert abs(window.x + window.width / 2 - 2900) > 0.05 * 4000


def test_a_face_is_not_cut_for_a_little_more_gaze() -> None:
    """The window takes 1.5 % more of the gaze, and cuts the face."""
    levels = np.array([[8, 8, 8, 8, 9, 9, 9, 9, 9, 9]], np.uint8)
    face = Object("face", 92, 26, 117, 51, 127)  # x 0.36 to 0.46
    plain, made = (SaliencyGrid(levels, 1000, 500, objects=o) for o in ((), (face,)))
    ratio = parse_ratio("6:5")
    assert Cropper(plain).crop(ratio, Options("window")).box == Box(400, 0, 600, 500)
    window = Cropper(made).crop(ratio, Options("window"))
    assert window.objects is not None and window.objects.cut == (face,)
    balanced = Cropper(made).crop(ratio, BALANCED)
    assert balanced.objects is not None and balanced.objects.cut == () and balanced.objects.whole == 1
    ignored = Cropper(made).crop(ratio, replace(BALANCED, protect=()))
    assert ignored.box == Cropper(plain).crop(ratio, BALANCED).box != balanced.box


def test_what_does_not_fit_is_no_reason_to_move() -> None:
    levels = np.array([[1, 1, 2, 31, 31, 2, 1, 1]], np.uint8)
    wide = Object("text", 20, 100, 250, 120, 127)
    ratio = parse_ratio("1:1")
    plain, made = (SaliencyGrid(levels, 800, 300, objects=o) for o in ((), (wide,)))
    assert Cropper(made).crop(ratio, BALANCED).box == Cropper(plain).crop(ratio, BALANCED).box


@pytest.mark.parametrize("zoom", [1, 2])
def test_a_flat_map_is_cropped_at_the_centre(zoom: int) -> None:
    for ratio in ("1:1", "9:16", "3:1"):
        box = (
            Cropper(SaliencyGrid.uniform(30, 40, 1999, 1333))
            .crop(parse_ratio(ratio), replace(BALANCED, zoom=Fraction(zoom)))
            .box
        )
        assert (box.x, box.y) == ((1999 - box.width) // 2, (1333 - box.height) // 2)


def test_without_weights_it_is_the_window() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        levels = (rng.random(rng.integers(1, 12, 2)) ** 3 * 31).astype(np.uint8)
        levels[0, 0] = 31
        grid = SaliencyGrid(levels, *rng.integers(20, 900, 2).tolist())
        for zoom in (Fraction(1), Fraction("1.7")):
            options = Options("window", zoom, candidates=3)
            window = Cropper(grid).crop(parse_ratio("4:5"), options)
            balanced = Cropper(grid, weights=Weights(0, 0, 0, 0, 0, 0)).crop(
                parse_ratio("4:5"), replace(options, policy="balanced")
            )
            assert (balanced.box, balanced.alternatives) == (window.box, window.alternatives)


def test_weights_come_from_the_manifest() -> None:
    entry = {"middle": 0.1, "mass": 0.2, "face": 0.3, "text": 0.4, "curve": []}
    assert Weights.from_manifest(entry) == Weights(0.1, 0.2, 0.3, 0.4, 0, 0.3)
    assert Weights.from_manifest(entry | {"head": 0.5, "alone": 0.6}) == Weights(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    calibration = {"weights": [0, 0, 0, 0], "intercept": 0}
    assert Calibration.from_manifest(calibration).balance == Weights()
    fitted = Calibration.from_manifest(calibration, {"middle": 0, "mass": 0, "face": 0, "text": 0})
    grid = SaliencyGrid(np.array([[9, 9, 9, 9, 20]], np.uint8), 500, 200)
    options, ratio = BALANCED, parse_ratio("1:1")
    assert Cropper(grid, fitted).crop(ratio, options).box.x == 300
    assert Cropper(grid, fitted, Weights(middle=1)).crop(ratio, options).box.x < 300
    with pytest.raises(KeyError):
        Weights.from_manifest({"middle": 0.1})
    with pytest.raises(ValueError, match="not 0 to 1"):
        Weights.from_manifest(entry | {"face": -0.1})
    with pytest.raises(ValueError, match="not 0 to 1"):
        Weights.from_manifest(entry | {"face": float("nan")})


def test_offsets_are_kept_and_bounded() -> None:
    """The second time a length is asked for, alone or with others, nothing is computed."""
    levels = np.random.default_rng(3).integers(1, 32, (30, 40), np.uint8)
    field = Field(SaliencyGrid(levels, 1600, 1200))
    axis = Balance(field, (), WEIGHTS).across
    lengths = [700, 900, 1200, 900, 1600]
    alone = [field.across.best(length, axis) for length in lengths]
    assert axis.best(lengths) == alone == axis.best(lengths)
    assert axis.best([900]) == alone[1:2] and len(axis.found) == 4
    axis.found[900] = 3
    assert axis.best([900, 700]) == [3, alone[0]]
    for length in range(100, 300):
        axis.best([length])
        assert len(axis.found) <= MOST_FOUND


def test_several_lengths_have_the_candidates_of_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an object fits into one of the lengths only, nothing else is a candidate of the other: here memory that is
    not written holds the offset of the best of all boxes, which may be between candidates."""
    empty, rng, between = np.empty, np.random.default_rng(5), 0
    for _ in range(10):
        levels = rng.integers(24, 32, (30, 40)).astype(np.uint8)
        field = Field(SaliencyGrid(levels, 1600, 1200))
        face = Object("face", 60, 20, 200, 60, 127)
        balance = Balance(field, [face], Weights(0, 1, 0.05, 0.05))
        alone = [field.across.best(length, balance.across) for length in (300, 1000)]
        best = int(balance.across.values(np.arange(1301), 300).argmax())
        between += best != alone[0]

        def written(*shape: Any, best: int = best, **more: Any) -> Any:
            found = empty(*shape, **more)
            found[...] = best
            return found

        monkeypatch.setattr(np, "empty", written)
        assert balance.across.best([300, 1000]) == alone
        monkeypatch.undo()
    assert between


def test_the_kept_offsets_count_as_memory() -> None:
    levels = np.random.default_rng(3).integers(1, 32, (30, 40), np.uint8)
    croppers = [Cropper(SaliencyGrid(levels, 1600, 1200)) for _ in range(200)]
    ratios = [parse_ratio(f"{width}:20") for width in range(7, 27)]
    for cropper in croppers:
        cropper.crop(ratios[0], BALANCED)
    counted = sum(cropper.size for cropper in croppers)
    tracemalloc.start()
    for cropper in croppers:
        cropper.crops(ratios, BALANCED, [None] * len(ratios))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    counted = sum(cropper.size for cropper in croppers) - counted
    assert 0 < held <= 1.1 * counted, (held, counted)
