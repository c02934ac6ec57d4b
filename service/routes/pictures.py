"""Bytes in, picture out: the crop itself, or the upload with its explanation drawn over it. Only the map is kept."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from service.decode import Limits
from service.errors import BadParameters, NotAcceptable
from service.explain import LAYERS, explain
from service.headers import inspect
from service.params import CROPPING, Wanted, one_ratio, read
from service.parts import Parts
from service.pipeline import Known
from service.render import LONGEST_SIDE, MEDIA_TYPES, crop
from service.routes import schemas
from service.routes.edge import (
    deadline_of,
    parts_of,
    quality,
    raw_query,
    read_picture,
    stages_of,
    unless_gone,
)
from service.routes.schemas import query, responses

router = APIRouter(tags=["pictures"])
OUTPUT = frozenset({"format", "quality"})
CROP = (CROPPING - {"ratios", "candidates"}) | OUTPUT | {"ratio", "width", "height", "enlarge"}
EXPLAIN = (CROPPING - {"candidates"}) | OUTPUT | {"layers"}


@router.post(
    "/v1/crop",
    summary="A picture in, its crop out",
    description="Nothing but the map is kept. Metadata is stripped; never enlarged unless `enlarge=true`.",
    responses=responses({200: schemas.PICTURE}, 401, 403, 406, 408, 413, 415, 422, 503, 504),
    openapi_extra=query(
        "ratio", "width", "height", "enlarge", "format", "quality", "policy", "zoom", "keep", "avoid"
    )
    | schemas.UPLOAD,
)
async def crop_picture(request: Request) -> Response:
    wanted = read(raw_query(request.scope), CROP)
    extra, errors = wanted.extra, list[dict[str, Any]]()
    width = _number(extra, "width", LONGEST_SIDE, errors)
    height = _number(extra, "height", LONGEST_SIDE, errors)
    enlarge = _one_of(extra, "enlarge", ("false", "true"), errors) == "true"
    form = _format(request, extra, errors)
    grade = _number(extra, "quality", 100, errors)
    ratio = extra.get("ratio")
    if ratio is None and width and height:
        ratio = f"{width}:{height}"
    elif ratio is None:
        errors.append({"parameter": "ratio", "detail": "Say the ratio, or width and height together."})
    elif width and height:
        detail = "width and height together say the ratio; leave one of the three out."
        errors.append({"parameter": "ratio", "detail": detail})
    if errors:
        raise BadParameters(errors)
    data, known = await _analysed(request)
    [found] = parts_of(request).pipeline.crops(known, wanted.of(one_ratio(ratio or "")))

    def work(limits: Limits) -> bytes:
        return crop(
            data,
            found.box,
            width=width,
            height=height,
            format=form,
            quality=grade,
            enlarge=enlarge,
            limits=limits,
        )

    box = found.box
    headers = {"X-Gazecrop-Box": f"{box.x},{box.y},{box.width},{box.height}", "X-Gazecrop-Id": known.id}
    return await _rendered(request, known, data, work, form, headers)


@router.post(
    "/v1/explain",
    summary="A picture in, the same with heat map, salient points and crop boxes out",
    responses=responses({200: schemas.PICTURE}, 401, 403, 406, 408, 413, 415, 422, 503, 504),
    openapi_extra=query("ratios", "layers", "format", "quality", "policy", "zoom", "keep", "avoid")
    | schemas.UPLOAD,
)
async def explain_picture(request: Request) -> Response:
    wanted = read(raw_query(request.scope), EXPLAIN)
    errors = list[dict[str, Any]]()
    layers = _layers(wanted.extra, errors)
    form = _format(request, wanted.extra, errors)
    grade = _number(wanted.extra, "quality", 100, errors)
    if errors:
        raise BadParameters(errors)
    data, known = await _analysed(request)
    work = drawing(parts_of(request), known, wanted, data, layers, form, grade)
    return await _rendered(request, known, data, work, form, {"X-Gazecrop-Id": known.id})


def drawing(
    parts: Parts, known: Known, wanted: Wanted, data: bytes, layers: list[str], form: str, grade: int | None
) -> Callable[[Limits], bytes]:
    """The drawing of an explanation, to be run in a thread."""
    cropper = known.picture.cropper
    points = [(point.x, point.y, point.score) for point in cropper.points]
    boxes = [
        (found.ratio.profile or found.ratio.text, found.box.x, found.box.y, found.box.width, found.box.height)
        for found in parts.pipeline.crops(known, wanted)
    ]
    return lambda limits: explain(
        data, cropper.grid.levels, points, boxes, layers=layers, format=form, quality=grade, limits=limits
    )


async def _analysed(request: Request) -> tuple[bytes, Known]:
    parts = parts_of(request)
    deadline = deadline_of(request)
    id, data = await read_picture(request)
    known, _ = await unless_gone(request, parts.pipeline.upload(id, data, stages_of(request.scope), deadline))
    return data, known


async def _rendered(
    request: Request,
    known: Known,
    data: bytes,
    work: Callable[[Limits], bytes],
    form: str,
    headers: dict[str, str],
) -> Response:
    """Runs the drawing on the renderers' own threads, behind their own gate: encoding cannot starve analysis."""
    parts = parts_of(request)
    header = inspect(data)
    async with parts.render_gate.slot(header.width * header.height, deadline_of(request)):
        with stages_of(request.scope).time("render"):
            limits = Limits.of(parts.settings)
            picture = await asyncio.get_running_loop().run_in_executor(parts.renderers, work, limits)
    if known.degraded:
        headers["X-Degraded"] = "store"
    return Response(picture, 200, headers | {"Vary": "Accept"}, MEDIA_TYPES[form])


def _number(extra: dict[str, str], name: str, most: int, errors: list[dict[str, Any]]) -> int | None:
    text = extra.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
        detail = f"{name} is a whole number from 1 to {most}."
        errors.append({"parameter": name, "detail": detail, "limit": most, "received": text[:40]})
        return None
    return int(text)


def _one_of(extra: dict[str, str], name: str, known: tuple[str, ...], errors: list[dict[str, Any]]) -> str:
    text = extra.get(name, known[0])
    if text not in known:
        errors.append(
            {"parameter": name, "detail": f"{name} is one of {', '.join(known)}.", "received": text[:40]}
        )
    return text


def _layers(extra: dict[str, str], errors: list[dict[str, Any]]) -> list[str]:
    layers = [name.strip() for name in extra.get("layers", ",".join(LAYERS)).split(",")]
    if not set(layers) <= set(LAYERS):
        detail = f"The layers are {', '.join(LAYERS)}."
        errors.append({"parameter": "layers", "detail": detail, "received": extra["layers"][:40]})
    return layers


def _format(request: Request, extra: dict[str, str], errors: list[dict[str, Any]]) -> str:
    """By parameter, else the best that `Accept` names (`*/*` alone: JPEG). Raises NotAcceptable."""
    if "format" in extra:
        return _one_of(extra, "format", tuple(MEDIA_TYPES), errors)
    accept = request.headers.get("accept", "")
    grades = {name: quality(accept, *media.split("/")) for name, media in MEDIA_TYPES.items()}
    named = {
        name: grade for name, grade in grades.items() if grade > 0 and MEDIA_TYPES[name] in accept.lower()
    }
    best = max(named or grades, key=lambda name: grades[name])
    if grades[best] <= 0:
        raise NotAcceptable(f"A crop is made as {', '.join(MEDIA_TYPES.values())}.")
    return best
