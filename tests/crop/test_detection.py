"""The network's second output against boxes computed apart: cell by cell, pair by pair."""

from math import exp, inf, isfinite, log, nan

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gazecrop.crop.detection import CANDIDATES, Scoring, candidates, decode, scorings
from gazecrop.crop.objects import KINDS, MOST, Kind, Object

ROWS, COLUMNS = 30, 40
PLAIN: dict[Kind, Scoring] = {kind: Scoring(1.0, 0.0, 0.5) for kind in KINDS}
Box = tuple[float, float, float, float]


def nothing(rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.float32]:
    """An output without objects."""
    output = np.zeros((10, rows, columns), np.float32)
    output[0], output[5] = -20, -20
    return output


def put(
    output: NDArray[np.float32], kind: Kind, x: float, y: float, w: float, h: float, logit: float
) -> None:
    """A box with this middle and size, in fractions."""
    _, rows, columns = output.shape
    column, row = int(x * columns), int(y * rows)
    first = 5 * KINDS.index(kind)
    values = logit, x * columns - column - 0.5, y * rows - row - 0.5, log(w * columns), log(h * rows)
    output[first : first + 5, row, column] = values


def is_peak(logits: NDArray[np.float32], row: int, column: int, kind: int) -> bool:
    beside = [(row, column - 1), (row, column + 1)]
    if kind == 0:
        beside += [(r, c) for r in (row - 1, row + 1) for c in (column - 1, column, column + 1)]
    inside = [(r, c) for r, c in beside if 0 <= r < logits.shape[0] and 0 <= c < logits.shape[1]]
    return not any(logits[r, c] > logits[row, column] for r, c in inside)


def slow(channels: NDArray[np.float32], least: float, kind: int) -> list[tuple[float, Box]]:
    """As the module's docstring says, in loops."""
    _, rows, columns = channels.shape
    found = []
    for row in range(rows):
        for column in range(columns):
            logit, right, down, wide, high = (float(value) for value in channels[:, row, column])
            if logit >= least and is_peak(channels[0], row, column, kind):
                values = logit, right, down, wide, high
                found.append((values, box_of(channels, row, column), (row, column)))
    found.sort(key=lambda one: -one[0][0])
    chosen: list[tuple[float, Box]] = []
    places: list[tuple[int, int]] = []
    for values, box, place in found[:CANDIDATES]:
        if not all(map(isfinite, values)):
            continue
        logit = values[0]
        left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
        clipped = left, top, right, bottom
        if right - left >= 1e-3 and bottom - top >= 1e-3 and all(iou(clipped, b) <= 0.5 for _, b in chosen):
            chosen.append((logit, clipped))
            places.append(place)
    return [(logit, mean(channels, *place)) for (logit, _), place in zip(chosen, places, strict=True)]


def box_of(channels: NDArray[np.float32], row: int, column: int) -> Box:
    _, rows, columns = channels.shape
    _, right, down, wide, high = (float(value) for value in channels[:, row, column])
    x, y = (column + 0.5 + right) / columns, (row + 0.5 + down) / rows
    w, h = exp(min(wide, 6)) / columns, exp(min(high, 6)) / rows
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def mean(channels: NDArray[np.float32], row: int, column: int) -> Box:
    """Of the boxes alike up to three cells away, by their scores."""
    _, rows, columns = channels.shape
    own, peak = box_of(channels, row, column), sigmoid(float(channels[0, row, column]))
    total, sums = 0.0, [0.0] * 4
    for r in range(max(row - 3, 0), min(row + 4, rows)):
        for c in range(max(column - 3, 0), min(column + 4, columns)):
            if not np.isfinite(channels[:, r, c]).all():
                continue
            score, box = sigmoid(float(channels[0, r, c])), box_of(channels, r, c)
            if score >= 0.3 * peak and iou(own, box) >= 0.6:
                total += score
                sums = [part + score * edge for part, edge in zip(sums, box, strict=True)]
    left, top, right, bottom = (min(max(part / total, 0.0), 1.0) for part in sums)
    return left, top, right, bottom


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(min(-logit, 500)))


