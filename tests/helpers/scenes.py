"""Draws the pictures of the README: `python -m tests.helpers.scenes` writes them again."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import parse_ratio
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.picture.explain import explain
from gazecrop.picture.render import crop
from gazecrop.pipeline import analyse
from gazecrop.settings import Settings

FOLDER = Path(__file__).parents[2] / "service" / "gazecrop" / "page" / "drawn"
SCALE = 2  # drawn larger and reduced: smooth edges


def balloon(width: int = 1600, height: int = 1000) -> Image.Image:
    """Hills at dusk, and a hot-air balloon far from the centre."""
    w, h = width * SCALE, height * SCALE
    y = np.linspace(0, 1, h)[:, None, None]
    sky = np.array([58, 96, 150]) * (1 - y) + np.array([250, 205, 160]) * y
    picture = Image.fromarray(np.broadcast_to(sky, (h, w, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    rng = np.random.default_rng(4)
    for level, colour in (
        (0.62, (120, 130, 160)),
        (0.72, (88, 104, 118)),
        (0.83, (52, 76, 70)),
        (0.92, (30, 48, 42)),
    ):
        x = np.linspace(0, 1, 200)
        waves = np.sum(
            [0.03 / k * np.sin(2 * np.pi * (k * x * 1.4 + rng.random())) for k in (1, 2, 3, 5)], axis=0
        )
        ridge = [(float(a) * w, float(level + b) * h) for a, b in zip(x, waves, strict=True)]
        draw.polygon([*ridge, (w, h), (0, h)], fill=colour)
    _envelope(picture, 0.76 * w, 0.36 * h, 0.17 * h)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _envelope(picture: Image.Image, x: float, y: float, r: float) -> None:
    """The balloon: gores in two reds with light from the left, ropes, a basket with two people in it."""
    draw = ImageDraw.Draw(picture)
    shape = Image.new("L", picture.size, 0)
    pen = ImageDraw.Draw(shape)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    pen.polygon(
        [
            (x - 0.87 * r, y + 0.5 * r),
            (x + 0.87 * r, y + 0.5 * r),
            (x + 0.22 * r, y + 1.45 * r),
            (x - 0.22 * r, y + 1.45 * r),
        ],
        fill=255,
    )
    gores = Image.new("RGB", picture.size, (196, 44, 40))
    stripe = ImageDraw.Draw(gores)
    for k in range(9, 0, -1):
        reach = r * np.sin(np.pi * k / 18)
        stripe.ellipse(
            (x - reach, y - 1.2 * r, x + reach, y + 1.8 * r),
            fill=((196, 44, 40) if k % 2 else (246, 214, 92)),
        )
    columns = np.clip(1.12 - 0.55 * (np.arange(picture.width) - (x - r)) / (2 * r), 0.5, 1.15)
    lit = np.clip(np.asarray(gores) * columns[None, :, None], 0, 255).astype(np.uint8)
    picture.paste(Image.fromarray(lit), mask=shape.filter(ImageFilter.GaussianBlur(1)))
    top, low = y + 1.45 * r, y + 1.75 * r
    for side in (-0.2, 0.2):
        draw.line([(x + side * r, top), (x + side * 0.8 * r, low)], fill=(40, 30, 30), width=4)
    for person, colour in ((-0.07, (235, 190, 160)), (0.07, (140, 95, 70))):
        head = 0.055 * r
        draw.ellipse(
            (x + person * r - head, low - 0.1 * r - head, x + person * r + head, low - 0.1 * r + head),
            fill=colour,
        )
    draw.rectangle((x - 0.17 * r, low, x + 0.17 * r, low + 0.24 * r), fill=(116, 74, 42))


def crops(drawn: Path) -> None:
    """The explanation and one crop by the served network, as in the README."""
    data = drawn.read_bytes()
    record = analyse(data, Model.load(Settings()), Limits())
    cropper = Cropper(SaliencyGrid.from_code(record.code))
    found = [cropper.crop(parse_ratio(text), Options()) for text in ("1:1", "4:5", "3:1")]
    points = [(point.x, point.y, point.score) for point in cropper.points]
    boxes = [(one.ratio.text, one.box.x, one.box.y, one.box.width, one.box.height) for one in found]
    drawing = explain(data, cropper.grid.levels, points, boxes, long_side=800)
    (FOLDER / "balloon-explained.jpg").write_bytes(drawing)
    (FOLDER / "balloon-square.jpg").write_bytes(crop(data, found[0].box, height=500))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    balloon().save(FOLDER / "balloon.jpg", quality=85)
    crops(FOLDER / "balloon.jpg")


if __name__ == "__main__":
    main()
