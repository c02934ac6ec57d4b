"""Bytes in, picture out: the crop, or the upload with its explanation drawn over it. Only the map is stored."""

import asyncio
from collections.abc import Callable
from math import isqrt
from typing import Any

from fastapi import APIRouter, Request, Response

from gazecrop.crop.cropping import Crop
from gazecrop.crop.params import CROPPING, one_ratio, parse_collecting_errors
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters, NotAcceptable
from gazecrop.http.openapi.parameters import UPLOAD, query
from gazecrop.http.openapi.responses import PICTURE, responses
from gazecrop.http.routes.shared import (
    analysed,
    cancel_on_disconnect,
    deadline_of,
    parts_of,
    quality,
    raw_query,
    read_picture,
    stages_of,
)
from gazecrop.picture.decode import Limits
from gazecrop.picture.explain import LAYERS, LONG_SIDE, explain
from gazecrop.picture.render import LONGEST_SIDE, MEDIA_TYPES, SHARE, crop, held, output_size
from gazecrop.pipeline import Known, limits_of

router = APIRouter(tags=["pictures"])
OUTPUT = frozenset({"format", "quality"})
CROP = (CROPPING - {"ratios", "candidates"}) | OUTPUT | {"ratio", "width", "height", "enlarge"}
EXPLAIN = (CROPPING - {"candidates"}) | OUTPUT | {"layers"}


@router.post(
    "/v1/crop",
    summary="A picture in, its crop out",
    description="Only the map is stored, not the picture. Metadata is stripped. Never enlarged unless `enlarge=true`. "
    "A crop has at most 24 megapixels (`GAZECROP_MAX_MEGAPIXELS_OUT`), half of it as AVIF or PNG: a larger box is "
    "scaled down to it, a larger `width` or `height` is an error.",
    response_class=Response,
    responses=responses(
        {200: PICTURE},
        *(401, 403, 406, 408, 413, 415, 422, 503, 504),
        headers=("Vary", "X-Degraded", "X-Gazecrop-Id", "X-Gazecrop-Box"),
    ),
    openapi_extra=query(
        *("ratio", "width", "height", "enlarge", "format", "quality", "policy", "zoom", "keep", "avoid"),
        deadline=True,
    )
    | UPLOAD,
)
async def crop_picture(request: Request) -> Response:
    wanted, errors = parse_collecting_errors(raw_query(request.scope), CROP)
    extra = wanted.extra
    deadline = deadline_of(request, errors)
    width = _number(extra, "width", LONGEST_SIDE, errors)
    height = _number(extra, "height", LONGEST_SIDE, errors)
    enlarge = _one_of(extra, "enlarge", ("false", "true"), errors) == "true"
    form = _format(request, extra, errors)
    grade = _number(extra, "quality", 100, errors)
    ratio = _ratio(extra, width, height, errors)
    most = round(parts_of(request).settings.max_megapixels_out * 1e6 * SHARE.get(form, 1))
    if ratio is not None:
        _area({"width": width, "height": height}, ratio, form, most, errors)
    if ratio is None or errors:
        raise BadParameters(errors)
    id, data = await read_picture(request)
    known, _ = await analysed(request, id, data, deadline)
    [found] = await parts_of(request).pipeline.crops_aside(known, wanted.of(ratio))

    def work(limits: Limits) -> bytes:
        return crop(
            data,
            found.box,
            width=width,
            height=height,
            format=form,
            quality=grade,
            enlarge=enlarge,
            max_pixels=most,
            limits=limits,
        )

    box = found.box
    size = output_size(box.width, box.height, width, height, enlarge=enlarge, max_pixels=most)
    headers = {"X-Gazecrop-Box": f"{box.x},{box.y},{box.width},{box.height}", "X-Gazecrop-Id": known.id}
    return await _rendered(request, known, data, work, form, size[0] * size[1], headers, deadline)


@router.post(
    "/v1/explain",
    summary="A picture in, the same with heat map, salient points and crop boxes out",
    response_class=Response,
    responses=responses(
        {200: PICTURE},
        *(401, 403, 406, 408, 413, 415, 422, 503, 504),
        headers=("Vary", "X-Degraded", "X-Gazecrop-Id"),
    ),
    openapi_extra=query(
        "ratios", "layers", "format", "quality", "policy", "zoom", "keep", "avoid", deadline=True
    )
    | UPLOAD,
)
async def explain_picture(request: Request) -> Response:
    wanted, errors = parse_collecting_errors(raw_query(request.scope), EXPLAIN)
    deadline = deadline_of(request, errors)
    layers = _layers(wanted.extra, errors)
    form = _format(request, wanted.extra, errors)
    grade = _number(wanted.extra, "quality", 100, errors)
    if errors:
        raise BadParameters(errors)
    id, data = await read_picture(request)
    known, _ = await analysed(request, id, data, deadline)
    crops = await parts_of(request).pipeline.crops_aside(known, wanted)
    work = drawing(known, crops, data, layers, form, grade)
    headers = {"X-Gazecrop-Id": known.id}
    return await _rendered(request, known, data, work, form, LONG_SIDE**2, headers, deadline)


