"""Art direction: the markup of a `<picture>` with one crop for each width of the page, from the cached map alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from gazecrop.crop.markup import (
    DEFAULT_SRC,
    Breakpoint,
    check_alt,
    check_src,
    parse_breakpoints,
    picture_answer,
)
from gazecrop.crop.params import CROPPING, parse_collecting_errors
from gazecrop.errors import BadParameters, NotAcceptable
from gazecrop.http.negotiation import quality
from gazecrop.http.openapi.parameters import OF_A_CROP, art_direction_query
from gazecrop.http.openapi.responses import FRESH, MARKUP, NOT_MODIFIED, responses
from gazecrop.http.routes.shared import (
    fresh_headers,
    json_answer,
    not_modified,
    parts_of,
    raw_query,
    stages_of,
)

T = TypeVar("T")
router = APIRouter(tags=["images"])
ALLOWED = (CROPPING - {"ratios", "candidates"}) | {"breakpoints", "src", "alt", "format", "v"}
# A browser that opens the answer loads and runs nothing of it.
PROTECTED = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


@router.get(
    "/v1/images/{id}/picture",
    summary="A picture element with a crop for each width of the page",
    description="Every crop is of the one map, so all show the same subject. The markup is text/html, or JSON with the "
    "crops: by `format`, else by Accept.",
    responses=responses(
        {200: MARKUP, 304: NOT_MODIFIED},
        *(401, 403, 404, 406, 422, 503),
        headers=(*FRESH, "Vary", *PROTECTED),
    ),
    openapi_extra=art_direction_query(*OF_A_CROP, "v"),
)
async def art_direction(request: Request, id: str) -> Response:
    parts, text = parts_of(request), raw_query(request.scope)
    wanted, errors = parse_collecting_errors(text, ALLOWED)
    extra = wanted.extra
    given = extra.get("breakpoints", "")
    breakpoints: tuple[Breakpoint, ...] = _checked(lambda: parse_breakpoints(given), (), errors)
    src = _checked(lambda: check_src(extra.get("src", DEFAULT_SRC)), "", errors)
    alt = _checked(lambda: check_alt(extra.get("alt", "")), "", errors)
    as_html = _checked(lambda: _is_html(request, extra.get("format")), True, errors)
    if errors:
        raise BadParameters(errors)
    known = await parts.pipeline.find(id, stages_of(request.scope))
    target = f"{request.scope['path']}?{text} {'html' if as_html else 'json'}"
    headers = fresh_headers(parts, known, target, extra.get("v")) | {"Vary": "Accept"}
    if not_modified(request, headers):
        return Response(status_code=304, headers=headers)
    wanted = replace(wanted, ratios=tuple(each.ratio for each in breakpoints))
    with stages_of(request.scope).time("crop"):
        crops = await parts.pipeline.crops_aside(known, wanted)
        answer = picture_answer(breakpoints, crops, known.picture.cropper, src, alt)
    if as_html:
        return Response(answer["html"] + "\n", 200, headers | PROTECTED, "text/html; charset=utf-8")
    return json_answer(answer, headers=headers)


def _checked(check: Callable[[], T], default: T, errors: list[dict[str, Any]]) -> T:
    try:
        return check()
    except BadParameters as error:
        errors += error.members["errors"]
        return default


def _is_html(request: Request, name: str | None) -> bool:
    """Whether the answer is HTML. Raises BadParameters, NotAcceptable."""
    if name is not None:
        if name not in ("html", "json"):
            raise BadParameters.one("format", "format is html or json.", received=name[:40])
        return name == "html"
    accept = request.headers.get("accept", "")
    html, json = quality(accept, "text", "html"), quality(accept, "application", "json")
    if html <= 0 and json <= 0:
        raise NotAcceptable("The picture element is served as text/html or application/json.")
    return html >= json
