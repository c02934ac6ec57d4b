from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from gazecrop.picture.heatmap import COLOURS, heat_map, smooth

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def test_colours_grow_lighter_without_jumps() -> None:
    luminance = (COLOURS / 255) ** 2.2 @ LUMINANCE
    assert (np.diff(luminance) > 0).all()
    assert np.abs(np.diff(COLOURS.astype(int), axis=0)).max() <= 4
    assert luminance[0] < 0.01 and luminance[-1] > 0.85


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (4000, 3000, (640, 480)),
        (3000, 4000, (480, 640)),
        (100, 50, (100, 50)),
        (30_000, 2, (640, 1)),
        (1, 1, (1, 1)),
    ],
)
def test_size(width: int, height: int, size: tuple[int, int]) -> None:
    picture = Image.open(BytesIO(heat_map(np.ones((30, 40), np.uint8), width, height)))
    assert picture.format == "PNG" and picture.size == size


def test_lightest_at_the_peak() -> None:
    levels = np.zeros((30, 40), np.uint8)
    levels[20, 10] = 31
    levels[5, 30] = 15
    light = np.asarray(Image.open(BytesIO(heat_map(levels, 640, 480))).convert("RGB")) @ LUMINANCE
    y, x = np.unravel_index(light.argmax(), light.shape)
    assert abs(x - 10.5 * 16) < 8 and abs(y - 20.5 * 16) < 8
    assert light[88, 488] > 1.5 * light[240, 400]


def test_uniform_maps() -> None:
    assert smooth(np.zeros((30, 40), np.uint8), (64, 48)).max() == 0
    assert smooth(np.full((30, 40), 31, np.uint8), (64, 48)).min() == 255
    low = np.zeros((30, 40), np.uint8)
    low[10, 10] = 3
    assert smooth(low, (640, 480)).max() > 200, "scaled to the highest level of the map"
