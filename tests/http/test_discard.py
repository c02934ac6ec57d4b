import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from gazecrop.http import discard
from gazecrop.http.discard import Discarder, Sink
from tests.helpers.sockets import MB


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection, the server's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            yield server, client


def test_all_that_a_client_sends_is_dropped_until_it_closes_its_half(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, client = pair

    async def run() -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        sink = Sink(discarder, server.fileno(), ended.set)
        sink.read()
        await loop.run_in_executor(None, client.sendall, bytes(5 * MB))
        assert not ended.is_set()
        client.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(ended.wait(), 10)
        sink.close()
        sink.read()  # as a tick might
        return discarder._discarded

    discarder = Discarder()
    assert asyncio.run(run()) == 5 * MB
    server.sendall(b"answer")
    assert client.recv(16) == b"answer"


def test_a_client_that_sends_too_much_is_ended(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = pair
    monkeypatch.setattr(discard, "LINGER_BYTES", 1000)
    ended: list[bool] = []

    async def run() -> None:
        sink = Sink(Discarder(), server.fileno(), lambda: ended.append(True))
        client.sendall(bytes(1000))
        await asyncio.sleep(0.05)
        sink.read()
        assert not ended
        client.sendall(b"x")
        while not ended:
            await asyncio.sleep(0.01)
        sink.close()

    asyncio.run(asyncio.wait_for(run(), 10))
    assert ended == [True]


def test_above_the_limit_of_all_a_connection_waits_for_the_next_tick(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = pair
    monkeypatch.setattr(discard, "DISCARDED_BYTES", 100)
    monkeypatch.setattr(discard, "PIECE", 200)
    monkeypatch.setattr(discard, "TICK_SECONDS", 60.0)
    discarder, ended = Discarder(), asyncio.Event()

    async def run() -> list[int]:
        sink = Sink(discarder, server.fileno(), ended.set)
        client.sendall(bytes(500))
        client.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.05)
        sink.read()
        sums = []
        while not ended.is_set():
            await asyncio.sleep(0.02)  # nothing is read meanwhile
            sums.append(discarder._discarded)
            discarder.tick()
        sink.close()
        return sums

    assert asyncio.run(asyncio.wait_for(run(), 10)) == [200, 200, 100]


def test_without_descriptors_it_raises(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dup(descriptor: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "dup", dup)

    async def run() -> None:
        with pytest.raises(OSError, match="Too many"):
            Sink(Discarder(), pair[0].fileno(), lambda: None)

    asyncio.run(run())


def test_one_that_waits_is_read_without_anything_else(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    discarder = Discarder()

    async def run() -> None:
        ended = asyncio.Event()
        sink = Sink(discarder, server.fileno(), ended.set)
        discarder.wait(sink)
        client.sendall(bytes(500))
        client.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(ended.wait(), 10)
        sink.close()

    asyncio.run(run())
