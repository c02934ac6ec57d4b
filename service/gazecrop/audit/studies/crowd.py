"""Several people in one photograph: the attention on each, and how it depends on covariates.

No labels are needed: size, distance from the centre, brightness and estimated skin tone (ITA) are measured for every
face. For every two faces in a picture, the first head's share of the attention on both is regressed on all differences
at once (least squares, in standard deviations of each; bootstrap over pictures). The effects of brightness and skin
tone are therefore those at equal size and position, which have the largest effects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.covariates import ita, lab, part, skin_of
from gazecrop.audit.material.faces import Faces
from gazecrop.audit.material.maps import key
from gazecrop.audit.material.portraits import Box, Person, load_portrait, with_digest
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.context import Context, Step, no_step
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
LEAST, MOST = 2, 12  # faces of a picture; more of them are too small for a detector of 320 pixels
SMALLEST = 0.04  # height of a face as a fraction of the picture's; smaller ones have too few pixels
NUMBERS = (
    ("2", 2, 2),
    ("3", 3, 3),
    ("4 to 6", 4, 6),
    ("7 to 12", 7, MOST),
)  # faces of a picture: name, from, to
DRAWS = 400
RECIPE = b"crowd 1"  # cache version
RATIOS = tuple(parse_ratio(text) for text in ("1:1", "9:16"))


@dataclass(frozen=True, eq=False)
class CrowdPicture:
    """One picture with n faces. `heads` [n]: saliency mass of each head; `covariates` [n, len(NAMES)]; `on_head`: the
    point is on a head; `kept` [window, centre]: share of faces that are whole in the crop, mean over the ratios."""

    heads: NDArray[np.float64]
    covariates: NDArray[np.float64]
    on_head: bool
    kept: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crowd:
    """`slopes`: by covariate, change of the share per standard deviation. `numbers`: by number of people, the count of
    pictures and the shares of faces kept whole by the window and by the centre crop."""

    pictures: int
    faces: int
    on_head: Estimate
    kept_window: Estimate
    kept_centre: Estimate
    slopes: dict[str, Estimate]
    numbers: dict[str, tuple[int, Estimate, Estimate]]


def study(items: Sequence[Item], context: Context, faces: Faces, step: Step = no_step) -> Crowd | None:
    """None if fewer than ten pictures have two faces."""

    def work(item: Item) -> CrowdPicture | None:
        try:
            return measure(with_digest(Person(item, item.name, "", {})), context, faces)
        except (OSError, PictureError):
            return None

    found = [picture for picture in context.each(work, items, step) if picture is not None]
    return summarise(found) if len(found) >= 10 else None


def measure(person: Person, context: Context, faces: Faces) -> CrowdPicture | None:
    """None if the picture has fewer than LEAST or more than MOST faces. Raises OSError, PictureError."""
    picture = load_portrait(person).picture
    kept = context.maps.value(
        key(b"faces 1", person.digest), lambda: np.array(faces.find_all(picture), ">f8").tobytes()
    )
    boxes: list[Box] = [tuple(row) for row in np.frombuffer(kept, ">f8").reshape(-1, 4).tolist()]
    boxes = [box for box in boxes if box[3] >= SMALLEST]
    if not LEAST <= len(boxes) <= MOST:
        return None
    cropper = context.cropper(lambda: picture, RECIPE, person.digest)
    colours = lab(np.asarray(picture))
    point, heads = most_salient(cropper), [head_of(box) for box in boxes]
    covariates = []
    for x, y, w, h in boxes:
        skin = part(colours, skin_of((x, y, w, h)))
        far = float(np.hypot(x + w / 2 - 0.5, y + h / 2 - 0.5))
        covariates.append((np.log(w * h) / 2, far, float(skin[..., 0].mean()), ita(skin)))
    return CrowdPicture(
        np.array([mass_in(cropper, head) for head in heads]),
        np.array(covariates),
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


def summarise(found: Sequence[CrowdPicture]) -> Crowd:
    each = np.array([[picture.on_head, *picture.kept] for picture in found])
    on_head, window, centre = estimates(each, np.arange(len(found)))
    shares, differences, numbers_of_pictures = [], [], []
    for number, picture in enumerate(found):
        for i, j in combinations(range(len(picture.heads)), 2):
            both = picture.heads[i] + picture.heads[j]
            if both > 0:
                shares.append(picture.heads[i] / both - 0.5)
                differences.append(picture.covariates[i] - picture.covariates[j])
                numbers_of_pictures.append(number)
    slopes = _slopes(np.array(shares), np.array(differences), np.array(numbers_of_pictures), len(found))
    faces = np.array([len(picture.heads) for picture in found])
    numbers = {}
    for name, least, most in NUMBERS:
        some = np.flatnonzero((faces >= least) & (faces <= most))
        if len(some) >= 10:
            kept = estimates(each[some, 1:], some)
            numbers[name] = (len(some), kept[0], kept[1])
    return Crowd(len(found), int(faces.sum()), on_head, window, centre, slopes, numbers)


def _slopes(
    shares: NDArray[np.float64], differences: NDArray[np.float64], picture: NDArray[np.int64], pictures: int
) -> dict[str, Estimate]:
    """No intercept, since the order of two faces is arbitrary. All pictures have the same weight."""
    x = differences / differences.std(axis=0)
    equal = 1 / np.bincount(picture, minlength=pictures)[picture]
    generator = np.random.default_rng(0)

    def fit(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        root = np.sqrt(weight)
        slopes: NDArray[np.float64] = np.linalg.lstsq(x * root[:, None], shares * root, rcond=None)[0]
        return slopes

    drawn = [
        fit(equal * generator.multinomial(pictures, np.full(pictures, 1 / pictures))[picture])
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    ends = zip(fit(equal), low, high, strict=True)
    return {name: Estimate(*map(float, three)) for name, three in zip(NAMES, ends, strict=True)}
