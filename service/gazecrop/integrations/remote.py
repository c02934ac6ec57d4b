"""The service asked over HTTP with the standard library alone, for systems that wait for the answer in a thread."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

LARGEST = 4 << 20  # bytes of a document; one of 16 crops has 20 kB


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an error: the picture and the key go to no other address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


class ServiceError(Exception):
    """The service answered with an error. `status`: of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


def document_of(
    data: bytes, parameters: Mapping[str, str], *, url: str, key: str | None = None, timeout: float = 10.0
) -> dict[str, Any]:
    """The document of a picture's file, with crops by these parameters. `timeout`: seconds without a byte.
    Raises ServiceError, and OSError where the service cannot be reached."""
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = Request(f"{url.rstrip('/')}/v1/images?{urlencode(parameters)}", data, headers, method="POST")
    try:
        with _opener.open(request, timeout=timeout) as answer:
            document: dict[str, Any] = json.loads(answer.read(LARGEST))
            return document
    except HTTPError as error:
        with error:
            raise ServiceError(error.code, error.read(2000).decode(errors="replace")) from None
