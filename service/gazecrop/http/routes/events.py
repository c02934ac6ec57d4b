"""Events of buckets: each created object becomes a job of `gazecrop work`."""

from fastapi import APIRouter, Request, Response

from gazecrop.errors import Unavailable
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.responses import responses
from gazecrop.http.routes.shared import (
    json_answer,
    parts_of,
    read_limited,
    reject_query_parameters,
    stages_of,
)
from gazecrop.jobs.events import created, jobs_of
from gazecrop.sources.urls import parse_prefix

router = APIRouter(tags=["events"])
# SQS and SNS send up to 1 MiB, EventBridge 256 kB. Parsing it takes less than 10 ms of the event loop.
LONGEST = 1_048_576
NOT_SET = 60  # seconds of Retry-After: an operator must act


@router.post(
    "/v1/events/s3",
    status_code=202,
    summary="A bucket's notification: its new objects become jobs of the worker",
    description="S3's JSON as AWS and MinIO send it, EventBridge's form, or either inside a message of SNS or SQS. "
    "Objects outside the buckets and prefixes of GAZECROP_SOURCES are skipped, as are other events.",
    responses=responses({202: schemas.Queued}, 401, 403, 408, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
async def add_events(request: Request) -> Response:
    parts, stages = parts_of(request), stages_of(request.scope)
    prefixes = [url for url in map(parse_prefix, parts.settings.sources) if url.scheme == "s3"]
    if parts.jobs is None:
        raise Unavailable(
            "This server takes no events: GAZECROP_WORK_STREAM is not set.", retry_after=NOT_SET
        )
    if not prefixes:
        raise Unavailable(
            "This server takes no events: GAZECROP_SOURCES names no bucket.", retry_after=NOT_SET
        )
    reject_query_parameters(request)
    objects = created(await read_limited(request, LONGEST))
    jobs = jobs_of(objects, prefixes)
    if jobs:
        with stages.time("store"):
            await parts.jobs.add(jobs)
    return json_answer({"jobs": len(jobs), "skipped": len(objects) - len(jobs)}, 202)
