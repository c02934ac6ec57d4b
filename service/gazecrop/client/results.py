"""What the client's calls give. `document`: the answer as it was sent, with everything that has no field here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gazecrop.crop.placing import Box
from gazecrop.crop.points import Point


@dataclass(frozen=True, slots=True)
class Crop:
    """The crop of one ratio. The values are those of `gazecrop.Crop`; links: the box in the syntax of other tools."""

    ratio: str
    profile: str | None
    box: Box
    importance_fraction: float
    centre_fraction: float
    gain: float
    beats_centre: float
    confidence: float | None
    verdict: str
    policy: str
    css: Mapping[str, str] | None
    links: Mapping[str, str]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Focus:
    """A focal point in fractions of the upright picture. source: model or person. etag: of one that a person set, for
    `if_match`; None elsewhere."""

    x: float
    y: float
    source: str
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as the server describes it. width, height: pixels of the upright picture. encoded: the map, for
    `gazecrop.from_encoded`. created: whether the upload was new; False for other calls."""

    id: str
    version: str
    width: int
    height: int
    format: str
    model: str
    focus: Focus
    points: tuple[Point, ...]
    flat: bool
    encoded: str
    crops: tuple[Crop, ...]
    created: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A picture file. box: of the crop in pixels of the upright upload; None for an explanation. unmet: the `keep`,
    `avoid` and `overlay` boxes that the crop does not meet, such as "keep=0,0,1,1"."""

    data: bytes
    media_type: str
    id: str
    box: Box | None
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saliency:
    """The map as a density: `values` are `rows` lists of `columns` numbers that sum to 1."""

    rows: int
    columns: int
    values: list[list[float]]


def crop_of(content: Mapping[str, Any]) -> Crop:
    return Crop(
        ratio=content["ratio"],
        profile=content.get("profile"),
        box=Box(**content["box"]),
        importance_fraction=content["importance_fraction"],
        centre_fraction=content["centre_fraction"],
        gain=content["gain"],
        beats_centre=content["beats_centre"],
        confidence=content["confidence"],
        verdict=content["verdict"],
        policy=content["policy"],
        css=content.get("css"),
        links=content["links"],
        document=content,
    )


def read_image(answer: httpx.Response) -> Image:
    content = answer.json()
    image, focus = content["image"], content["focus"]
    return Image(
        id=content["id"],
        version=content["version"],
        width=image["width"],
        height=image["height"],
        format=image["format"],
        model=content["model"],
        focus=Focus(focus["x"], focus["y"], focus["source"]),
        points=tuple(Point(**each) for each in content["points"]),
        flat=content["flat"],
        encoded=content["saliency"]["encoded"],
        crops=tuple(map(crop_of, content["crops"])),
        created=answer.status_code == 201,
        document=content,
    )


def read_crops(answer: httpx.Response) -> tuple[Crop, ...]:
    return tuple(map(crop_of, answer.json()["crops"]))


def read_crop(answer: httpx.Response) -> Crop:
    return crop_of(answer.json())


def read_focus(answer: httpx.Response) -> Focus:
    content = answer.json()
    return Focus(content["x"], content["y"], content["source"], answer.headers.get("etag"))


def read_saliency(answer: httpx.Response) -> Saliency:
    return Saliency(**answer.json())


def read_rendered(answer: httpx.Response) -> Rendered:
    box = answer.headers.get("x-gazecrop-box")
    return Rendered(
        data=answer.content,
        media_type=answer.headers["content-type"],
        id=answer.headers["x-gazecrop-id"],
        box=Box(*map(int, box.split(","))) if box else None,
        unmet=tuple(answer.headers.get("x-gazecrop-unmet", "").split()),
    )


def read_bytes(answer: httpx.Response) -> bytes:
    return answer.content


def read_nothing(answer: httpx.Response) -> None:
    return None
