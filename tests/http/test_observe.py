"""The middleware: request ids, timings, counts, and the problem document of an error that nothing else caught."""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gazecrop.errors import ClientGone, NotFound
from gazecrop.http import observe
from gazecrop.http.observe import Observe
from gazecrop.metrics import Metrics


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that another test started in this process has set the logger up for itself."""
    monkeypatch.setattr(logging.getLogger("gazecrop"), "propagate", True)


def text(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


async def ask(
    app: ASGIApp,
    metrics: Metrics,
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = (),
    path: str = "/secret/7",
) -> list[Message]:
    """What the server would have sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": headers}
    await Observe(app, metrics)(scope, receive, send)
    return sent


def answering(status: int = 200, route: str | None = "/r/{id}", *, stage: str | None = None) -> ASGIApp:
    headers = [(b"content-length", b"2")]  # one list for all answers: the middleware must not write into it

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if route:
            scope["gazecrop.route"] = route
        if stage:
            with scope["gazecrop.stages"].time(stage):
                await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


def failing(error: BaseException, *, after: Sequence[Message] = ()) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in after:
            await send(dict(message))
        raise error

    return app


def client_of(app: ASGIApp, metrics: Metrics) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Observe(app, metrics))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def header(sent: list[Message], name: bytes) -> list[bytes]:
    return [value for found, value in sent[0]["headers"] if found == name]


async def test_answers_are_counted_by_template_method_and_status() -> None:
    metrics, app = Metrics(), answering()
    for _ in range(3):
        await ask(app, metrics)
    await ask(answering(404), metrics, "BREW")
    await ask(answering(404, route=None), metrics, "DELETE")
    lines = text(metrics)
    assert 'gazecrop_requests_total{method="GET",route="/r/{id}",status="200"} 3.0' in lines
    assert 'gazecrop_requests_total{method="OTHER",route="/r/{id}",status="404"} 1.0' in lines
    assert 'gazecrop_requests_total{method="DELETE",route="unmatched",status="404"} 1.0' in lines
    assert 'gazecrop_request_seconds_count{route="/r/{id}",status_class="2xx"} 3.0' in lines
    assert 'gazecrop_request_seconds_count{route="/r/{id}",status_class="4xx"} 1.0' in lines
    assert "secret" not in lines


