"""The metrics, the stages of one request, and the middleware that measures both. It is plain ASGI, which keeps 0.94 of
the throughput; Starlette's BaseHTTPMiddleware keeps 0.38.

Metric children (one time series each) are cached in dicts: `labels()` costs more than the increment.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gazecrop.errors import ClientGone, Draining, GazecropError

STAGES = ("read", "queue", "decode", "infer", "crop", "render", "store")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
UNMATCHED = "unmatched"  # label of requests that match no route: paths themselves would be unbounded labels

# Geometric, three a decade, 0.5 ms to 5 s.
SECONDS = tuple(float(f"{0.0005 * 10 ** (step / 3):.3g}") for step in range(13))
CLIENT_GONE = 499  # nginx's number; counted, never sent

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series

_log = logging.getLogger("gazecrop")


class Metrics:
    """The metrics of one application. Each has its own registry: tests make several applications in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "gazecrop_requests", "Answers", ("route", "method", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "gazecrop_request_seconds", "From the head of a request to the end of its answer", ("route",),
            registry=registry, buckets=SECONDS,
        )  # fmt: skip
        stage_seconds = Histogram(
            "gazecrop_stage_seconds", "One stage of a request", ("stage",), registry=registry, buckets=SECONDS
        )
        self._stages = {stage: stage_seconds.labels(stage) for stage in STAGES}
        self.batch_size = Histogram(
            "gazecrop_batch_size",
            "Pictures in a batch",
            registry=registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
        )
        self._queue_depth = Gauge(
            "gazecrop_queue_depth", "Requests that wait at a gate", ("gate",), registry=registry
        )
        self._shed = Counter("gazecrop_shed", "Requests refused at a full gate", ("gate",), registry=registry)
        self._cache = Counter("gazecrop_cache", "Look-ups of maps", ("tier", "result"), registry=registry)
        self.store_up = Gauge("gazecrop_store_up", "1 while the store answers", registry=registry)
        self._decode_errors = Counter(
            "gazecrop_decode_errors", "Uploads that are no readable picture", ("reason",), registry=registry
        )
        self._loop_lag = Gauge(
            "gazecrop_loop_lag_seconds",
            "The longest delay of the event loop in the last ten seconds",
            registry=registry,
        )
        self._model = Info("gazecrop_model", "The network that runs, and on what", registry=registry)
        self.input_megapixels = Histogram(
            "gazecrop_input_megapixels", "Size of the pictures uploaded", registry=registry,
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 100),
        )  # fmt: skip
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def stage(self, stage: str, seconds: float) -> None:
        self._stages[stage].observe(seconds)

    def answer(self, route: str, method: str, status: int, seconds: float) -> None:
        """route: a template, never a path."""
        key = (route, method if method in METHODS else "OTHER", status)
        children = self._answers.get(key)
        if children is None:
            children = self._requests.labels(*key), self._request_seconds.labels(route)
            self._answers[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def watch_gate(self, gate: str, waiting: Callable[[], float]) -> Callable[[], None]:
        """Exports how many requests wait at a gate. Returns the function to call for each request refused there."""
        self._queue_depth.labels(gate).set_function(waiting)
        return self.sheds(gate)

    def sheds(self, gate: str) -> Callable[[], None]:
        """The function to call for each request refused at a gate without a queue."""
        return self._shed.labels(gate).inc

    def cache(self, tier: str, result: str) -> None:
        """tier: memory or store; result: hit, miss or error."""
        self._cache.labels(tier, result).inc()

    def decode_error(self, reason: str) -> None:
        """reason: an error's slug."""
        self._decode_errors.labels(reason).inc()

    def model(self, name: str, file: str, sha256: str, provider: str) -> None:
        self._model.info({"model": name, "file": file, "sha256": sha256, "provider": provider})

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and content type of /metrics: Prometheus' text, or OpenMetrics where `Accept` asks for it."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version in `Accept` that is not a number
            encoder, content_type = choose_encoder("")
        return encoder(self.registry), content_type

    async def watch_loop(self, every: float = 0.25) -> None:
        """Measures the event loop's delay until cancelled. It shows work that blocks the loop, such as a decode."""
        lags: deque[float] = deque(maxlen=max(1, round(10 / every)))
        while True:
            before = time.perf_counter()
            await asyncio.sleep(every)
            lags.append(max(0.0, time.perf_counter() - before - every))
            self._loop_lag.set(max(lags))


class Stages:
    """The stages of one request, in the order in which they ended. A stage entered twice has the sum; a stage that was
    not needed is absent: `store` after a hit in memory, `crop` when the answer itself was cached."""

    __slots__ = ("_metrics", "seconds")

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - began)

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if self._metrics is not None:
            self._metrics.stage(stage, seconds)

    def header(self) -> str:
        """`Server-Timing` (W3C Server Timing, section 2): durations in milliseconds."""
        ended = list(self.seconds.items())  # a thread may still add stages after the client has left
        return ", ".join(f"{stage};dur={seconds * 1e3:.2f}" for stage, seconds in ended)


class Observe:
    """The middleware: request id, counters, timing, and the problem document of an error that nothing else caught.

    It puts `gazecrop.stages` (Stages) and `gazecrop.request_id` (str) into the scope. The route's label is
    `scope["gazecrop.route"]` if set, else the path template of the framework's route.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()
        method = scope["method"]
        stages = scope["gazecrop.stages"] = Stages(self._metrics)
        request_id = scope["gazecrop.request_id"] = _request_id(scope["headers"])
        status, complete = 0, False
        held: list[Message] = []

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
            await self._app(scope, receive, observed)
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
            self._metrics.answer(_route(scope), method, status or CLIENT_GONE, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    route = scope.get("gazecrop.route")
    if route is None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
    return str(route)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
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
