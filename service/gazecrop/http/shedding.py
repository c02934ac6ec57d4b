"""Refuses uploads at a full queue before they become requests of the application.

Under overload most connections end here. Through the application a refusal takes 0.15 ms more of the event loop, which
at 30 times the capacity is a tenth of a core. Answer, metrics and log line are the same.
"""

import time
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gazecrop.errors import GazecropError, Unavailable
from gazecrop.http import problems
from gazecrop.http.auth import check
from gazecrop.http.front import UPLOADS
from gazecrop.http.observe import record, request_id_of
from gazecrop.http.protocol import Headers
from gazecrop.http.routes.uploads import refuse_early
from gazecrop.parts import Parts

_UPLOADS = UPLOADS.encode()


def refuse_upload(parts: Parts, method: bytes, target: bytes, headers: Headers) -> bytes | None:
    """The answer to an upload that the queue does not take or that comes while the server drains, else None. None also
    for one without a valid key, which the application refuses."""
    if method != b"POST" or target.partition(b"?")[0] != _UPLOADS:
        return None
    began = time.perf_counter()
    try:
        check(parts.keys, headers)
        refuse_early(parts)
    except Unavailable as error:
        id = request_id_of(headers)
        # mypy takes a class for its instances, which are not hashable.
        head, body = _answer(type(error), error.detail, tuple(error.headers.items()))  # type: ignore[arg-type]
        record(parts.metrics, UPLOADS, "POST", error.status, time.perf_counter() - began, id)
        return head + b"x-request-id: %b\r\n\r\n%b" % (id.encode(), body)
    except GazecropError:
        pass
    return None


@lru_cache(maxsize=64)
def _answer(
    kind: type[Unavailable], detail: str, headers: tuple[tuple[str, str], ...]
) -> tuple[bytes, bytes]:
    """Head, without its end, and body: the same for all that are refused with one `Retry-After`."""
    error = kind(detail)
    error.headers = dict(headers)
    answer = problems.answer(error)
    lines = (b"%b: %b\r\n" % header for header in answer.raw_headers)
    return STATUS_LINE[error.status] + b"".join(lines), bytes(answer.body)
