"""The metrics, and the stages of one request. `http/observe.py` measures them.

Metric children (one time series each) are cached: `labels()` costs more than the increment.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

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

from gazecrop.machine import own_memory_limit
from gazecrop.shared_metrics import Shared

STAGES = ("read", "queue", "decode", "infer", "crop", "render", "store")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

# Geometric, factor 2.2, 0.5 ms to 30 s: GAZECROP_BODY_SECONDS, and a wait that ends in a 503 of a proxy.
SECONDS = tuple(float(f"{0.0005 * 60_000 ** (step / 14):.3g}") for step in range(15))

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series


class Metrics:
    """The metrics of one application. Each has its own registry: tests make several applications in one process.

    `shared`: with several processes; each then shows the sums of all.
    """

    def __init__(self, shared: Shared | None = None) -> None:
        self.registry = registry = CollectorRegistry()
        self._shown = registry
        self._sampled: list[tuple[Gauge, Callable[[], float]]] | None = None
        if shared is None:
            ProcessCollector(registry=registry)
        else:
            self._sampled = []
            self._shown = shared.registry()
        self._model = self._model_info()
        self._requests = Counter(
            "gazecrop_requests", "Answers", ("route", "method", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "gazecrop_request_seconds",
            "From the head of a request to the end of its answer, without the waits for its body",
            ("route", "status_class"),
            registry=registry,
            buckets=SECONDS,
        )
        self._body_seconds = Histogram(
            "gazecrop_body_seconds",
            "Waiting for the body of a request: the client's time",
            registry=registry,
            buckets=SECONDS,
        )
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
            "gazecrop_queue_depth",
            "Requests that wait at a gate",
            ("gate",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._expected_wait = Gauge(
            "gazecrop_expected_wait_seconds",
            "Until the work ahead of a new request is done",
            ("gate",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        # reason: wait (the work ahead takes too long), late (it waited too long), queue, memory
        self._shed = Counter(
            "gazecrop_shed", "Requests refused at a full gate", ("gate", "reason"), registry=registry
        )
        self._budget = Gauge(
            "gazecrop_budget_bytes",
            "Memory for requests: limit, and in use by work and by bodies",
            ("part",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._cache = Counter("gazecrop_cache", "Look-ups of maps", ("tier", "result"), registry=registry)
        self._lookups: dict[tuple[str, str], Counter] = {}
        self.store_up = Gauge(
            "gazecrop_store_up", "1 while the store answers", registry=registry, multiprocess_mode="livemin"
        )
        self.store_up.set(1)  # until it was asked
        self._decode_errors = Counter(
            "gazecrop_decode_errors",
            "Uploads that are not a readable picture",
            ("reason",),
            registry=registry,
        )
        self._loop_lag = Gauge(
            "gazecrop_loop_lag_seconds",
            "The longest delay of the event loop in the last ten seconds",
            registry=registry,
            multiprocess_mode="livemax",
        )
        limit = Gauge(
            "gazecrop_memory_limit_bytes",
            "The container's memory limit, +Inf without",
            registry=registry,
            multiprocess_mode="livemax",
        )
        limit.set(own_memory_limit())
        self.input_megapixels = Histogram(
            "gazecrop_input_megapixels", "Size of the pictures uploaded", registry=registry,
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 100),
        )  # fmt: skip
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def stage(self, stage: str, seconds: float, exemplar: dict[str, str] | None = None) -> None:
        """exemplar: the ids of a trace, shown in OpenMetrics beside the bucket."""
        self._stages[stage].observe(seconds, exemplar)

    def answer(
        self,
        route: str,
        method: str,
        status: int,
        seconds: float,
        body: float | None = None,
        exemplar: dict[str, str] | None = None,
    ) -> None:
        """route: a template, never a path. seconds: of the whole request. body: those of them in which its body was
        waited for; None for a request without one. exemplar: as of `stage`."""
        key = (route, method if method in METHODS else "OTHER", status)
        children = self._answers.get(key)
        if children is None:
            children = self._requests.labels(*key), self._request_seconds.labels(route, f"{status // 100}xx")
            self._answers[key] = children
        children[0].inc()
        if body is None:
            children[1].observe(seconds, exemplar)
        else:
            children[1].observe(max(0.0, seconds - body), exemplar)
            self._body_seconds.observe(body)

    def watch_gate(
        self, gate: str, waiting: Callable[[], float], expected_wait: Callable[[], float] | None = None
    ) -> Callable[[str], None]:
        """Exports how many requests wait at a gate, and how long the next one would. Returns the function to call with
        the reason for each request refused there."""
        self._follow(self._queue_depth.labels(gate), waiting)
        if expected_wait is not None:
            self._follow(self._expected_wait.labels(gate), expected_wait)
        shed = lru_cache(lambda reason: self._shed.labels(gate, reason))
        return lambda reason: shed(reason).inc()

    def _model_info(self) -> Callable[[dict[str, str]], None]:
        text = "The network that runs, and on what"
        if self._sampled is None:
            return Info("gazecrop_model", text, registry=self.registry).info

        def show(labels: dict[str, str]) -> None:
            """An Info cannot be shared; to Prometheus this is the same."""
            name, registry = "gazecrop_model_info", self.registry
            one = Gauge(name, text, [*labels], registry=registry, multiprocess_mode="livemax")
            one.labels(**labels).set(1)

        return show

    def watch_store(self, up: Callable[[], bool]) -> None:
        self._follow(self.store_up, up)

    def _follow(self, gauge: Gauge, value: Callable[[], float]) -> None:
        if self._sampled is None:
            gauge.set_function(value)
        else:  # the other processes read the gauge from its file
            self._sampled.append((gauge, value))

    def _sample(self) -> None:
        for gauge, value in self._sampled or ():
            gauge.set(value())

    def sheds(self, gate: str, reason: str) -> Callable[[], None]:
        """The function to call for each request refused at a gate without a queue."""
        return self._shed.labels(gate, reason).inc

    def watch_budget(self, limit: int, work: Callable[[], float], bodies: Callable[[], float]) -> None:
        """Exports the memory for requests: all of it, and what is in use."""
        self._budget.labels("limit").set(limit)
        self._follow(self._budget.labels("work"), work)
        self._follow(self._budget.labels("bodies"), bodies)

    def cache(self, tier: str, result: str) -> None:
        """tier: memory or store; result: hit, miss or error."""
        child = self._lookups.get((tier, result))
        if child is None:
            child = self._lookups[tier, result] = self._cache.labels(tier, result)
        child.inc()

    def decode_error(self, reason: str) -> None:
        """reason: an error's slug."""
        self._decode_errors.labels(reason).inc()

    def model(self, name: str, file: str, sha256: str, provider: str, fell_back: bool = False) -> None:
        """fell_back: there is a GPU that was not excluded, and the provider is the CPU."""
        labels = {"model": name, "file": file, "sha256": sha256, "provider": provider}
        self._model(labels | {"fell_back": str(fell_back).lower()})

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and content type of /metrics: Prometheus' text, or OpenMetrics where `Accept` prefers it."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version in `Accept` that is not a number
            encoder, content_type = choose_encoder("")
        self._sample()
        return encoder(self._shown), content_type

    async def watch_loop(self, every: float = 0.25) -> None:
        """Measures the event loop's delay until cancelled. It shows work that blocks the loop, such as a decode."""
        lags: deque[float] = deque(maxlen=max(1, round(10 / every)))
        while True:
            before = time.perf_counter()
            await asyncio.sleep(every)
            lags.append(max(0.0, time.perf_counter() - before - every))
            self._loop_lag.set(max(lags))
            self._sample()


