"""Shared by the routes: the parts, the deadline, JSON bodies, caching headers."""

import base64
import re
import time
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from gazecrop.crop.params import parse
from gazecrop.errors import BadParameters
from gazecrop.http import caching
from gazecrop.http.body import read_body
from gazecrop.metrics import Stages
from gazecrop.parts import Parts
from gazecrop.pipeline import Known

LONGEST_DEADLINE = 3600.0  # seconds; more is a mistake
SECONDS_FOR_JSON = 30.0
_BREAKS = (b"\r", b"\n", b"\t", b" ")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_SECONDS = re.compile(r"(\d{1,4}(\.\d{1,20})?|\.\d{1,20})(e-\d{1,3})?", re.ASCII)


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def stages_of(scope: Scope) -> Stages:
    stages: Stages = scope["gazecrop.stages"]
    return stages


def raw_query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")


def reject_query_parameters(request: Request) -> None:
    """Raises BadParameters for any query parameter, as it would be ignored."""
    parse(raw_query(request.scope), frozenset())


def deadline_of(request: Request, errors: list[dict[str, Any]]) -> float | None:
    """`X-Request-Timeout` as a monotonic time; None without it. Appends to `errors` if it is invalid."""
    text = request.headers.get("x-request-timeout")
    if text is None:
        return None
    seconds = float(text) if _SECONDS.fullmatch(text) else 0.0
    if not 0 < seconds <= LONGEST_DEADLINE:
        detail = f"X-Request-Timeout is a number of seconds, above 0 and up to {LONGEST_DEADLINE:.0f}."
        errors.append({"parameter": "X-Request-Timeout", "detail": detail, "received": text[:40]})
        return None
    return time.monotonic() + seconds


async def read_limited(request: Request, limit: int, seconds: float = SECONDS_FOR_JSON) -> bytes:
    """A body of at most `limit` bytes that is not a picture. Raises BodyTooLarge, BodyTooSlow, BadParameters (a form),
    ClientGone."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise BadParameters.one("body", "The body must be JSON here, not a form.")
    return await read_body(request.receive, request.scope["headers"], limit, seconds)


async def read_json(request: Request) -> Any:
    """A small JSON body. Raises BodyTooLarge, BodyTooSlow, BadParameters, ClientGone."""
    body = await read_limited(request, 4096)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None


def decode_base64(text: str, parameter: str) -> bytes:
    """The bytes of base64 in either alphabet, with or without padding and line breaks, as proto3's JSON allows it.
    Raises BadParameters."""
    try:
        encoded = text.encode("ascii")
        if any(one in encoded for one in (b"-", b"_", *_BREAKS)):
            encoded = encoded.translate(_STANDARD, b"".join(_BREAKS))
        if len(encoded) % 4:
            encoded += b"=" * (-len(encoded) % 4)
        return base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are ValueErrors
        raise BadParameters.one(parameter, f"{parameter} is not base64.") from None


class Whole(Response):
    """A large answer. The request ends when the client has taken it, not before, so that its bytes stay counted: after
    the last message of a body the server may still hold all of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(head)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})  # waits until little is left of the first


def not_modified(request: Request, headers: dict[str, str]) -> bool:
    conditions = request.headers.getlist("if-none-match")
    return any(caching.matches(condition, headers["ETag"]) for condition in conditions)


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def fresh_headers(parts: Parts, known: Known, target: str, requested: str | None) -> dict[str, str]:
    """The caching headers of a response about a picture.

    target: distinguishes it from other responses about the picture. requested: the value of `?v=`.
    """
    settings = parts.settings
    version = known.version
    private = bool(settings.api_keys)
    headers = {
        "ETag": caching.etag(version, target),
        "Cache-Control": caching.control(settings.cache_control, requested, version, private=private),
    }
    if known.degraded:
        headers["X-Degraded"] = "store"
    return headers
