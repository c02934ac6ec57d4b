"""People drawn by code, standing and seated in a wheelchair: for questions to which no labelled photographs are at
hand, and for tests. A drawing is no photograph: a gap here is a hint, no finding."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from PIL import Image, ImageDraw

from gazecrop.audit.material.portraits import Box

WIDTH, HEIGHT = 240, 400
SKINS = ((245, 214, 188), (214, 164, 124), (150, 100, 68), (84, 56, 42))
CLOTHES = ((40, 52, 80), (180, 60, 50), (230, 225, 210))
_SCALE = 2  # drawn larger and reduced: smooth edges


@dataclass(frozen=True, slots=True)
class Style:
    skin: tuple[int, int, int]
    clothes: tuple[int, int, int]
    ground: int


STYLES = tuple(Style(skin, clothes, i) for i, (skin, clothes) in enumerate(product(SKINS, CLOTHES)))


def figure(style: Style, *, seated: bool = False, height: int = HEIGHT) -> tuple[Image.Image, Box]:
    """One person in a room, and where the face is."""
    picture = _room(WIDTH, style.ground)
    face = _draw(ImageDraw.Draw(picture), WIDTH * _SCALE / 2, style, seated=seated)
    box = (
        face[0] / (WIDTH * _SCALE),
        face[1] / (HEIGHT * _SCALE),
        (face[2] - face[0]) / (WIDTH * _SCALE),
        (face[3] - face[1]) / (HEIGHT * _SCALE),
    )
    size = round(WIDTH * height / HEIGHT), height
    return picture.resize(size, Image.Resampling.LANCZOS), box


def pair(style: Style, *, seated_first: bool) -> tuple[Image.Image, tuple[Box, Box]]:
    """Seated and standing in one room; the halves of the first and the second: of the seated and the standing one
    where `seated_first`, else the other way round. The first is on the left."""
    picture = _room(2 * WIDTH, style.ground)
    pen = ImageDraw.Draw(picture)
    for x, seated in ((0.5, seated_first), (1.5, not seated_first)):
        _draw(pen, x * WIDTH * _SCALE, style, seated=seated)
    return picture.resize((2 * WIDTH, HEIGHT), Image.Resampling.LANCZOS), (
        (0.0, 0.0, 0.5, 1.0),
        (0.5, 0.0, 0.5, 1.0),
    )


def _room(width: int, seed: int) -> Image.Image:
    """A wall with a soft pattern, and a floor."""
    generator = np.random.default_rng(seed)
    w, h = width * _SCALE, HEIGHT * _SCALE
    cells = generator.integers(165, 205, (5, max(3, width // 60), 3), dtype=np.uint8)
    wall = Image.fromarray(cells).resize((w, h), Image.Resampling.BICUBIC)
    ImageDraw.Draw(wall).rectangle((0, 0.9 * h, w, h), fill=(120, 100, 84))
    return wall


def _draw(
    pen: ImageDraw.ImageDraw, x: float, style: Style, *, seated: bool
) -> tuple[float, float, float, float]:
    """Feet on the floor at `x`. A seated head is at two thirds of a standing one's height. Answers the face's box."""
    unit = HEIGHT * _SCALE / 100
    floor, tall = 94 * unit, 80 * unit
    top = floor - (0.68 * tall if seated else tall)
    head, dark = 6 * unit, tuple(part // 2 for part in style.clothes)
    neck = top + 2 * head
    hip = neck + 27 * unit
    if seated:
        pen.ellipse(
            (x - 15 * unit, floor - 26 * unit, x + 11 * unit, floor),
            outline=(30, 30, 34),
            width=int(1.4 * unit),
        )
        pen.line(
            (x - 9 * unit, neck + 6 * unit, x - 9 * unit, hip + 3 * unit, x + 12 * unit, hip + 3 * unit),
            (30, 30, 34),
            9,
        )
        pen.line(
            (x - 3 * unit, hip, x + 11 * unit, hip, x + 12 * unit, floor - 2 * unit), dark, int(6 * unit)
        )
    else:
        for side in (-3.6, 3.6):
            pen.line((x + side * unit, hip, x + side * unit, floor), dark, int(5.5 * unit))
    pen.rounded_rectangle(
        (x - 9 * unit, neck + unit, x + 9 * unit, hip + 2 * unit), 4 * unit, fill=style.clothes
    )
    for side in (-10.5, 10.5):
        pen.line(
            (x + side * unit, neck + 5 * unit, x + side * unit, neck + 24 * unit),
            style.clothes,
            int(4 * unit),
        )
    pen.rectangle((x - 2 * unit, neck - 2 * unit, x + 2 * unit, neck + 2 * unit), fill=style.skin)
    face = x - 0.85 * head, top, x + 0.85 * head, top + 2.1 * head
    pen.ellipse((face[0] - 2, face[1] - unit, face[2] + 2, face[1] + 1.5 * head), fill=(40, 30, 26))
    pen.ellipse((face[0], face[1] + unit, face[2], face[3]), fill=style.skin)
    for side in (-0.35, 0.35):
        eye = x + side * head, top + 1.05 * head
        pen.ellipse(
            (eye[0] - unit * 0.7, eye[1] - unit * 0.5, eye[0] + unit * 0.7, eye[1] + unit * 0.5),
            fill=(20, 20, 20),
        )
    pen.arc(
        (x - 2 * unit, top + 1.3 * head, x + 2 * unit, top + 1.75 * head),
        20,
        160,
        fill=(120, 50, 50),
        width=5,
    )
    return face