def iou(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def test_a_box_is_where_its_channels_say() -> None:
    output = nothing()
    put(output, "face", 0.33, 0.21, 0.15, 0.2, 2.0)
    put(output, "text", 0.7, 0.9, 0.4, 0.04, 1.0)
    face, line = decode(output, PLAIN)
    assert face == Object.detected("face", 0.255, 0.11, 0.15, 0.2, 1 / (1 + exp(-2)))
    assert line == Object.detected("text", 0.5, 0.88, 0.4, 0.04, 1 / (1 + exp(-1)))


def test_an_output_without_objects_has_none() -> None:
    assert decode(nothing(), PLAIN) == ()
    found = candidates(nothing(), [0.0, 0.0])
    assert [part.shape for part in found] == [(0,), (0, 4), (0,)]


def test_neighbouring_cells_are_one_object_and_lines_below_each_other_are_several() -> None:
    output = nothing()
    for dx in (-0.025, 0.0, 0.025):  # a cell
        put(output, "face", 0.5 + dx, 0.5, 0.2, 0.2, 3.0 - abs(dx))
    for row in range(4):
        put(output, "text", 0.5, 0.8 + row / 30, 0.5, 0.025, 2.0)
    found = decode(output, PLAIN)
    assert [one.kind for one in found] == ["face"] + 4 * ["text"]
    assert found[0] == Object.detected("face", 0.4, 0.4, 0.2, 0.2, 1 / (1 + exp(-3)))


def test_a_box_is_the_mean_of_those_alike_around_its_peak() -> None:
    """Their errors cancel; a box of another size, and one of a low score, do not count."""
    output = nothing()
    put(output, "face", 0.5125, 0.5167, 0.2, 0.2, 1.0)
    put(output, "face", 0.5375, 0.5167, 0.2, 0.2, 1.0 - 1e-6)  # the next cell, a cell further
    put(output, "face", 0.4875, 0.5167, 0.4, 0.4, 0.9)
    put(output, "face", 0.5125, 0.55, 0.2, 0.2, -1.5)
    [box] = candidates(output, [0.0, 0.0]).boxes
    assert box == pytest.approx([0.425, 0.41670, 0.625, 0.61670], abs=1e-5)


def test_a_small_face_beside_a_large_one_is_found() -> None:
    """The large one has more cells with a higher score than are compared; their boxes differ a little."""
    output = nothing()
    for row in range(8, 22):
        for column in range(8, 22):
            x, y = (column + 0.5) / COLUMNS, (row + 0.5) / ROWS
            put(output, "face", x, y, 0.5, 0.6, 4 - 0.01 * ((row - 15) ** 2 + (column - 15) ** 2))
    put(output, "face", 0.9, 0.2, 0.05, 0.06, 0.1)
    large, small = decode(output, PLAIN)
    assert large.score == round(127 / (1 + exp(-4)))
    assert small == Object.detected("face", 0.875, 0.17, 0.05, 0.06, 1 / (1 + exp(-0.1)))


def test_a_face_and_a_line_may_overlap() -> None:
    output = nothing()
    put(output, "face", 0.5, 0.5, 0.2, 0.2, 1.0)
    put(output, "text", 0.5, 0.5, 0.2, 0.2, 2.0)
    assert {one.kind for one in decode(output, PLAIN)} == {"face", "text"}


def test_scores_are_calibrated_and_those_below_the_least_dropped() -> None:
    output = nothing()
    put(output, "face", 0.25, 0.25, 0.2, 0.2, 1.0)
    put(output, "face", 0.75, 0.75, 0.2, 0.2, 0.6)
    scoring = Scoring(2.0, -1.0, 0.6)  # sigmoid(1) = 0.731, sigmoid(0.2) = 0.550
    [only] = decode(output, PLAIN | {"face": scoring})
    assert only.score == round(0.7311 * 127)
    assert scoring.least_logit == pytest.approx((log(0.6 / 0.4) + 1) / 2)
    assert len(decode(output, PLAIN | {"face": Scoring(2.0, -1.0, 0.549)})) == 2


def test_the_sixteen_largest_by_score_are_kept() -> None:
    output = nothing()
    for row in range(5):
        for column in range(5):
            put(output, "face", 0.1 + column / 5, 0.1 + row / 5, 0.04 + (5 * row + column) / 400, 0.1, 2.0)
    found = decode(output, PLAIN)
    assert len(found) == MOST
    assert [one.importance for one in found] == sorted((one.importance for one in found), reverse=True)
    assert min(one.right - one.left for one in found) > 0.06 * 255


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(-2, 2), st.booleans())
@settings(deadline=None, max_examples=200)
def test_boxes_are_those_of_the_loops(seed: int, rows: int, columns: int, least: float, broken: bool) -> None:
    rng = np.random.default_rng(seed)
    output = rng.normal(0, 1.5, (10, rows, columns)).astype(np.float32)
    if broken:
        places = rng.integers(0, output.size, max(1, output.size // 20))
        output.ravel()[places] = rng.choice(np.array([nan, inf, -inf, 3e38, -3e38], np.float32), len(places))
    found = candidates(output, [least, least + 0.5])
    for kind in (0, 1):
        expected = slow(output[5 * kind : 5 * kind + 5], least + 0.5 * kind, kind)
        of_kind = found.kinds == kind
        assert found.logits[of_kind].tolist() == [logit for logit, _ in expected]
        boxes = np.array([box for _, box in expected]).reshape(-1, 4)
        np.testing.assert_allclose(found.boxes[of_kind], boxes, atol=1e-9)


def test_of_many_cells_the_highest_are_compared() -> None:
    rng = np.random.default_rng(3)
    output = rng.normal(0, 1, (10, ROWS, COLUMNS)).astype(np.float32)
    output[[3, 4, 8, 9]] = 0
    found = candidates(output, [-inf, -inf])
    for kind in (0, 1):
        expected = slow(output[5 * kind : 5 * kind + 5], -inf, kind)
        assert found.logits[found.kinds == kind].tolist() == [logit for logit, _ in expected]


@example(1594485, 30.0, 0.5)  # a mean of boxes outside the picture
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0]), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=100)
def test_any_output_gives_valid_objects(seed: int, spread: float, least: float) -> None:
    """At every size and with values that are not finite."""
    rng = np.random.default_rng(seed)
    output = rng.normal(0, spread, (10, ROWS, COLUMNS)).astype(np.float32)
    places = rng.integers(0, output.size, 200)
    output.ravel()[places] = rng.choice(np.array([nan, inf, -inf, 3e38, -3e38], np.float32), 200)
    found = decode(output, {kind: Scoring(1.0, 0.0, least) for kind in KINDS})
    assert len(found) <= MOST
    for one in found:
        assert 0 <= one.left < one.right <= 255 and 0 <= one.top < one.bottom <= 255
        assert one.score >= int(least * 127)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_an_output_of_one_value_is_no_error(value: float) -> None:
    assert decode(np.full((10, ROWS, COLUMNS), value, np.float32), PLAIN) == ()


ENTRY = {
    "face": {"scale": 1.2, "shift": -0.1, "least": 0.4},
    "text": {"scale": 0.8, "shift": 0, "least": 0.5},
}


def test_scores_come_from_the_manifest() -> None:
    assert scorings(ENTRY) == {"face": Scoring(1.2, -0.1, 0.4), "text": Scoring(0.8, 0.0, 0.5)}
    with pytest.raises(KeyError):
        scorings({"face": ENTRY["face"]})
    for wrong in ({"scale": 0}, {"scale": -1}, {"scale": inf}, {"shift": nan}, {"least": 0}, {"least": 1}):
        with pytest.raises(ValueError, match="objects"):
            Scoring.from_manifest(ENTRY["face"] | wrong)
    with pytest.raises(TypeError):
        Scoring.from_manifest({"scale": 1, "shift": None, "least": 0.5})
