"""Bytes in, picture out: the crop, or the upload with its explanation drawn over it. Only the map is stored."""

import time
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

from fastapi import APIRouter, Request, Response

from gazecrop.concurrency.bodies import hold_answer
from gazecrop.crop.answers import constraint_answer
from gazecrop.crop.cropping import Crop
from gazecrop.crop.params import CROPPING, Wanted
from gazecrop.errors import ClientGone, DeadlinePassed
from gazecrop.http.openapi.parameters import OF_A_BOX, crop_upload, upload
from gazecrop.http.openapi.responses import CROPPED, PICTURE, responses
from gazecrop.http.routes.disconnect import cancel_on_disconnect
from gazecrop.http.routes.output import CropOutput, Explanation, crop_output, explanation
from gazecrop.http.routes.shared import Whole, parts_of, stages_of
from gazecrop.http.routes.uploads import Upload, analysed, read_upload
from gazecrop.picture import effort, memory
from gazecrop.picture.animate import TYPES, crop, is_kept
from gazecrop.picture.decode import Limits
from gazecrop.picture.explain import drawing_size, explain
from gazecrop.picture.render import output_size
from gazecrop.pipeline import Known, limits_of

# Makes the picture within the limits; calls the function between frames, which may raise.
Work = Callable[[Limits, Callable[[], None]], bytes]
router = APIRouter(tags=["pictures"])
OUTPUT = frozenset({"format", "quality"})
CROP = (
    (CROPPING - {"ratios", "candidates", "fields"})
    | OUTPUT
    | {"ratio", "width", "height", "enlarge", "animated"}
)
EXPLAIN = (CROPPING - {"candidates", "fields"}) | OUTPUT | {"layers"}


@router.post(
    "/v1/crop",
    summary="A picture in, its crop out",
    description="Only the map is stored, not the picture. Metadata is stripped. Never enlarged unless `enlarge=true`. "
    "A crop has at most 24 megapixels (`GAZECROP_MAX_MEGAPIXELS_OUT`), half of it as AVIF or PNG: a larger box is "
    "scaled down to it, a larger `width` or `height` is an error. An animation stays one with `format=webp` or "
    "`format=gif`, or with `animated=true`, which also makes an animated PNG: all frames are cut at one box, their "
    "delays and the number of plays are kept. Its frames have together at most 100 megapixels "
    "(`GAZECROP_MAX_MEGAPIXELS_ANIMATED`), at most 1,000 in number. Else the crop is of the first frame; with "
    "`animated=true` it is an error.",
    response_class=Response,
    responses=responses(
        {200: CROPPED},
        *(401, 403, 406, 408, 413, 415, 422, 502, 503, 504),
        headers=("Vary", "X-Degraded", "X-Gazecrop-Id", "X-Gazecrop-Box", "X-Gazecrop-Unmet"),
    ),
    openapi_extra=crop_upload(
        "ratio", "width", "height", "enlarge", "format", "quality", "animated", *OF_A_BOX
    ),
)
async def crop_picture(request: Request) -> Response:
    most = parts_of(request).settings.max_megapixels_out
    further = partial(crop_output, request.headers.get("accept", ""), most)
    sent = await read_upload(request, CROP, further, renders=True)
    return await cropped(request, sent, sent.wanted.of(sent.further.ratio))


