"""Compatible with Google Cloud Vision's `images:annotate`, CROP_HINTS only: a client of Vision only changes its host.

Format: google/cloud/vision/v1/image_annotator.proto in its JSON mapping (both spellings of names, enums by name or
number). Unlike in Vision, more than 16 ratios are an error, and `importanceFraction` is never above 1.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import orjson
from blake3 import blake3
from fastapi import APIRouter, Request, Response

from gazecrop.concurrency.bodies import hold_fetched
from gazecrop.crop.cropping import Crop
from gazecrop.engine import IDS, identify
from gazecrop.errors import BadParameters, BodyTooLarge, GazecropError, PictureError
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.parameters import GOOGLE_BODY
from gazecrop.http.openapi.responses import vendor_responses
from gazecrop.http.problems import GOOGLE
from gazecrop.http.routes.by_url import fetch
from gazecrop.http.routes.shared import deadline_of, decode_base64, json_answer, parts_of, read_limited
from gazecrop.http.routes.uploads import analysed, refuse_early
from gazecrop.http.routes.vendors import crops_of, ratios_of
from gazecrop.parts import Parts
from gazecrop.pipeline import Known

router = APIRouter(tags=["Compatibility"])
MOST_REQUESTS = 16  # as Vision
CROP_HINTS = ("CROP_HINTS", 9, "9")
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
INVALID_ARGUMENT, DEADLINE_EXCEEDED, PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE = (
    3,
    4,
    7,
    12,
    14,
)  # google.rpc.Code
_CODES = {403: PERMISSION_DENIED, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: DEADLINE_EXCEEDED}


@router.post(
    GOOGLE,
    summary="Google Vision's images:annotate, CROP_HINTS only",
    responses=vendor_responses(
        "Vision's response: one entry of `responses` for each request", schemas.AnnotatedAll
    ),
    openapi_extra=GOOGLE_BODY,
)
async def annotate(request: Request) -> Response:
    parts = parts_of(request)
    errors = list[dict[str, Any]]()
    deadline = deadline_of(request, errors)
    if errors:
        raise BadParameters(errors)
    refuse_early(parts)
    # In a thread: tens of megabytes of JSON would block the event loop. The body has no name here, so that it is freed.
    wanted = await asyncio.to_thread(
        _parse, await read_limited(request, parts.settings.max_google_body_bytes)
    )
    return json_answer({"responses": [await _answer(request, one, deadline) for one in wanted]})


def _parse(body: bytes) -> list[Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None
    requests = content.get("requests") if isinstance(content, dict) else None
    if not isinstance(requests, list) or not requests:
        raise BadParameters.one("requests", "The body is a JSON object with a list of `requests`.")
    if len(requests) > MOST_REQUESTS:
        detail = f"At most {MOST_REQUESTS} requests in one call."
        raise BadParameters.one("requests", detail, limit=MOST_REQUESTS, received=len(requests))
    return requests


async def _answer(request: Request, one: Any, deadline: float | None) -> dict[str, Any]:
    """One entry of `responses`. An error of one request does not affect the others."""
    parts = parts_of(request)
    try:
        one = _object(one, "requests[]")
        features = [_object(feature, "features[]").get("type") for feature in _list(one, "features")]
        others = [feature for feature in features if feature not in CROP_HINTS]
        if len(others) == len(features):
            return {"error": _status(UNIMPLEMENTED, "Of Vision's features only CROP_HINTS is supported.")}
        context = _object(_get(one, "imageContext", "image_context") or {}, "imageContext")
        hints = _object(_get(context, "cropHintsParams", "crop_hints_params") or {}, "cropHintsParams")
        ratios = ratios_of(_numbers(_get(hints, "aspectRatios", "aspect_ratios") or []), "aspectRatios")
        known = await _analysed(request, one, deadline)
        hinted = [_hint(crop) for crop in crops_of(parts, known, ratios)]
        answer: dict[str, Any] = {"cropHintsAnnotation": {"cropHints": hinted}}
        if others:
            answer["error"] = _status(UNIMPLEMENTED, "Of Vision's features only CROP_HINTS is supported.")
        return answer
    except GazecropError as error:
        if isinstance(error, PictureError):
            parts.metrics.decode_error(error.slug)
        code = _CODES.get(error.status, INVALID_ARGUMENT)
        return {"error": _status(code, error.detail or error.title)}


async def _analysed(request: Request, one: Mapping[str, Any], deadline: float | None) -> Known:
    """The map of the picture of one request: in base64, or by URL where GAZECROP_SOURCES allows it."""
    parts = parts_of(request)
    image = _object(one.get("image") or {}, "image")
    url = None if image.get("content") or parts.sources is None else _url(image)
    if url is None:
        id, data = await asyncio.to_thread(_content, image, parts)
        return (await analysed(request, id, data, deadline))[0]
    hasher = blake3(key=parts.id_key)
    size = 0

    def received(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        hasher.update(piece)

    try:
        data = await fetch(request, url, deadline, received)
        return (await analysed(request, hasher.hexdigest(IDS), data, deadline))[0]
    finally:
        hold_fetched(-size)  # the next of up to 16 pictures takes its place in memory


def _url(image: Mapping[str, Any]) -> str | None:
    """Vision's imageUri, which takes precedence, or its older gcsImageUri."""
    source = _object(image.get("source") or {}, "image.source")
    uri = _get(source, "imageUri", "image_uri") or _get(source, "gcsImageUri", "gcs_image_uri")
    return uri if isinstance(uri, str) else None


def _content(image: Mapping[str, Any], parts: Parts) -> tuple[str, bytes]:
    """The id and the bytes of a picture in base64. Raises BadParameters, BodyTooLarge."""
    content = image.get("content")
    if not isinstance(content, str):
        detail = "image.content is required, in base64"
        if parts.sources is None:
            detail += ": this server never fetches URLs or buckets, as GAZECROP_SOURCES names no prefix."
        else:
            detail += ", or image.source.imageUri."
        raise BadParameters.one("image.content", detail)
    data = decode_base64(content, "image.content")
    limit = parts.settings.max_bytes
    if len(data) > limit:
        raise BodyTooLarge.of_picture(limit, received=len(data))
    return identify(data, parts.id_key), data


def _numbers(values: Any) -> Any:
    """proto3's JSON allows numbers as strings. Anything else is returned as it is, and refused later."""
    if not isinstance(values, list):
        return values
    return [float(one) if isinstance(one, str) and _NUMBER.fullmatch(one) else one for one in values]


def _hint(crop: Crop) -> dict[str, Any]:
    box = crop.box
    right, bottom = box.x + box.width, box.y + box.height
    corners = ((box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom))
    hint: dict[str, Any] = {
        "boundingPoly": {"vertices": [{"x": x, "y": y} for x, y in corners]},
        "importanceFraction": round(crop.importance, 4),
    }
    if crop.confidence is not None:
        hint["confidence"] = round(crop.confidence, 3)
    return hint


def _status(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _get(content: Mapping[str, Any], *names: str) -> Any:
    return next((content[name] for name in names if name in content), None)


def _object(content: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise BadParameters.one(name, f"{name} is a JSON object.")
    return content


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    if not isinstance(found, list) or not found:
        raise BadParameters.one(name, f"{name} is a list of at least one entry.")
    return found[:64]
