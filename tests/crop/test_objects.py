"""Faces and text lines: their bytes in the map, and what a crop does to them."""

import base64
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gazecrop.crop import answers
from gazecrop.crop.cropping import GOOD, Cropper, Options, verdict
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import HEAD, MOST, TWENTIETHS, Object, held, most_important, pack, unpack
from gazecrop.crop.ratios import parse_ratio
from gazecrop.http.openapi import schemas
from tests.helpers import brute
from tests.helpers.brute import grids, objects

FACE = Object("face", 102, 51, 153, 153, 127)  # in 255ths: x 0.4 to 0.6, y 0.2 to 0.6
LINE = Object("text", 0, 204, 51, 230, 100)


def test_a_text_line_is_rounded_outwards_and_clipped() -> None:
    assert Object.detected("text", 0.2, 0.4, 0.2, 0.2, 1.0) == Object("text", 51, 102, 102, 153, 127)
    assert Object.detected("text", 0.201, 0.401, 0.2, 0.2, 0.5) == Object("text", 51, 102, 103, 154, 64)
    assert Object.detected("text", -0.1, 0.9, 0.3, 0.3, 2.0) == Object("text", 0, 229, 51, 255, 127)


def test_a_face_is_grown_to_the_head() -> None:
    beside, above, below = (share / TWENTIETHS for share in HEAD)
    found = Object.detected("face", 0.4, 0.4, 0.2, 0.2, 0.9)
    assert found.left == int((0.4 - 0.2 * beside) * 255) and found.top == int((0.4 - 0.2 * above) * 255)
    assert found.right == -int(-(0.6 + 0.2 * beside) * 255 // 1) and found.bottom == -int(
        -(0.6 + 0.2 * below) * 255 // 1
    )
    assert found.top < Object.detected("text", 0.4, 0.4, 0.2, 0.2, 0.9).top


@pytest.mark.parametrize("box", [(0.2, 0.2, 0.0, 0.1), (1.2, 0.2, 0.1, 0.1), (0.2, -0.5, 0.1, 0.1)])
def test_a_box_without_area_in_the_picture_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="empty or outside"):
        Object.detected("text", *box, 0.9)


def test_the_sixteen_most_important_are_kept() -> None:
    many = [Object("text", 0, 0, side, 10, 100) for side in range(1, 21)]
    kept = most_important([*many, Object("face", 0, 0, 255, 255, 0)])
    assert [each.right for each in kept] == list(range(20, 4, -1))
    assert len(kept) == MOST
    assert most_important([replace(LINE, score=1), FACE]) == (FACE, replace(LINE, score=1))


@given(grids(), objects(16))
@settings(deadline=None)
def test_a_map_with_objects_round_trips(grid: SaliencyGrid, found: tuple[Object, ...]) -> None:
    grid = replace(grid, objects=found)
    assert SaliencyGrid.from_code(grid.code).objects == found
    again = SaliencyGrid.from_text(grid.text)
    assert again.objects == found and np.array_equal(again.levels, grid.levels)
    assert grid.code[:3] == (b"GC2" if found else b"GC1")


def test_the_format_is_as_documented() -> None:
    levels = np.array([[0, 31], [31, 0]], np.uint8)
    plain = SaliencyGrid(levels, 640, 480)
    code = SaliencyGrid(levels, 640, 480, objects=(FACE, LINE)).code
    assert code[:14] == b"GC2" + plain.code[3:14]
    assert code[14:25] == bytes([2, 102, 51, 153, 153, 127, 0, 204, 51, 230, 128 + 100])
    assert code[25:] == plain.code[14:]
    assert zlib.decompress(code[25:], -15) == bytes([0, 31, 31, 2])


def test_a_map_without_objects_is_written_as_before() -> None:
    """The bytes that release 0.2 wrote for this map."""
    code = SaliencyGrid(np.array([[3, 31]], np.uint8), 640, 480, True).code
    assert code.hex() == "47433102010100000280000001e063960100"


