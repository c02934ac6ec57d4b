"""Controlled changes: the same portrait beside a changed copy, and objects beside a face that may attract the point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material import drawn_people
from gazecrop.audit.material import portrait_changes as change
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.portraits import Box, Person, Portrait, load_portrait
from gazecrop.audit.studies.bootstrap import Estimate, estimates, numbered
from gazecrop.audit.studies.context import Context, Step, no_step
from gazecrop.audit.studies.favour import favour
from gazecrop.audit.studies.gaze import gaze_shares

RECIPE = b"change 1"  # cache version
ITA = 2  # its index among the covariates
DARK, LIGHT = 28.0, 41.0  # degrees: "tan" and darker, "light" and lighter in the usual classes of ITA

AGAINST_ITSELF: dict[str, change.Change] = {
    "mirrored": change.mirrored,
    "brightened by 30 %": change.brightened,
    "darkened by 30 %": change.darkened,
    "other clothes": change.other_clothes,
    "a bright sign beside the face": change.sign_beside,
}
OFF_THE_FACE: dict[str, change.Change] = {
    "nothing": change.unchanged,
    "empty ground beside": change.background_beside,
    "text beside": change.text_beside,
    "a bright sign beside the face": change.sign_beside,
}

Shares = NDArray[np.float64]  # [2]: point and mass


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


def against_itself(people: Sequence[Person], context: Context, step: Step = no_step) -> list[ChangeEffect]:
    """Each portrait beside its changed copy, in both orders; bootstrap over persons."""

    def work(person: Person) -> list[Shares]:
        plain = context.portrait(person)
        return [beside_itself(person, name, made(plain), plain) for name, made in AGAINST_ITSELF.items()]

    def beside_itself(person: Person, name: str, changed: Portrait, plain: Portrait) -> Shares:
        def shares(order: int) -> Shares:
            first, second = (changed, plain) if order == 0 else (plain, changed)
            place = plan(Shape.of(first), Shape.of(second), LAYOUTS["beside"])
            parts = person.digest, name.encode(), bytes([order]), context.margin_key(person)
            return _shares(context, lambda: joined(first, second, place), place.places, place.faces, *parts)

        return _both_orders(shares)

    values = np.array(list(context.each(work, people, step)))  # [people, changes, 2]
    numbers = numbered([person.who for person in people])
    return [
        ChangeEffect(name, len(people), *estimates(values[:, at], numbers)[:2])
        for at, name in enumerate(AGAINST_ITSELF)
    ]


def seated(context: Context) -> ChangeEffect:
    """A drawn person in a wheelchair beside the same person standing, on one floor, in both orders: the share of the
    seated person (0.5: parity)."""

    def work(number: int) -> Shares:
        def shares(order: int) -> Shares:
            picture, places = drawn_people.pair(drawn_people.STYLES[number], seated_first=order == 0)
            return _shares(context, lambda: picture, places, (None, None), b"seated", bytes([number, order]))

        return _both_orders(shares)

    count = len(drawn_people.STYLES)
    values = np.array(list(context.each(work, range(count), no_step)))
    point, mass = estimates(values, np.arange(count))
    return ChangeEffect("seated beside standing, drawn", count, point, mass)


def _shares(
    context: Context,
    picture: Callable[[], Image.Image],
    places: tuple[Box, Box],
    faces: tuple[Box | None, Box | None],
    *parts: bytes,
) -> Shares:
    """Of the first of two people in a picture."""
    return favour(context.grid(picture, RECIPE, *parts), places, faces, ())


def _both_orders(shares: Callable[[int], Shares]) -> Shares:
    """Mean over the orders; in the second one the changed portrait is the second."""
    mean: Shares = (shares(0) + (1 - shares(1))) / 2
    return mean


def off_the_face(people: Sequence[Person], context: Context, step: Step = no_step) -> list[PointOnHead]:
    """Whether the point is on the head with each object beside it; also by darker and lighter skin (ITA, estimated)."""
    some = [person for person in people if person.face is not None]
    if not some:
        return []

    def work(person: Person) -> list[float]:
        plain = context.portrait(person)
        heads = [head(person, name, made(plain)) for name, made in OFF_THE_FACE.items()]
        return [float(covariates(load_portrait(person))[ITA]), *heads]

    def head(person: Person, name: str, changed: Portrait) -> float:
        assert changed.face is not None  # no change removes the face
        parts = b"off", person.digest, name.encode(), context.margin_key(person)
        cropper = context.cropper(lambda: changed.picture, RECIPE, *parts)
        return float(gaze_shares(cropper, changed.face)[0])

    values = np.array(list(context.each(work, some, step)))
    numbers, tone = numbered([person.who for person in some]), values[:, 0]
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
