from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazecrop.errors import NotAPicture, PictureUnreadable, TooManyPixels
from gazecrop.picture.decode import Limits
from gazecrop.picture.explain import LAYERS, explain
from gazecrop.picture.render import MEDIA_TYPES
from tests.helpers.pictures import encode
from tests.helpers.samples import difference, exif, scene

LEVELS = np.zeros((30, 40), np.uint8)
LEVELS[12:18, 18:26] = 31
POINTS = [(0.55, 0.5, 1.0), (0.2, 0.8, 0.4)]
BOXES = [("1:1", 80, 0, 480, 480), ("16:9", 0, 60, 640, 360), ("3:1 banner", 0, 130, 640, 213)]


def shown(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def drawn(picture: Image.Image, layers: tuple[str, ...], *, points: bool = True) -> NDArray[np.uint8]:
    data = encode(picture, "PNG")
    return shown(explain(data, LEVELS, POINTS if points else (), BOXES, layers=layers, format="png"))


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_formats(format: str) -> None:
    result = Image.open(BytesIO(explain(encode(scene()), LEVELS, POINTS, BOXES, format=format)))
    assert (result.format or "").lower() == format and result.size == (640, 480)


def test_no_layer_is_the_picture() -> None:
    assert np.array_equal(drawn(scene(), ()), np.asarray(scene()))


def test_heat_is_drawn_at_the_peak_of_the_map() -> None:
    change = np.abs(drawn(scene(), ("heat",)).astype(int) - np.asarray(scene())).sum(axis=2)
    assert change[200:280, 300:400].mean() > 3 * change[:100, :150].mean()


@pytest.mark.parametrize("ground", ["black", "white", "#808080", "#d55e00"])
def test_points_and_boxes_stand_out_on_any_ground(ground: str) -> None:
    """Some pixels along every edge, and of every point, differ from the background by about a third of the range."""
    picture = Image.new("RGB", (640, 480), ground)
    grey = np.array([0.2126, 0.7152, 0.0722])
    plain = np.asarray(picture) @ grey
    boxes = np.abs(drawn(picture, ("boxes",)) @ grey - plain)
    for _, x, y, width, height in BOXES:
        across = slice(x + width // 2 - 20, x + width // 2 + 20)
        assert boxes[y : y + 9, across].max(axis=0).min() > 80
        assert boxes[y + height - 9 : y + height, across].max(axis=0).min() > 80
    points = np.abs(drawn(picture, ("points",)) @ grey - plain)
    for right, down, _ in POINTS:
        row, column = int(down * 480), int(right * 640)
        around = points[row - 12 : row + 12, column - 12 : column + 12]
        assert around.max() > 100


def test_labels_do_not_cover_each_other() -> None:
    """Many boxes that share a corner: each label adds its own dark pixels."""
    data = encode(Image.new("RGB", (640, 480), "white"), "PNG")

    def dark(label: str, count: int) -> int:
        boxes = [(label, 0, 0, 640, 480)] * count
        return int((shown(explain(data, LEVELS, (), boxes, layers=["boxes"], format="png")) < 60).sum())

    letters = [dark("9:16 story", count) - dark("", count) for count in range(1, 9)]
    assert min(np.diff(letters)) > 0.5 * letters[0]


def test_layers_are_independent() -> None:
    plain = np.asarray(scene()).astype(int)
    changed = {layer: np.abs(drawn(scene(), (layer,)) - plain).sum() for layer in LAYERS}
    assert all(changed.values())
    assert np.array_equal(drawn(scene(), ("points",), points=False), np.asarray(scene()))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), (1600, 1200)),
        ((80, 60), (427, 320)),
        ((1, 1), (320, 320)),
        ((30_000, 2), (1600, 1)),
        ((1, 260), (6, 1600)),
    ],
)
def test_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    data = encode(Image.new("RGB", size, "teal"), "PNG")
    assert Image.open(BytesIO(explain(data, LEVELS, POINTS, [("1:1", 0, 0, 1, 1)]))).size == expected


def test_upright_and_without_metadata() -> None:
    data = encode(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif(6), quality=95)
    result = explain(data, LEVELS, layers=(), format="png")
    assert difference(shown(result), np.asarray(scene())) < 3
    assert not Image.open(BytesIO(result)).getexif()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P", "CMYK", "I;16"])
def test_modes(mode: str) -> None:
    picture = scene().convert("L").convert(mode) if mode == "I;16" else scene().convert(mode)
    assert shown(explain(encode(picture, "TIFF"), LEVELS, POINTS, BOXES)).shape == (480, 640, 3)


def test_errors() -> None:
    with pytest.raises(NotAPicture):
        explain(b"no picture", LEVELS)
    with pytest.raises(TooManyPixels):
        explain(encode(scene(), "PNG"), LEVELS, limits=Limits(pixels=1000))
    with pytest.raises(PictureUnreadable):
        explain(encode(scene(), "PNG")[:500], LEVELS)
