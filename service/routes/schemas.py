"""The answers as OpenAPI describes them. Nothing is built from these at run time (answers.py builds plain dicts, which
is several times as fast); tests hold every real answer against them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.ratios import PROFILES


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Box(Schema):
    """Integer pixels of the upright picture."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Normalized(Schema):
    """The box in fractions of the picture's sides."""

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
        description="Null where no other ratio would help: a policy, a zoom or a constraint decided, or there is none."
    )
    pad_to: Canvas = Field(description="The smallest canvas of the ratio that holds the whole picture.")


class Crop(Schema):
    ratio: str
    profile: str = ""
    box: Box
    normalized: Normalized
    importance_fraction: float = Field(ge=0, le=1, description="Share of the picture's saliency in the box.")
    confidence: float | None = Field(
        ge=0,
        le=1,
        description="The chance that the window crop keeps at least 90 % of what the best crop of its ratio would keep "
        "of where people look, calibrated on people. Null where a person decided, or the map is flat, or not known.",
    )
    verdict: Literal["good", "tight", "poor"]
    policy: Literal["window", "point", "centre", "focus"]
    advice: Advice | None = Field(None, description="Of a poor crop.")
    unmet: list[Constraint] = Field([], description="The constraints that this box does not meet.")
    alternatives: list[Alternative] = Field([], description="Further boxes, best first.")
    css: dict[str, str] = Field({}, description="For an img with object-fit: cover.")
    links: dict[str, str] = Field(description="The same box in other tools' words.")


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
    encoded: str = Field(description="The whole map; gazecrop.js and service.grid read it.")


class Document(Schema):
    id: str = Field(pattern="^[0-9a-f]{32}$")
    version: str
    image: Picture
    model: str
    focus: FocusPoint
    points: list[Point]
    symmetric: bool
    flat: bool
    good_ratios: Span | None = Field(
        description="Null for a strip of which no ratio that may be asked keeps as much."
    )
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
    """A box in fractions of the upright picture."""

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
        None, description="The picture in base64, only where the person chose to add it."
    )


class Vertex(Schema):
    x: int
    y: int


class Polygon(Schema):
    vertices: list[Vertex]


class CropHint(Schema):
    boundingPoly: Polygon
    confidence: float = Field(0, ge=0, le=1, description="Left out where it is not known.")
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
    provider: str = Field(description="Of ONNX Runtime: where the network runs.")
    store: bool = Field(
        description="Whether the store answered last time. It is no condition of being ready."
    )


class Wrong(BaseModel):
    parameter: str
    detail: str


class Problem(BaseModel):
    """RFC 9457; further members say limit, received, fix."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[Wrong] = []


def query(*names: str, deadline: bool = False) -> dict[str, Any]:
    """The OpenAPI of these parameters, for `openapi_extra`: they are read by params.py, not by the framework.
    `deadline`: and of X-Request-Timeout."""
    found = [{"name": name, "in": "query", "required": False, **_QUERY[name]} for name in names]
    return {"parameters": [*found, *([DEADLINE] if deadline else [])]}


Responses = dict[int | str, dict[str, Any]]
_TEXT = {"type": "string"}
_HEADERS = {
    "X-Request-Id": "The client's where it sent a short printable one, else a new one; stands in the log.",
    "Server-Timing": "What this request needed, in milliseconds: read, queue, decode, infer, crop, render, store.",
    "ETag": "Strong; of the map, the network, the focus, the parameters and the release.",
    "Cache-Control": "no-cache, or what was set; a year with ?v= and the present version; private with keys.",
    "Location": "The picture's resource.",
    "Vary": "Accept.",
    "X-Degraded": "What was not available: `store`.",
    "X-Gazecrop-Box": "x,y,width,height of the crop, pixels of the upright picture.",
    "X-Gazecrop-Id": "The picture's id.",
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "Bearer.",
    "Connection": "close, where the body was not read.",
}
_OPTIONAL = {"Server-Timing", "X-Degraded", "Connection"}
_OF_PROBLEM = {
    401: ("WWW-Authenticate",),
    408: ("Connection",),
    413: ("Connection",),
    422: ("Connection",),
    429: ("Retry-After",),
    503: ("Retry-After", "Connection"),
}


def responses(answers: dict[int, Any], *problems: int, headers: tuple[str, ...] = ()) -> Responses:
    """The answers of an operation: models by status, with these headers, then the problems. 500 is never one: it
    would be a defect."""
    found: Responses = {}
    for status, answer in answers.items():
        described = answer if isinstance(answer, dict) else {"model": answer}
        found[status] = described | {"headers": _described("X-Request-Id", "Server-Timing", *headers)}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return found | {status: _problem(status, content, "Cache-Control") for status in problems}


def vendor_responses(description: str, model: type[BaseModel]) -> Responses:
    """Of a door: its vendor's own error object, whatever went wrong."""
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "object"}}}
    found = responses({200: {"description": description, "model": model}})
    for status in (400, 401, 403, 408, 503, 504):
        found[status] = _problem(status, {"application/json": {"schema": error}})
        found[status]["headers"] |= _described("Connection") if status == 400 else {}
    return found


