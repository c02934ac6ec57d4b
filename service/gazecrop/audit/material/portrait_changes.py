"""Portrait -> portrait: the changes of the study `changes`, and the equalisations of the ablation `variants`. Pure."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from gazecrop.audit.material.portraits import BACKGROUND, Box, Portrait, pixels

MEAN, SPREAD = 118.0, 55.0  # of brightness, 0 to 255: about the mean of both over official portraits
COVER = (118, 118, 118)
FACE = (0.3, 0.25, 0.4, 0.5)  # assumed position of an unknown face

Change = Callable[[Portrait], Portrait]


def unchanged(portrait: Portrait) -> Portrait:
    return portrait


def mirrored(portrait: Portrait) -> Portrait:
    face = portrait.face and (1 - portrait.face[0] - portrait.face[2], *portrait.face[1:])
    return Portrait(ImageOps.mirror(portrait.picture), face)


def brightened(portrait: Portrait) -> Portrait:
    return replace(portrait, picture=ImageEnhance.Brightness(portrait.picture).enhance(1.3))


def darkened(portrait: Portrait) -> Portrait:
    return replace(portrait, picture=ImageEnhance.Brightness(portrait.picture).enhance(0.7))


def other_clothes(portrait: Portrait) -> Portrait:
    """Hue below the chin rotated by 120 degrees, saturation raised: dark suits become red or green."""

    def recoloured(part: Image.Image) -> Image.Image:
        h, s, v = part.convert("HSV").split()
        hue, saturation = h.point(lambda x: (x + 85) % 256), s.point(lambda x: min(255, x + 90))
        return Image.merge("HSV", (hue, saturation, v)).convert("RGB")

    return _below_the_chin(portrait, recoloured)


def background_beside(portrait: Portrait) -> Portrait:
    """The picture's width again as background on the right: the control for the text."""
    width, height = portrait.picture.size
    sheet = Image.new("RGB", (2 * width, height), BACKGROUND)
    sheet.paste(portrait.picture)
    face = portrait.face and (portrait.face[0] / 2, portrait.face[1], portrait.face[2] / 2, portrait.face[3])
    return Portrait(sheet, face)


def text_beside(portrait: Portrait) -> Portrait:
    """The same, with four lines of large letters on the background."""
    width, height = portrait.picture.size
    wide = background_beside(portrait)
    pen = ImageDraw.Draw(wide.picture)
    font = ImageFont.load_default(height / 9)
    for line, words in enumerate(("LARGE SALE", "today only", "everything", "must go")):
        pen.text((1.08 * width, (0.18 + 0.17 * line) * height), words, fill=(20, 20, 20), font=font)
    return wide


def sign_beside(portrait: Portrait) -> Portrait:
    """A bright round sign, a third of the face's width, beside the chin."""
    picture = portrait.picture.copy()
    width, height = picture.size
    x, y, w, h = portrait.face or FACE
    radius = w * width / 6
    across = min((x + 1.05 * w) * width + radius, width - radius)
    down = min((y + 0.95 * h) * height + radius, height - radius)
    pen = ImageDraw.Draw(picture)
    for size, colour in ((radius, (255, 230, 40)), (radius * 0.55, (220, 20, 40))):
        pen.ellipse((across - size, down - size, across + size, down + size), fill=colour)
    return replace(portrait, picture=picture)


def no_colour(portrait: Portrait) -> Portrait:
    return replace(portrait, picture=_grey(portrait.picture))


def clothes_without_colour(portrait: Portrait) -> Portrait:
    return _below_the_chin(portrait, _grey)


def clothes_covered(portrait: Portrait) -> Portrait:
    return _below_the_chin(portrait, lambda part: Image.new("RGB", part.size, COVER))


def equal_light(portrait: Portrait) -> Portrait:
    """The same mean and standard deviation of brightness for all; colours are scaled with it."""
    values = pixels(portrait.picture).astype(np.float64)
    grey = values @ (0.299, 0.587, 0.114)
    scaled = (values - grey.mean()) * (SPREAD / max(float(grey.std()), 1.0)) + MEAN
    return replace(portrait, picture=Image.fromarray(scaled.clip(0, 255).astype(np.uint8)))


def cut_alike(portrait: Portrait) -> Portrait:
    """The head: every face at the same size and position, background beyond the edge of the picture."""
    x, y, w, h = _face(portrait)
    wide = 1.15 * h * portrait.picture.height / portrait.picture.width
    return _cut(portrait, (x + w / 2 - wide / 2, y - 0.25 * h, wide, 1.45 * h))


def face_alone(portrait: Portrait) -> Portrait:
    """From brow to chin: no hair, no clothes, no background."""
    return _cut(portrait, _face(portrait))


VARIANTS: dict[str, Change] = {
    "": unchanged,
    "no colour": no_colour,
    "clothes without colour": clothes_without_colour,
    "clothes covered": clothes_covered,
    "equal light and contrast": equal_light,
    "head alone, cut alike": cut_alike,
    "face alone, no hair": face_alone,
}


def _grey(picture: Image.Image) -> Image.Image:
    return ImageOps.grayscale(picture).convert("RGB")


def _below_the_chin(portrait: Portrait, change: Callable[[Image.Image], Image.Image]) -> Portrait:
    """Changes the clothes: what is just below the chin, or the lower third without a face."""
    face, picture = portrait.face, portrait.picture.copy()
    line = round((0.66 if face is None else min(face[1] + 1.15 * face[3], 0.95)) * picture.height)
    picture.paste(change(picture.crop((0, line, picture.width, picture.height))), (0, line))
    return replace(portrait, picture=picture)


def _face(portrait: Portrait) -> Box:
    if portrait.face is None:
        raise ValueError("this change needs the box of the face")
    return portrait.face


def _cut(portrait: Portrait, box: Box) -> Portrait:
    """`box` in fractions; it may extend beyond the picture."""
    width, height = portrait.picture.size
    left, top = round(box[0] * width), round(box[1] * height)
    size = max(1, round(box[2] * width)), max(1, round(box[3] * height))
    sheet = Image.new("RGB", size, BACKGROUND)
    sheet.paste(portrait.picture, (-left, -top))
    x, y, w, h = _face(portrait)
    low = (x * width - left) / size[0], (y * height - top) / size[1]
    high = low[0] + w * width / size[0], low[1] + h * height / size[1]
    x, y = max(low[0], 0.0), max(low[1], 0.0)
    return Portrait(sheet, (x, y, min(high[0], 1.0) - x, min(high[1], 1.0) - y))