async def test_the_wait_for_the_body_is_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that needs 0.2 s to send its body does not make the service look slow; the work of 0.05 s counts."""
    metrics, now = Metrics(), [0.0]
    monkeypatch.setattr(observe, "time", SimpleNamespace(perf_counter=lambda: now[0], time=time.time))

    async def receive() -> Message:
        now[0] += 0.1
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["gazecrop.route"] = "/r"
        for _ in range(2):
            await receive()
        now[0] += 0.05
        await answering(201, "/r")(scope, receive, send)

    async def send(message: Message) -> None:
        pass

    for method in ("POST", "GET"):  # no body of a GET is read
        scope: dict[str, Any] = {"type": "http", "method": method, "path": "/r", "headers": []}
        await Observe(app, metrics)(scope, receive, send)
    values = dict(
        re.findall(r"^(gazecrop_(?:body|request)_seconds_(?:sum|count))\S* (\S+)$", text(metrics), re.M)
    )
    assert float(values["gazecrop_body_seconds_sum"]) == pytest.approx(0.2)
    assert (values["gazecrop_body_seconds_count"], values["gazecrop_request_seconds_count"]) == ("1.0", "2.0")
    # 0.05 of the POST and 0.25 of the GET
    assert float(values["gazecrop_request_seconds_sum"]) == pytest.approx(0.3)


async def test_the_frameworks_template_is_the_label() -> None:
    metrics, app = Metrics(), FastAPI()

    @app.get("/v1/images/{id}")
    async def show(id: str) -> str:
        return id

    async with client_of(app, metrics) as client:
        assert (await client.get("/v1/images/abc")).status_code == 200
        assert (await client.post("/v1/images/abc")).status_code == 405
        assert (await client.get("/nowhere")).status_code == 404
    labels = set(
        re.findall(r'gazecrop_requests_total{method="(\w+)",route="(\S+)",status="(\d+)"}', text(metrics))
    )
    assert labels == {
        ("GET", "/v1/images/{id}", "200"),
        ("POST", "/v1/images/{id}", "405"),
        ("GET", "unmatched", "404"),
    }


@pytest.mark.parametrize("sent", [b"abc-123", b"x" * 64, b"a b~"])
async def test_a_short_printable_request_id_is_echoed(sent: bytes) -> None:
    assert header(await ask(answering(), Metrics(), headers=[(b"x-request-id", sent)]), b"x-request-id") == [
        sent
    ]


@pytest.mark.parametrize("sent", [b"", b"x" * 65, b"tab\t", b"\xe4", b"\x7f", b"nul\x00"])
async def test_other_request_ids_are_replaced(sent: bytes) -> None:
    app = answering()
    made = [
        header(await ask(app, Metrics(), headers=[(b"x-request-id", sent)]), b"x-request-id") for _ in "ab"
    ]
    assert all(re.fullmatch(rb"[0-9a-f]{12}-[0-9a-f]+", value) for (value,) in made)
    assert made[0] != made[1]


async def test_stages_are_timed_and_sent_as_server_timing() -> None:
    metrics = Metrics()
    sent = await ask(answering(stage="decode"), metrics)
    (timing,) = header(sent, b"server-timing")
    assert re.fullmatch(rb"decode;dur=[0-9]+\.[0-9]{2}", timing)
    assert 'gazecrop_stage_seconds_count{stage="decode"} 1.0' in text(metrics)
    assert header(await ask(answering(), metrics), b"server-timing") == []


async def test_an_unhandled_exception_becomes_a_problem_with_the_id_of_the_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    sent = await ask(failing(ZeroDivisionError("inner secret")), metrics, headers=[(b"x-request-id", b"r1")])
    assert sent[0]["status"] == 500
    assert header(sent, b"content-type") == [b"application/problem+json"]
    assert b'"request_id":"r1"' in sent[1]["body"] and b"secret" not in sent[1]["body"]
    assert "r1" in caplog.text and "inner secret" in caplog.text and "Traceback" in caplog.text
    assert 'route="unmatched",status="500"} 1.0' in text(metrics)


async def test_the_frameworks_own_500_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.get("/broken")
    async def broken() -> str:
        raise ZeroDivisionError("inner secret")

    async with client_of(app, Metrics()) as client:
        answer = await client.get("/broken", headers={"X-Request-Id": "r2"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "r2"
    assert "r2" in caplog.text


async def test_a_500_that_an_app_answers_by_itself_passes() -> None:
    sent = await ask(answering(500), Metrics())
    assert (sent[0]["status"], sent[1]["body"]) == (500, b"ok")


async def test_an_error_of_the_tree_is_answered_as_itself_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = await ask(failing(NotFound("gone")), Metrics())
    assert sent[0]["status"] == 404 and b"/problems/not_found" in sent[1]["body"]
    assert not caplog.records


async def test_half_an_answer_is_not_completed(caplog: pytest.LogCaptureFixture) -> None:
    metrics, sent = Metrics(), list[Message]()
    half: Message = {"type": "http.response.body", "body": b"o", "more_body": True}
    with pytest.raises(ZeroDivisionError):  # the server then closes the connection
        sent = await ask(failing(ZeroDivisionError(), after=[START, half]), metrics)
    assert sent == []
    assert "Traceback" in caplog.text
    whole: Message = {"type": "http.response.body", "body": b"ok"}
    sent = await ask(failing(ZeroDivisionError(), after=[START, whole]), metrics)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_a_client_that_left_gets_nothing_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    assert await ask(failing(ClientGone()), metrics) == []
    assert 'status="499"} 1.0' in text(metrics)
    assert not caplog.records


async def test_cancelled_by_the_drain_is_503() -> None:
    metrics = Metrics()
    sent = await ask(failing(asyncio.CancelledError()), metrics)
    assert sent[0]["status"] == 503 and header(sent, b"retry-after") == [b"1"]
    with pytest.raises(asyncio.CancelledError):
        await ask(failing(asyncio.CancelledError(), after=[START]), metrics)


async def test_other_scopes_pass_unchanged() -> None:
    metrics, seen = Metrics(), list[Scope]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    await Observe(app, metrics)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
    assert "gazecrop_requests_total{" not in text(metrics)
