"""The position of the most salient point on one person: head, body, or beside. (The paper's study of the male gaze.)

The box of the head is that of the face (from the CSV or YuNet), a third wider and half its height taller, for the hair.
The box of the body is estimated from it: four heads wide, from the chin down to the edge of the picture or seven heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.portraits import Box, Person
from gazecrop.audit.studies.bootstrap import Estimate, estimates, numbered
from gazecrop.audit.studies.context import Context, Step, no_step
from gazecrop.audit.studies.favour import mass_in, most_salient
from gazecrop.crop.cropping import Cropper

PARTS = ("head", "body", "beside")
RECIPE = b"alone 1"  # cache version


@dataclass(frozen=True, slots=True)
class GazeShares:
    """One group. `point`: share of people whose most salient point is on head, body, beside. `mass`: mean share of the
    saliency there."""

    set: str
    group: str
    people: int
    point: tuple[Estimate, ...]
    mass: tuple[Estimate, ...]


def head_of(face: Box) -> Box:
    x, y, w, h = face
    return _cut((x - w / 6, y - h / 2, w * 4 / 3, h * 1.55))


def body_of(face: Box) -> Box:
    """Estimated as described in the module's docstring."""
    x, y, w, h = face
    return _cut((x + w / 2 - 8 / 3 * w, y + 1.05 * h, 16 / 3 * w, 7 * 1.55 * h))


def _cut(box: Box) -> Box:
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    return left, top, max(min(box[0] + box[2], 1.0) - left, 0.0), max(min(box[1] + box[3], 1.0) - top, 0.0)


def gaze_shares(cropper: Cropper, face: Box) -> NDArray[np.float64]:
    """float[6]: the point on head, body, beside (0 or 1), then the mass there."""
    head, body = head_of(face), body_of(face)
    point = most_salient(cropper)
    on_head = on_box(head, point)
    on_body = not on_head and on_box(body, point)
    mass_head = mass_in(cropper, head)
    mass_body = mass_in(cropper, body) if body[2] > 0 and body[3] > 0 else 0.0
    return np.array(
        [on_head, on_body, not (on_head or on_body), mass_head, mass_body, 1 - mass_head - mass_body]
    )


def on_box(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[0] + box[2] and box[1] <= point[1] <= box[1] + box[3]


def study(people: Sequence[Person], context: Context, column: str, step: Step = no_step) -> list[GazeShares]:
    """By set and value of the label `column`; people without a face or the label are skipped."""

    def work(person: Person) -> NDArray[np.float64]:
        portrait = context.portrait(person)
        assert portrait.face is not None  # a margin moves the face and does not remove it
        parts = person.digest, context.margin_key(person)
        return gaze_shares(context.cropper(lambda: portrait.picture, RECIPE, *parts), portrait.face)

    some = [person for person in people if person.face is not None and column in person.labels]
    groups: dict[tuple[str, str], list[tuple[str, NDArray[np.float64]]]] = {}
    for person, values in zip(some, context.each(work, some, step), strict=True):
        groups.setdefault((person.set, person.labels[column]), []).append((person.who, values))
    found = []
    for (name, group), rows in sorted(groups.items()):
        numbers = numbered([who for who, _ in rows])
        each = estimates(np.array([values for _, values in rows]), numbers)
        found.append(GazeShares(name, group, len(rows), tuple(each[:3]), tuple(each[3:])))
    return found
