"""What every route does alike: find the parts, read the deadline, notice a client that left, answer GETs by ETag."""

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from starlette.types import Scope

from service import caching
from service.errors import BadParameters, ClientGone
from service.metrics import Stages
from service.parts import Parts
from service.pipeline import Known

T = TypeVar("T")
LONGEST_DEADLINE = 3600.0  # seconds; more is a mistake


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def stages_of(scope: Scope) -> Stages:
    stages: Stages = scope["gazecrop.stages"]
    return stages


def raw_query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")


def deadline_of(request: Request) -> float | None:
    """`X-Request-Timeout` in seconds, as a monotonic time. Raises BadParameters."""
    text = request.headers.get("x-request-timeout")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_DEADLINE:
        detail = f"X-Request-Timeout is a number of seconds, above 0 and up to {LONGEST_DEADLINE:.0f}."
        raise BadParameters.one("X-Request-Timeout", detail, received=text[:40])
    return time.monotonic() + seconds


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Runs the work while the client is there. The framework alone would finish it for nobody."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def fresh_headers(parts: Parts, known: Known, target: str, asked: str | None) -> dict[str, str]:
    """The caching headers of an answer about a picture. `target`: what tells it from other answers about it."""
    settings = parts.settings
    version = known.version
    private = bool(settings.api_keys)
    headers = {
        "ETag": caching.etag(version, target),
        "Cache-Control": caching.control(settings.cache_control, asked, version, private=private),
    }
    if known.degraded:
        headers["X-Degraded"] = "store"
    return headers
