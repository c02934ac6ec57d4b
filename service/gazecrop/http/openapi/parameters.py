"""What OpenAPI says of what is sent: parameters, headers, bodies. Read by params.py and by the routes, not by the
framework."""

from typing import Any

from gazecrop.crop.ratios import PROFILES

BINARY = {"type": "string", "format": "binary"}
_NUMBER = r"\d{1,6}(\.\d{1,6})?"
_RATIO = rf"({'|'.join(PROFILES)}|{_NUMBER}(:{_NUMBER})?)"
_FRACTION = r"(0(\.\d{1,9})?|1(\.0{1,9})?)"
_BOX = {"type": "string", "pattern": rf"^{_FRACTION}(,{_FRACTION}){{3}}$", "example": "0.2,0.1,0.3,0.4"}
_LAYER = "(heat|points|boxes)"

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


def query(*names: str, deadline: bool = False) -> dict[str, Any]:
    """The OpenAPI of these parameters, for `openapi_extra`. `deadline`: and of X-Request-Timeout."""
    found = [{"name": name, "in": "query", "required": False, **_QUERY[name]} for name in names]
    return {"parameters": [*found, *([DEADLINE] if deadline else [])]}
