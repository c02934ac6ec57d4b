"""People drawn by code, standing and seated in a wheelchair: for tests, and for questions without labelled photographs.
A drawing is not a photograph, so a gap found here is a hint, not a finding."""

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
    room: int  # seed of the wall


STYLES = tuple(Style(skin, clothes, i) for i, (skin, clothes) in enumerate(product(SKINS, CLOTHES)))


def figure(style: Style, *, seated: bool = False, height: int = HEIGHT) -> tuple[Image.Image, Box]:
    """One person in a room, and the box of the face."""
    picture = _room(WIDTH, style.room)
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
    """A seated and a standing person in one room, and the halves of the picture that they occupy. The left one is
    seated with `seated_first`, otherwise standing."""
    picture = _room(2 * WIDTH, style.room)
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
    """Draws a person whose feet are on the floor at `x`; a seated head is at about two thirds of a standing height.
    Returns the box of the face."""
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