CODE = SaliencyGrid(np.array([[3, 31]], np.uint8), 640, 480, objects=(FACE,)).code
WRONG = {
    "no objects": CODE[:14] + b"\0" + CODE[20:],
    "seventeen objects": CODE[:14] + bytes([17]) + CODE[15:20] * 17 + CODE[20:],
    "fewer objects than their number": CODE[:14] + bytes([16]) + CODE[15:20],
    "no width": CODE[:15] + bytes([153]) + CODE[16:],
    "no height": CODE[:16] + bytes([200]) + CODE[17:],
    "nothing after the header": CODE[:14],
    "a later version": b"GC3" + CODE[3:],
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_objects_are_refused(what: str) -> None:
    assert SaliencyGrid.from_code(CODE).objects == (FACE,)
    with pytest.raises(ValueError):
        SaliencyGrid.from_code(WRONG[what])
    with pytest.raises(ValueError):
        SaliencyGrid.from_text(base64.urlsafe_b64encode(WRONG[what]).rstrip(b"=").decode())


@given(st.binary(max_size=90))
def test_any_bytes_are_objects_or_an_error(code: bytes) -> None:
    try:
        found, end = unpack(code)
    except ValueError:
        return
    assert pack(found) == code[:end]


@given(objects(6), st.integers(1, 60), st.integers(1, 60), st.data())
@settings(deadline=None, max_examples=300)
def test_objects_are_whole_cut_or_outside_by_their_area(
    found: tuple[Object, ...], width: int, height: int, data: Any
) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    size = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    seen = held(found, (x, y, x + size[0], y + size[1]), (width, height))
    shares = [brute.share_inside(each, (x, y), *size, (width, height)) for each in found]
    cut = tuple(each for each in found if brute.is_cut(each, (x, y), *size, (width, height)))
    assert seen.cut == cut
    # Whole: 19 of 20 parts inside, of a line 32 of 33, or of a head the face alone (brute.is_cut). Hypothesis found
    # such a head.
    outside = [share <= brute.LOOSE[each.kind] for each, share in zip(found, shares, strict=True)]
    assert seen.whole == sum(not out and each not in cut for each, out in zip(found, outside, strict=True))
    assert seen.outside == sum(outside)
    assert seen.avoidable == tuple(each for each in cut if brute.would_fit(each, *size, (width, height)))


def cropper(*found: Object) -> Cropper:
    """A map of 1000 x 500 pixels with all saliency at the right."""
    return Cropper(SaliencyGrid(np.array([[1, 1, 1, 31, 31]], np.uint8), 1000, 500, objects=found))


def test_a_document_names_its_objects() -> None:
    made = cropper(FACE, LINE)
    document = answers.document("0" * 32, "v", "gaze-0", "jpeg", made, None, [])
    schemas.Document.model_validate(document)
    assert document["objects"] == [
        {"kind": "face", "box": {"x": 400, "y": 100, "width": 200, "height": 200}, "score": 1.0},
        {"kind": "text", "box": {"x": 0, "y": 400, "width": 200, "height": 51}, "score": 0.79},
    ]
    assert "objects" not in answers.document("0" * 32, "v", "gaze-0", "jpeg", cropper(), None, [])


def test_a_crop_names_what_it_cuts() -> None:
    made = cropper(FACE, LINE)
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("window")), made)
    schemas.Crop.model_validate(answer)
    assert answer["box"]["x"] == 500
    [face, _] = answers.document("0" * 32, "v", "gaze-0", "jpeg", made, None, [])["objects"]
    assert answer["objects"] == {"whole": 0, "cut": [face], "outside": 1}
    assert answer["advice"]["cut"] == [face] and answer["advice"]["nearest_good_ratio"] is None
    plain = answers.crop_answer(cropper().crop(parse_ratio("1:1"), Options("window")), cropper())
    assert "objects" not in plain and "advice" not in plain


