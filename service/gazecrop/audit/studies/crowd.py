"""Several people in one photograph: which of them gets the attention, and what goes with it?

No labels are needed: of every two faces in a picture the size, the distance from the middle, the brightness and the
estimated skin tone (ITA) are known. The share of attention that the first head gets of the two heads' is fitted by all
differences at once (least squares, in standard deviations of each), pictures resampled. So size and place, which
decide most, are held equal when brightness and skin tone are judged.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.covariates import ita, lab, part
from gazecrop.audit.material.faces import Faces
from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import Box, Person, identified, sight
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.favour import mass_in, most_salient
from gazecrop.audit.studies.gaze import head_of, on_box
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.placing import Constraint
from gazecrop.crop.ratios import parse_ratio
from gazecrop.errors import PictureError

NAMES = (
    "size of the face (log)",
    "distance from the middle",
    "brightness of the face",
    "skin tone (ITA, estimated)",
)
LEAST, MOST = 2, 12  # faces of a picture: beyond, they are too small for a judge of 320 pixels
SMALLEST = 0.04  # of the picture's height: below, a face has few pixels
NUMBERS = (("2", 2, 2), ("3", 3, 3), ("4 to 6", 4, 6), ("7 to 12", 7, MOST))  # people of a picture
DRAWS = 400
RATIOS = tuple(parse_ratio(text) for text in ("1:1", "9:16"))


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture: `heads` [n], the attention on each; `about` [n, len(NAMES)]; `on_head`: the point is on one;
    `kept` [window, centre]: the share of faces that are whole in the crop, over the ratios."""

    heads: NDArray[np.float64]
    about: NDArray[np.float64]
    on_head: bool
    kept: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crowd:
    """`slopes`: points of share for one standard deviation, by name. `numbers`: by number of people, the pictures,
    and how often a face is kept whole by the window and by the centre crop."""

    pictures: int
    faces: int
    on_head: Estimate
    kept_window: Estimate
    kept_centre: Estimate
    slopes: dict[str, Estimate]
    numbers: dict[str, tuple[int, Estimate, Estimate]]


def study(
    items: Sequence[Item], look: Look, maps: Maps, faces: Faces, threads: int, step: Callable[[], None]
) -> Crowd | None:
    """None when fewer than ten pictures have two faces."""

    def work(item: Item) -> Seen | None:
        try:
            return one(identified(Person(item, item.name, "", {})), look, maps, faces)
        except (OSError, PictureError):
            return None

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for seen in pool.map(work, items):
            step()
            if seen is not None:
                found.append(seen)
    return summed(found) if len(found) >= 10 else None


def one(person: Person, look: Look, maps: Maps, faces: Faces) -> Seen | None:
    picture = sight(person).picture
    kept = maps.value(
        key(b"faces 1", person.digest), lambda: np.array(faces.find_all(picture), ">f8").tobytes()
    )
    boxes: list[Box] = [tuple(row) for row in np.frombuffer(kept, ">f8").reshape(-1, 4).tolist()]
    boxes = [box for box in boxes if box[3] >= SMALLEST]
    if not LEAST <= len(boxes) <= MOST:
        return None
    cropper = Cropper(maps.grid(key(b"crowd 1", look.identity, person.digest), lambda: look.see(picture)))
    colours = lab(np.asarray(picture))
    point, heads = most_salient(cropper), [head_of(box) for box in boxes]
    about = []
    for x, y, w, h in boxes:
        skin = part(colours, (x + 0.25 * w, y + 0.25 * h, 0.5 * w, 0.55 * h))
        far = float(np.hypot(x + w / 2 - 0.5, y + h / 2 - 0.5))
        about.append((np.log(w * h) / 2, far, float(skin[..., 0].mean()), ita(skin)))
    return Seen(
        np.array([mass_in(cropper, head) for head in heads]),
        np.array(about),
        any(on_box(head, point) for head in heads),
        np.array([_kept(cropper, policy, boxes) for policy in ("window", "centre")]),
    )


def _kept(cropper: Cropper, policy: str, boxes: Sequence[Box]) -> float:
    grid = cropper.grid
    whole = []
    for ratio in RATIOS:
        box = cropper.crop(ratio, Options(policy=policy)).box  # type: ignore[arg-type]
        whole += [Constraint("keep", *face).met(box, grid.width, grid.height) for face in boxes]
    return float(np.mean(whole))


def summed(found: Sequence[Seen]) -> Crowd:
    each = np.array([[seen.on_head, *seen.kept] for seen in found])
    on_head, window, centre = estimates(each, np.arange(len(found)))
    shares, differences, picture = [], [], []
    for number, seen in enumerate(found):
        for i, j in combinations(range(len(seen.heads)), 2):
            both = seen.heads[i] + seen.heads[j]
            if both > 0:
                shares.append(seen.heads[i] / both - 0.5)
                differences.append(seen.about[i] - seen.about[j])
                picture.append(number)
    slopes = _slopes(np.array(shares), np.array(differences), np.array(picture), len(found))
    many = np.array([len(seen.heads) for seen in found])
    numbers = {}
    for name, least, most in NUMBERS:
        some = np.flatnonzero((many >= least) & (many <= most))
        if len(some) >= 10:
            kept = estimates(each[some, 1:], some)
            numbers[name] = (len(some), kept[0], kept[1])
    return Crowd(len(found), int(many.sum()), on_head, window, centre, slopes, numbers)


def _slopes(
    shares: NDArray[np.float64], differences: NDArray[np.float64], picture: NDArray[np.int64], pictures: int
) -> dict[str, Estimate]:
    """No intercept: which of two faces is the first is arbitrary. Every picture weighs alike, whoever is in it."""
    x = differences / differences.std(axis=0)
    alike = 1 / np.bincount(picture, minlength=pictures)[picture]
    generator = np.random.default_rng(0)

    def fit(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        root = np.sqrt(weight)
        slopes: NDArray[np.float64] = np.linalg.lstsq(x * root[:, None], shares * root, rcond=None)[0]
        return slopes

    drawn = [
        fit(alike * generator.multinomial(pictures, np.full(pictures, 1 / pictures))[picture])
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    ends = zip(fit(alike), low, high, strict=True)
    return {name: Estimate(*map(float, three)) for name, three in zip(NAMES, ends, strict=True)}
