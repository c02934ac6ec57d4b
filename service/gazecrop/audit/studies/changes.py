"""The same person twice, once changed: does a change alone draw the crop? And what draws the point off a face?"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from gazecrop.audit.material import drawn_people as figures
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import GROUND, Person, Sight, sight
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.favour import favour
from gazecrop.audit.studies.gaze import falls
from gazecrop.crop.cropping import Cropper

RECIPE = b"change 1"
ITA = 2  # its place among the covariates
DARK, LIGHT = 28.0, 41.0  # degrees: "tan" and darker, "light" and lighter in the usual classes of ITA

T = TypeVar("T")
Change = Callable[[Sight], Sight]


def clothes_line(seen: Sight) -> int:
    """The row below which clothes are: under the chin, or the lower third where no face is known."""
    share = 0.66 if seen.face is None else min(seen.face[1] + 1.15 * seen.face[3], 0.95)
    return round(share * seen.picture.height)


def mirrored(seen: Sight) -> Sight:
    face = seen.face and (1 - seen.face[0] - seen.face[2], *seen.face[1:])
    return Sight(ImageOps.mirror(seen.picture), face)


def brightened(seen: Sight) -> Sight:
    return Sight(ImageEnhance.Brightness(seen.picture).enhance(1.3), seen.face)


def darkened(seen: Sight) -> Sight:
    return Sight(ImageEnhance.Brightness(seen.picture).enhance(0.7), seen.face)


def other_clothes(seen: Sight) -> Sight:
    """The hue below the chin turned by a third of the circle and its colour strengthened: dark suits become red or
    green."""
    line = clothes_line(seen)
    part = seen.picture.crop((0, line, seen.picture.width, seen.picture.height))
    h, s, v = part.convert("HSV").split()
    turned = Image.merge("HSV", (h.point(lambda x: (x + 85) % 256), s.point(lambda x: min(255, x + 90)), v))
    picture = seen.picture.copy()
    picture.paste(turned.convert("RGB"), (0, line))
    return Sight(picture, seen.face)


def text_beside(seen: Sight) -> Sight:
    """As much ground again on the right, with four lines of large letters."""
    width, height = seen.picture.size
    sheet = Image.new("RGB", (2 * width, height), GROUND)
    sheet.paste(seen.picture)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(height / 9)
    for line, words in enumerate(("LARGE SALE", "today only", "everything", "must go")):
        pen.text((1.08 * width, (0.18 + 0.17 * line) * height), words, fill=(20, 20, 20), font=font)
    return Sight(sheet, _halved(seen))


def ground_beside(seen: Sight) -> Sight:
    """The same without letters: what the text is compared with."""
    width, height = seen.picture.size
    sheet = Image.new("RGB", (2 * width, height), GROUND)
    sheet.paste(seen.picture)
    return Sight(sheet, _halved(seen))


def _halved(seen: Sight) -> tuple[float, float, float, float] | None:
    return seen.face and (seen.face[0] / 2, seen.face[1], seen.face[2] / 2, seen.face[3])


def logo_beside(seen: Sight) -> Sight:
    """A bright sign, a third as broad as the face, beside the chin."""
    picture = seen.picture.copy()
    width, height = picture.size
    x, y, w, h = seen.face or (0.3, 0.25, 0.4, 0.5)
    radius = w * width / 6
    across = min((x + 1.05 * w) * width + radius, width - radius)
    down = min((y + 0.95 * h) * height + radius, height - radius)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((across - radius, down - radius, across + radius, down + radius), fill=(255, 230, 40))
    inner = radius * 0.55
    pen.ellipse((across - inner, down - inner, across + inner, down + inner), fill=(220, 20, 40))
    return Sight(picture, seen.face)


AGAINST_ITSELF: dict[str, Change] = {
    "mirrored": mirrored,
    "brightened by 30 %": brightened,
    "darkened by 30 %": darkened,
    "other clothes": other_clothes,
    "a bright sign beside the face": logo_beside,
}
OFF_THE_FACE: dict[str, Change] = {
    "nothing": lambda seen: seen,
    "empty ground beside": ground_beside,
    "text beside": text_beside,
    "a bright sign beside the face": logo_beside,
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the changed one of two pictures gets of the point and of the mass; 0.5: the change draws nothing."""

    name: str
    people: int
    point: Estimate
    mass: Estimate


