import io
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gazecrop
from gazecrop.cli import main
from gazecrop.crop.answers import constraint_answer, crop_answer
from gazecrop.crop.cropping import Cropper
from gazecrop.crop.params import parse
from gazecrop.http.openapi import schemas
from tests.helpers.animations import animation, moving
from tests.helpers.pictures import draw, encode, jpeg
from tests.helpers.samples import FORMATS, STORED, exif


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def photographic(width: int, height: int) -> Image.Image:
    """Detail of every scale and three bright discs: a map with many levels, in which a small difference shows."""
    image = draw(width, height, (0.25, 0.3), seed=3)
    rng = np.random.default_rng(5)
    fine = Image.fromarray(rng.integers(0, 255, (height // 3, width // 3, 3), dtype=np.uint8)).resize(
        (width, height)
    )
    image = Image.blend(image, fine, 0.2)
    for x, y, side in ((0.6, 0.7, 0.2), (0.8, 0.2, 0.1)):
        image.paste(draw(int(side * width), int(side * width), seed=7), (int(x * width), int(y * height)))
    return image


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
    keep = [(0.7, 0.2, 0.1, 0.1)]
    assert again.crops("1:1,9:16", zoom=1.5, keep=keep) == picture.crops("1:1,9:16", zoom=1.5, keep=keep)
    assert again.crop("1:1").confidence is None  # the calibration belongs to the network
    assert 0 < (picture.crop("1:1", policy="window").confidence or 0) < 1
    assert (again.points, again.good_ratios) == (picture.points, picture.good_ratios)
    with pytest.raises(ValueError, match="base64url"):
        gazecrop.from_encoded("no map!")


def test_ratios_are_strings_or_numbers() -> None:
    picture = gazecrop.look(draw(320, 240))
    assert len(picture.crops()) == 10
    given: list[Any] = [
        "square",
        "16:9",
        16 / 9,
        (16, 9),
        np.float32(16 / 9),
        1.91,
        1.7778,
        2,
        (1.91, 1),
        (1920, 1080),
    ]
    crops = picture.crops(given)
    texts = ["1:1", "16:9", "16:9", "16:9", "16:9", "1.91", "1.7778", "2:1", "1.91:1", "1920:1080"]
    assert [str(crop.ratio) for crop in crops] == texts
    assert crops[1].box == crops[2].box == crops[3].box == crops[9].box
    assert picture.crop(2.0).box == picture.crop("2:1").box
    assert picture.crop(crops[0].ratio) == crops[0]


@pytest.mark.parametrize(
    "ratio", ["1:1,16:9", "wide,tall", "0:1", 0, -1.5, float("nan"), float("inf"), 30, (0, 9)]
)
def test_invalid_ratios_are_reported(ratio: str | float | tuple[float, float]) -> None:
    with pytest.raises(gazecrop.BadParameters):
        gazecrop.from_encoded(gazecrop.SaliencyGrid.uniform(3, 4, 40, 30).text).crop(ratio)


@pytest.mark.parametrize("ratio", [None, [16, 9], (16, 9, 4), ("16", "9"), b"16:9"])
def test_other_types_are_no_ratio(ratio: Any) -> None:
    with pytest.raises(TypeError, match='a string \\("16:9"\\), a number'):
        gazecrop.from_encoded(gazecrop.SaliencyGrid.uniform(3, 4, 40, 30).text).crop(ratio)


def test_several_ratios_in_one_string_are_for_crops_alone() -> None:
    picture = gazecrop.look(draw(320, 240))
    with pytest.raises(gazecrop.BadParameters, match=r"crops\(\[\.\.\.\]\)"):
        picture.crop("1:1,16:9")
    assert [str(crop.ratio) for crop in picture.crops("1:1,16:9")] == ["1:1", "16:9"]


def test_a_crop_has_the_values_of_the_http_api() -> None:
    image = draw(640, 480, (0.8, 0.5))
    picture = gazecrop.look(image)
    cropper = Cropper(picture.grid, picture._cropper._calibration)
    for ratio, zoom in (("16:9", 1.0), ("1:1", 2.0), ("1:8", 1.0), ("square", 1.0)):
        crop = picture.crop(ratio, zoom=zoom, candidates=3, avoid=[(0, 0, 1, 1)])
        [wanted] = parse(f"ratios={ratio}&zoom={zoom}&candidates=3&avoid=0,0,1,1").ratios
        options = parse(f"zoom={zoom}&candidates=3&avoid=0,0,1,1").options
        answer = crop_answer(cropper.crop(wanted, options), cropper)
        schemas.Crop.model_validate(answer)
        advice = crop.advice and {
            "nearest_good_ratio": crop.advice.nearest_good_ratio,
            "pad_to": dict(zip(("width", "height"), crop.advice.pad_to, strict=True)),
        }
        found = {
            "ratio": str(crop.ratio),
            "profile": crop.ratio.profile,
            "box": crop.box._asdict(),
            "normalized": crop.normalized._asdict(),
            "importance_fraction": crop.importance_fraction,
            "centre_fraction": crop.centre_fraction,
            "gain": crop.gain,
            "beats_centre": crop.beats_centre,
            "confidence": crop.confidence,
            "verdict": crop.verdict,
            "policy": crop.policy,
            "advice": advice,
            "unmet": [constraint_answer(each) for each in crop.unmet] or None,
            "alternatives": [
                {
                    "box": each.box._asdict(),
                    "importance_fraction": each.importance_fraction,
                    "verdict": each.verdict,
                }
                for each in crop.alternatives
            ]
            or None,
            "css": crop.css,
            "links": crop.links,
        }
        optional = {"profile", "advice", "unmet", "alternatives", "css"}
        assert {k: v for k, v in found.items() if k not in optional or v is not None} == answer


def test_a_box_crops_an_image() -> None:
    image = draw(640, 480, (0.8, 0.5))
    box = gazecrop.look(image).crop("1:2").box
    x, y, width, height = box
    assert box.ltrb == (x, y, x + width, y + height)
    assert image.crop(box.ltrb).size == (240, 480) == (box.width, box.height)


def test_options_are_those_of_the_api() -> None:
    picture = gazecrop.look(draw(400, 300, (0.2, 0.5)))
    assert picture.crop("1:1", policy="centre").box.x == 50
    assert picture.crop("1:1", focus=(1, 0.5)).box.x == 100
    assert picture.crop("1:1", zoom=4 / 3).box.width == 225
    near = picture.crop("1:1", zoom="auto", fill=0.5, align=(0.5, 0.4))
    assert near.policy == "subject" and near.zoom == pytest.approx(300 / near.box.width, abs=0.02)
    kept = picture.crop("1:1", keep=[(0.9, 0.0, 0.1, 0.1)], avoid=[(0.0, 0.0, 1.0, 1.0)])
    assert kept.box.x == 100
    assert [each.kind for each in kept.unmet] == ["avoid"]
    assert 1 <= len(picture.crop("1:3", candidates=3).alternatives) <= 2


def test_markup_and_fields() -> None:
    picture = gazecrop.look(draw(400, 300, (0.2, 0.5)))
    text = picture.markup("1:1@480,4:3", src="/{ratio}.jpg", alt="a & b", policy="centre")
    assert text.splitlines()[1:3] == [
        '  <source media="(max-width: 480px)" srcset="/1x1.jpg" width="300" height="300">',
        '  <img src="/4x3.jpg" width="400" height="300" alt="a &amp; b">',
    ]
    with pytest.raises(gazecrop.BadParameters):
        picture.markup("1:1@480")
    crop = picture.crop("1:1", policy="centre", fields="kirby,directus", overlay=[(0, 0, 1, 1)])
    assert crop.fields == {"kirby": "50% 50%", "directus": {"focal_point_x": 200, "focal_point_y": 150}}
    assert [each.kind for each in crop.unmet] == ["overlay"]


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "best"},
        {"policy": "focus"},
        {"focus": (1.2, 0.5)},
        {"focus": (float("nan"), 0.5)},
        {"zoom": 5},
        {"fill": 0.6},
        {"align": (0.5, 0.5)},
        {"zoom": "auto", "fill": 0.95},
        {"zoom": "auto", "align": (0.5, 1.5)},
        {"zoom": float("nan")},
        {"candidates": 6},
        {"keep": [(0.5, 0.5, 0.6, 0.1)]},
        {"avoid": [(0.5, 0.5, -0.1, 0.1)]},
    ],
)
def test_invalid_options_are_reported(options: dict[str, Any]) -> None:
    with pytest.raises(gazecrop.BadParameters) as caught:
        gazecrop.from_encoded(gazecrop.SaliencyGrid.uniform(3, 4, 40, 30).text).crop("1:1", **options)
    assert caught.value.problem()["errors"][0]["parameter"] in options


