"""recipe/judge/faces_cut.py and score_tables.py on hand-made faces and rows. No torch."""

import numpy as np
import pytest

from model_store.recipe.judge import faces_cut
from model_store.recipe.judge import score_tables as tables
from model_store.recipe.metrics import Box

SIZE = (400, 300)
LEFT = {"1:1": Box(0, 400, 300, 0)}  # keeps x from 0 to 300 of 400


def rates(x: float, width: float = 0.1, boxes: dict[str, Box] | None = None) -> tuple[float, float]:
    found = faces_cut.measure([boxes or LEFT], [np.array([[x, 0.4, width, 0.2]])], [SIZE], times=5)
    return found["faces_cut"], found["faces_whole"]


@pytest.mark.parametrize(
    ("x", "cut", "whole"),
    [
        (0.2, 0, 100),
        (0.9, 0, 0),
        (0.70, 100, 0),  # half of it
        (0.654, 0, 100),  # 4 % outside
        (0.656, 100, 0),  # 6 %
        (0.744, 100, 0),  # 6 % inside
        (0.746, 0, 0),
    ],
)
def test_a_face_is_whole_cut_or_out(x: float, cut: float, whole: float) -> None:
    assert rates(x) == (cut, whole)


def test_a_crop_that_slides_vertically() -> None:
    assert rates(0.7, boxes={"2:1": Box(1, 300, 200, 0)}) == (0, 100)
    assert rates(0.7, boxes={"2:1": Box(1, 300, 150, 0)}) == (100, 0)  # y from 0.4 to 0.6, cut at 0.5


def test_ratios_have_equal_weight_and_large_faces_a_rate_of_their_own() -> None:
    boxes = [LEFT | {"2:1": Box(1, 300, 200, 0)}, LEFT]
    faces = [np.array([[0.70, 0.1, 0.1, 0.2]]), np.array([[0.73, 0.1, 0.04, 0.05], [0.1, 0.1, 0.3, 0.3]])]
    found = faces_cut.measure(boxes, faces, [SIZE, SIZE])
    assert found["faces_cut"] == pytest.approx((100 * 2 / 3 + 0) / 2)
    assert found["large_faces_cut"] == pytest.approx((100 * 1 / 2 + 0) / 2)  # the second is 5 % of 400 px
    low, high = found["faces_cut_interval"]
    assert 0 <= low <= found["faces_cut"] <= high <= 100


def test_pictures_without_faces_give_rates_of_zero() -> None:
    found = faces_cut.measure([LEFT], [np.zeros((0, 4))], [SIZE], times=5)
    assert found["faces_cut"] == found["large_faces_cut"] == 0


def test_rows_are_sorted_by_crop_score_and_missing_values_are_dashes() -> None:
    row = {"interval": [1.0, 2.0], "retained": 80.0, "below_centre": 1.0, "off_centre": 50.0}
    half = {"crop_score": 64.0} | row | {"cc": 0.778, "kl": 0.91, "sim": 0.656}
    del half["interval"]
    text = tables.scores(
        {
            "rows": {"worse": row | {"crop_score": -3.0}, "better": row | {"crop_score": 5.0, "people": 2.8}},
            "people": {"half": half, "leave_one_out": {"nss": 2.74, "auc_judd": 0.897}},
        }
    )
    lines = [line for line in text.splitlines() if "---" not in line]
    assert [line.split("|")[1].strip()[:6] for line in lines] == ["", "better", "worse", "half o"]
    assert lines[1].endswith("| - | 2.8 |")
    assert len({line.count("|") for line in lines}) == 1
