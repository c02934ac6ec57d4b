"""Portraits made alike in one respect at a time: where a gap between groups vanishes, what was made alike carried it.

The same pairs are joined again with every picture of both groups changed in the same way. What changes of the gap is
due to what the change took away; what stays is due to something else. A change takes more away than its name says (a
covered body also has no edges), so that a gap may shrink for want of anything to look at: read it beside the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import GROUND, Box, Person, Sight, pixels
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.studies import pairs
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell
from gazecrop.audit.studies.changes import clothes_line
from gazecrop.audit.studies.favour import measures
from gazecrop.audit.studies.pairs import Asked, Outcome

MIDDLE, SPREAD = 118.0, 55.0  # of brightness, 0 to 255: about the mean of both over official portraits
COVER = (118, 118, 118)
POINT, MASS = 0, 1


def no_colour(seen: Sight) -> Sight:
    return replace(seen, picture=ImageOps.grayscale(seen.picture).convert("RGB"))


def clothes_without_colour(seen: Sight) -> Sight:
    return _below_the_chin(seen, lambda part: ImageOps.grayscale(part).convert("RGB"))


def clothes_covered(seen: Sight) -> Sight:
    return _below_the_chin(seen, lambda part: Image.new("RGB", part.size, COVER))


def equal_light(seen: Sight) -> Sight:
    """One mean and one spread of brightness for all, colours scaled with it."""
    values = pixels(seen.picture).astype(np.float64)
    grey = values @ (0.299, 0.587, 0.114)
    scaled = (values - grey.mean()) * (SPREAD / max(float(grey.std()), 1.0)) + MIDDLE
    return replace(seen, picture=Image.fromarray(scaled.clip(0, 255).astype(np.uint8)))


def cut_alike(seen: Sight) -> Sight:
    """The head: every face of one size at one place, ground where the picture ends."""
    x, y, w, h = _face(seen)
    wide = 1.15 * h * seen.picture.height / seen.picture.width
    return _cut(seen, (x + w / 2 - wide / 2, y - 0.25 * h, wide, 1.45 * h))


def face_alone(seen: Sight) -> Sight:
    """From brow to chin: no hair, no clothes, no ground."""
    return _cut(seen, _face(seen))


CLOTHES = "clothes without colour", "clothes covered"  # of face chips there are none
VARIANTS: dict[str, Callable[[Sight], Sight]] = {
    "no colour": no_colour,
    "clothes without colour": clothes_without_colour,
    "clothes covered": clothes_covered,
    "equal light and contrast": equal_light,
    "head alone, cut alike": cut_alike,
    "face alone, no hair": face_alone,
}


@dataclass(frozen=True, slots=True)
class Left:
    """One cell with one thing made alike ("": as they are). `point`, `mass`: shares of the first group; `kept`: of
    faces kept whole by the window; `moved`: point, mass and kept minus what they are as they are, on the same pairs."""

    cell: Cell
    variant: str
    pairs: int
    point: Estimate
    mass: Estimate
    kept: Estimate
    moved: tuple[Estimate, Estimate, Estimate] | None


def study(
    people: Sequence[Person],
    cells: Sequence[Cell],
    look: Look,
    maps: Maps,
    asked: Asked,
    names: Sequence[str] = tuple(VARIANTS),
    step: Callable[[], None] = lambda: None,
) -> list[Left]:
    """For each cell as they are, then each variant. Faces must be known."""
    who = pairs.persons(people)
    every = {
        name: pairs.study(people, cells, look, maps, replace(asked, variant=name), step, VARIANTS.get(name))
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
            first, second = who[outcome.pairs[:count, 0]], who[outcome.pairs[:count, 1]]
            now, before = _three(outcome)[:count], _three(plain)[:count]
            point, mass, kept = estimates(now, first, second)
            moved = estimates(now - before, first, second) if name else None
            three = (moved[0], moved[1], moved[2]) if moved else None
            found.append(Left(cell, name, count, point, mass, kept, three))
    return found


def _three(outcome: Outcome) -> NDArray[np.float64]:
    """[n, 3]: point, mass, and what the window keeps, over the ratios."""
    window = [i for i, kind in enumerate(measures()) if kind.policy == "window"]
    per_pair = outcome.per_pair
    return np.column_stack([per_pair[:, POINT], per_pair[:, MASS], per_pair[:, window].mean(axis=1)])


def _below_the_chin(seen: Sight, change: Callable[[Image.Image], Image.Image]) -> Sight:
    line = clothes_line(seen)
    picture = seen.picture.copy()
    picture.paste(change(picture.crop((0, line, picture.width, picture.height))), (0, line))
    return replace(seen, picture=picture)


def _face(seen: Sight) -> Box:
    if seen.face is None:
        raise ValueError("only where the face is known")
    return seen.face


def _cut(seen: Sight, box: Box) -> Sight:
    """`box` in fractions; it may reach beyond the picture."""
    width, height = seen.picture.size
    left, top = round(box[0] * width), round(box[1] * height)
    size = max(1, round(box[2] * width)), max(1, round(box[3] * height))
    sheet = Image.new("RGB", size, GROUND)
    sheet.paste(seen.picture, (-left, -top))
    x, y, w, h = _face(seen)
    face = (
        (x * width - left) / size[0],
        (y * height - top) / size[1],
        w * width / size[0],
        h * height / size[1],
    )
    return Sight(sheet, _within(face))


def _within(face: Box) -> Box:
    x, y = max(face[0], 0.0), max(face[1], 0.0)
    return x, y, min(face[0] + face[2], 1.0) - x, min(face[1] + face[3], 1.0) - y
