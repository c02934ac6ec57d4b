"""Reports of biased or wrong crops by users. Stored in the inbox, without the picture unless the user adds it."""

import asyncio

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gazecrop.engine import identify
from gazecrop.errors import BadParameters, NotAPicture, NotFound
from gazecrop.http.not_pictures import explain_mistake
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.responses import responses
from gazecrop.http.routes.shared import (
    decode_base64,
    json_answer,
    parts_of,
    read_limited,
    reject_query_parameters,
)
from gazecrop.parts import Parts
from gazecrop.picture.probe import inspect

router = APIRouter(tags=["reports"])


@router.post(
    "/v1/reports",
    status_code=201,
    summary="Report a biased or wrong crop",
    responses=responses({201: schemas.Reported}, 401, 403, 404, 408, 413, 415, 422, 429, 503, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Report"}}},
        }
    },
)
async def add_report(request: Request) -> Response:
    parts = parts_of(request)
    if not parts.settings.reports:
        raise NotFound("This server does not accept reports.")
    reject_query_parameters(request)
    await parts.report_rate.hit(request.client.host if request.client else "")
    body = await read_limited(request, 64_000 + parts.settings.max_bytes * 4 // 3)
    content, picture = await asyncio.to_thread(_read, parts, body)  # up to 27 MB at the default limits
    stored = content.model_dump(exclude={"picture"}, exclude_defaults=True)
    id = await parts.inbox.add(stored, picture)
    return json_answer({"report": id, "picture_kept": picture is not None}, 201)


def _read(parts: Parts, body: bytes) -> tuple[schemas.Report, bytes | None]:
    """The report and the picture in it. The picture must be readable and the one that the report names: deleting
    it then also deletes the copy. Raises BadParameters, PictureError."""
    try:
        report = schemas.Report.model_validate(orjson.loads(body), strict=True)
    except orjson.JSONDecodeError:
        raise BadParameters.one("body", "The body is not JSON.") from None
    except ValidationError as error:
        errors = [
            {"parameter": ".".join(map(str, one["loc"]))[:80] or "body", "detail": _detail(one)}
            for one in error.errors()[:16]
        ]
        raise BadParameters(errors) from None
    if report.picture is None:
        return report, None
    data = decode_base64(report.picture, "picture")
    try:
        inspect(data)
    except NotAPicture as error:
        raise explain_mistake(data) or error from None
    if identify(data, parts.id_key) != report.id:
        raise BadParameters.one("picture", "This is not the picture whose id the report names.")
    return report, data


def _detail(error: ErrorDetails) -> str:
    """A sentence in place of the validator's words."""
    name = ".".join(map(str, error["loc"]))[:80]
    if error["type"] == "missing":
        return f"{name} is required."
    return f"{name or 'The body'}: {error['msg'][0].lower()}{error['msg'][1:]}."