@pytest.mark.parametrize(
    "options",
    [
        {"zoom": "2"},
        {"fill": "much"},
        {"align": (0.5, None)},
        {"zoom": None},
        {"keep": (0.1, 0.1, 0.2, 0.2)},
        {"keep": "0.1,0.1,0.2,0.2"},
        {"avoid": 1},
        {"focus": 0.5},
        {"focus": "ab"},
        {"focus": (0.5, 0.5, 0.5)},
    ],
)
def test_options_of_another_type_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"^{next(iter(options))} is a "):
        gazecrop.from_encoded(gazecrop.SaliencyGrid.uniform(3, 4, 40, 30).text).crop("1:1", **options)


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


@pytest.mark.parametrize("orientation", [1, 3, 5, 8])
@pytest.mark.parametrize("format", FORMATS)
def test_a_file_and_its_image_give_the_same_boxes(tmp_path: Path, format: str, orientation: int) -> None:
    """A JPEG so large that it is decoded at a quarter; turned and mirrored by EXIF; opened, loaded, and as a copy."""
    size = (1800, 1200) if format == "JPEG" else (900, 600)
    shown = photographic(*size)
    stored = shown if (turn := STORED[orientation]) is None else shown.transpose(turn)
    more = {} if format in ("GIF", "BMP") else {"exif": exif(orientation)}
    path = tmp_path / f"photo.{format.lower()}"
    stored.save(path, format, **more)
    data = path.read_bytes()
    expected = gazecrop.look(data)
    if more:
        assert (expected.width, expected.height) == size
    with Image.open(io.BytesIO(data)) as image:
        assert gazecrop.look(image).encoded == expected.encoded
        assert image.tell() == 0 and image.size == Image.open(io.BytesIO(data)).size
        image.load()  # after `look`, too
    with Image.open(path) as image:
        image.load()
        before = image.tobytes()
        assert gazecrop.look(image).grid.levels.tolist() == expected.grid.levels.tolist()
        assert image.tobytes() == before
        copy = gazecrop.look(image.copy())
    assert (copy.width, copy.height) == (expected.width, expected.height)
    if format != "JPEG":  # a copy has no file: a JPEG of it would be decoded at another size
        assert copy.grid.levels.tolist() == expected.grid.levels.tolist()


