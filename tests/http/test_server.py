"""A process with the server: its drain at SIGTERM, and a start that fails."""

import contextlib
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.contract import until
from tests.helpers.sockets import everything

SCRIPT = """
    import asyncio, sys
    from gazecrop.http.observe import Observe
    from gazecrop.http.server import serve
    from gazecrop.metrics import Metrics
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


def test_while_it_drains_every_answer_closes_its_connection(
    process: Callable[[float], "subprocess.Popen[str]"], unused_port: int
) -> None:
    """An open connection is still served: a proxy that just sent a request on it would not send it again."""
    server = process(20)
    with (
        socket.create_connection(("127.0.0.1", unused_port), timeout=20) as slow,
        socket.create_connection(("127.0.0.1", unused_port), timeout=20) as kept,
    ):
        kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        first = b""
        while not first.endswith(b"ok"):
            first += kept.recv(65536)
        assert first.startswith(b"HTTP/1.1 200") and b"connection: close" not in first
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.stdout and server.stdout.readline() == "begun\n"
        server.send_signal(signal.SIGTERM)
        until(lambda: ask(unused_port, "/readyz").startswith(b"HTTP/1.1 503"))
        kept.sendall(b"GET /go HTTP/1.1\r\nHost: x\r\n\r\n")
        last = everything(kept)
        assert last.startswith(b"HTTP/1.1 200") and b"connection: close" in last
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
    server.communicate(timeout=20)
    assert server.returncode == 0


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
