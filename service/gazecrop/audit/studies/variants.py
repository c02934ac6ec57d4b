"""Ablation: portraits equalised in one respect at a time. A gap that vanishes was due to what was equalised.

The same pairs are joined again after the same transformation of every portrait of both groups. The change of the gap is
due to what the transformation removed, the rest to something else. A transformation removes more than its name says (a
covered body also has no edges), and a gap may shrink because little saliency is left: one row alone proves little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import BACKGROUND, Box, Person, Portrait, pixels
from gazecrop.audit.material.saliency_models import SaliencyModel
from gazecrop.audit.studies import pairs
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell
from gazecrop.audit.studies.changes import clothes_line
from gazecrop.audit.studies.favour import measures
from gazecrop.audit.studies.pairs import Outcome, PairOptions

MEAN, SPREAD = 118.0, 55.0  # of brightness, 0 to 255: about the mean of both over official portraits
COVER = (118, 118, 118)
POINT, MASS = 0, 1


def no_colour(portrait: Portrait) -> Portrait:
    return replace(portrait, picture=ImageOps.grayscale(portrait.picture).convert("RGB"))


def clothes_without_colour(portrait: Portrait) -> Portrait:
    return _below_the_chin(portrait, lambda part: ImageOps.grayscale(part).convert("RGB"))


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


CLOTHES = "clothes without colour", "clothes covered"  # not for face chips, which show none
VARIANTS: dict[str, Callable[[Portrait], Portrait]] = {
    "no colour": no_colour,
    "clothes without colour": clothes_without_colour,
    "clothes covered": clothes_covered,
    "equal light and contrast": equal_light,
    "head alone, cut alike": cut_alike,
    "face alone, no hair": face_alone,
}


@dataclass(frozen=True, slots=True)
class VariantGap:
    """One cell with one variant ("": unchanged portraits). `point`, `mass`: shares of the first group; `kept`: measure
    of the faces kept whole by the window; `moved`: point, mass and kept minus those of unchanged portraits, on the same
    pairs."""

    cell: Cell
    variant: str
    pairs: int
    point: Estimate
    mass: Estimate
    kept: Estimate
    moved: tuple[Estimate, Estimate, Estimate] | None

    @property
    def name(self) -> str:
        return f"{self.cell.set}, {self.cell.text}"


def study(
    people: Sequence[Person],
    cells: Sequence[Cell],
    model: SaliencyModel,
    maps: Maps,
    options: PairOptions,
    names: Sequence[str] = tuple(VARIANTS),
    step: Callable[[], None] = lambda: None,
) -> list[VariantGap]:
    """For each cell the unchanged portraits, then each variant. All people must have a face."""
    numbers = pairs.person_numbers(people)
    every = {
        name: pairs.study(
            people, cells, model, maps, replace(options, variant=name), step, VARIANTS.get(name)
        )
        for name in ("", *names)
    }
    found = []
    for number, cell in enumerate(cells):
        plain = every[""][number]
        for name, outcomes in every.items():
            outcome = outcomes[number]
            count = min(len(plain.pairs), len(outcome.pairs))
            if not count:
                continue
            first, second = numbers[outcome.pairs[:count, 0]], numbers[outcome.pairs[:count, 1]]
            now, before = _three(outcome)[:count], _three(plain)[:count]
            point, mass, kept = estimates(now, first, second)
            moved = estimates(now - before, first, second) if name else None
            three = (moved[0], moved[1], moved[2]) if moved else None
            found.append(VariantGap(cell, name, count, point, mass, kept, three))
    return found


def _three(outcome: Outcome) -> NDArray[np.float64]:
    """[n, 3]: point, mass, and what the window keeps as the mean over the ratios."""
    window = [i for i, kind in enumerate(measures()) if kind.policy == "window"]
    per_pair = outcome.per_pair
    return np.column_stack([per_pair[:, POINT], per_pair[:, MASS], per_pair[:, window].mean(axis=1)])


def _below_the_chin(portrait: Portrait, change: Callable[[Image.Image], Image.Image]) -> Portrait:
    line = clothes_line(portrait)
    picture = portrait.picture.copy()
    picture.paste(change(picture.crop((0, line, picture.width, picture.height))), (0, line))
    return replace(portrait, picture=picture)


def _face(portrait: Portrait) -> Box:
    if portrait.face is None:
        raise ValueError("this variant needs the box of the face")
    return portrait.face


def _cut(portrait: Portrait, box: Box) -> Portrait:
    """`box` in fractions; it may extend beyond the picture."""
    width, height = portrait.picture.size
    left, top = round(box[0] * width), round(box[1] * height)
    size = max(1, round(box[2] * width)), max(1, round(box[3] * height))
    sheet = Image.new("RGB", size, BACKGROUND)
    sheet.paste(portrait.picture, (-left, -top))
    x, y, w, h = _face(portrait)
    face = (
        (x * width - left) / size[0],
        (y * height - top) / size[1],
        w * width / size[0],
        h * height / size[1],
    )
    return Portrait(sheet, _within(face))


def _within(face: Box) -> Box:
    x, y = max(face[0], 0.0), max(face[1], 0.0)
    return x, y, min(face[0] + face[2], 1.0) - x, min(face[1] + face[3], 1.0) - y