def _problem(status: int, content: dict[str, Any], *names: str) -> dict[str, Any]:
    described = _described("X-Request-Id", "Server-Timing", *names, *_OF_PROBLEM.get(status, ()))
    return {"description": _PROBLEMS[status], "content": content, "headers": described}


def _described(*names: str) -> dict[str, Any]:
    return {
        name: {"description": _HEADERS[name], "required": name not in _OPTIONAL, "schema": _TEXT}
        for name in names
    }


FRESH = ("ETag", "Cache-Control", "X-Degraded")  # headers of what a GET answers about a picture
_NUMBER = r"\d{1,6}(\.\d{1,6})?"
_RATIO = rf"({'|'.join(PROFILES)}|{_NUMBER}(:{_NUMBER})?)"
_FRACTION = r"(0(\.\d{1,9})?|1(\.0{1,9})?)"
_BOX = {"type": "string", "pattern": rf"^{_FRACTION}(,{_FRACTION}){{3}}$", "example": "0.2,0.1,0.3,0.4"}
_LAYER = "(heat|points|boxes)"

NOT_MODIFIED = {"description": "Not modified: what the client has is what it would get"}
BINARY = {"type": "string", "format": "binary"}
PICTURE = {
    "description": "The picture",
    "content": {f"image/{name}": {"schema": BINARY} for name in ("jpeg", "webp", "avif", "png")},
}
SALIENCY = {"model": Saliency, "content": {"image/png": {"schema": BINARY}}}
METRICS = {"description": "Every metric", "content": {"text/plain": {}, "application/openmetrics-text": {}}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": BINARY},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": BINARY}, "required": ["file"]}
            },
        },
    }
}
DEADLINE: dict[str, Any] = {
    "name": "X-Request-Timeout",
    "in": "header",
    "required": False,
    "description": "Seconds: work that has not begun by then is not begun, and the answer is 504.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
}
GOOGLE_BODY = {
    "parameters": [DEADLINE],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["requests"],
                    "properties": {"requests": {"type": "array", "minItems": 1, "maxItems": 16, "items": {}}},
                }
            }
        },
    },
}
# What Azure's SDK sends beside what we read: their clients need not be changed.
AZURE_IGNORED = ("api-version", "gender-neutral-caption", "language", "model-version")
AZURE_PARAMETERS = {
    "parameters": [
        *(
            {
                "name": name,
                "in": "query",
                "schema": {"type": "string"},
                "description": "Azure's; changes nothing here.",
            }
            for name in AZURE_IGNORED
        ),
        {
            "name": "features",
            "in": "query",
            "required": True,
            "schema": {"type": "string", "enum": ["smartCrops"]},
        },
        {
            "name": "smartcrops-aspect-ratios",
            "in": "query",
            "schema": {
                "type": "string",
                "pattern": rf"^({_NUMBER}(,{_NUMBER}){{0,15}})?$",
                "example": "0.9,1.33",
            },
            "description": "Comma-separated numbers, 0.05 to 20; Azure's own range is 0.75 to 1.80.",
        },
        DEADLINE,
    ]
}
FOCUS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "x": {"type": "number", "minimum": 0, "maximum": 1, "example": 0.31},
                        "y": {"type": "number", "minimum": 0, "maximum": 1, "example": 0.42},
                    },
                    "required": ["x", "y"],
                    "additionalProperties": False,
                }
            }
        },
    }
}
IF_MATCH = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Only over this ETag.",
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "`*`: only create. ETags: only over another than these.",
        },
    ]
}
_QUERY: dict[str, dict[str, Any]] = {
    "ratio": {
        "description": "16:9, 1.91:1, 1.7778 or a profile's name. Or say width and height.",
        "schema": {"type": "string", "pattern": f"^{_RATIO}$", "example": "1:1"},
    },
    "width": {
        "description": "Of the output, in pixels.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 8192, "example": 600},
    },
    "height": {
        "description": "Of the output, in pixels.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 8192},
    },
    "enlarge": {
        "description": "Whether a small crop may be enlarged to the size asked for.",
        "schema": {"type": "boolean", "default": False},
    },
    "format": {
        "description": "Of the output; default: by Accept, else JPEG.",
        "schema": {"type": "string", "enum": ["jpeg", "webp", "avif", "png"]},
    },
    "quality": {
        "description": "Of the encoder; default 82 (JPEG), 80 (WebP), 60 (AVIF).",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    "layers": {
        "description": "Comma-separated: heat, points, boxes.",
        "schema": {"type": "string", "pattern": f"^{_LAYER}(,{_LAYER})*$", "default": "heat,points,boxes"},
    },
    "ratios": {
        "description": "Up to 16, comma-separated: 16:9, 1.91:1, 1.7778 or a profile's name. Default: every profile.",
        "schema": {"type": "string", "pattern": f"^({_RATIO}(,{_RATIO}){{0,15}})?$", "example": "16:9,1:1"},
    },
    "policy": {
        "description": "window: holds most saliency. point: the most salient point in the middle. centre. "
        "focus: the person's point in the middle. auto: focus where there is one, else window.",
        "schema": {
            "type": "string",
            "enum": ["auto", "window", "point", "centre", "focus"],
            "default": "auto",
        },
    },
    "zoom": {
        "description": "1 to 4: the box is 1/zoom of the largest in each dimension.",
        "schema": {"type": "number", "minimum": 1, "maximum": 4, "default": 1},
    },
    "keep": {
        "description": "x,y,width,height in fractions; must be wholly inside the box. Repeatable.",
        "schema": {"type": "array", "items": _BOX, "maxItems": 16},
    },
    "avoid": {
        "description": "x,y,width,height in fractions; must be wholly outside the box. Repeatable.",
        "schema": {"type": "array", "items": _BOX, "maxItems": 16},
    },
    "candidates": {
        "description": "How many boxes: those after the first are in `alternatives`.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 5, "default": 1},
    },
    "v": {
        "description": "The document's version: the answer may then be cached for a year.",
        "schema": {"type": "string"},
    },
}
_PROBLEMS = {
    400: "The request is wrong, or the picture cannot be read",
    401: "A key is needed",
    403: "The key is not known",
    404: "No map is kept for this id",
    406: "None of the accepted formats can be made",
    408: "The body came too slowly",
    412: "The precondition does not hold",
    413: "The body is too long, or the picture has too many pixels",
    415: "Not a picture that this server reads",
    422: "Parameters are wrong, or the picture is corrupt",
    429: "Too many reports from one address",
    503: "Overloaded, draining, or the store is away",
    504: "The deadline of X-Request-Timeout passed before the work began",
    507: "The store is full",
}
