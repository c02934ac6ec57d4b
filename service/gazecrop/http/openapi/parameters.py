"""OpenAPI of requests: parameters, headers, bodies. `crop/params.py` and the routes parse them, not the framework."""

from typing import Any

from gazecrop.crop.fields import FORMS
from gazecrop.crop.markup import DEFAULT_SRC, LONGEST_ALT, LONGEST_SRC, PLACEHOLDERS
from gazecrop.crop.overlay import MOST_OVERLAYS
from gazecrop.crop.ratios import PROFILES
from gazecrop.sources.urls import LONGEST as LONGEST_URL

BINARY = {"type": "string", "format": "binary"}
_NUMBER = r"\d{1,6}(\.\d{1,6})?"
_RATIO = rf"({'|'.join(PROFILES)}|{_NUMBER}(:{_NUMBER})?)"
_FRACTION = r"(0?\.\d{1,9}|0|1(\.0{1,9})?)"
_BOX = {"type": "string", "pattern": rf"^{_FRACTION}(,{_FRACTION}){{3}}$", "example": "0.2,0.1,0.3,0.4"}
_LAYER = "(heat|points|boxes)"
_FORM = f"({'|'.join(FORMS)})"

DEADLINE: dict[str, Any] = {
    "name": "X-Request-Timeout",
    "in": "header",
    "required": False,
    "description": "Seconds. Work that has not begun by then is not started, and the response is 504.",
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
_BY_URL = {
    "type": "object",
    "description": "The picture by URL, where GAZECROP_SOURCES allows it; else 403.",
    "properties": {
        "url": {"type": "string", "maxLength": LONGEST_URL, "example": "https://bucket.example/a.jpg"}
    },
    "required": ["url"],
    "additionalProperties": False,
}
# Further parameters of Azure's SDK, accepted and ignored so that its clients work unchanged.
AZURE_IGNORED = ("api-version", "gender-neutral-caption", "language", "model-version")
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
_IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Only if the current focus has one of these ETags.",
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "`*`: only if there is no focus yet. ETags: only if the current focus has none of these.",
        },
    ]
}
# Parameters of every crop, besides ratios and candidates.
OF_A_BOX = ("policy", "careful", "zoom", "fill", "align", "keep", "avoid", "protect", "overlay")
OF_A_CROP = (*OF_A_BOX, "fields")
_QUERY: dict[str, dict[str, Any]] = {
    "ratio": {
        "description": "16:9, 1.91:1, 1.7778 or the name of a profile. Alternatively give width and height.",
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
        "description": "Whether a small crop may be enlarged to the requested size.",
        "schema": {"type": "boolean", "default": False},
    },
    "format": {
        "description": "Of the output. Default: by Accept, else JPEG.",
        "schema": {"type": "string", "enum": ["jpeg", "jpg", "webp", "avif", "png"]},
    },
    "animated": {
        "description": "Whether the crop of an animation has all its frames, as WebP, GIF or PNG; without `format` by "
        "Accept, else WebP. Default: true with format=webp and format=gif, where the limits allow it, else false.",
        "schema": {"type": "boolean"},
    },
    "quality": {
        "description": "Of the encoder. Default: 82 (JPEG), 80 (WebP), 60 (AVIF).",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    "layers": {
        "description": "Comma-separated: heat, points, boxes.",
        "schema": {"type": "string", "pattern": f"^{_LAYER}(,{_LAYER})*$", "default": "heat,points,boxes"},
    },
    "ratios": {
        "description": "Up to 16, comma-separated: 16:9, 1.91:1, 1.7778, a profile's name. Default: every profile.",
        "schema": {"type": "string", "pattern": f"^({_RATIO}(,{_RATIO}){{0,15}})?$", "example": "16:9,1:1"},
    },
    "policy": {
        "description": "window: the box with most saliency. balanced: likewise, less what is off-balance or cuts "
        "through a protected object. careful: the balanced box where `beats_centre` is high enough or the centre crop "
        "would cut through an object that it does not, else the centre crop. point: the most salient point as central "
        "as possible. centre. focus: the focus that a person set, as central as possible without an object cut "
        "through. auto: focus if one is set, else balanced.",
        "schema": {
            "type": "string",
            "enum": ["auto", "balanced", "careful", "window", "point", "centre", "center", "focus"],
            "default": "auto",
        },
    },
    "zoom": {
        "description": "1 to 4: the box is 1/zoom of the largest in each dimension. auto: the tightest box, at most 4 "
        "times smaller, in which the subject fills `fill`. The subject is the most important protected face with its "
        "head, else the smallest box around the most salient point with 60 % of the importance; with a focus that a "
        "person set, the face or the box around that point. It is larger where boxes to `keep` need that. `POST "
        "/v1/crop` takes no box smaller than its output.",
        "schema": {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": 4},
                {"type": "string", "enum": ["auto"]},
            ],
            "default": 1,
        },
    },
    "fill": {
        "description": "With zoom=auto: the share of the box that the subject fills, a head by its height.",
        "schema": {"type": "number", "minimum": 0.3, "maximum": 0.9, "default": 0.6},
    },
    "align": {
        "description": "With zoom=auto: x,y in fractions of the box, where the subject's middle is placed. Default: "
        "0.5,0.5; of a face the eyes at a third of the height.",
        "schema": {"type": "string", "pattern": f"^{_FRACTION},{_FRACTION}$", "example": "0.5,0.4"},
    },
    "keep": {
        "description": "x,y,width,height as fractions: must be entirely inside the box. Repeatable.",
        "schema": {"type": "array", "items": _BOX, "maxItems": 16},
    },
    "avoid": {
        "description": "x,y,width,height as fractions: must be entirely outside the box. Repeatable.",
        "schema": {"type": "array", "items": _BOX, "maxItems": 16},
    },
    "overlay": {
        "description": "x,y,width,height as fractions of the crop: what the page covers, with a title or a button. "
        "Importance and protected objects are kept from under it; `unmet` names an overlay that hides a part of "
        "an object or more than a tenth of the importance. Repeatable. A policy that aims at a point stays at it.",
        "schema": {"type": "array", "items": _BOX, "maxItems": MOST_OVERLAYS},
    },
    "protect": {
        "description": "Objects that a crop should not cut through: face, text, both, or none.",
        "schema": {
            "type": "string",
            "enum": ["face,text", "text,face", "face", "text", "none"],
            "default": "face,text",
        },
    },
    "careful": {
        "description": "The least `beats_centre` with which policy careful leaves the centre crop.",
        "schema": {"type": "number", "minimum": 0.5, "maximum": 0.99, "default": 0.8},
    },
    "candidates": {
        "description": "Number of boxes. All but the first are in `alternatives`.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 5, "default": 1},
    },
    "fields": {
        "description": f"Comma-separated names of content management systems, whose forms of the crop are then in "
        f"`fields`: {', '.join(FORMS)}.",
        "schema": {
            "type": "string",
            "pattern": f"^({_FORM}(,{_FORM}){{0,{len(FORMS) - 1}}})?$",
            "example": "sanity",
        },
    },
    "profile": {
        "description": "The focus of this profile alone, which takes precedence over the one for every ratio.",
        "schema": {"type": "string", "enum": list(PROFILES)},
    },
    "v": {
        "description": "The document's version: the response may then be cached for a year.",
        "schema": {"type": "string"},
    },
}


