"""Pictures by URL: {"url": ...} in place of the file. Off unless GAZECROP_SOURCES names prefixes."""

import time
from collections.abc import Callable

import orjson
from fastapi import Request

from gazecrop.concurrency.bodies import hold_fetched
from gazecrop.errors import BadParameters, BodyTooLarge, SourceNotAllowed
from gazecrop.http.routes.disconnect import cancel_on_disconnect
from gazecrop.http.routes.shared import parts_of, stages_of

LONGEST_JSON = 16_384  # bytes, four times those of the longest URL


def names_url(request: Request, body: bytes) -> bool:
    """Whether the body is an object in JSON. No picture begins with a brace, so that a file may be sent with any
    Content-Type."""
    sent_as = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return sent_as == "application/json" and body[:64].lstrip(b" \t\r\n")[:1] == b"{"


def url_of(body: bytes) -> str:
    """The URL in {"url": ...}. Raises BadParameters, BodyTooLarge."""
    if len(body) > LONGEST_JSON:
        raise BodyTooLarge(f"The limit of JSON here is {LONGEST_JSON:,} bytes.", limit=LONGEST_JSON)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None
    url = content.get("url")
    if not isinstance(url, str) or len(content) > 1:
        raise BadParameters.one(
            "url", 'The body in JSON is {"url": "https://..."} alone; parameters are in the query.'
        )
    return url


async def fetch(
    request: Request, url: str, deadline: float | None, received: Callable[[bytes], object]
) -> bytes:
    """The bytes behind a URL, counted as a body of this request. `received` is called with each piece.

    Raises SourceError, BodyTooLarge, Overloaded, DeadlinePassed, ClientGone.
    """
    parts = parts_of(request)
    if parts.sources is None:
        raise SourceNotAllowed(
            "This server never fetches URLs: GAZECROP_SOURCES names no prefix. Send the bytes of the picture."
        )

    def count(piece: bytes) -> None:
        hold_fetched(len(piece))
        received(piece)

    parts.sources.check(url)  # before it waits
    place = await parts.fetch_gate.enter(0, deadline)
    try:
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        with stages_of(request.scope).time("read"):
            return await cancel_on_disconnect(request, parts.sources.fetch(url, seconds, count))
    finally:
        parts.fetch_gate.leave(place)