async def cropped(request: Request, sent: Upload[CropOutput], wanted: Wanted) -> Response:
    """The answer with the crop of an upload. wanted: one ratio. Raises as `analysed`, `crops_aside` and `Gate.run`."""
    output = sent.further
    known, _ = await analysed(request, sent.id, sent.data, sent.deadline)
    if not output.enlarge:
        wanted = wanted.at_least(output.width, output.height)
    [found] = await parts_of(request).pipeline.crops_aside(known, wanted)

    def work(limits: Limits, between: Callable[[], None]) -> bytes:
        return crop(
            sent.data,
            found.box,
            width=output.width,
            height=output.height,
            format=output.format,
            quality=output.quality,
            enlarge=output.enlarge,
            max_pixels=output.max_pixels,
            animated=output.animated,
            limits=limits,
            between=between,
        )

    box = found.box
    width, height = output_size(
        box.width,
        box.height,
        output.width,
        output.height,
        enlarge=output.enlarge,
        max_pixels=output.max_pixels,
    )
    headers = {"X-Gazecrop-Box": f"{box.x},{box.y},{box.width},{box.height}"}
    if found.unmet:
        unmet = (constraint_answer(each) for each in found.unmet)
        headers["X-Gazecrop-Unmet"] = " ".join(f"{each['parameter']}={each['value']}" for each in unmet)
    header = await parts_of(request).pipeline.header(sent.data)
    limits = limits_of(parts_of(request).settings)
    moving = is_kept(header, output.format, output.animated, limits)
    place = box.x, box.y, box.width, box.height
    size = memory.of_crop(
        header, len(sent.data), place, (width, height), output.format, frames=header.frames if moving else 1
    )
    cost = effort.of_rendering(header, width * height, output.format, header.frames if moving else 1)
    return await _rendered(request, known, sent, work, output.format, size, cost, headers)


@router.post(
    "/v1/explain",
    summary="A picture in, the same with heat map, salient points and crop boxes out",
    response_class=Response,
    responses=responses(
        {200: PICTURE},
        *(401, 403, 406, 408, 413, 415, 422, 502, 503, 504),
        headers=("Vary", "X-Degraded", "X-Gazecrop-Id"),
    ),
    openapi_extra=upload("ratios", "layers", "format", "quality", *OF_A_BOX),
)
async def explain_picture(request: Request) -> Response:
    further = partial(explanation, request.headers.get("accept", ""))
    sent = await read_upload(request, EXPLAIN, further, renders=True)
    known, _ = await analysed(request, sent.id, sent.data, sent.deadline)
    crops = await parts_of(request).pipeline.crops_aside(known, sent.wanted)
    work = drawing(known, crops, sent.data, sent.further)
    header, format = await parts_of(request).pipeline.header(sent.data), sent.further.format
    width, height = drawing_size(header.width, header.height)
    size = memory.of_explanation(header, len(sent.data), (width, height), format)
    cost = effort.of_rendering(header, width * height, format)
    return await _rendered(request, known, sent, work, format, size, cost, {})


def drawing(known: Known, crops: list[Crop], data: bytes, output: Explanation) -> Work:
    """The function that draws an explanation, to be run in a thread."""
    cropper = known.picture.cropper
    points = [(point.x, point.y, point.score) for point in cropper.points]
    boxes = [
        (found.ratio.profile or found.ratio.text, found.box.x, found.box.y, found.box.width, found.box.height)
        for found in crops
    ]
    return lambda limits, between: explain(
        data,
        cropper.grid.levels,
        points,
        boxes,
        layers=output.layers,
        format=output.format,
        quality=output.quality,
        limits=limits,
    )


async def _rendered(
    request: Request,
    known: Known,
    sent: Upload[Any],
    work: Work,
    format: str,
    size: int,
    cost: float,
    headers: dict[str, str],
) -> Response:
    """Runs `work`, which takes `size` bytes and `cost` seconds of an ordinary core, in the renderers' threads behind
    their own gate. Encoding thus does not delay analysis. Between the frames of an animation the deadline and the
    client count."""
    parts = parts_of(request)
    left = Event()

    def between() -> None:
        if sent.deadline is not None and time.monotonic() > sent.deadline:
            raise DeadlinePassed("The deadline passed between two frames of the animation.")
        if left.is_set():
            raise ClientGone

    def render() -> bytes:
        with stages_of(request.scope).time("render"):
            return work(limits_of(parts.settings), between)

    rendering = parts.render_gate.run(parts.renderers, render, size, sent.deadline, cost=cost)
    try:
        picture = await cancel_on_disconnect(request, rendering)
    except ClientGone:
        left.set()
        raise
    hold_answer(len(picture))
    headers |= {"X-Gazecrop-Id": known.id, "Vary": "Accept"}
    if known.degraded:
        headers["X-Degraded"] = "store"
    return Whole(picture, 200, headers, TYPES[format])