@pytest.mark.parametrize("name", ["code points", "gamma"])
def test_declared_colours_count_for_an_image_too(tmp_path: Path, name: str) -> None:
    chunk = (
        png_chunk(b"cICP", bytes([12, 16, 0, 1]))
        if name == "code points"
        else png_chunk(b"gAMA", b"\0\1\x86\xa0")
    )
    plain = encode(draw(640, 480, (0.8, 0.5)), "PNG")
    path = tmp_path / "wide.png"
    path.write_bytes(plain[:33] + chunk + plain[33:])  # after the signature and IHDR
    expected = gazecrop.look(path)
    assert expected.encoded != gazecrop.look(plain).encoded
    with Image.open(path) as image:
        assert gazecrop.look(image).encoded == expected.encoded
    with Image.open(path) as image:
        image.load()
        assert gazecrop.look(image).encoded == expected.encoded


def test_the_pixels_of_a_changed_image_count(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    draw(1800, 1200, (0.2, 0.5)).save(path)
    with Image.open(path) as image:
        image.load()
        image.paste(draw(1800, 1200, (0.8, 0.5)))
        assert gazecrop.look(image).crop("1:2").box.x > 600 > gazecrop.look(path).crop("1:2").box.x


def test_a_later_frame_and_a_draft_are_not_the_file(tmp_path: Path) -> None:
    frames = [draw(320, 240, (x, 0.5)) for x in (0.2, 0.8)]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "two.tif") as image:
        image.seek(1)
        assert gazecrop.look(image).crop("1:2").box.x > 100
    draw(1800, 1200, (0.8, 0.5)).save(tmp_path / "photo.jpg")
    with Image.open(tmp_path / "photo.jpg") as image:
        image.draft("RGB", (900, 600))
        assert (gazecrop.look(image).width, image.width) == (900, 900)


