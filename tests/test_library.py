import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gazecrop
from gazecrop.cli import main
from tests.helpers.pictures import draw, encode, jpeg


def test_the_three_lines_of_the_docstring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg(400, 300))
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^    (.+)$", gazecrop.__doc__ or "", re.MULTILINE)
    assert lines[0] == "import gazecrop"
    printed: list[object] = []
    exec("\n".join(lines), {"print": printed.append})
    (box,) = printed
    assert isinstance(box, gazecrop.Box)
    assert (box.x, box.width, box.height) == (0, 400, 225)


def test_a_path_the_bytes_and_an_image_give_the_same_box(tmp_path: Path) -> None:
    data = encode(draw(640, 480, (0.8, 0.5)), "PNG")
    path = tmp_path / "cat.png"
    path.write_bytes(data)
    with Image.open(io.BytesIO(data)) as image:
        seen = [gazecrop.look(each) for each in (str(path), path, data, image, image.copy())]
    boxes = {picture.crop("1:2").box for picture in seen}
    assert len(boxes) == 1
    (box,) = boxes
    assert box.x <= 0.8 * 640 <= box.x + box.width
    assert [picture.format for picture in seen] == ["png", "png", "png", "png", "image"]
    assert {(picture.width, picture.height, picture.model) for picture in seen} == {(640, 480, seen[0].model)}
    assert repr(seen[0]) == "<gazecrop.Picture 640x480>"


def test_boxes_are_those_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(jpeg())
    assert main(["crop", str(path), "--ratios", "16:9"]) == 0
    box = gazecrop.look(path).crop("16:9").box
    assert f"{box.x},{box.y}" in capsys.readouterr().out.replace(" ", "")


def test_the_map_is_numpy() -> None:
    density = gazecrop.look(draw(320, 240, (0.75, 0.25))).density
    assert density.dtype == np.float64
    assert density.sum() == pytest.approx(1)
    row, column = np.unravel_index(int(density.argmax()), density.shape)
    assert abs((column + 0.5) / density.shape[1] - 0.75) < 0.1
    assert abs((row + 0.5) / density.shape[0] - 0.25) < 0.1


def test_the_map_round_trips_as_a_string() -> None:
    picture = gazecrop.look(draw(320, 240, (0.75, 0.25)))
    again = gazecrop.from_encoded(picture.encoded)
    asked = {"zoom": 1.5, "keep": [(0.7, 0.2, 0.1, 0.1)]}
    assert again.crops("1:1,9:16", **asked) == picture.crops("1:1,9:16", **asked)  # type: ignore[arg-type]
    assert again.crop("1:1").confidence is None  # the calibration belongs to the network
    assert 0 < (picture.crop("1:1").confidence or 0) < 1
    assert (again.points, again.good_ratios) == (picture.points, picture.good_ratios)
    with pytest.raises(ValueError, match="base64url"):
        gazecrop.from_encoded("no map!")


def test_ratios_are_strings_or_numbers() -> None:
    picture = gazecrop.look(draw(320, 240))
    assert len(picture.crops()) == 10
    assert [crop.ratio.text for crop in picture.crops(["square", "16:9", 4 / 3])] == [
        "1:1",
        "16:9",
        "1.333333",
    ]
    assert picture.crop(2.0).box == picture.crop("2:1").box


def test_options_are_those_of_the_api() -> None:
    picture = gazecrop.look(draw(400, 300, (0.2, 0.5)))
    assert picture.crop("1:1", policy="centre").box.x == 50
    assert picture.crop("1:1", focus=(1, 0.5)).box.x == 100
    assert picture.crop("1:1", zoom=4 / 3).box.width == 225
    kept = picture.crop("1:1", keep=[(0.9, 0.0, 0.1, 0.1)], avoid=[(0.0, 0.0, 1.0, 1.0)])
    assert kept.box.x == 100
    assert [each.kind for each in kept.unmet] == ["avoid"]
    assert 1 <= len(picture.crop("1:3", candidates=3).alternatives) <= 2


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "best"},
        {"policy": "focus"},
        {"focus": (1.2, 0.5)},
        {"focus": (float("nan"), 0.5)},
        {"zoom": 5},
        {"zoom": float("nan")},
        {"candidates": 6},
        {"keep": [(0.5, 0.5, 0.6, 0.1)]},
        {"avoid": [(0.5, 0.5, -0.1, 0.1)]},
    ],
)
def test_invalid_options_are_reported(options: dict[str, object]) -> None:
    with pytest.raises(gazecrop.BadParameters) as caught:
        gazecrop.from_encoded(gazecrop.SaliencyGrid.uniform(3, 4, 40, 30).text).crop("1:1", **options)
    assert caught.value.problem()["errors"][0]["parameter"] in options


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
)
def test_images_of_every_mode(mode: str) -> None:
    grey = draw(320, 240, (0.75, 0.5)).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = (grey if mode in "1LAIF" else grey.convert("RGB")).convert(mode)
    before = image.tobytes()
    picture = gazecrop.look(image)
    assert (picture.width, picture.height) == (320, 240)
    assert not picture.grid.flat
    assert image.mode == mode and image.tobytes() == before


def test_an_image_is_taken_as_it_stands() -> None:
    """`image.crop(box)` must fit: a PIL.Image is not turned by its EXIF, a file is."""
    turned = Image.Exif()
    turned[0x0112] = 6
    data = encode(draw(320, 200), "JPEG", exif=turned)
    with Image.open(io.BytesIO(data)) as image:
        assert (gazecrop.look(image).width, gazecrop.look(data).width) == (320, 200)


def test_flat_and_empty_images() -> None:
    flat = gazecrop.look(Image.new("RGB", (100, 50), "navy"))
    assert flat.grid.flat and flat.points == ()
    assert flat.crop("1:1").box == gazecrop.Box(25, 0, 50, 50)
    with pytest.raises(gazecrop.PictureError):
        gazecrop.look(Image.new("RGB", (0, 10)))


def test_invalid_pictures(tmp_path: Path) -> None:
    with pytest.raises(gazecrop.PictureError):
        gazecrop.look(b"nothing")
    with pytest.raises(FileNotFoundError):
        gazecrop.look(tmp_path / "none.jpg")
