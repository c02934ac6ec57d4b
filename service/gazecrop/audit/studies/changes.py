"""Controlled changes: the same portrait beside a changed copy, and objects beside a face that may attract the point."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from gazecrop.audit.material import drawn_people
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import BACKGROUND, Person, Portrait, load_portrait
from gazecrop.audit.material.saliency_models import SaliencyModel
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.favour import favour
from gazecrop.audit.studies.gaze import gaze_shares
from gazecrop.crop.cropping import Cropper

RECIPE = b"change 1"
ITA = 2  # its index among the covariates
DARK, LIGHT = 28.0, 41.0  # degrees: "tan" and darker, "light" and lighter in the usual classes of ITA

T = TypeVar("T")
Change = Callable[[Portrait], Portrait]


def clothes_line(portrait: Portrait) -> int:
    """The row below which clothes are assumed: just below the chin, or the lower third without a face."""
    share = 0.66 if portrait.face is None else min(portrait.face[1] + 1.15 * portrait.face[3], 0.95)
    return round(share * portrait.picture.height)


def mirrored(portrait: Portrait) -> Portrait:
    face = portrait.face and (1 - portrait.face[0] - portrait.face[2], *portrait.face[1:])
    return Portrait(ImageOps.mirror(portrait.picture), face)


def brightened(portrait: Portrait) -> Portrait:
    return Portrait(ImageEnhance.Brightness(portrait.picture).enhance(1.3), portrait.face)


def darkened(portrait: Portrait) -> Portrait:
    return Portrait(ImageEnhance.Brightness(portrait.picture).enhance(0.7), portrait.face)


def other_clothes(portrait: Portrait) -> Portrait:
    """Hue below the chin rotated by 120 degrees, saturation raised: dark suits become red or green."""
    line = clothes_line(portrait)
    part = portrait.picture.crop((0, line, portrait.picture.width, portrait.picture.height))
    h, s, v = part.convert("HSV").split()
    turned = Image.merge("HSV", (h.point(lambda x: (x + 85) % 256), s.point(lambda x: min(255, x + 90)), v))
    picture = portrait.picture.copy()
    picture.paste(turned.convert("RGB"), (0, line))
    return Portrait(picture, portrait.face)


def text_beside(portrait: Portrait) -> Portrait:
    """The picture's width again as background on the right, with four lines of large letters."""
    width, height = portrait.picture.size
    sheet = Image.new("RGB", (2 * width, height), BACKGROUND)
    sheet.paste(portrait.picture)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(height / 9)
    for line, words in enumerate(("LARGE SALE", "today only", "everything", "must go")):
        pen.text((1.08 * width, (0.18 + 0.17 * line) * height), words, fill=(20, 20, 20), font=font)
    return Portrait(sheet, _halved(portrait))


def ground_beside(portrait: Portrait) -> Portrait:
    """The same without letters: the control for the text."""
    width, height = portrait.picture.size
    sheet = Image.new("RGB", (2 * width, height), BACKGROUND)
    sheet.paste(portrait.picture)
    return Portrait(sheet, _halved(portrait))


def _halved(portrait: Portrait) -> tuple[float, float, float, float] | None:
    return portrait.face and (portrait.face[0] / 2, portrait.face[1], portrait.face[2] / 2, portrait.face[3])


def logo_beside(portrait: Portrait) -> Portrait:
    """A bright round sign, a third of the face's width, beside the chin."""
    picture = portrait.picture.copy()
    width, height = picture.size
    x, y, w, h = portrait.face or (0.3, 0.25, 0.4, 0.5)
    radius = w * width / 6
    across = min((x + 1.05 * w) * width + radius, width - radius)
    down = min((y + 0.95 * h) * height + radius, height - radius)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((across - radius, down - radius, across + radius, down + radius), fill=(255, 230, 40))
    inner = radius * 0.55
    pen.ellipse((across - inner, down - inner, across + inner, down + inner), fill=(220, 20, 40))
    return Portrait(picture, portrait.face)