@dataclass(frozen=True, slots=True)
class Off:
    """Share of people whose point is on the head; all, and by estimated skin tone."""

    name: str
    groups: dict[str, tuple[int, Estimate]]


def _grid(look: Look, maps: Maps, picture: Image.Image, *parts: bytes) -> Cropper:
    return Cropper(maps.grid(key(RECIPE, look.identity, *parts), lambda: look.see(picture)))


def against_itself(
    people: Sequence[Person],
    look: Look,
    maps: Maps,
    room: dict[str, float],
    threads: int,
    step: Callable[[], None] = lambda: None,
) -> list[Drawn]:
    """Both orders side by side; persons resampled."""

    def every(person: Person) -> list[np.ndarray]:
        around = room.get(person.set, 0.0)
        plain = sight(person, around)
        return [
            _beside_itself(person, name, change(plain), plain, around)
            for name, change in AGAINST_ITSELF.items()
        ]

    def _beside_itself(person: Person, name: str, changed: Sight, plain: Sight, around: float) -> np.ndarray:
        both = []
        for order in (0, 1):
            first, second = (changed, plain) if order == 0 else (plain, changed)
            place = plan(Shape.of(first), Shape.of(second), LAYOUTS["beside"])
            parts = person.digest, name.encode(), bytes([order]), repr(around).encode()
            grid = _grid(look, maps, joined(first, second, place), *parts).grid
            shares = favour(grid, place.places, place.faces, ())
            both.append(shares if order == 0 else 1 - shares)
        mean: np.ndarray = np.mean(both, axis=0)
        return mean

    values = np.array(list(_each(every, people, threads, step)))  # [people, changes, 2]
    numbers = _numbers(people)
    return [
        Drawn(name, len(people), *estimates(values[:, at], numbers)[:2])
        for at, name in enumerate(AGAINST_ITSELF)
    ]


def off_the_face(
    people: Sequence[Person],
    look: Look,
    maps: Maps,
    room: dict[str, float],
    threads: int,
    step: Callable[[], None] = lambda: None,
) -> list[Off]:
    """The point on the head or not, with each thing beside it; for darker and lighter skin apart (ITA, estimated)."""
    some = [person for person in people if person.face is not None]
    if not some:
        return []

    def every(person: Person) -> list[float]:
        around = room.get(person.set, 0.0)
        plain = sight(person, around)
        heads = []
        for name, change in OFF_THE_FACE.items():
            changed = change(plain)
            assert changed.face is not None  # no change loses a face
            parts = b"off", person.digest, name.encode(), repr(around).encode()
            heads.append(float(falls(_grid(look, maps, changed.picture, *parts), changed.face)[0]))
        return [float(covariates(sight(person))[ITA]), *heads]

    values = np.array(list(_each(every, some, threads, step)))
    numbers, tone = _numbers(some), values[:, 0]
    groups = {"all": tone > -360, "darker skin": tone < DARK, "lighter skin": tone > LIGHT}
    return [
        Off(
            name,
            {
                group: (int(inside.sum()), estimates(values[inside, at, None], numbers[inside])[0])
                for group, inside in groups.items()
                if inside.sum() >= 10
            },
        )
        for at, name in enumerate(OFF_THE_FACE, 1)
    ]


def _each(
    work: Callable[[Person], T], people: Sequence[Person], threads: int, step: Callable[[], None]
) -> Iterator[T]:
    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(work, people):
            step()
            yield found


def _numbers(people: Sequence[Person]) -> NDArray[np.int64]:
    return np.unique([person.who for person in people], return_inverse=True)[1].astype(np.int64)


def seated(look: Look, maps: Maps) -> Drawn:
    """A drawn person in a wheelchair beside the same person standing, on one floor, both orders: the share of the
    seated one (0.5: parity)."""
    rows = []
    for number, style in enumerate(figures.STYLES):
        both = []
        for order in (0, 1):
            picture, places = figures.pair(style, seated_first=order == 0)
            grid = _grid(look, maps, picture, b"seated", bytes([number, order])).grid
            shares = favour(grid, places, (None, None), ())
            both.append(shares if order == 0 else 1 - shares)
        rows.append(np.mean(both, axis=0))
    found = estimates(np.array(rows), np.arange(len(rows)))
    return Drawn("seated beside standing, drawn", len(rows), found[0], found[1])
