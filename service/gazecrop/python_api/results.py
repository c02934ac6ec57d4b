"""The results of `Picture.crop`: the values of the HTTP API's crops, as objects."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gazecrop.crop.answers import crop_answer
from gazecrop.crop.cropping import Applied, Cropper, Verdict
from gazecrop.crop.cropping import Crop as Found
from gazecrop.crop.objects import Held, Object
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import Ratio


class Normalized(NamedTuple):
    """A box in fractions of the upright picture, rounded to four places."""

    x: float
    y: float
    width: float
    height: float


class Alternative(NamedTuple):
    """A further box of the same ratio: it overlaps every other one by an intersection over union of 0.5 at most."""

    box: Box
    importance_fraction: float
    verdict: Verdict


class Advice(NamedTuple):
    """For a poor crop: the nearest ratio that would be good (None: no other would), and the size (width, height) of the
    canvas of this ratio that shows the whole picture. For one that cuts objects which a box of its size could hold:
    these, in `cut`, and the canvas."""

    nearest_good_ratio: str | None
    pad_to: tuple[int, int]
    cut: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Crop:
    """The crop of one ratio, with the values of the HTTP API.

    importance_fraction: the share of the picture's saliency in the box, 0 to 1; `importance` is not rounded.
    centre_fraction: that of the centre crop of the same size. gain: importance_fraction minus centre_fraction.
    beats_centre: the probability that it keeps more of people's gaze than that; 0.5 for the centre crop itself.
    confidence: the probability that the crop is one of the best of its ratio; None except for plain window and balanced
    crops.
    policy: the one applied, never `auto`; "subject" with zoom="auto".
    zoom: what zoom="auto" has found; None for other zooms.
    objects: the protected faces and text lines, seen from the box; None for a map without objects.
    unmet: the areas of `keep` and `avoid` that the box does not respect, and those of `overlay` that hide what matters.
    css: the declaration that shows the box with `object-fit: cover`; None for a zoomed crop.
    links: the box in the syntax of imgproxy, IIIF, Cloudinary and thumbor.
    fields: the crop as each content management system asked for stores it, by name.
    """

    ratio: Ratio
    box: Box
    normalized: Normalized
    importance: float
    importance_fraction: float
    centre_fraction: float
    gain: float
    beats_centre: float
    confidence: float | None
    verdict: Verdict
    policy: Applied
    zoom: float | None
    advice: Advice | None
    objects: Held | None
    unmet: tuple[Constraint, ...]
    alternatives: tuple[Alternative, ...]
    css: dict[str, str] | None
    links: dict[str, str]
    fields: dict[str, Any]

    @classmethod
    def of(cls, found: Found, cropper: Cropper) -> "Crop":
        answer = crop_answer(found, cropper)
        advice = answer.get("advice")
        return cls(
            ratio=found.ratio,
            box=found.box,
            normalized=Normalized(**answer["normalized"]),
            importance=found.importance,
            importance_fraction=answer["importance_fraction"],
            centre_fraction=answer["centre_fraction"],
            gain=answer["gain"],
            beats_centre=answer["beats_centre"],
            confidence=answer["confidence"],
            verdict=found.verdict,
            policy=found.policy,
            zoom=answer.get("zoom"),
            advice=advice
            and Advice(
                advice["nearest_good_ratio"],
                tuple(advice["pad_to"].values()),
                found.objects.avoidable if found.objects else (),
            ),
            objects=found.objects,
            unmet=found.unmet,
            alternatives=tuple(
                Alternative(box, round(importance, 4), verdict)
                for (box, importance), verdict in zip(found.alternatives, found.verdicts, strict=True)
            ),
            css=answer.get("css"),
            links=answer["links"],
            fields=answer.get("fields", {}),
        )
