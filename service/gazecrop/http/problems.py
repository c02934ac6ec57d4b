"""Error responses: problem+json (RFC 9457), and on the compatibility endpoints their vendors' own error objects."""

from typing import Any

import orjson
from starlette.responses import Response

from gazecrop.errors import GazecropError

GOOGLE = "/v1/images:annotate"
AZURE = "/computervision/imageanalysis:analyze"
THUMBNAIL = "/vision/v3.2/generateThumbnail"
# google.rpc.Code names by HTTP status, as google/rpc/code.proto maps them.
_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def answer(error: GazecropError, path: str = "") -> Response:
    """The response to a request for `path` that failed with this error."""
    if path == GOOGLE:
        return _vendor(error, vendor_status(error), google_error(error))
    if path in (AZURE, THUMBNAIL):
        return _vendor(error, vendor_status(error), azure_error(error))
    # Shared caches may store a 404 for minutes by default, and the picture may be uploaded in the next second.
    headers = {"Cache-Control": "no-store"} | error.headers
    return Response(orjson.dumps(error.problem()), error.status, headers, "application/problem+json")


def vendor_status(error: GazecropError) -> int:
    """The vendors' APIs have neither 415 nor 422: an invalid picture or parameter is a 400."""
    return 400 if error.status in (413, 415, 422) else error.status


def google_error(error: GazecropError) -> dict[str, Any]:
    status = vendor_status(error)
    name = _GOOGLE_STATUS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return {"code": status, "message": error.detail or error.title, "status": name}


def azure_error(error: GazecropError) -> dict[str, Any]:
    code = "InvalidRequest" if vendor_status(error) == 400 else type(error).__name__
    inner = {"code": error.slug, "message": error.detail or error.title}
    return {"code": code, "message": error.detail or error.title, "innererror": inner}


def _vendor(error: GazecropError, status: int, content: dict[str, Any]) -> Response:
    return Response(orjson.dumps({"error": content}), status, error.headers, "application/json")
