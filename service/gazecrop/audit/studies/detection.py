"""One person alone: does the network's second output find the face, and that of every group as often?

A face is found if an object of kind `face` of the served map overlaps YuNet's box (or that of the CSV). An object's box
is that of the head; compared is the detector's own box of the face within it, in 255ths of the picture's sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gazecrop.audit.material.faces import overlap
from gazecrop.audit.material.portraits import Box, Person
from gazecrop.audit.studies.bootstrap import Estimate, differences, estimates, numbered
from gazecrop.audit.studies.cells import LEAST, cells
from gazecrop.audit.studies.context import Context, Step, no_step
from gazecrop.audit.studies.gaze import RECIPE
from gazecrop.crop.objects import PARTS, Object

LEVELS = (0.5, 0.3)  # intersection over union from which on a face is found; the second shows loose boxes
BAR = 0.02  # the largest difference of recall between two groups that is aimed at


@dataclass(frozen=True, slots=True)
class GroupRecall:
    """`group`: a value of a label, two of them as "female (black)", or "all". `recall`: share of the faces that are
    found, at each of LEVELS."""

    set: str
    group: str
    people: int
    recall: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class RecallDifference:
    """Of two groups that differ in one label, first minus second, at each of LEVELS. `fixed`: a label that both share,
    or empty."""

    set: str
    text: str
    fixed: str
    difference: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    groups: tuple[GroupRecall, ...]
    differences: tuple[RecallDifference, ...]


def best_overlap(objects: Sequence[Object], face: Box) -> float:
    """The largest intersection over union of a detected face with this one; 0 without any."""
    boxes = [each.shrunk for each in objects if each.kind == "face"]
    return max(
        (
            overlap(
                (b.left / PARTS, b.top / PARTS, (b.right - b.left) / PARTS, (b.bottom - b.top) / PARTS), face
            )
            for b in boxes
        ),
        default=0.0,
    )


def study(
    people: Sequence[Person],
    context: Context,
    columns: Sequence[str],
    least: int = LEAST,
    step: Step = no_step,
) -> Detection | None:
    """By set, for all people with a known face and for each group of `least` or more. None for a network without
    objects."""
    if not context.model.objects:
        return None
    some = [person for person in people if person.face is not None]

    def work(person: Person) -> float:
        portrait = context.portrait(person)
        assert portrait.face is not None  # a margin moves the face and does not remove it
        parts = person.digest, context.margin_key(person)
        return best_overlap(context.grid(lambda: portrait.picture, RECIPE, *parts).objects, portrait.face)

    found = np.array(list(context.each(work, some, step)), np.float64)
    values = (found[:, None] >= np.array(LEVELS)).astype(np.float64)
    who = numbered([f"{person.set}/{person.who}" for person in some])
    compared = cells(some, columns, least)
    groups: dict[tuple[int, ...], tuple[str, str]] = {}  # of two labels in either order the same people: once
    for name in sorted({person.set for person in some}):
        groups[tuple(i for i, person in enumerate(some) if person.set == name)] = name, "all"
        for cell in compared:
            if cell.set == name:
                for value, inside in zip(cell.names, (cell.first, cell.second), strict=True):
                    text = f"{value} ({cell.fixed})" if cell.fixed else value
                    groups.setdefault(inside, (name, text))

    def recall(inside: tuple[int, ...]) -> tuple[Estimate, ...]:
        rows = list(inside)
        return tuple(estimates(values[rows], who[rows]))

    def difference(one: Sequence[int], other: Sequence[int]) -> tuple[Estimate, ...]:
        a, b = list(one), list(other)
        return tuple(differences(values[a], values[b], who[a], who[b]))

    return Detection(
        tuple(GroupRecall(*named, len(inside), recall(inside)) for inside, named in groups.items()),
        tuple(
            RecallDifference(cell.set, cell.text, cell.fixed, difference(cell.first, cell.second))
            for cell in compared
        ),
    )
