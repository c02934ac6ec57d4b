"""OpenTelemetry: the caller's trace is continued, stages are spans, exemplars name them; off, no exporter is loaded."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from gazecrop.errors import GazecropError
from gazecrop.http import tracing
from gazecrop.http.observe import Observe
from gazecrop.metrics import Metrics, Stages
from tests.conftest import Server
from tests.helpers.contract import until
from tests.helpers.pictures import jpeg

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra [otel]")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gazecrop.http.spans import Tracing

Start = Callable[..., Server]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


async def traced(
    headers: dict[str, str], status: int = 200, path: str = "/r/secret", method: str = "POST"
) -> tuple[list[Any], Metrics, Stages]:
    """The spans of one request with two stages, one of them ended in a thread; the metrics; the stages."""
    metrics, memory, provider = Metrics(), InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    found: list[Stages] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["gazecrop.route"] = "/r/{id}"
        stages = scope["gazecrop.stages"]
        found.append(stages)
        with stages.time("store"):
            await asyncio.sleep(0.02)
        await asyncio.to_thread(stages.add, "decode", 0.25)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    observe = Observe(app, metrics)
    observe.begin = Tracing(metrics, provider).begin
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await observe({"type": "http", "method": method, "path": path, "headers": sent}, receive, send)
    return list(memory.get_finished_spans()), metrics, found[0]


async def test_the_caller_s_trace_is_continued() -> None:
    *stages, request = (await traced({"traceparent": PARENT, "tracestate": "a=1"}))[0]
    assert f"{request.context.trace_id:032x}" == TRACE and f"{request.parent.span_id:016x}" == CALLER
    assert request.context.trace_state.get("a") == "1"
    assert (request.name, request.kind) == ("POST /r/{id}", SpanKind.SERVER)
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "http.route": "/r/{id}",
        "http.response.status_code": 200,
    }
    assert [span.name for span in stages] == ["store", "decode"]
    for span in stages:
        assert span.context.trace_id == request.context.trace_id
        assert span.parent.span_id == request.context.span_id
    store, decode = stages
    assert (decode.end_time - decode.start_time) == pytest.approx(0.25e9, abs=1e3)
    assert request.start_time <= store.start_time <= store.end_time <= request.end_time


@pytest.mark.parametrize("sent", ["", "x", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01", "\xe4"])
async def test_a_malformed_parent_begins_a_trace(sent: str) -> None:
    request = (await traced({"traceparent": sent}))[0][-1]
    assert request.parent is None and f"{request.context.trace_id:032x}" != TRACE


async def test_a_caller_that_does_not_record_is_followed() -> None:
    spans, metrics, stages = await traced({"traceparent": PARENT[:-1] + "0"})
    assert spans == [] and stages.exemplar is None
    assert b"trace_id" not in metrics.render("application/openmetrics-text; version=1.0.0")[0]


async def test_exemplars_name_the_trace() -> None:
    _, metrics, _ = await traced({"traceparent": PARENT})
    text = metrics.render("application/openmetrics-text; version=1.0.0")[0].decode()
    assert re.search(
        rf'gazecrop_request_seconds_bucket{{.*}} 1.0 # {{span_id="\w+",trace_id="{TRACE}"}}', text
    )
    assert re.search(
        rf'gazecrop_stage_seconds_bucket{{.*stage="decode"}} 1.0 # {{span_id="\w+",trace_id="{TRACE}"', text
    )
    assert b"trace_id" not in metrics.render()[0]  # Prometheus' own text has none


async def test_errors_of_the_server_are_marked_and_probes_have_no_span() -> None:
    assert (await traced({}, 500))[0][-1].status.status_code is StatusCode.ERROR
    assert (await traced({}, 404))[0][-1].status.status_code is StatusCode.UNSET
    assert (await traced({"traceparent": PARENT}, path="/readyz"))[0] == []
    assert (await traced({}, method="BREW"))[0][-1].name == "_OTHER /r/{id}"


def test_off_no_exporter_is_loaded() -> None:
    """The framework itself imports the API of OpenTelemetry, and with [otel] its SDK."""
    program = (
        "import sys, gazecrop.app; app = gazecrop.app.create_app(); assert app._observe.begin is None;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter')];"
        "assert 'gazecrop.http.spans' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Stages(Metrics()).exemplar is None


def test_without_the_extra_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gazecrop.http.spans", None)
    monkeypatch.delattr("gazecrop.http.spans")
    with pytest.raises(GazecropError, match=r"GAZECROP_TRACING needs the extra \[otel\]"):
        tracing.open_tracing(Metrics())


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A receiver of OTLP over HTTP: its address, and the spans that it has received with their resources."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                received.extend((span, names) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def test_a_collector_receives_an_upload(start_server: Start, collector: tuple[str, list[Any]]) -> None:
    address, received = collector
    server = start_server(
        GAZECROP_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_BSP_SCHEDULE_DELAY="100", OTEL_RESOURCE_ATTRIBUTES="service.name=crops", GAZECROP_LOG_FORMAT="json",
    )  # fmt: skip
    answer = httpx.post(f"{server.url}/v1/images", content=jpeg(seed=860), headers={"traceparent": PARENT})
    assert answer.status_code == 201
    until(lambda: any(span.name == "POST /v1/images" for span, _ in received))
    spans = {span.name: span for span, _ in received}
    assert spans.keys() >= {"POST /v1/images", "read", "store", "queue", "decode", "infer", "crop"}
    assert {span.trace_id.hex() for span, _ in received} == {TRACE}
    request = spans["POST /v1/images"]
    assert request.parent_span_id.hex() == CALLER
    assert {span.parent_span_id for name, span in spans.items() if name != request.name} == {request.span_id}
    [names] = {(names["service.name"], names["service.version"]) for _, names in received}
    assert names[0] == "crops" and names[1]
    until(lambda: '"/v1/images"' in server.log.read_text())
    [line] = [json.loads(line) for line in server.log.read_text().splitlines() if '"/v1/images"' in line]
    assert line["trace_id"] == TRACE
    assert server.stop() == 0


def test_without_a_collector_requests_are_answered_and_the_stop_is_soon(start_server: Start) -> None:
    server = start_server(GAZECROP_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert httpx.post(f"{server.url}/v1/images", content=jpeg(seed=861)).status_code == 201
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15