def test_an_image_larger_than_the_limit_of_files() -> None:
    """The limit protects a server from a file; a program has decoded the image already."""
    data = encode(Image.new("RGB", (6000, 5100), "navy"), "PNG")
    with pytest.raises(gazecrop.PictureError):
        gazecrop.look(data)
    with Image.open(io.BytesIO(data)) as image:
        assert gazecrop.look(image).width == 6000


def test_a_format_that_only_pillow_reads() -> None:
    data = encode(draw(320, 240, (0.75, 0.5)), "PPM")
    with pytest.raises(gazecrop.PictureError):
        gazecrop.look(data)
    with Image.open(io.BytesIO(data)) as image:
        assert gazecrop.look(image).format == "ppm"


def test_a_truncated_image_is_a_picture_error() -> None:
    data = encode(draw(320, 240), "PPM")
    with Image.open(io.BytesIO(data[:5000])) as image, pytest.raises(gazecrop.PictureError):
        gazecrop.look(image)


def test_a_binary_file_and_an_array(tmp_path: Path) -> None:
    image = draw(640, 480, (0.8, 0.5))
    (tmp_path / "cat.png").write_bytes(encode(image, "PNG"))
    expected = gazecrop.look(tmp_path / "cat.png")
    with (tmp_path / "cat.png").open("rb") as file:
        assert gazecrop.look(file).encoded == expected.encoded
    assert gazecrop.look(io.BytesIO(encode(image, "PNG"))).encoded == expected.encoded
    pixels = np.asarray(image)
    assert gazecrop.look(pixels).encoded == expected.encoded
    assert gazecrop.look(pixels[:, ::-1]).width == 640
    every_second = gazecrop.look(np.repeat(pixels, 2, axis=1)[:, ::2])
    assert every_second.encoded == expected.encoded


