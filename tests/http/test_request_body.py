"""Over real sockets: what of a body is read when, and in how many parts the application gets it."""

import asyncio
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gazecrop.http.connection import HEAD_READ
from gazecrop.http.protocol import Protocol
from gazecrop.http.request_body import SMALL, WAKE_BYTES, RequestBody
from tests.helpers.sockets import MB, Running, serving, whole_answer


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving() as server:
        yield server


def post(path: str, length: int) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), length)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may wake earlier")
def test_a_body_in_small_packets_wakes_the_application_seldom(running: Running) -> None:
    length = 8 * WAKE_BYTES + 10_000
    with running.connect() as client:
        for _ in range(2):  # the second request finds the connection as the first did
            client.sendall(post("/pieces", length))
            for at in range(0, length, 1400):
                client.sendall(bytes(min(1400, length - at)))
                time.sleep(0.0002)
            answer = whole_answer(client)
            assert answer.startswith(b"HTTP/1.1 200")
            assert int(answer.rpartition(b"\n")[2]) <= 2 + length / WAKE_BYTES, answer


@pytest.mark.parametrize("length", [1, 2000, WAKE_BYTES, WAKE_BYTES + 1, 65_536, 300_000])
def test_the_last_bytes_are_not_waited_for_in_vain(running: Running, length: int) -> None:
    with running.connect() as client:
        for _ in range(2):
            client.sendall(post("/read", length))
            time.sleep(0.02)
            client.sendall(bytes(length - 1))
            time.sleep(0.02)
            client.sendall(b"x")
            assert whole_answer(client).endswith(b"\r\n\r\n%d" % length)
            client.sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
            assert whole_answer(client).endswith(b"ignored")


def test_the_rest_of_a_body_that_is_not_read_keeps_the_connection(running: Running) -> None:
    """The application has asked for it, so that the kernel was gathering."""
    length = 200_000
    with running.connect() as client:
        client.sendall(post("/once", length) + b"x" * 10)
        assert whole_answer(client).endswith(b"\r\n\r\n10")
        for at in range(10, length, 1000):
            client.sendall(bytes(min(1000, length - at)))
        client.sendall(b"GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n")
        assert whole_answer(client).endswith(b"ignored")


def test_pieces_of_a_few_bytes_are_collected() -> None:
    """Each of its own takes 50 bytes more than it holds."""
    cycle = cast(RequestResponseCycle, SimpleNamespace(scope={"headers": []}, message_event=asyncio.Event()))
    body = RequestBody(cycle, cast(asyncio.Transport, None))
    for piece in (b"ab", b"cd", bytes(SMALL), b"e", b"f"):
        body.add(piece)
    assert body._pieces == [b"abcd", bytes(SMALL), b"ef"]


def test_a_body_behind_100_continue(running: Running) -> None:
    with running.connect() as client:
        client.sendall(post("/read", 70_000).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(bytes(70_000))
        assert whole_answer(client).endswith(b"\r\n\r\n70000")


def test_before_a_body_is_asked_for_only_its_first_part_is_read(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a refused request the rest stays with its sender."""
    read = []
    received = Protocol.data_received

    def counted(protocol: Protocol, data: memoryview) -> None:
        read.append(len(data))
        received(protocol, data)

    monkeypatch.setattr(Protocol, "data_received", counted)
    with running.connect() as client:
        client.sendall(post("/read", 2 * MB) + bytes(100_000))
        assert whole_answer(client).startswith(b"HTTP/1.1 413 ")
    assert read == [HEAD_READ]
