"""Shared by the routes: the parts, the deadline, bodies, cancellation when a client disconnects, caching headers."""

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import orjson
from blake3 import blake3
from fastapi import Request, Response
from starlette.types import Scope

from gazecrop.crop.params import parse
from gazecrop.errors import BadParameters, ClientGone, Draining, Unavailable
from gazecrop.http import caching
from gazecrop.http.body import read_body
from gazecrop.metrics import Stages
from gazecrop.parts import Parts
from gazecrop.pipeline import Known

T = TypeVar("T")
LONGEST_DEADLINE = 3600.0  # seconds; more is a mistake
SECONDS_FOR_JSON = 30.0
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,20})?(e-\d{1,3})?", re.ASCII)
IDS = 16  # bytes of an id: 32 hexadecimal digits


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


def refuse_early(parts: Parts) -> None:
    """Sheds load before the body is read. Raises Draining, Overloaded."""
    try:
        if parts.draining:
            raise Draining("This server is shutting down.")
        parts.gate.refuse_if_full()
    except Unavailable as error:
        error.headers["Connection"] = "close"  # so that the client stops sending
        raise


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Runs the work and cancels it when the client disconnects. Raises ClientGone then."""
    task = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        disconnect.cancel()
        task.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read_picture(request: Request) -> tuple[str, bytes]:
    """The id and the bytes of an upload. Refuses before the body is read when too many are waiting.

    Raises Draining, Overloaded, BodyTooLarge, BodyTooSlow, BadParameters, ClientGone."""
    parts = parts_of(request)
    settings = parts.settings
    refuse_early(parts)
    hasher = blake3(key=parts.id_key)
    with stages_of(request.scope).time("read"):
        data = await read_body(
            request.receive, request.scope["headers"], settings.max_bytes, settings.body_seconds, hasher
        )
    return hasher.hexdigest(IDS), data


async def analysed(request: Request, id: str, data: bytes, deadline: float | None) -> tuple[Known, bool]:
    """The map of an upload, and whether it is new. Raises as Pipeline.upload, and ClientGone."""
    parts = parts_of(request)
    if (in_memory := parts.pipeline.find_in_memory(id)) is not None:
        known, created = in_memory, False
    else:
        work = parts.pipeline.upload(id, data, stages_of(request.scope), deadline)
        known, created = await cancel_on_disconnect(request, work)
    grid = known.picture.cropper.grid
    parts.metrics.input_megapixels.observe(grid.width * grid.height / 1e6)
    return known, created


async def read_limited(request: Request, limit: int, seconds: float = SECONDS_FOR_JSON) -> bytes:
    """A body of at most `limit` bytes that is not a picture. Raises BodyTooLarge, BodyTooSlow, BadParameters (a form),
    ClientGone."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise BadParameters.one("body", "The body must be JSON here, not a form.")
    return await read_body(request.receive, request.scope["headers"], limit, seconds)


def identify(parts: Parts, data: bytes) -> str:
    """The id of a picture's bytes: a keyed hash, which cannot be computed without the server's key."""
    return blake3(data, key=parts.id_key).hexdigest(IDS)


async def read_json(request: Request) -> Any:
    """A small JSON body. Raises BodyTooLarge, BodyTooSlow, BadParameters, ClientGone."""
    body = await read_limited(request, 4096)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None


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


def quality(accept: str, kind: str, subtype: str) -> float:
    """The q of a media type in an Accept header; the most specific range counts (RFC 9110, section 12.5.1)."""
    best, found = -1, 1.0 if not accept.strip() else 0.0
    for part in accept.split(","):
        media, *parameters = [piece.strip().lower() for piece in part.split(";")]
        specific = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}.get(media, -1)
        if specific > best:
            best = specific
            weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
            try:
                found = float(weights[0]) if weights else 1.0
            except ValueError:
                found = 1.0
    return found
