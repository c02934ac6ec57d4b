"""A person's focus and the objects: against every box, pixel by pixel."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import parse_ratio
from tests.helpers import brute
from tests.helpers.brute import Constraints, objects

Ratios = st.sampled_from(["1:1", "16:9", "9:16", "2:1", "1:3", "3:2"]).map(parse_ratio)
Fractions = st.integers(0, 40).map(lambda part: part / 40)
LEVELS = np.array([[0, 31]], np.uint8)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    objects(),
    Ratios,
    st.sampled_from([Fraction(1), Fraction(1), Fraction(2)]),
    st.tuples(Fractions, Fractions),
    Constraints,
)
@settings(deadline=None, max_examples=300)
def test_the_fewest_objects_are_cut_and_the_point_is_as_central_as_that_allows(
    width: int,
    height: int,
    found: tuple[Object, ...],
    ratio: Any,
    zoom: Fraction,
    focus: tuple[float, float],
    drawn: list[tuple[str, tuple[int, ...]]],
) -> None:
    constraints = tuple(Constraint(kind, *(part / 100 for part in percent)) for kind, percent in drawn)
    options = Options("auto", zoom, constraints)
    plain = Cropper(SaliencyGrid(LEVELS, width, height)).crop(ratio, options, focus)
    crop = Cropper(SaliencyGrid(LEVELS, width, height, objects=found)).crop(ratio, options, focus)
    size, picture = (crop.box.width, crop.box.height), (width, height)
    exact = [Fraction(part) * side for part, side in zip(focus, picture, strict=True)]

    def holds(corner: brute.Corner) -> bool:
        return all(at <= point <= at + length for at, point, length in zip(corner, exact, size, strict=True))

    def cut(corner: brute.Corner) -> int:
        return sum(
            brute.is_cut(each, corner, *size, picture) and brute.would_fit(each, *size, picture)
            for each in found
        )

    met = [each for each in constraints if each not in crop.unmet]
    assert all(each.met(crop.box, width, height) for each in met)
    mine, start = (crop.box.x, crop.box.y), (plain.box.x, plain.box.y)
    if not holds(start) or not cut(start):
        assert crop.box == plain.box
        return
    assert holds(mine) and cut(mine) <= cut(start)
    if crop.unmet:
        return
    allowed = [
        corner
        for corner in brute.corners(SaliencyGrid(LEVELS, width, height), *size)
        if holds(corner) and all(each.met(Box(*corner, *size), width, height) for each in met)
    ]
    aim = [Fraction(point) - Fraction(length, 2) for point, length in zip(exact, size, strict=True)]
    aim = [
        min(max(at, Fraction(0)), Fraction(side - length))
        for at, side, length in zip(aim, picture, size, strict=True)
    ]

    def far(corner: brute.Corner) -> Fraction:
        return sum(((at - to) ** 2 for at, to in zip(corner, aim, strict=True)), Fraction(0))

    fewest = min(map(cut, allowed))
    if size[0] == width or size[1] == height:  # in two dimensions not every offset is tried
        assert cut(mine) == fewest
        # The corner aimed at is rounded to a pixel: half of one along the axis.
        nearest = min(far(corner) for corner in allowed if cut(corner) == fewest)
        assert float(far(mine)) ** 0.5 <= float(nearest) ** 0.5 + 1
    elif fewest == 0 and any(
        all(
            _apart_or_whole(each, corner, size, picture)
            for each in found
            if brute.would_fit(each, *size, picture)
        )
        for corner in allowed
    ):
        assert cut(mine) == 0 or constraints


def _apart_or_whole(
    one: Object, corner: brute.Corner, size: tuple[int, int], picture: tuple[int, int]
) -> bool:
    return brute.share_inside(one, corner, *size, picture) in (0, 1)


def test_a_face_beside_the_focus_is_kept_whole() -> None:
    """The focus is at 300 of 1000 pixels, the face from 520 to 640: a square of 500 centred on the focus ends at
    550."""
    face = Object("face", 133, 51, 163, 128, 120)
    crops = [
        Cropper(SaliencyGrid(LEVELS, 1000, 500, objects=one)).crop(parse_ratio("1:1"), Options(), (0.3, 0.5))
        for one in ((), (face,))
    ]
    assert [crop.policy for crop in crops] == ["focus", "focus"]
    assert crops[0].box == Box(50, 0, 500, 500)
    assert crops[1].objects is not None and not crops[1].objects.cut
    x = crops[1].box.x
    assert x in range(26, 29)  # up to 527 of it: less than a 20th of the face is inside
    ignored = Cropper(SaliencyGrid(LEVELS, 1000, 500, objects=(face,))).crop(
        parse_ratio("1:1"), Options(protect=()), (0.3, 0.5)
    )
    assert ignored.box == crops[0].box
