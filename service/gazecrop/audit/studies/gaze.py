"""Where on one person does the point fall: head, body, or beside? (The paper's study of the male gaze.)

The head's box is the face's (from the CSV, or YuNet's), a third wider and with half its height of hair above; the
body's is estimated from it: four heads broad, from the chin down to the picture's edge or seven heads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import Box, Person, Sight, sight
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.favour import mass_in, most_salient
from gazecrop.crop.cropping import Cropper

PARTS = ("head", "body", "beside")


@dataclass(frozen=True, slots=True)
class Falls:
    """`point`: share of people whose most salient point is on head, body, beside. `mass`: their mean saliency there."""

    set: str
    group: str
    people: int
    point: tuple[Estimate, ...]
    mass: tuple[Estimate, ...]


def head_of(face: Box) -> Box:
    x, y, w, h = face
    return _cut((x - w / 6, y - h / 2, w * 4 / 3, h * 1.55))


def body_of(face: Box) -> Box:
    """Estimated, see above."""
    x, y, w, h = face
    return _cut((x + w / 2 - 8 / 3 * w, y + 1.05 * h, 16 / 3 * w, 7 * 1.55 * h))


def _cut(box: Box) -> Box:
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    return left, top, max(min(box[0] + box[2], 1.0) - left, 0.0), max(min(box[1] + box[3], 1.0) - top, 0.0)


def falls(cropper: Cropper, face: Box) -> NDArray[np.float64]:
    """[6]: the point on head, body, beside (0 or 1), then the mass there."""
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


def alone(person: Person, look: Look, maps: Maps, room: float, seen: Callable[[], Sight]) -> Cropper:
    """The map of one person's picture."""
    kept = key(b"alone 1", look.identity, person.digest, repr(room).encode())
    return Cropper(maps.grid(kept, lambda: look.see(seen().picture)))


def study(
    people: Sequence[Person],
    look: Look,
    maps: Maps,
    column: str,
    room: dict[str, float],
    threads: int,
    step: Callable[[], None] = lambda: None,
) -> list[Falls]:
    """By set and value of the label `column`; those without a face or the label are left out."""

    def look_at(person: Person) -> np.ndarray:
        around = room.get(person.set, 0.0)
        seen = sight(person, around)
        assert seen.face is not None  # room moves a face, it loses none
        return falls(alone(person, look, maps, around, lambda: seen), seen.face)

    some = [person for person in people if person.face is not None and column in person.labels]
    groups: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
    with ThreadPoolExecutor(threads) as pool:
        for person, values in zip(some, pool.map(look_at, some), strict=True):
            groups.setdefault((person.set, person.labels[column]), []).append((person.who, values))
            step()
    found = []
    for (name, group), rows in sorted(groups.items()):
        numbers = np.unique([who for who, _ in rows], return_inverse=True)[1].astype(np.int64)
        each = estimates(np.array([values for _, values in rows]), numbers)
        found.append(Falls(name, group, len(rows), tuple(each[:3]), tuple(each[3:])))
    return found
