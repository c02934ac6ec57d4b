"""The models of OpenAPI. No response is built from them (`crop/answers.py` builds plain dicts, several times as fast);
the tests validate every real response against them."""

import typing
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


def absent(description: str) -> Any:
    """A property that is left out of the JSON rather than null. The description states when."""
    return Field(None, description=description, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Box(Schema):
    """Integer pixels of the upright picture."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Normalized(Schema):
    """The box as fractions of the picture's sides."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(ge=0, le=1)
    height: float = Field(ge=0, le=1)


Verdict = typing.Annotated[
    Literal["good", "tight", "poor"],
    Field(
        description="good: at least 80 % of the importance is inside; tight: at least 60 %. A crop that cuts through a "
        "large object is never good."
    ),
]


class Alternative(Schema):
    box: Box
    importance_fraction: float = Field(ge=0, le=1)
    verdict: Verdict


class Constraint(Schema):
    parameter: Literal["keep", "avoid", "overlay"]
    value: str


class Canvas(Schema):
    width: int
    height: int


class Object(Schema):
    """A face or a text line. The box of a face includes the hair, the chin and the ears."""

    kind: Literal["face", "text"]
    box: Box
    score: float = Field(ge=0, le=1, description="How sure the detector is.")


class Objects(Schema):
    """The protected objects, seen from the box: a face is whole with 95 % of its area inside, outside with 5 %, cut
    between; a line of text with 97 and 3 %. Where a head is too large for the box, the face alone counts if it is not:
    the head's box without hair, chin and ears."""

    whole: int = Field(ge=0, le=16)
    cut: list[Object]
    outside: int = Field(ge=0, le=16)


class Advice(Schema):
    nearest_good_ratio: str | None = Field(
        description="Null where the share of importance is not poor, none is good, or a policy, a zoom or a "
        "constraint decided."
    )
    pad_to: Canvas = Field(description="The smallest canvas of the ratio that contains the whole picture.")
    cut: list[Object] | SkipJsonSchema[None] = absent(
        "The objects cut through that a box of this size could hold whole. Absent if there are none."
    )


class Css(Schema):
    object_position: str = Field(alias="object-position")


class Links(Schema):
    """The box in the syntax of other tools. The box is in the upright picture. Where image.orientation is not 1, a tool
    must turn the picture before it crops: imgproxy does, sharp does after rotate(). Tools that count in the stored
    frame are absent then. thumbor turns with RESPECT_ORIENTATION; IIIF servers and Cloudinary need an upright copy."""

    imgproxy: str
    sharp: str
    iiif: str | SkipJsonSchema[None] = absent(
        "Region of the IIIF Image API. Absent if image.orientation is not 1."
    )
    cloudinary: str | SkipJsonSchema[None] = absent("Absent if image.orientation is not 1.")
    thumbor: str | SkipJsonSchema[None] = absent("Absent if image.orientation is not 1.")


class Crop(Schema):
    ratio: str
    profile: str | SkipJsonSchema[None] = absent("Absent if the ratio was not given as a profile.")
    box: Box
    normalized: Normalized
    importance_fraction: float = Field(ge=0, le=1, description="Share of the picture's saliency in the box.")
    centre_fraction: float = Field(ge=0, le=1, description="That of the centre crop of the same size.")
    gain: float = Field(ge=-1, le=1, description="importance_fraction minus centre_fraction.")
    beats_centre: float = Field(
        ge=0,
        le=1,
        description="The probability that the box keeps more of people's gaze than the centre crop of its size, "
        "calibrated on human gaze; equal shares count half. 0.5 for the centre crop itself.",
    )
    confidence: float | None = Field(
        ge=0,
        le=1,
        description="The probability that the window or balanced crop keeps at least 90 % of what the best crop of its "
        "ratio would keep, calibrated on human gaze. Null for other policies, if a person decided, the map is flat, or "
        "it is unknown.",
    )
    verdict: Verdict
    policy: Literal["window", "point", "centre", "focus", "balanced", "careful", "subject"] = Field(
        description="The one applied; `subject`: that of zoom=auto."
    )
    zoom: typing.Annotated[float, Field(ge=1, le=4)] | SkipJsonSchema[None] = absent(
        "What zoom=auto has found. Absent for other zooms."
    )
    advice: Advice | SkipJsonSchema[None] = absent(
        "Absent unless the verdict is poor, or the box cuts through objects that it could hold."
    )
    objects: Objects | SkipJsonSchema[None] = absent("Absent for a map without objects.")
    unmet: list[Constraint] | SkipJsonSchema[None] = absent(
        "The constraints that this box does not meet, and the overlays that hide what matters. Absent if there is none."
    )
    alternatives: list[Alternative] | SkipJsonSchema[None] = absent(
        "Further boxes, best first. Absent if there are none."
    )
    css: Css | SkipJsonSchema[None] = absent(
        "For an img with object-fit: cover. Absent if the box is smaller than the picture in both dimensions."
    )
    links: Links
    fields: dict[str, Any] | SkipJsonSchema[None] = absent(
        "The crop in the form of each content management system asked for. Absent if none was."
    )


class Crops(Schema):
    crops: list[Crop]


class Source(Schema):
    media: str | None = Field(description="The media query; null for the img, which all wider pages show.")
    src: str
    crop: Crop


class ArtDirection(Schema):
    html: str = Field(description="The picture element.")
    sources: list[Source] = Field(min_length=1, max_length=16)


class Picture(Schema):
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    format: str
    animated: Literal[True] | SkipJsonSchema[None] = absent("Absent for a still.")
    frames: typing.Annotated[int, Field(ge=2)] | SkipJsonSchema[None] = absent(
        "Frames of an animation. The map is the mean over up to five of them, so that one box fits all. Absent for a "
        "still."
    )
    orientation: typing.Annotated[int, Field(ge=1, le=8)] | SkipJsonSchema[None] = absent(
        "EXIF orientation of the file, 1 to 8. Width, height and all boxes are of the upright picture: unless it is 1, "
        "a tool that reads the file must turn it before it crops. Absent for a map of release 0.1 of a turned file."
    )


class Point(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    score: float = Field(ge=0, le=1)


class At(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class FocusPoint(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    source: Literal["model", "person"]
    profiles: dict[str, At] | SkipJsonSchema[None] = absent(
        "What a person set for single profiles, by name. Absent if there is none."
    )


class PersonsFocus(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    source: Literal["person"]


class Span(Schema):
    from_: str = Field(alias="from")
    to: str


class PortableMap(Schema):
    rows: int
    columns: int
    encoded: str = Field(description="The whole map, as gazecrop.js and gazecrop.crop.grid read it.")


class Document(Schema):
    id: str = Field(pattern="^[0-9a-f]{32}$")
    version: str
    image: Picture
    model: str
    focus: FocusPoint
    points: list[Point] = Field(description="Up to five separate maxima of the map, the highest first.")
    objects: typing.Annotated[list[Object], Field(min_length=1, max_length=16)] | SkipJsonSchema[None] = (
        absent("The most important first. Absent if there are none.")
    )
    symmetric: bool = Field(description="The map is nearly its own mirror image: `point` crops the centre.")
    flat: bool = Field(description="The picture has one colour: all crops are central.")
    good_ratios: Span | None = Field(description="Null for a strip of which no allowed ratio keeps enough.")
    saliency: PortableMap
    crops: list[Crop]


class Saliency(Schema):
    rows: int
    columns: int
    values: list[list[float]] = Field(description="A density: non-negative, sums to 1.")


class Reported(Schema):
    report: str
    picture_kept: bool


class Fractions(Schema):
    """A box as fractions of the upright picture."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)


class Contested(Schema):
    ratio: str = Field(max_length=20)
    policy: str = Field("", max_length=20)
    box: Box


class Report(Schema):
    id: str = Field(pattern="^[0-9a-f]{32}$", description="The picture's id.")
    version: str = Field("", max_length=20)
    kind: Literal["biased", "wrong", "other"] = "wrong"
    crops: list[Contested] = Field([], max_length=16)
    should_keep: list[Fractions] = Field([], max_length=16)
    text: str = Field("", max_length=4000)
    picture: str | None = Field(
        None, description="The picture in base64, only if the person chose to add it."
    )


class Vertex(Schema):
    x: int
    y: int


class Polygon(Schema):
    vertices: list[Vertex]


class CropHint(Schema):
    boundingPoly: Polygon
    confidence: typing.Annotated[float, Field(ge=0, le=1)] | SkipJsonSchema[None] = absent(
        "Absent if it is unknown."
    )
    importanceFraction: float = Field(ge=0, le=1)


class CropHints(Schema):
    cropHints: list[CropHint]


class Status(Schema):
    code: int = Field(description="google.rpc.Code")
    message: str


class Annotated(Schema):
    cropHintsAnnotation: CropHints | SkipJsonSchema[None] = absent("Absent if the request failed.")
    error: Status | SkipJsonSchema[None] = absent("Absent if the request succeeded.")


class AnnotatedAll(Schema):
    responses: list[Annotated]


class Queued(Schema):
    jobs: int = Field(description="Objects that became jobs.")
    skipped: int = Field(
        description="New objects outside GAZECROP_SOURCES, folders, and results of a worker."
    )


class BoundingBox(Schema):
    x: int
    y: int
    w: int
    h: int


class SmartCrop(Schema):
    aspectRatio: float
    boundingBox: BoundingBox


class SmartCrops(Schema):
    values: list[SmartCrop]


class Metadata(Schema):
    width: int
    height: int


class Analysed(Schema):
    modelVersion: str
    metadata: Metadata
    smartCropsResult: SmartCrops


class Alive(Schema):
    status: Literal["alive"]


class Ready(Schema):
    status: Literal["ready"]
    model: str
    provider: str = Field(description="The execution provider of ONNX Runtime that runs the network.")
    store: bool = Field(
        description="Whether the store answered the last request. Not a condition of readiness."
    )


class Wrong(BaseModel):
    parameter: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. Further members: limit, received, fix."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field("", description="Absent if the title is sufficient.")
    errors: list[Wrong] = Field(
        [], description="Every wrong parameter. Absent unless the type is bad_parameters."
    )
