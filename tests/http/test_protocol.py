"""Over real sockets: limits, and refusals that reach a client which is still sending."""

import contextlib
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from gazecrop.http import discard, protocol
from gazecrop.http import server as server_module
from gazecrop.http.request_body import CONTINUE
from tests.helpers.contract import until
from tests.helpers.sockets import LARGE, MB, Running, everything, serving, whole_answer


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
            assert whole_answer(client).endswith(b"ignored")
            client.sendall(b"x" * 1000)


def test_an_endless_unread_body_does_not(running: Running) -> None:
    with running.connect() as client:
        client.sendall(b"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert whole_answer(client).endswith(b"ignored")
        with pytest.raises(OSError):
            while True:  # the server stops reading after discard.LINGER_BYTES
                client.sendall(b"%x\r\n%b\r\n" % (MB, b"x" * MB))


def test_bodies_of_refused_requests_are_discarded_in_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection in a tick; every client still gets its answer."""
    monkeypatch.setattr(discard, "READING_SECONDS", -1.0)
    monkeypatch.setattr(discard, "TICK_SECONDS", 0.01)
    clients = 3
    with serving() as server, ThreadPoolExecutor(clients) as threads:
        request = POST + b"Content-Length: 4000000\r\n\r\n", bytes(4 * MB)
        for answer in threads.map(lambda _: server.ask(*request), range(clients)):
            assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"body_too_large")


def test_a_refused_connection_makes_room_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as idle: its client has its answer."""
    monkeypatch.setattr(server_module, "CONNECTIONS", 5)
    with serving() as server, contextlib.ExitStack() as clients:
        for _ in range(12):
            client = clients.enter_context(server.connect())
            client.sendall(POST + b"Content-Length: 50000000\r\n\r\n")
            assert whole_answer(client).startswith(b"HTTP/1.1 413 ")
        assert len(server.server.server_state.connections) <= 6


class Written:
    """In place of a protocol and its transport: what is written, and whether it was closed."""

    def __init__(self) -> None:
        self.transport, self.parts, self.closed = self, list[bytes](), False

    def write(self, data: bytes) -> None:
        self.parts.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close_after_response(self) -> None:
        self.closed = True


def answering(has_body: bool = True) -> tuple[Written, protocol._AnswerTransport]:
    written = Written()
    return written, protocol._AnswerTransport(cast(protocol.Protocol, written), has_body)


def test_the_head_of_an_answer_is_sent_with_its_body() -> None:
    written, answer = answering()
    answer.write(CONTINUE)
    for part in (b"head", b"body", b"more"):
        answer.write(part)
    assert written.parts == [CONTINUE, b"headbody", b"more"]


def test_a_head_is_not_joined_to_a_large_body_nor_kept_without_one() -> None:
    large = bytes(protocol.JOINED_BYTES + 1)
    written, answer = answering()
    answer.write(b"head")
    answer.write(large)
    assert written.parts == [b"head", large]

    written, answer = answering(has_body=False)
    answer.write(b"head")
    assert written.parts == [b"head"]

    written, answer = answering()
    answer.write(b"head")
    answer.close()  # the application failed before the body
    assert (written.parts, written.closed) == ([b"head"], True)


def test_refused_connections_give_their_descriptors_back() -> None:
    with serving() as server:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            answer = server.ask(POST + b"Content-Length: 50000000\r\n\r\n", bytes(MB))
            assert answer.startswith(b"HTTP/1.1 413 ")
        until(lambda: not server.server.server_state.connections)
        assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("last", [b"\r\n", LAST])
def test_a_client_that_does_not_read_its_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, last: bytes
) -> None:
    """Also where the connection is closed after the answer: closing waits until all is sent."""
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 0.2)
    with serving() as server, server.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + last)
        until(lambda: len(server.server.server_state.connections) == 1)
        until(lambda: not server.server.server_state.connections)
        assert len(everything(client)) < LARGE


def test_a_client_that_reads_its_answer_slowly_gets_all_of_it(running: Running) -> None:
    """Its time begins anew with each part that it takes."""
    received, began = 0, [0.0]
    with running.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + LAST)
        found = running.server.server_state.connections
        connection = until(
            lambda: next((one for one in found if one.transport.get_write_buffer_size()), None)
        )
        assert isinstance(connection, protocol.Protocol)
        for _ in range(2):
            began.append(until(lambda: connection._unsent and connection._unsent_since, 60))
            for _ in range(16):
                received += len(client.recv(2**18))
            until(lambda: connection._unsent_since > began[-1], 60)
        received += len(everything(client))
    assert received > LARGE


def test_slow_heads_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server, contextlib.ExitStack() as clients:
        silent, half, blank, kept = (clients.enter_context(server.connect()) for _ in range(4))
        half.sendall(b"GET / HT")
        blank.sendall(b"\r\n")
        kept.sendall(GET + b"\r\n")
        assert whole_answer(kept).startswith(b"HTTP/1.1 200")
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
