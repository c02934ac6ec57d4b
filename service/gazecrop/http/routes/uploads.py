"""What all uploads do: parse parameters of the query and the form, read and identify the picture, get its map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from blake3 import blake3
from fastapi import Request

from gazecrop.crop.params import Wanted, parse_collecting_errors
from gazecrop.engine import IDS
from gazecrop.errors import BadParameters, Draining, NotAPicture, PictureUnreadable, Unavailable
from gazecrop.http import body
from gazecrop.http.not_pictures import explained
from gazecrop.http.routes import by_url
from gazecrop.http.routes.disconnect import cancel_on_disconnect
from gazecrop.http.routes.shared import deadline_of, parts_of, raw_query, stages_of
from gazecrop.parts import Parts
from gazecrop.pipeline import Known

T = TypeVar("T")
Errors = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Upload(Generic[T]):
    """A picture and its parsed parameters. query: those of the URL and of the form. deadline: a monotonic time."""

    id: str
    data: bytes
    query: str
    wanted: Wanted
    further: T
    deadline: float | None


async def read_upload(
    request: Request,
    allowed: frozenset[str],
    further: Callable[[Wanted, Errors], T],
    *,
    renders: bool = False,
) -> Upload[T]:
    """Reads the picture and the parameters, which may be in the query string or in fields of the form beside the file.
    A body {"url": ...} in JSON is replaced by what is behind that URL.

    allowed: names of parameters. further: parses those that `crop.params` does not and appends to the errors. Without
    a form invalid parameters are refused before the body is read. renders: the picture is also drawn.
    Raises BadParameters with every wrong parameter, Draining, Overloaded, BodyTooLarge, BodyTooSlow, ClientGone,
    SourceError, DeadlinePassed (both of a URL), and what `further` raises.
    """
    refuse_early(parts_of(request), renders=renders)
    deadline_errors: Errors = []
    deadline = deadline_of(request, deadline_errors)

    def parse(query: str) -> tuple[Wanted, T]:
        wanted, errors = parse_collecting_errors(query, allowed)
        errors += deadline_errors
        parsed = further(wanted, errors)
        if errors:
            raise BadParameters(errors)
        return wanted, parsed

    query = raw_query(request.scope)
    if body.is_form(request.scope["headers"]):
        id, upload = await _read(request, deadline)
        query = "&".join(part for part in (query, upload.query) if part)
        wanted, parsed = parse(query)
    else:
        wanted, parsed = parse(query)
        id, upload = await _read(request, deadline)
    return Upload(id, upload.data, query, wanted, parsed, deadline)


async def _read(request: Request, deadline: float | None) -> tuple[str, body.Upload]:
    """The id and the body."""
    parts = parts_of(request)
    settings = parts.settings
    announced = parts.gate.pace.announce()
    hasher = blake3(key=parts.id_key)
    try:
        with stages_of(request.scope).time("read"):
            upload = await body.read_upload(
                request.receive, request.scope["headers"], settings.max_bytes, settings.body_seconds, hasher
            )
        if by_url.names_url(request, upload.data):
            hasher = blake3(key=parts.id_key)
            url = by_url.url_of(upload.data)
            upload = body.Upload(await by_url.fetch(request, url, deadline, hasher.update))
    finally:
        announced.arrive()
    return hasher.hexdigest(IDS), upload


def refuse_early(parts: Parts, *, renders: bool = False) -> None:
    """Sheds load before the body is read. Raises Draining, Overloaded."""
    try:
        if parts.draining:
            raise Draining("This server is shutting down.")
        parts.gate.refuse_if_full()
        if renders:
            parts.render_gate.refuse_if_full()
    except Unavailable as error:
        error.headers["Connection"] = "close"  # so that the client stops sending
        raise


async def analysed(request: Request, id: str, data: bytes, deadline: float | None) -> tuple[Known, bool]:
    """The map of an upload, and whether it is new. Raises as Pipeline.upload, and ClientGone."""
    parts = parts_of(request)
    if (in_memory := parts.pipeline.find_in_memory(id)) is not None:
        known, created = in_memory, False
    else:
        work = parts.pipeline.upload(id, data, stages_of(request.scope), deadline)
        try:
            with parts.gate.pace.coming():
                known, created = await cancel_on_disconnect(request, work)
        except (NotAPicture, PictureUnreadable) as error:
            raise explained(error, data, request.headers.get("content-type", "")) from None
    grid = known.picture.cropper.grid
    parts.metrics.input_megapixels.observe(grid.width * grid.height / 1e6)
    return known, created
