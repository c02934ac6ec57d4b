"""Over real sockets: limits, refusals that reach a client which is still sending, the drain."""

import contextlib
import logging
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gazecrop.http import protocol
from tests.helpers.contract import until
from tests.helpers.sockets import MB, Running, everything, serving


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving() as server:
        yield server


GET = b"GET /read HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n\r\n"


def test_answers_and_names_the_request(running: Running) -> None:
    answer = running.ask(GET + b"X-Request-Id: mine\r\n" + LAST)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n0")
    assert b"\r\nx-request-id: mine\r\n" in answer
    assert b"\r\nserver:" not in answer


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    answer = running.ask(
        POST + b"Content-Length: 2\r\n\r\nab" + POST + b"Content-Length: 3\r\n" + LAST + b"abc"
    )
    assert [part[-1:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"2", b"3"]


@pytest.mark.parametrize("size", [protocol.HEAD_BYTES // 2, protocol.HEAD_BYTES * 2, MB])
@pytest.mark.parametrize("whole", [True, False])
def test_heads_have_a_limit(running: Running, size: int, whole: bool) -> None:
    """Whole in one piece, or a single header that never ends."""
    head = GET + b"X: " + b"x" * size
    small = size < protocol.HEAD_BYTES
    if whole:
        answer = running.ask(head + b"\r\n" + LAST)
    elif small:
        answer = running.ask(head, b"\r\n" + LAST)
    else:
        answer = running.ask(head)
    assert answer.startswith(b"HTTP/1.1 200" if small else b"HTTP/1.1 431"), answer[:100]


def test_a_body_that_comes_with_its_head_is_not_counted_as_head(running: Running) -> None:
    body = b"x" * 200_000
    assert running.ask(POST + b"Content-Length: 200000\r\n" + LAST + body).endswith(b"\r\n\r\n200000")


def test_many_small_chunks_are_a_body_and_endless_trailers_are_not(running: Running) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n" + LAST
    assert running.ask(chunked + b"8\r\n12345678\r\n" * 20_000 + b"0\r\n\r\n").endswith(b"\r\n\r\n160000")
    answer = running.ask(chunked + b"1\r\nx\r\n0\r\n", b"X: " + b"x" * MB)
    assert answer.startswith(b"HTTP/1.1 431"), answer[:100]


def test_trailers_do_not_become_headers(running: Running) -> None:
    answer = running.ask(
        b"POST /trailers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + LAST,
        b"1\r\nx\r\n0\r\nAuthorization: Bearer k\r\n\r\n",
    )
    assert answer.endswith(b"host transfer-encoding connection")


def test_what_is_not_http_is_400_in_plain_text(running: Running) -> None:
    for wrong in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
    ):
        assert running.ask(wrong).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert running.ask(chunked + b"zz\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("framing", [b"Content-Length: 50000000", b"Transfer-Encoding: chunked"])
def test_a_refusal_reaches_a_client_that_sends_on_without_reading(running: Running, framing: bytes) -> None:
    """Like http.client and many others: it reads only when it has sent all 50 MB."""
    piece = b"x" * MB
    if b"chunked" in framing:
        piece = b"%x\r\n%b\r\n" % (MB, piece)
    answer = running.ask(POST + framing + b"\r\n\r\n", *[piece] * 50)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:100]
    assert b"\r\nConnection: close\r\n" in answer or b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"body_too_large")


def test_curl_sees_the_refusal_of_50_mb(running: Running, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed here")
    (tmp_path / "large").write_bytes(bytes(50 * MB))
    for more in ([], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]):
        line = ["curl", "-sS", "-w", " %{http_code}", "--data-binary", f"@{tmp_path / 'large'}", *more]
        out = subprocess.run(
            [*line, f"http://127.0.0.1:{running.port}/read"], capture_output=True, timeout=60
        )
        assert (out.returncode, out.stdout, out.stderr) == (0, b"body_too_large 413", b"")


def test_a_short_unread_body_keeps_the_connection(running: Running) -> None:
    with running.connect() as client:
        for _ in range(2):
            client.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            assert client.recv(65536).endswith(b"ignored")
            client.sendall(b"x" * 1000)


def test_an_endless_unread_body_does_not(running: Running) -> None:
    with running.connect() as client:
        client.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.recv(65536).endswith(b"ignored")
        with pytest.raises(OSError):
            while True:  # the server stops reading after LINGER_BYTES
                client.sendall(b"%x\r\n%b\r\n" % (MB, b"x" * MB))


def test_slow_heads_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server, contextlib.ExitStack() as clients:
        silent, half, blank, kept = (clients.enter_context(server.connect()) for _ in range(4))
        half.sendall(b"GET / HT")
        blank.sendall(b"\r\n")
        kept.sendall(GET + b"\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        kept.sendall(b"GET / HT")
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)  # not before: the request above may take longer
        assert everything(silent) == b""
        assert everything(half).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert everything(blank).startswith(b"HTTP/1.1 408")
        assert everything(kept).startswith(b"HTTP/1.1 408")


def test_a_body_that_stops_after_the_answer_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD_SECONDS", 0.2)
    with serving() as server, server.connect() as client:
        client.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
        assert everything(client).endswith(b"ignored")


def test_a_client_that_disconnects_in_its_body_is_counted_and_not_logged(
    running: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gazecrop", "uvicorn"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    with running.connect() as client:
        client.sendall(b"POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
    line = 'gazecrop_requests_total{method="POST",route="/left",status="499"} 1.0'
    until(lambda: line in running.metrics.render()[0].decode())
    assert not caplog.records


SCRIPT = """
    import asyncio, sys
    from gazecrop.http.observe import Observe
    from gazecrop.metrics import Metrics
    from gazecrop.http.protocol import serve
    from gazecrop.settings import Settings

    draining, let_go = False, asyncio.Event()

    def begin_draining():
        global draining
        draining = True

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": message["type"] + ".complete"})
            print("stopped", flush=True)
            return await send({"type": "lifespan.shutdown.complete"})
        if scope["path"] == "/slow":
            print("begun", flush=True)
            await let_go.wait()
        if scope["path"] == "/go":
            let_go.set()
        status = 503 if draining and scope["path"] == "/readyz" else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    serve(Observe(app, Metrics()), Settings(PORT=int(sys.argv[1]), drain_seconds=float(sys.argv[2])), begin_draining)
"""


@pytest.fixture
def process(tmp_path: Path, unused_port: int) -> Iterator[Callable[[float], "subprocess.Popen[str]"]]:
    with contextlib.ExitStack() as stack:

        def start(drain_seconds: float) -> "subprocess.Popen[str]":
            command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(unused_port), str(drain_seconds)]
            started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.callback(_kill, started)
            while started.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", unused_port)):
                    break
                time.sleep(0.02)
            return started

        yield start


def _kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, target: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return client.recv(65536)


def test_sigterm_lets_requests_in_progress_end(
    process: Callable[[float], "subprocess.Popen[str]"], unused_port: int
) -> None:
    server = process(20)
    with (
        socket.create_connection(("127.0.0.1", unused_port), timeout=20) as slow,
        socket.create_connection(("127.0.0.1", unused_port), timeout=20) as idle,
    ):
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.stdout and server.stdout.readline() == "begun\n"
        assert ask(unused_port, "/readyz").startswith(b"HTTP/1.1 200")
        server.send_signal(signal.SIGTERM)
        until(lambda: ask(unused_port, "/readyz").startswith(b"HTTP/1.1 503"))
        assert ask(unused_port, "/go").startswith(b"HTTP/1.1 200")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        assert everything(idle) == b""
    out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (0, "stopped\n"), err


def test_a_request_that_outlasts_the_drain_gets_503(
    process: Callable[[float], "subprocess.Popen[str]"], unused_port: int
) -> None:
    server = process(0.3)
    with socket.create_connection(("127.0.0.1", unused_port), timeout=20) as slow:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.stdout and server.stdout.readline() == "begun\n"
        server.send_signal(signal.SIGTERM)
        answer = everything(slow)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"/problems/draining" in answer
    assert b"retry-after" in answer
    out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (0, "stopped\n"), err
    assert "Traceback" not in err


def test_a_port_in_use_stops_the_start_with_its_number() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), port, "1"]
        out = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert out.returncode == 3 and port in out.stderr and "in use" in out.stderr