_AZURE: dict[str, dict[str, Any]] = {
    **{
        name: {"schema": {"type": "string"}, "description": "Azure's parameter, ignored here."}
        for name in AZURE_IGNORED
    },
    "features": {
        "description": "Required, in the query or in the form.",
        "schema": {"type": "string", "enum": ["smartCrops"]},
    },
    "smartcrops-aspect-ratios": {
        "description": "Comma-separated numbers, 0.05 to 20; Azure's own range is 0.75 to 1.80.",
        "schema": {
            "type": "string",
            "pattern": rf"^({_NUMBER}(,{_NUMBER}){{0,15}})?$",
            "example": "0.9,1.33",
        },
    },
}


_SIDE = {"type": "integer", "minimum": 1, "maximum": 1024, "example": 200}
_THUMBNAIL: dict[str, dict[str, Any]] = {
    "width": {
        "description": "Of the thumbnail, in pixels. Required, in the query or in the form.",
        "schema": _SIDE,
    },
    "height": {"description": "Likewise.", "schema": _SIDE},
    "smartCropping": {
        "description": "true: the crop with the most important part. false: the centre crop.",
        "schema": {"type": "boolean", "default": False},
    },
    "model-version": _AZURE["model-version"],
}


def conditional(operation: dict[str, Any]) -> dict[str, Any]:
    """The same with the headers of a conditional change."""
    return {"parameters": [*operation["parameters"], *_IF_MATCH["parameters"]]}