def test_what_is_not_protected_is_not_counted() -> None:
    made = cropper(FACE, LINE)
    answer = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("window", protect=("text",))), made)
    assert answer["objects"] == {"whole": 0, "cut": [], "outside": 1} and "advice" not in answer
    none = answers.crop_answer(made.crop(parse_ratio("1:1"), Options("window", protect=())), made)
    assert none["objects"] == {"whole": 0, "cut": [], "outside": 0} and none["verdict"] == "good"


def test_a_crop_that_cuts_a_large_object_is_never_good() -> None:
    assert cropper().crop(parse_ratio("1:1"), Options("window")).verdict == "good"
    assert cropper(FACE).crop(parse_ratio("1:1"), Options("window")).verdict == "tight"
    small = Object("face", 120, 51, 140, 71, 127)
    assert cropper(small).crop(parse_ratio("1:1"), Options("window")).verdict == "good"
    assert cropper(FACE).crop(parse_ratio("2:1"), Options("window")).verdict == "good"  # the whole picture


def test_alternatives_are_judged_as_crops() -> None:
    made = cropper(FACE)
    crop = made.crop(parse_ratio("1:1"), Options("window", candidates=4))
    answer = answers.crop_answer(crop, made)
    assert [each["verdict"] for each in answer["alternatives"]] == list(crop.verdicts)
    assert 2 <= len(crop.verdicts) == len(crop.alternatives)
    for (box, importance), judged in zip(crop.alternatives, crop.verdicts, strict=True):
        cut = held([FACE], box.ltrb, (made.grid.width, made.grid.height)).cut
        assert judged == ("tight" if cut and importance >= GOOD else verdict(importance))


def test_a_head_that_does_not_fit_leaves_the_face_protected() -> None:
    """A head of 132 x 156 255ths is a face of 120 x 130, found to be 122 x 131. Of a clipped head the edge at the
    picture's border stays."""
    head = Object("face", 60, 40, 192, 196, 100)
    assert head.shrunk == Object("face", 65, 59, 187, 190, 100)
    assert Object("face", 0, 0, 132, 156, 9).shrunk == Object("face", 0, 0, 127, 150, 9)
    assert LINE.shrunk == LINE
    picture = 2550, 2550
    assert head.within((2550, 1560), picture) == head
    assert head.within((2550, 1559), picture) == head.shrunk == head.within((2550, 1310), picture)
    assert head.within((2550, 1309), picture) is None and head.within((1199, 2550), picture) is None
    assert held([head], (0, 600, 2550, 1950), picture) == (
        1,
        (),
        0,
        (),
    )  # the hair is missing, the face is not
    assert held([head], (0, 800, 2550, 2150), picture) == (0, (head,), 0, (head,))
    assert held([head], (0, 600, 2550, 1900), picture) == (0, (head,), 0, ())  # too small for the face


@example(0.5, 0.85074362599853, 0.4, 0.04997818337288247)  # once 0.06 of a 255th too small
@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.02, 1), st.floats(0.02, 1))
def test_the_shrunk_head_holds_the_detected_face(x: float, y: float, width: float, height: float) -> None:
    """And is hardly larger: three 255ths for its roundings, more only where the head was clipped."""
    width, height = min(width, 1 - x), min(height, 1 - y)
    head = Object.detected("face", x, y, width, height, 0.9)
    face, edges = head.shrunk, (x * 255, y * 255, (x + width) * 255, (y + height) * 255)
    assert face.left <= edges[0] + 1e-3 and face.top <= edges[1] + 1e-3
    assert face.right >= edges[2] - 1e-3 and face.bottom >= edges[3] - 1e-3
    if head.left > 0 and head.right < 255:
        assert face.left >= edges[0] - 3 and face.right <= edges[2] + 3
    if head.top > 0 and head.bottom < 255:
        assert face.top >= edges[1] - 3 and face.bottom <= edges[3] + 3


def test_an_object_that_no_box_of_the_size_holds_is_cut_but_not_advised() -> None:
    wide = Object("text", 25, 51, 230, 70, 127)
    made = cropper(wide)
    crop = made.crop(parse_ratio("1:1"), Options("window"))
    assert crop.objects == (0, (wide,), 0, ())
    assert "advice" not in answers.crop_answer(crop, made)