@pytest.mark.parametrize(
    "source",
    [
        None,
        3,
        ["photo.jpg"],
        io.StringIO("text"),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=repr,
)
def test_other_sources_are_a_type_error_that_lists_the_possible_ones(source: Any) -> None:
    with pytest.raises(TypeError) as caught:
        gazecrop.look(source)
    text = str(caught.value)
    assert "\n" not in text
    for word in ("a path", "bytes", "binary file", "PIL image", "numpy array (height, width, 3) of uint8"):
        assert word in text


@pytest.mark.parametrize(
    "url", ["https://example.org/photo.jpg", "HTTP://example.org", "data:image/png;base64,AA"]
)
def test_a_url_is_not_fetched(url: str) -> None:
    with pytest.raises(ValueError, match="fetches nothing"):
        gazecrop.look(url)


def test_an_invalid_setting_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    program = "import gazecrop\ntry: gazecrop.look('photo.jpg')\nexcept gazecrop.SettingsError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"GAZECROP_DEVICE": "toaster"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("GAZECROP_DEVICE: ") and len(done.stdout.splitlines()) == 1


SCRIPT = """
import io
import zipfile
import gazecrop
import numpy as np

gazecrop.look(io.BytesIO(b""))
gazecrop.look(open("photo.jpg", "rb"))
gazecrop.look(zipfile.ZipFile("photos.zip").open("photo.jpg"))
picture = gazecrop.look(np.zeros((4, 4, 3), np.uint8))
crop = picture.crop((16, 9), policy="point", zoom=1.5, keep=[(0, 0, 0.5, 0.5)], focus=(0.5, 0.5))
reveal_type(crop.box)
reveal_type(crop.importance_fraction)
reveal_type(picture.crops(["1:1", 16 / 9]))
picture.crop("1:1", policy="best")
picture.crop("1:1", zoom="2")
picture.crop("1:1", colour="red")
gazecrop.look(3)
gazecrop.lok("photo.jpg")
"""


@pytest.mark.long
def test_a_strict_type_checker_sees_the_types(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    program = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        ".cache",
        "script.py",
    ]
    environment = os.environ | {"MYPYPATH": str(Path(gazecrop.__file__).parents[1])}
    done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert [line for line in lines if line.startswith("note: Revealed")] == [
        'note: Revealed type is "tuple[int, int, int, int, fallback=gazecrop.crop.placing.Box]"',
        'note: Revealed type is "float"',
        'note: Revealed type is "list[gazecrop.python_api.results.Crop]"',
    ], done.stdout
    errors = [line for line in lines if line.startswith("error: ")]
    codes = ["[arg-type]", "[arg-type]", "[call-arg]", "[arg-type]", "[attr-defined]"]
    assert [line.rpartition(" ")[2] for line in errors] == codes, done.stdout


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


def test_a_crop_is_cut_out_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(encode(draw(320, 240), "PNG"))
    crop = gazecrop.look(path).crop("1:1")
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        with Image.open(io.BytesIO(gazecrop.cut(source, crop, format="png"))) as cut:
            assert np.array_equal(np.asarray(cut), np.asarray(draw(320, 240).crop(crop.box.ltrb)))
    with Image.open(io.BytesIO(gazecrop.cut(path, crop.box, width=60, quality=50))) as cut:
        assert (cut.format, cut.size) == ("JPEG", (60, 60))
    for image in (draw(320, 240), np.asarray(draw(320, 240))):
        with pytest.raises(TypeError, match=r"Image\.crop"):
            gazecrop.cut(image, crop)
    with pytest.raises(ValueError, match="not inside"):
        gazecrop.cut(path, gazecrop.Box(300, 0, 100, 100))
    for wrong in ({"format": "tiff"}, {"animated": True}, {"width": 0}, {"height": 8193}, {"quality": 101}):
        with pytest.raises(gazecrop.BadParameters):
            gazecrop.cut(path, crop, **wrong)


def test_an_animation_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "cat.gif"
    path.write_bytes(animation("gif", moving(4)))
    picture = gazecrop.look(path)
    assert picture.frames == 4 and gazecrop.look(encode(draw(), "PNG")).frames == 1
    crop = picture.crop("1:1")

    def frames(**options: Any) -> int:
        with Image.open(io.BytesIO(gazecrop.cut(path, crop, **options))) as cut:
            return int(getattr(cut, "n_frames", 1))

    assert [frames(format=format) for format in ("webp", "gif", "png", "jpeg")] == [4, 4, 1, 1]
    assert frames(format="png", animated=True) == 4 and frames(format="gif", animated=False) == 1
