"""The focal points that a person sets: one for every ratio, which takes precedence over the network, and one for each
profile, which takes precedence over that. They outlive maps, restarts and new networks."""

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from gazecrop.crop.focus import Focus
from gazecrop.crop.params import parse
from gazecrop.crop.ratios import PROFILES
from gazecrop.errors import BadParameters, FocusNotFound
from gazecrop.http.caching import original
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.parameters import FOCUS_BODY, conditional, query
from gazecrop.http.openapi.responses import FRESH, NOT_MODIFIED, responses
from gazecrop.http.routes.shared import (
    json_answer,
    not_modified,
    parts_of,
    raw_query,
    read_json,
    stages_of,
)
from gazecrop.store.base import Condition

router = APIRouter(tags=["focus"])
_TAG = re.compile(r'"focus-(\d{1,19})"', re.ASCII)
_NO_REVISION = 2**64 - 1  # revisions have 63 bits; stores pack them in 64


@router.get(
    "/v1/images/{id}/focus",
    summary="The focus that a person set",
    responses=responses(
        {200: schemas.PersonsFocus, 304: NOT_MODIFIED}, 401, 403, 404, 422, 503, headers=FRESH
    ),
    openapi_extra=query("profile"),
)
async def show(request: Request, id: str) -> Response:
    profile = profile_of(request)
    with stages_of(request.scope).time("store"):
        focus, degraded = await parts_of(request).maps.get_focus(id, profile)
    if focus is None:
        of = f"the profile {profile}" if profile else "this picture"
        raise FocusNotFound(f"No person has set a focus for {of}.")
    headers = {"ETag": tag(focus), "Cache-Control": "private, no-cache"}
    if degraded:
        headers["X-Degraded"] = "store"
    if not_modified(request, headers):
        return Response(status_code=304, headers=headers)
    return json_answer(answer(focus), headers=headers)


@router.put(
    "/v1/images/{id}/focus",
    summary="Set the focus; durable before the answer",
    responses=responses(
        {200: schemas.PersonsFocus, 201: schemas.PersonsFocus},
        *(401, 403, 404, 408, 412, 413, 415, 422, 503, 507),
        headers=("ETag",),
    ),
    openapi_extra=FOCUS_BODY | conditional(query("profile")),
)
async def put(request: Request, id: str) -> Response:
    profile = profile_of(request)
    x, y = coordinates(await read_json(request))
    with stages_of(request.scope).time("store"):
        focus, created = await parts_of(request).maps.set_focus(id, x, y, condition(request), profile)
    return json_answer(answer(focus), 201 if created else 200, {"ETag": tag(focus)})


@router.delete(
    "/v1/images/{id}/focus",
    status_code=204,
    summary="Remove the focus",
    responses=responses({204: {"description": "Removed, or there was none"}}, 401, 403, 412, 422, 503),
    openapi_extra=conditional(query("profile")),
)
async def delete(request: Request, id: str) -> Response:
    profile = profile_of(request)
    with stages_of(request.scope).time("store"):
        await parts_of(request).maps.delete_focus(id, condition(request), profile)
    return Response(status_code=204)


def profile_of(request: Request) -> str:
    """`?profile=`; empty without it. Raises BadParameters."""
    extra = parse(raw_query(request.scope), frozenset({"profile"})).extra
    name = extra.get("profile")
    if name is not None and name not in PROFILES:
        detail = f"The profiles are {', '.join(PROFILES)}."
        raise BadParameters.one("profile", detail, received=name[:40])
    return name or ""


def answer(focus: Focus) -> dict[str, Any]:
    return {"x": focus.x, "y": focus.y, "source": "person"}


def tag(focus: Focus) -> str:
    return f'"focus-{focus.revision}"'


def condition(request: Request) -> Condition:
    """If-Match (strong comparison) and If-None-Match (weak comparison), RFC 9110, sections 13.1.1 and 13.1.2. A foreign
    tag matches no revision."""
    match = _tags(request, "if-match")
    none = _tags(request, "if-none-match") or []
    return Condition(
        match=None if match is None else () if "*" in match else tuple(map(_revision, match)),
        absent="*" in none,
        other=tuple(_revision(one.removeprefix("W/")) for one in none),
    )


def _tags(request: Request, name: str) -> list[str] | None:
    """The list of a header over all its lines; None if it was not sent."""
    lines = request.headers.getlist(name)
    return [original(part) for line in lines for part in line.split(",")] if lines else None


def _revision(one: str) -> int:
    found = _TAG.fullmatch(one)
    return int(found[1]) if found else _NO_REVISION


def coordinates(content: Any) -> tuple[float, float]:
    """Raises BadParameters unless it is {"x": 0..1, "y": 0..1}."""
    if not isinstance(content, dict):
        raise BadParameters.one("body", 'The body is a JSON object: {"x": 0.31, "y": 0.42}.')
    errors = [
        {"parameter": name, "detail": f"{name} is a number from 0 to 1."}
        for name in ("x", "y")
        if not isinstance(content.get(name), int | float)
        or isinstance(content[name], bool)
        or not 0 <= content[name] <= 1
    ]
    errors += [
        {"parameter": name[:40], "detail": f"{name[:40]!r} is not a member of a focus."}
        for name in list(content)[:16]
        if name not in ("x", "y")
    ]
    if errors:
        raise BadParameters(errors)
    return float(content["x"]), float(content["y"])
