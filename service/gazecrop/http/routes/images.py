"""Upload, read and delete pictures' maps. (`http/front.py` serves GET crops.)"""

from fastapi import APIRouter, Request, Response

from gazecrop.crop.answer_bytes import document_bytes
from gazecrop.crop.params import CROPPING, Wanted, parse
from gazecrop.errors import NotAcceptable
from gazecrop.http.negotiation import quality
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.parameters import OF_A_CROP, query, upload
from gazecrop.http.openapi.responses import FRESH, NOT_MODIFIED, SALIENCY, responses
from gazecrop.http.routes.shared import (
    fresh_headers,
    json_answer,
    not_modified,
    parts_of,
    raw_query,
    reject_query_parameters,
    stages_of,
)
from gazecrop.http.routes.uploads import analysed, read_upload
from gazecrop.picture.heatmap import heat_map
from gazecrop.pipeline import Known, image_document

router = APIRouter(tags=["images"])
VERSIONED = CROPPING | {"v"}
ONLY_VERSION = frozenset({"v"})


@router.post(
    "/v1/images",
    status_code=201,
    summary="Upload a picture, get its crops",
    description="The body is the file itself, whatever its Content-Type, or multipart/form-data with the field "
    '`file`, whose other fields are parameters, or `{"url": ...}` as application/json, where `GAZECROP_SOURCES` allows '
    "it. 201 if the picture is new, 200 if its map is stored. Only the map is stored, not the picture.",
    responses=responses(
        {200: schemas.Document, 201: schemas.Document},
        *(401, 403, 408, 413, 415, 422, 502, 503, 504),
        headers=("Location", "X-Degraded"),
    ),
    openapi_extra=upload("ratios", *OF_A_CROP, "candidates"),
)
async def upload_picture(request: Request) -> Response:
    parts, stages = parts_of(request), stages_of(request.scope)
    sent = await read_upload(request, CROPPING, lambda wanted, errors: None)
    known, created = await analysed(request, sent.id, sent.data, sent.deadline)
    query, version, picture = sent.query, known.version, known.picture
    body = picture.answer(version, query)
    if body is None:
        # The same upload often comes again, and the crops of all profiles take a third of its time.
        with stages.time("crop"):
            crops = await parts.pipeline.crops_aside(known, sent.wanted)
            body = document_bytes(image_document(known, []), crops, picture.cropper)
        picture.keep_answer(version, query, body)
    # Relative to /v1/images, as a proxy may serve this path below a prefix.
    headers = {"Location": f"images/{sent.id}"}
    if known.degraded:
        headers["X-Degraded"] = "store"
    return Response(body, 201 if created else 200, headers, "application/json")


@router.get(
    "/v1/images/{id}",
    summary="The document of a picture, from its map alone",
    responses=responses({200: schemas.Document, 304: NOT_MODIFIED}, 401, 403, 404, 422, 503, headers=FRESH),
    openapi_extra=query("ratios", *OF_A_CROP, "candidates", "v"),
)
async def show(request: Request, id: str) -> Response:
    parts = parts_of(request)
    wanted, known = await find(request, id, VERSIONED)
    headers = fresh_headers(parts, known, target(request), wanted.extra.get("v"))
    if not_modified(request, headers):
        return Response(status_code=304, headers=headers)
    with stages_of(request.scope).time("crop"):
        document = image_document(known, await parts.pipeline.crops_aside(known, wanted))
    return json_answer(document, headers=headers)


@router.delete(
    "/v1/images/{id}",
    status_code=204,
    summary="Delete everything about a picture: its map, its focus, copies of it in reports",
    responses=responses({204: {"description": "Deleted, or there was nothing"}}, 401, 403, 422, 503),
)
async def forget(request: Request, id: str) -> Response:
    reject_query_parameters(request)
    parts = parts_of(request)
    with stages_of(request.scope).time("store"):
        await parts.maps.delete(id)
    return Response(status_code=204)


@router.get(
    "/v1/images/{id}/saliency",
    summary="The map: a density as JSON, or a heat map as PNG",
    responses=responses(
        {200: SALIENCY, 304: NOT_MODIFIED},
        *(401, 403, 404, 406, 422, 503),
        headers=(*FRESH, "Vary"),
    ),
    openapi_extra=query("v"),
)
async def saliency(request: Request, id: str) -> Response:
    parts = parts_of(request)
    wanted, known = await find(request, id, ONLY_VERSION)
    as_png = prefers_png(request.headers.get("accept", ""))
    chosen = target(request) + (" png" if as_png else "")
    headers = fresh_headers(parts, known, chosen, wanted.extra.get("v")) | {"Vary": "Accept"}
    if not_modified(request, headers):
        return Response(status_code=304, headers=headers)
    grid = known.picture.cropper.grid
    if as_png:
        with stages_of(request.scope).time("render"):  # 6 ms and more, too long for the event loop
            picture = await parts.pipeline.in_thread(lambda: heat_map(grid.levels, grid.width, grid.height))
        return Response(picture, 200, headers, "image/png")
    values: list[list[float]] = grid.density().tolist()
    return json_answer({"rows": grid.rows, "columns": grid.columns, "values": values}, headers=headers)


async def find(request: Request, id: str, allowed: frozenset[str]) -> tuple[Wanted, Known]:
    wanted = parse(raw_query(request.scope), allowed)
    return wanted, await parts_of(request).pipeline.find(id, stages_of(request.scope))


def target(request: Request) -> str:
    return f"{request.scope['path']}?{raw_query(request.scope)}"


def prefers_png(accept: str) -> bool:
    """Whether `Accept` prefers a heat map to JSON, the default. Raises NotAcceptable if it accepts neither."""
    png, json = quality(accept, "image", "png"), quality(accept, "application", "json")
    if png <= 0 and json <= 0:
        raise NotAcceptable("The map is served as application/json or image/png.")
    return png > json
