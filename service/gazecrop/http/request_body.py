"""The body of a request between the parser and the application.

uvicorn copies each piece of a body into an array and out of it again. Here the application gets the parser's pieces.

A body from a slow network arrives in packets of 1.4 kB, each of which would wake the event loop: 0.4 MB took 8 to 10 ms
of it instead of 1. The kernel wakes it for 16 kB, or for the rest of the body (SO_RCVLOWAT, socket(7)).
"""

import socket
from asyncio import Transport
from collections.abc import Iterable

from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gazecrop.http.transports import borrowed_socket

# Well below the window that a connection begins with (64 kB): with as much the sender waits for each window to be read,
# and the window does not grow. 8 MB over 40 ms and 100 Mbit/s took 8 s instead of 0.9.
WAKE_BYTES = 16_384
SMALL = 1024  # bytes of a piece: smaller ones are collected, as each would take 50 bytes more
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"  # written before the head of an answer


class RequestBody:
    """`cycle`: uvicorn's, of which this replaces `body` and `receive`. `transport`: of the connection."""

    __slots__ = ("_cycle", "_left", "_pieces", "_size", "_transport", "_wake_at")

    def __init__(self, cycle: RequestResponseCycle, transport: Transport) -> None:
        self._cycle, self._transport = cycle, transport
        self._pieces: list[bytes | bytearray] = []
        self._size = 0  # of the pieces
        self._left = _length(cycle.scope["headers"])  # to arrive; 0 or less where the length is not known
        self._wake_at = 1

    def add(self, piece: bytes) -> None:
        """Pauses reading while the application has much to take."""
        if len(piece) >= SMALL:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:
            self._pieces.append(bytearray(piece))
        self._size += len(piece)
        self._left -= len(piece)
        if self._size > HIGH_WATER_LIMIT:
            self._cycle.flow.pause_reading()
        if self._left < self._wake_at:
            self._wake(self._left)
        self._cycle.message_event.set()

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(CONTINUE)
            cycle.waiting_for_100_continue = False
        if not cycle.disconnected and not cycle.response_complete:
            if self._left > 0:
                self._wake(self._left)
            cycle.flow.resume_reading()
            await cycle.message_event.wait()
            cycle.message_event.clear()
        if cycle.disconnected or cycle.response_complete:
            return {"type": "http.disconnect"}
        pieces, self._pieces, self._size = self._pieces, [], 0
        return {"type": "http.request", "body": b"".join(pieces), "more_body": cycle.more_body}

    def end(self) -> None:
        """Nobody will ask for the rest: all that arrives wakes the event loop again."""
        self._wake(1)

    def _wake(self, size: int) -> None:
        size = min(WAKE_BYTES, max(1, size))
        if size == self._wake_at or self._transport.is_closing():
            return
        self._wake_at = size
        ours = borrowed_socket(self._transport)
        try:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        except OSError:  # a system without it
            pass
        finally:
            ours.detach()


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Content-Length, which the parser has checked; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)
