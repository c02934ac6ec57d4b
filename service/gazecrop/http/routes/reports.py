"""People's objections to crops: biased, wrong. Into a local inbox, without the picture unless they add it."""

import asyncio
import base64
import binascii

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from gazecrop.errors import BadParameters, NotFound
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.responses import responses
from gazecrop.http.routes.shared import identify, json_answer, parts_of, read_limited, reject_query_parameters
from gazecrop.parts import Parts
from gazecrop.picture.probe import inspect

router = APIRouter(tags=["reports"])


@router.post(
    "/v1/reports",
    status_code=201,
    summary="Object to a crop",
    responses=responses({201: schemas.Reported}, 401, 403, 404, 408, 413, 415, 422, 429, 503, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Report"}}},
        }
    },
)
async def report(request: Request) -> Response:
    parts = parts_of(request)
    if not parts.settings.reports:
        raise NotFound("This server takes no reports.")
    reject_query_parameters(request)
    parts.turnstile.enter(request.client.host if request.client else "")
    body = await read_limited(request, 64_000 + parts.settings.max_bytes * 4 // 3)
    told, picture = await asyncio.to_thread(_read, parts, body)  # up to 27 MB at the default limits
    kept = told.model_dump(exclude={"picture"}, exclude_defaults=True)
    id = await asyncio.to_thread(parts.inbox.add, kept, picture)
    return json_answer({"report": id, "picture_kept": picture is not None}, 201)


def _read(parts: Parts, body: bytes) -> tuple[schemas.Report, bytes | None]:
    """The report, and the picture that is added. Raises BadParameters, or what reading a picture's header raises: the
    inbox is for pictures only, and only for the one that the report is about, so that it is forgotten with it."""
    try:
        told = schemas.Report.model_validate(orjson.loads(body), strict=True)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None
    except ValidationError as error:
        wrong = [
            {"parameter": ".".join(map(str, one["loc"]))[:80] or "body", "detail": one["msg"]}
            for one in error.errors()[:16]
        ]
        raise BadParameters(wrong) from None
    if told.picture is None:
        return told, None
    try:
        data = base64.b64decode(told.picture, validate=True)
    except (binascii.Error, ValueError):
        raise BadParameters.one("picture", "picture is not base64.") from None
    inspect(data)
    if identify(parts, data) != told.id:
        raise BadParameters.one("picture", "This is not the picture whose id the report names.")
    return told, data
