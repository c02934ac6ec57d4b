"""The models of OpenAPI. No response is built from them (`crop/answers.py` builds plain dicts, several times as fast);
the tests validate every real response against them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


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


class Alternative(Schema):
    box: Box
    importance_fraction: float = Field(ge=0, le=1)
    verdict: Literal["good", "tight", "poor"]


class Constraint(Schema):
    parameter: Literal["keep", "avoid"]
    value: str


class Canvas(Schema):
    width: int
    height: int


class Advice(Schema):
    nearest_good_ratio: str | None = Field(
        description="Null if no other ratio would help: a policy, a zoom or a constraint decided, or none is good."
    )
    pad_to: Canvas = Field(description="The smallest canvas of the ratio that contains the whole picture.")


class Crop(Schema):
    ratio: str
    profile: str = ""
    box: Box
    normalized: Normalized
    importance_fraction: float = Field(ge=0, le=1, description="Share of the picture's saliency in the box.")
    confidence: float | None = Field(
        ge=0,
        le=1,
        description="The probability that the window crop keeps at least 90 % of what the best crop of its ratio would "
        "keep, calibrated on human gaze. Null if a person decided, the map is flat, or it is unknown.",
    )
    verdict: Literal["good", "tight", "poor"]
    policy: Literal["window", "point", "centre", "focus"]
    advice: Advice | None = Field(None, description="Only of a poor crop.")
    unmet: list[Constraint] = Field([], description="The constraints that this box does not meet.")
    alternatives: list[Alternative] = Field([], description="Further boxes, best first.")
    css: dict[str, str] = Field({}, description="For an img with object-fit: cover.")
    links: dict[str, str] = Field(description="The same box in the syntax of other tools.")


class Crops(Schema):
    crops: list[Crop]


class Picture(Schema):
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    format: str


class Point(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    score: float = Field(ge=0, le=1)


class FocusPoint(Schema):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    source: Literal["model", "person"]


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
    points: list[Point]
    symmetric: bool
    flat: bool
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
    confidence: float = Field(0, ge=0, le=1, description="Absent if it is unknown.")
    importanceFraction: float = Field(ge=0, le=1)


class CropHints(Schema):
    cropHints: list[CropHint]


class Status(Schema):
    code: int = Field(description="google.rpc.Code")
    message: str


class Annotated(Schema):
    cropHintsAnnotation: CropHints | None = None
    error: Status | None = None


class AnnotatedAll(Schema):
    responses: list[Annotated]


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
    detail: str = ""
    errors: list[Wrong] = []