def drawing(
    known: Known, crops: list[Crop], data: bytes, layers: list[str], form: str, grade: int | None
) -> Callable[[Limits], bytes]:
    """The function that draws an explanation, to be run in a thread."""
    cropper = known.picture.cropper
    points = [(point.x, point.y, point.score) for point in cropper.points]
    boxes = [
        (found.ratio.profile or found.ratio.text, found.box.x, found.box.y, found.box.width, found.box.height)
        for found in crops
    ]
    return lambda limits: explain(
        data, cropper.grid.levels, points, boxes, layers=layers, format=form, quality=grade, limits=limits
    )


async def _rendered(
    request: Request,
    known: Known,
    data: bytes,
    work: Callable[[Limits], bytes],
    form: str,
    pixels: int,
    headers: dict[str, str],
    deadline: float | None,
) -> Response:
    """Runs `work`, whose output has `pixels`, in the renderers' threads behind their own gate. Encoding thus does not
    delay analysis."""
    parts = parts_of(request)
    grid = known.picture.cropper.grid

    async def render() -> bytes:
        async with parts.render_gate.slot(held(grid.width * grid.height, pixels, form), deadline):
            with stages_of(request.scope).time("render"):
                limits = limits_of(parts.settings)
                return await asyncio.get_running_loop().run_in_executor(parts.renderers, work, limits)

    picture = await cancel_on_disconnect(request, render())
    if known.degraded:
        headers["X-Degraded"] = "store"
    return Response(picture, 200, headers | {"Vary": "Accept"}, MEDIA_TYPES[form])


def _ratio(
    extra: dict[str, str], width: int | None, height: int | None, errors: list[dict[str, Any]]
) -> Ratio | None:
    """The parameter `ratio`, or the ratio of width and height."""
    text = extra.get("ratio")
    if text is None and "width" in extra and "height" in extra:
        if width is None or height is None:
            return None  # already among the errors
        text = f"{width}:{height}"
    elif text is None:
        errors.append({"parameter": "ratio", "detail": "ratio is required, or width and height together."})
        return None
    elif "width" in extra and "height" in extra:
        detail = "width and height together define the ratio: leave out one of the three."
        errors.append({"parameter": "ratio", "detail": detail})
    try:
        return one_ratio(text)
    except BadParameters as error:
        errors.extend(error.members["errors"])
        return None


def _area(
    sides: dict[str, int | None], ratio: Ratio, form: str, most: int, errors: list[dict[str, Any]]
) -> None:
    """Adds an error for each side that requests more than `most` pixels, whether or not the picture has as many."""
    width, height = sides["width"], sides["height"]
    across = width or (height or 0) * ratio.value
    down = height or across / ratio.value
    scale = min(1.0, LONGEST_SIDE / max(across, down, 1))  # the output is never longer
    if across * down * scale**2 <= most:
        return
    limits = {"width": isqrt(int(most * ratio.value)), "height": isqrt(int(most / ratio.value))}
    for name, limit in limits.items():
        if sides[name] is not None:
            detail = f"{name} is at most {limit} here: a crop has at most {most / 1e6:g} megapixels as {form.upper()}."
            errors.append({"parameter": name, "detail": detail, "limit": limit, "received": str(sides[name])})


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
    """The parameter `format`, else the best one in `Accept` (`*/*` alone: JPEG). Raises NotAcceptable."""
    if "format" in extra:
        return _one_of(extra, "format", tuple(MEDIA_TYPES), errors)
    accept = request.headers.get("accept", "")
    weights = {name: quality(accept, *media.split("/")) for name, media in MEDIA_TYPES.items()}
    # Of equal weights a named type precedes one that only matches a range like */*.
    best = max(weights, key=lambda name: (weights[name], MEDIA_TYPES[name] in accept.lower()))
    if weights[best] <= 0:
        raise NotAcceptable(f"Crops can be made as {', '.join(MEDIA_TYPES.values())}.")
    return best
