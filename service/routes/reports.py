"""People's objections to crops: biased, wrong. Into a local inbox, without the picture unless they add it."""

import asyncio
import base64
import binascii

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from service.errors import BadParameters, NotFound
from service.headers import inspect
from service.routes import schemas
from service.routes.edge import json_answer, parts_of, read_json
from service.routes.schemas import responses

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
    parts.turnstile.enter(request.client.host if request.client else "")
    content = await read_json(request, 64_000 + parts.settings.max_bytes * 4 // 3)
    try:
        told = schemas.Report.model_validate(content, strict=True)
    except ValidationError as error:
        wrong = [
            {"parameter": ".".join(map(str, one["loc"]))[:80] or "body", "detail": one["msg"]}
            for one in error.errors()[:16]
        ]
        raise BadParameters(wrong) from None
    picture = await asyncio.to_thread(_picture, told.picture) if told.picture is not None else None
    kept = told.model_dump(exclude={"picture"}, exclude_defaults=True)
    id = await asyncio.to_thread(parts.inbox.add, kept, picture)
    return json_answer({"report": id, "picture_kept": picture is not None}, 201)


def _picture(text: str) -> bytes:
    """Raises BadParameters, or what reading its header raises: the inbox is for pictures only."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadParameters.one("picture", "picture is not base64.") from None
    inspect(data)
    return data
