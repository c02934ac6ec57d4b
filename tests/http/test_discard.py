import asyncio
import socket
from collections.abc import Iterator
from typing import cast

import pytest

from gazecrop.http import discard
from gazecrop.http.discard import Discarder
from tests.helpers.sockets import MB


class Transport:
    """What the discarder uses of a transport."""

    def __init__(self, own: socket.socket) -> None:
        self._own = own
        self.closed = False

    def get_extra_info(self, name: str) -> socket.socket:
        assert name == "socket"
        return self._own

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    @property
    def real(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self)


@pytest.fixture
def pairs() -> Iterator[list[tuple[Transport, socket.socket]]]:
    """Both ends of three TCP connections, the server's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = []
        for _ in range(3):
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
            server.setblocking(False)
            found.append((server, client))
        yield [(Transport(server), client) for server, client in found]
        for server, client in found:
            server.close()
            client.close()


Pairs = list[tuple[Transport, socket.socket]]


async def until_closed(transport: Transport) -> None:
    async with asyncio.timeout(10):
        while not transport.closed:
            await asyncio.sleep(0.01)


def test_all_that_a_client_sends_is_dropped_until_it_closes_its_half(pairs: Pairs) -> None:
    transport, client = pairs[0]

    async def run() -> int:
        discarder = Discarder()
        discarder.add(transport.real)
        await asyncio.to_thread(client.sendall, bytes(5 * MB))
        assert not transport.closed
        client.shutdown(socket.SHUT_WR)
        await until_closed(transport)
        left = discarder._left[transport.real]
        discarder.tick()  # it is closed, and stays until it is removed
        discarder.remove(transport.real)
        assert not discarder._left
        return discard.LINGER_BYTES - left

    assert asyncio.run(run()) == 5 * MB
    pairs[0][0]._own.sendall(b"answer")
    assert client.recv(16) == b"answer"


def test_a_client_that_resets_its_connection_is_closed(pairs: Pairs) -> None:
    transport, client = pairs[0]

    async def run() -> None:
        discarder = Discarder()
        discarder.add(transport.real)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await until_closed(transport)

    asyncio.run(run())


def test_a_client_that_sends_too_much_is_ended(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    transport, client = pairs[0]
    monkeypatch.setattr(discard, "LINGER_BYTES", 1000)

    async def run() -> None:
        discarder = Discarder()
        discarder.add(transport.real)
        client.sendall(bytes(1000))
        while discarder._left[transport.real]:
            await asyncio.sleep(0.01)
        assert not transport.closed
        client.sendall(b"x")
        await until_closed(transport)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_without_time_one_connection_is_read_in_a_tick_the_oldest_first(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discard, "READING_SECONDS", -1.0)
    monkeypatch.setattr(discard, "PIECE", 200)
    monkeypatch.setattr(discard, "TICK_SECONDS", 60.0)

    async def run() -> list[list[int]]:
        discarder = Discarder()
        for transport, client in pairs:
            discarder.add(transport.real)
            client.sendall(bytes(300))
            client.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.05)
        found = []
        while discarder._left:
            discarder.tick()
            found.append([discard.LINGER_BYTES - left for left in discarder._left.values()])
            for transport, _ in pairs:
                if transport.closed:
                    discarder.remove(transport.real)
        return found

    first = [[200, 0, 0], [300, 0, 0], [300, 0, 0]]
    assert asyncio.run(run()) == [*first, *(row[:2] for row in first), *(row[:1] for row in first)]