class _Timed:
    """A block of one stage; a class, as a generator's context manager takes three times as long."""

    __slots__ = ("_began", "_stage", "_stages")

    def __init__(self, stages: "Stages", stage: str) -> None:
        self._stages, self._stage = stages, stage

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._stages.add(self._stage, time.perf_counter() - self._began)


class Stages:
    """The stages of one request, in the order in which they ended. A stage entered twice has the sum; a stage that was
    not needed is absent: `store` after a hit in memory, `crop` when the answer itself was cached."""

    __slots__ = ("_metrics", "seconds")
    exemplar: dict[str, str] | None = None  # the ids of the request's trace, where it has one (http/spans.py)

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics
        self.seconds: dict[str, float] = {}

    def time(self, stage: str) -> "_Timed":
        return _Timed(self, stage)

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if self._metrics is not None:
            self._metrics.stage(stage, seconds, self.exemplar)

    def answered(self, route: str, method: str, status: int) -> None:
        """Called at the end of a request that was begun by `Observe.begin`."""

    def header(self) -> str:
        """`Server-Timing` (W3C Server Timing, section 2): durations in milliseconds."""
        ended = list(self.seconds.items())  # a thread may still add stages after the client has left
        return ", ".join(f"{stage};dur={seconds * 1e3:.2f}" for stage, seconds in ended)
