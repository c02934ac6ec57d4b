import io
from pathlib import Path

import pytest
from PIL import Image

from gazecrop.cli import main
from gazecrop.commands.explain import GAP
from gazecrop.console.options import load
from gazecrop.pipeline import Picture, analyse
from tests.helpers.pictures import jpeg


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    path.write_bytes(jpeg(640, 480))
    return path


@pytest.mark.parametrize(
    ("suffix", "format"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("AVIF", "AVIF")]
)
def test_the_suffix_selects_the_format(picture: Path, suffix: str, format: str) -> None:
    out = picture.with_name(f"out.{suffix}")
    assert main(["explain", str(picture), "--ratios", "1:1", "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        assert (drawn.format, drawn.size) == (format, (640, 480))


def test_layers_are_drawn_one_by_one(picture: Path) -> None:
    drawn = []
    for layers in ("heat", "points", "boxes", "heat,points,boxes"):
        out = picture.with_name(f"{layers}.png")
        assert main(["explain", str(picture), "--ratios", "1:1", "--layers", layers, "--out", str(out)]) == 0
        drawn.append(out.read_bytes())
    assert len(set(drawn)) == 4


def test_the_figure_has_a_panel_for_the_map_and_one_for_each_ratio(picture: Path) -> None:
    out = picture.with_name("figure.png")
    assert main(["explain", str(picture), "--figure", "--ratios", "1:1,9:16,16:9", "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        assert drawn.size == (4 * 640 + 3 * GAP, 480)
        panels = [drawn.crop((i * (640 + GAP), 0, i * (640 + GAP) + 640, 480)).tobytes() for i in range(4)]
        assert drawn.getpixel((640 + GAP // 2, 100)) == (255, 255, 255)
    assert len(set(panels)) == 4


def test_every_panel_of_the_figure_marks_the_point(tmp_path: Path) -> None:
    """The most salient one, where the heat map has it: a disc with a light rim."""
    scene = Image.new("RGB", (640, 480), (90, 120, 90))
    scene.paste(Image.new("RGB", (60, 60), (250, 240, 40)), (450, 120))
    path, out = tmp_path / "scene.png", tmp_path / "figure.png"
    scene.save(path)
    model, limits = load()
    point = Picture(analyse(path.read_bytes(), model, limits), model.calibration).cropper.points[0]
    assert main(["explain", str(path), "--figure", "--ratios", "1:1,9:16", "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        for panel in range(3):
            x, y = panel * (640 + GAP) + round(point.x * 640), round(point.y * 480)
            around = [drawn.getpixel((x + dx, y)) for dx in range(-14, 15)]
            assert (255, 255, 255) in around, panel
            assert (16, 16, 20) in around, panel


def test_a_figure_of_many_ratios_has_rows_of_four_panels(picture: Path) -> None:
    out = picture.with_name("figure.png")
    ratios = "1:1,2:1,3:1,4:1,5:1,6:1"
    assert main(["explain", str(picture), "--figure", "--ratios", ratios, "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        assert drawn.size == (4 * 640 + 3 * GAP, 2 * 480 + GAP)
        assert drawn.getpixel((3 * (640 + GAP) + 320, 480 + GAP + 240)) == (255, 255, 255)  # no eighth panel


def test_the_labels_of_a_figure_are_legible_at_half_its_size(picture: Path) -> None:
    """A label is a dark rectangle at the corner of its box; its letters are about half as high."""
    out = picture.with_name("figure.png")
    assert main(["explain", str(picture), "--figure", "--ratios", "2:1", "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        column = [drawn.getpixel((640 + GAP + 12, y)) for y in range(480)]
    assert column.count((16, 16, 20)) >= 40


def test_three_ratios_are_drawn_by_default(picture: Path) -> None:
    default, three = picture.with_name("default.png"), picture.with_name("three.png")
    assert main(["explain", str(picture), "--out", str(default)]) == 0
    assert main(["explain", str(picture), "--ratios", "1:1,16:9,9:16", "--out", str(three)]) == 0
    assert default.read_bytes() == three.read_bytes()


def test_a_dash_reads_standard_input(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = picture.with_name("out.png")
    assert main(["explain", str(picture), "--out", str(out)]) == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(picture.read_bytes())))
    assert main(["explain", "-", "--out", str(picture.with_name("stdin.png"))]) == 0
    assert picture.with_name("stdin.png").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--layers", "heat,beat"], "beat"),
        (["--ratios", "0:1"], "--ratios"),
        (["--out", "x.txt"], ".webp"),
    ],
)
def test_invalid_options_are_reported(
    picture: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    out = picture.with_name("out.png")
    assert main(["explain", str(picture), "--out", str(out), *arguments]) == 2
    assert word in capsys.readouterr().err
    assert not out.exists()


def test_an_unreadable_picture(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture.write_bytes(b"nothing")
    assert main(["explain", str(picture), "--out", str(picture.with_name("out.png"))]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
