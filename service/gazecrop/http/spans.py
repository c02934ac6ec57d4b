"""A span for each request, below it one for each stage, and exemplars: OpenTelemetry by the extra [otel].

The only import of opentelemetry; FastAPI's own spans are off. Where spans go and which are kept are its own variables,
among them OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and OTEL_SERVICE_NAME. Names are those of its semantic
conventions for HTTP. A path or a query is in no span, as in no log line: they hold ids of pictures.
"""

import time

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from gazecrop import __version__
from gazecrop.metrics import METHODS, Metrics, Stages

UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})  # machines ask for them every few seconds
CONTEXT = (b"traceparent", b"tracestate")  # W3C Trace Context


def exporting() -> TracerProvider:
    """Sends spans in batches, from a thread of its own; at most 2,048 wait, more are dropped."""
    name = OTELResourceDetector().detect().attributes.get("service.name", "gazecrop")
    resource = Resource.create({"service.name": name, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Tracing:
    """Begins the spans of one application."""

    def __init__(self, metrics: Metrics, provider: TracerProvider) -> None:
        self._metrics = metrics
        self._provider = provider
        self._tracer = provider.get_tracer("gazecrop", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, scope: Scope) -> Stages:
        """The stages of a request, with a span of which the caller's, of `traceparent`, is the parent."""
        if scope["path"] in UNTRACED:
            return Stages(self._metrics)
        sent: dict[str, str] = {}
        for name, value in scope["headers"]:
            if name in CONTEXT:
                sent.setdefault(name.decode(), value.decode("latin-1"))
        parent = self._propagator.extract(sent, Context()) if sent else Context()
        span = self._tracer.start_span(_method(scope["method"]), context=parent, kind=SpanKind.SERVER)
        return TracedStages(self._metrics, self._tracer, span)

    def close(self) -> None:
        """Sends what waits. Blocks: for at most the exporter's timeout where nothing receives."""
        self._provider.shutdown()


class TracedStages(Stages):
    """Stages whose ends make spans, also from threads and after the request has ended."""

    __slots__ = ("_context", "_span", "_tracer", "exemplar")

    def __init__(self, metrics: Metrics, tracer: Tracer, span: Span) -> None:
        super().__init__(metrics)
        self._tracer, self._span = tracer, span
        self._context = set_span_in_context(span, Context())
        known = span.get_span_context()
        self.exemplar = (
            {"trace_id": f"{known.trace_id:032x}", "span_id": f"{known.span_id:016x}"}
            if known.trace_flags.sampled
            else None
        )

    def add(self, stage: str, seconds: float) -> None:
        super().add(stage, seconds)
        if self.exemplar is not None:
            end = time.time_ns()
            begin = end - round(seconds * 1e9)
            self._tracer.start_span(stage, context=self._context, start_time=begin).end(end)

    def answered(self, route: str, method: str, status: int) -> None:
        span = self._span
        span.update_name(f"{_method(method)} {route}")
        span.set_attribute("http.request.method", _method(method))
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()


def _method(method: str) -> str:
    """Any other would be an unbounded name."""
    return method if method in METHODS else "_OTHER"
