"""Long pictures in the network's input: bars, the part of the map that is theirs, and their objects."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gazecrop
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.model import Model, Prediction
from gazecrop.picture.bars import CELL, LIMITS, STRETCHED, inside, with_bars
from gazecrop.picture.colour import MID_GREY
from gazecrop.picture.pil import thumbnail_of
from gazecrop.pipeline import as_record
from tests.helpers.samples import scene

SHAPE = (240, 320)


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 3000), (6000, 4000), (1920, 1080), (2000, 1000)])
def test_between_a_square_and_two_to_one_there_are_none(size: tuple[int, int]) -> None:
    assert inside(*size, SHAPE) == (0, 0, 320, 240, 240, 320)


@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((3000, 4000), (40, 0, 240, 240)),  # as if a square
        ((1080, 1920), (72, 0, 176, 240)),
        ((100, 2000), (152, 0, 16, 240)),
        ((2100, 1000), (0, 32, 320, 168)),  # as if 3:2
        ((4000, 1000), (0, 72, 320, 88)),
        ((30_000, 10), (0, 112, 320, 8)),
        ((10, 30_000), (152, 0, 8, 240)),
    ],
)
def test_longer_ones_have_bars(size: tuple[int, int], place: tuple[int, ...]) -> None:
    assert inside(*size, SHAPE)[:4] == place


@given(
    st.integers(1, 30_000), st.integers(1, 30_000), st.sampled_from([SHAPE, (320, 240), (280, 280), (48, 64)])
)
def test_bars_are_whole_cells_and_the_stretch_is_bounded(
    width: int, height: int, shape: tuple[int, int]
) -> None:
    place = inside(width, height, shape)
    rows, columns = place.cells((shape[0] // CELL, shape[1] // CELL))
    assert (rows.start * CELL, (rows.stop - rows.start) * CELL) == (place.top, place.height)
    assert (columns.start * CELL, (columns.stop - columns.start) * CELL) == (place.left, place.width)
    assert place.width == shape[1] or place.height == shape[0]
    # A cell more or less is the rounding.
    least = (width / height) / ((place.width + CELL) / max(place.height - CELL, 1))
    most = (width / height) / (max(place.width - CELL, 1) / (place.height + CELL))
    shown = min(place.width, place.height) > CELL
    assert not shown or (least <= max(LIMITS[1], STRETCHED[1]) and most >= min(LIMITS[0], STRETCHED[0]))


def test_another_cell_size_has_no_bars() -> None:
    assert inside(1000, 100, (60, 100)) == (0, 0, 100, 60, 60, 100)


def test_the_bars_are_grey_and_the_picture_is_between() -> None:
    place = inside(400, 100, SHAPE)
    found = with_bars(np.full((place.height, place.width, 3), 7, np.uint8), place)
    assert found.shape == (240, 320, 3)
    assert (found[place.top : place.top + place.height] == 7).all()
    assert (found[: place.top] == MID_GREY).all() and (found[place.top + place.height :] == MID_GREY).all()


@pytest.mark.parametrize("size", [(1600, 275), (300, 1600), (900, 1600)])
def test_the_map_is_that_of_the_picture_with_bars(size: tuple[int, int]) -> None:
    """The same network, given the bars as a part of an ordinary picture."""
    picture, place = scene(*size), inside(*size, SHAPE)
    small = picture.resize((place.width, place.height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    barred = Image.new("RGB", (320, 240), (MID_GREY,) * 3)
    barred.paste(small, (place.left, place.top))
    rows, columns = place.cells((30, 40))
    whole = gazecrop.look(barred).grid.levels.astype(int)[rows, columns]
    own = gazecrop.look(picture).grid.levels.astype(int)
    assert own.shape == (place.height // CELL, place.width // CELL)
    assert own.max() == 31 and np.abs(own - whole * 31 / whole.max()).max() <= 1


def test_a_picture_of_one_colour_has_a_map_of_its_own_cells() -> None:
    grid = gazecrop.look(Image.new("RGB", (1000, 100), (9, 99, 200))).grid
    assert grid.flat and (grid.rows, grid.columns) == (4, 40)


def test_a_density_that_is_in_the_bars_alone_gives_the_uniform_map() -> None:
    shown = thumbnail_of(scene(1000, 100), (SHAPE,))
    density = np.zeros((30, 40), np.float32)
    density[0] = 1 / 40
    model = SimpleNamespace(grid_of=lambda shape: (30, 40), name="a", symmetry_threshold=0.0)
    grid = SaliencyGrid.from_code(as_record(shown, Prediction(density), cast(Model, model)).code)
    assert grid.flat and (grid.rows, grid.columns) == (4, 40)


def test_objects_are_moved_from_the_input_to_the_picture() -> None:
    corner, size, whole = (0, 80), (320, 80), (320, 240)
    face = Object("face", 51, 85, 102, 170, 100)  # the middle third: the whole height of the picture
    assert face.part(corner, size, whole) == Object("face", 51, 0, 102, 255, 100)
    assert Object("face", 51, 60, 102, 128, 100).part(corner, size, whole) == Object(
        "face", 51, 0, 102, 129, 100
    )
    assert Object("text", 0, 0, 255, 80, 100).part(corner, size, whole) is None  # all of it is in the bar
    assert face.part((0, 0), whole, whole) is face