_FORMAT_OF_CROPS: dict[str, Any] = {
    "description": "Of the output. Default: by Accept, else JPEG. GIF only by this parameter.",
    "schema": {"type": "string", "enum": ["jpeg", "jpg", "webp", "avif", "png", "gif"]},
}


def art_direction_query(*names: str) -> dict[str, Any]:
    """The OpenAPI of the query of a picture element."""
    at = rf"{_RATIO}(@\d{{1,5}})?"
    required = {
        "name": "breakpoints",
        "in": "query",
        "required": True,
        "description": "Up to 16, comma-separated: each ratio or profile with the width of the page in CSS pixels up "
        "to which it is used, and one without a width for wider pages.",
        "schema": {
            "type": "string",
            "pattern": f"^{at}(,{at}){{0,15}}$",
            "example": "story@480,1:1@1024,16:9",
        },
    }
    own = {
        "src": {
            "description": "Template of the addresses of the cropped files, relative or http(s). Placeholders: "
            f"{', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; the last four are the crop in the syntax of tools.",
            "schema": {"type": "string", "maxLength": LONGEST_SRC, "default": DEFAULT_SRC},
        },
        "alt": {
            "description": "The alternative text of the img.",
            "schema": {"type": "string", "maxLength": LONGEST_ALT, "default": ""},
        },
        "format": {
            "description": "Default: by Accept, else html.",
            "schema": {"type": "string", "enum": ["html", "json"]},
        },
    }
    return {"parameters": [required, *_query(own), *query(*names)["parameters"]]}


def query(*names: str) -> dict[str, Any]:
    """The OpenAPI of these query parameters, for `openapi_extra`."""
    return {"parameters": _query({name: _QUERY[name] for name in names})}


def upload(*names: str) -> dict[str, Any]:
    """The OpenAPI of an upload with these parameters, in the query or as fields of the form."""
    return _upload({name: _QUERY[name] for name in names})


def crop_upload(*names: str) -> dict[str, Any]:
    """As `upload`, of a crop, which may be a GIF."""
    return _upload({name: _FORMAT_OF_CROPS if name == "format" else _QUERY[name] for name in names})


def azure_upload() -> dict[str, Any]:
    """The OpenAPI of an upload with Azure's parameters."""
    return _upload(_AZURE)


def thumbnail_upload() -> dict[str, Any]:
    """The OpenAPI of an upload for a thumbnail with Azure's parameters."""
    return _upload(_THUMBNAIL)


def _query(parameters: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, **described}
        for name, described in parameters.items()
    ]


def _upload(parameters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fields = {
        name: {"description": described["description"], **described["schema"]}
        for name, described in parameters.items()
    }
    form = {
        "type": "object",
        "properties": {"file": BINARY, **fields},
        "required": ["file"],
        "additionalProperties": False,
    }
    body = {
        "application/octet-stream": {"schema": BINARY},
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": _BY_URL},
    }
    return {
        "parameters": [*_query(parameters), DEADLINE],
        "requestBody": {"required": True, "content": body},
    }
