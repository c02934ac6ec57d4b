"""The JSON that is written directly is that of the dicts, to the byte."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.answer_bytes import crop_bytes, document_bytes
from gazecrop.crop.answers import crop_answer, document
from gazecrop.crop.confidence import Calibration, Logistic
from gazecrop.crop.cropping import Crop, Cropper
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.params import CROPPING, parse
from tests.helpers.brute import grids, objects

CALIBRATION = Calibration((0.5, 1.0, 1.0, 1.0), 0.1, balanced=Logistic((0.4, 1.0, 1.0, 1.0), 0.2))
QUERIES = [
    "",
    "policy=window",
    "policy=centre&ratios=1:1,0.05,20:1,1.7778",
    "policy=point&zoom=1.5&candidates=3",
    "zoom=auto&fill=0.7",
    "candidates=5&ratios=square,3:2",
    "keep=0,0,1,1&avoid=0.2,0.1,0.3,0.4&ratios=2:3,banner",
    "overlay=0,0.5,1,0.5&protect=text",
    "fields=wordpress,sanity,typo3,statamic&ratios=16:9",
    "policy=careful&ratios=9:16",
]


def crops_of(cropper: Cropper, query: str) -> list[Crop]:
    wanted = parse(query, CROPPING)
    return [cropper.crop(ratio, wanted.options) for ratio in wanted.ratios]


@given(grids(side=60), objects(), st.booleans(), st.booleans(), st.sampled_from(QUERIES))
@settings(deadline=None, max_examples=300)
def test_a_crop_is_written_as_its_dict(
    grid: SaliencyGrid, found: tuple[Object, ...], rotated: bool, calibrated: bool, query: str
) -> None:
    made = SaliencyGrid(grid.levels, grid.width, grid.height, grid.symmetric, rotated, found)
    cropper = Cropper(made, CALIBRATION if calibrated else None)
    for crop in crops_of(cropper, query):
        assert crop_bytes(crop, cropper) == orjson.dumps(crop_answer(crop, cropper))


def test_crops_of_photographs_sizes_are_written_as_their_dicts() -> None:
    """Shares of many digits, ties of rounding among them: sides of 20,000 pixels."""
    chance = np.random.default_rng(3)
    for width, height in [(20_000, 16_000), (4032, 3024), (1999, 1333), (640, 480), (7, 5)]:
        for _ in range(5):
            cropper = Cropper(
                SaliencyGrid.from_density(chance.random((30, 40)) ** 4, width, height), CALIBRATION
            )
            for query in QUERIES:
                for crop in crops_of(cropper, query):
                    assert crop_bytes(crop, cropper) == orjson.dumps(crop_answer(crop, cropper))


@pytest.mark.parametrize("query", QUERIES)
def test_a_document_is_written_as_its_dict(query: str) -> None:
    grid = SaliencyGrid.from_density(np.random.default_rng(1).random((30, 40)), 1600, 1200)
    cropper = Cropper(grid)
    crops = crops_of(cropper, query)

    def made(crops: list[Crop]) -> dict[str, Any]:
        return document("id", "version", 'net"work', "jpeg", cropper, None, crops, orientation=1)

    assert document_bytes(made([]), crops, cropper) == orjson.dumps(made(crops))
