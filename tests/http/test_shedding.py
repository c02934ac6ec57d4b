"""Uploads that are refused before they become requests, at the protocol and with the whole service."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from gazecrop.app import App, create_app
from gazecrop.concurrency.gate import Place
from gazecrop.http import observe
from gazecrop.http.logs import Access
from gazecrop.http.protocol import Headers
from gazecrop.settings import Settings
from tests.helpers.sockets import MB, Running, everything, serving, whole_answer

BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy"


def only_full(method: bytes, target: bytes, headers: Headers) -> bytes | None:
    """As if the queue of /full were full."""
    return BUSY if target == b"/full" else None


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(only_full) as server:
        yield server


def post(path: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, more, len(body), body)


@pytest.mark.parametrize("size", [0, 100, 4 * MB])
@pytest.mark.parametrize("offer", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_the_answer_reaches_a_client_that_reads_only_when_it_has_sent_all(
    running: Running, size: int, offer: bytes
) -> None:
    assert running.ask(post(b"/full", bytes(size), offer)) == BUSY


def test_in_chunks(running: Running) -> None:
    head = b"POST /full HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert running.ask(head + b"4\r\nbody\r\n0\r\n\r\n") == BUSY


def test_behind_an_answered_request(running: Running) -> None:
    with running.connect() as client:
        client.sendall(post(b"/read", b"12"))
        assert whole_answer(client).endswith(b"\r\n\r\n2")
        client.sendall(post(b"/full", bytes(MB)))
        assert everything(client) == BUSY


def test_behind_an_unanswered_request_the_application_answers_in_order(running: Running) -> None:
    answer = running.ask(post(b"/read", b"12") + post(b"/full", b"123", b"Connection: close\r\n"))
    assert [part[-1:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"2", b"3"]


def requests(running: Running) -> list[str]:
    return re.findall("gazecrop_requests_total.*", running.metrics.render()[0].decode())


@pytest.mark.parametrize(
    "behind",
    [
        b"DELETE /read HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"/full", b"1"),
        b"no request\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [0, 8 * MB])
def test_nothing_behind_it_is_processed(
    running: Running, behind: bytes, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It said that the connection closes; a client that goes on sending still gets its answer."""
    before = requests(running)
    assert running.ask(post(b"/full", b"123") + behind, bytes(size)) == BUSY
    assert requests(running) == before and not caplog.records


def test_a_head_that_is_too_large_is_refused_as_one(running: Running) -> None:
    assert running.ask(post(b"/full", b"", b"X: %b\r\n" % bytes(40_000).replace(b"\0", b"x"))).startswith(
        b"HTTP/1.1 431 "
    )


@contextlib.asynccontextmanager
async def started(folder: Path, **settings: object) -> AsyncIterator[App]:
    app = create_app(Settings(device="cpu", data_dir=folder, **settings))  # type: ignore[arg-type]
    async with app.api.router.lifespan_context(app.api):
        yield app


UPLOAD = b"POST", b"/v1/images?ratios=1:1"


def fill(app: App) -> None:
    parts = app._front.parts
    assert parts is not None
    parts.gate._queue.extend(Place(10**6, 10.0) for _ in range(50))


async def through_the_application(app: App, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        return await client.post("/v1/images?ratios=1:1", content=b"x", headers=headers)


async def test_the_answer_is_that_of_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logged: list[Access] = []
    monkeypatch.setattr(observe, "log_access", logged.append)
    caplog.set_level(logging.INFO, "gazecrop.access")
    async with started(tmp_path) as app:
        assert app.refuse(*UPLOAD, []) is None
        fill(app)
        early = app.refuse(*UPLOAD, [(b"x-request-id", b"mine")])
        answer = await through_the_application(app, {"x-request-id": "mine"})
        assert early is not None and answer.status_code == 503
        head, _, body = early.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        assert status == "HTTP/1.1 503 Service Unavailable" and body == answer.content
        assert dict(line.split(": ", 1) for line in lines) == dict(answer.headers)
        shed = 'gazecrop_shed_total{gate="decode",reason="wait"} 2.0'
        counted = 'gazecrop_requests_total{method="POST",route="/v1/images",status="503"} 2.0'
        text = app.metrics.render()[0].decode()
        assert shed in text and counted in text
    first, second = (one._replace(at=0, seconds=0) for one in logged)
    assert first == second and first.request_id == "mine"


async def test_a_server_that_drains_refuses_all(tmp_path: Path) -> None:
    async with started(tmp_path) as app:
        app.drain()
        early = app.refuse(*UPLOAD, [])
        assert early is not None and b"/problems/draining" in early


async def test_what_is_no_upload_is_left_to_the_application(tmp_path: Path) -> None:
    async with started(tmp_path) as app:
        fill(app)
        for method, target in (
            (b"GET", b"/v1/images"),
            (b"PUT", b"/v1/images"),
            (b"POST", b"/v1/images/"),
            (b"POST", b"/v1/crop"),
            (b"POST", b"http://x/v1/images"),
        ):
            assert app.refuse(method, target, []) is None, target


async def test_without_a_valid_key_the_application_refuses(tmp_path: Path) -> None:
    async with started(tmp_path, api_keys="right") as app:
        fill(app)
        assert app.refuse(*UPLOAD, []) is None
        assert app.refuse(*UPLOAD, [(b"authorization", b"Bearer wrong")]) is None
        assert app.refuse(*UPLOAD, [(b"authorization", b"Bearer right")]) is not None


async def test_the_headers_of_cors_are_the_application_s(tmp_path: Path) -> None:
    async with started(tmp_path, cors_origins="https://a.example") as app:
        fill(app)
        assert app.refuse(*UPLOAD, [(b"origin", b"https://a.example")]) is None
