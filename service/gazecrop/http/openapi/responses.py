"""OpenAPI of responses: statuses, headers, problems, and content without a model."""

from typing import Any

from pydantic import BaseModel

from gazecrop.http.openapi.parameters import BINARY
from gazecrop.http.openapi.schemas import ArtDirection, Saliency

Responses = dict[int | str, dict[str, Any]]
_TEXT = {"type": "string"}
_HEADERS = {
    "X-Request-Id": "The client's if it sent a short printable one, else a new one. It is in the log.",
    "Server-Timing": "Milliseconds of each stage: read, queue, decode, infer, crop, render, store.",
    "ETag": "Strong. Depends on the map, the network, the focus, the parameters and the release.",
    "Cache-Control": "no-cache or the setting; one year if ?v= is the current version; private if keys are set.",
    "Location": "The picture's resource, relative to the URL of the request.",
    "Vary": "Accept.",
    "X-Degraded": "What was unavailable: `store`.",
    "X-Gazecrop-Box": "x,y,width,height of the crop in pixels of the upright picture.",
    "X-Gazecrop-Id": "The picture's id.",
    "X-Gazecrop-Unmet": "`unmet` of the crop, such as `keep=0,0,1,1 overlay=0,0.5,1,0.5`. Absent if there is none.",
    "Content-Security-Policy": "Of text/html: nothing of it is loaded or run.",
    "X-Content-Type-Options": "nosniff, of text/html.",
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "Bearer.",
    "Accept-Encoding": "identity, if the body had a Content-Encoding.",
    "Connection": "close, if the body was not read.",
}
_OPTIONAL = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Server-Timing",
    "X-Degraded",
    "X-Gazecrop-Unmet",
    "Connection",
    "Accept-Encoding",
}
_OF_PROBLEM = {
    401: ("WWW-Authenticate",),
    408: ("Connection",),
    413: ("Connection",),
    415: ("Accept-Encoding", "Connection"),
    422: ("Connection",),
    429: ("Retry-After",),
    503: ("Retry-After", "Connection"),
}
_PROBLEMS = {
    400: "The request is wrong, or the picture cannot be read",
    401: "A key is needed",
    403: "The key is not valid, or the picture's URL is not allowed",
    404: "No map is stored for this id",
    406: "None of the accepted formats can be made",
    408: "The body was received too slowly",
    412: "The precondition failed",
    413: "The body is too long, or the picture has too many pixels",
    415: "Not a picture that this server reads, or a body with a Content-Encoding",
    422: "Parameters are invalid, or the picture is corrupt",
    429: "Too many reports from one address",
    502: "The picture could not be fetched from its URL",
    503: "Overloaded, draining, or the store is unavailable",
    504: "The deadline of X-Request-Timeout passed before the work began, or between two frames of an animation, or a "
    "picture did not arrive from its URL in time",
    507: "The store is full",
}

FRESH = ("ETag", "Cache-Control", "X-Degraded")  # headers of every GET of a picture
NOT_MODIFIED = {"description": "Not modified"}
PICTURE: dict[str, Any] = {
    "description": "The picture",
    "content": {f"image/{name}": {"schema": BINARY} for name in ("jpeg", "webp", "avif", "png")},
}
CROPPED = {
    "description": "The crop",
    "content": PICTURE["content"] | {"image/gif": {"schema": BINARY}},
}
SALIENCY = {"model": Saliency, "content": {"image/png": {"schema": BINARY}}}
MARKUP = {"model": ArtDirection, "content": {"text/html": {"schema": {"type": "string"}}}}
METRICS = {"description": "Every metric", "content": {"text/plain": {}, "application/openmetrics-text": {}}}


def responses(answers: dict[int, Any], *problems: int, headers: tuple[str, ...] = ()) -> Responses:
    """The responses of an operation: `answers` (models by status) with these headers, then `problems`. 500 is never
    documented: it would be a defect."""
    documented: Responses = {}
    for status, answer in answers.items():
        described = answer if isinstance(answer, dict) else {"model": answer}
        documented[status] = described | {"headers": _described("X-Request-Id", "Server-Timing", *headers)}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return documented | {status: _problem(status, content, "Cache-Control") for status in problems}


THUMBNAIL_FILE = {"content": {"image/jpeg": {"schema": BINARY}}}


def vendor_responses(
    description: str, answer: type[BaseModel] | dict[str, Any], headers: tuple[str, ...] = ()
) -> Responses:
    """The responses of a compatibility endpoint: every error is the vendor's own error object."""
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "object"}}}
    content = answer if isinstance(answer, dict) else {"model": answer}
    found = responses({200: {"description": description} | content}, headers=headers)
    for status in (400, 401, 403, 408, 502, 503, 504):
        found[status] = _problem(status, {"application/json": {"schema": error}})
        found[status]["headers"] |= _described("Connection", "Accept-Encoding") if status == 400 else {}
    return found


def _problem(status: int, content: dict[str, Any], *names: str) -> dict[str, Any]:
    described = _described("X-Request-Id", "Server-Timing", *names, *_OF_PROBLEM.get(status, ()))
    return {"description": _PROBLEMS[status], "content": content, "headers": described}


def _described(*names: str) -> dict[str, Any]:
    return {
        name: {"description": _HEADERS[name], "required": name not in _OPTIONAL, "schema": _TEXT}
        for name in names
    }