AGAINST_ITSELF: dict[str, Change] = {
    "mirrored": mirrored,
    "brightened by 30 %": brightened,
    "darkened by 30 %": darkened,
    "other clothes": other_clothes,
    "a bright sign beside the face": logo_beside,
}
OFF_THE_FACE: dict[str, Change] = {
    "nothing": lambda portrait: portrait,
    "empty ground beside": ground_beside,
    "text beside": text_beside,
    "a bright sign beside the face": logo_beside,
}


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """The share of the changed portrait of the point and of the mass; 0.5: the change has no effect."""

    name: str
    people: int
    point: Estimate
    mass: Estimate


@dataclass(frozen=True, slots=True)
class PointOnHead:
    """By group (all, and by estimated skin tone) the number of people and the share whose point is on the head."""

    name: str
    groups: dict[str, tuple[int, Estimate]]


def _grid(model: SaliencyModel, maps: Maps, picture: Image.Image, *parts: bytes) -> Cropper:
    return Cropper(maps.grid(key(RECIPE, model.identity, *parts), lambda: model.predict(picture)))


def against_itself(
    people: Sequence[Person],
    model: SaliencyModel,
    maps: Maps,
    room: dict[str, float],
    threads: int,
    step: Callable[[], None] = lambda: None,
) -> list[ChangeEffect]:
    """Each portrait beside its changed copy, in both orders; bootstrap over persons."""

    def work(person: Person) -> list[np.ndarray]:
        around = room.get(person.set, 0.0)
        plain = load_portrait(person, around)
        return [
            _beside_itself(person, name, change(plain), plain, around)
            for name, change in AGAINST_ITSELF.items()
        ]

    def _beside_itself(
        person: Person, name: str, changed: Portrait, plain: Portrait, around: float
    ) -> np.ndarray:
        both = []
        for order in (0, 1):
            first, second = (changed, plain) if order == 0 else (plain, changed)
            place = plan(Shape.of(first), Shape.of(second), LAYOUTS["beside"])
            parts = person.digest, name.encode(), bytes([order]), repr(around).encode()
            grid = _grid(model, maps, joined(first, second, place), *parts).grid
            shares = favour(grid, place.places, place.faces, ())
            both.append(shares if order == 0 else 1 - shares)
        mean: np.ndarray = np.mean(both, axis=0)
        return mean

    values = np.array(list(_each(work, people, threads, step)))  # [people, changes, 2]
    numbers = _numbers(people)
    return [
        ChangeEffect(name, len(people), *estimates(values[:, at], numbers)[:2])
        for at, name in enumerate(AGAINST_ITSELF)
    ]


def off_the_face(
    people: Sequence[Person],
    model: SaliencyModel,
    maps: Maps,
    room: dict[str, float],
    threads: int,
    step: Callable[[], None] = lambda: None,
) -> list[PointOnHead]:
    """Whether the point is on the head with each object beside it; also by darker and lighter skin (ITA, estimated)."""
    some = [person for person in people if person.face is not None]
    if not some:
        return []

    def work(person: Person) -> list[float]:
        around = room.get(person.set, 0.0)
        plain = load_portrait(person, around)
        heads = []
        for name, change in OFF_THE_FACE.items():
            changed = change(plain)
            assert changed.face is not None  # no change removes the face
            parts = b"off", person.digest, name.encode(), repr(around).encode()
            heads.append(float(gaze_shares(_grid(model, maps, changed.picture, *parts), changed.face)[0]))
        return [float(covariates(load_portrait(person))[ITA]), *heads]

    values = np.array(list(_each(work, some, threads, step)))
    numbers, tone = _numbers(some), values[:, 0]
    groups = {"all": tone > -360, "darker skin": tone < DARK, "lighter skin": tone > LIGHT}
    return [
        PointOnHead(
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


def seated(model: SaliencyModel, maps: Maps) -> ChangeEffect:
    """A drawn person in a wheelchair beside the same person standing, on one floor, in both orders: the share of the
    seated person (0.5: parity)."""
    rows = []
    for number, style in enumerate(drawn_people.STYLES):
        both = []
        for order in (0, 1):
            picture, places = drawn_people.pair(style, seated_first=order == 0)
            grid = _grid(model, maps, picture, b"seated", bytes([number, order])).grid
            shares = favour(grid, places, (None, None), ())
            both.append(shares if order == 0 else 1 - shares)
        rows.append(np.mean(both, axis=0))
    found = estimates(np.array(rows), np.arange(len(rows)))
    return ChangeEffect("seated beside standing, drawn", len(rows), found[0], found[1])
