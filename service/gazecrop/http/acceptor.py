"""Accepts connections on a socket that several processes share, so that each gets as many as the others.

Without this the process that wakes up first takes most connections of a burst: of 16 at once on two processes 9 to 16,
in the median 15 with asyncio's loop and 13 with uvloop's (20 bursts each, two busy cores). The kernel's own way, a
socket for each process (SO_REUSEPORT), spreads them by chance, and those that wait at the socket of a process that is
killed are lost or wait for its restart.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

from gazecrop.concurrency.board import Seat

BACKLOG = 2048  # uvicorn's
# A process with more connections than another leaves a new one to it for up to so long, and looks again in steps: on a
# busy machine the other may get a core only after some milliseconds.
YIELD_SECONDS, STEP_SECONDS = 0.02, 0.002
PAUSE_SECONDS = 0.1  # when there are no descriptors left


class Acceptor:
    def __init__(
        self, sockets: Sequence[socket.socket], make_protocol: Callable[[], asyncio.BaseProtocol], seat: Seat
    ) -> None:
        self._sockets, self._make_protocol, self._seat = sockets, make_protocol, seat
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._closed = False

    def open(self) -> None:
        for listener in self._sockets:
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._watch(listener)

    def close(self) -> None:
        self._closed = True
        for listener in self._sockets:
            self._loop.remove_reader(listener)

    def _watch(self, listener: socket.socket, until: float = 0.0) -> None:
        if not self._closed:
            self._loop.add_reader(listener, self._readable, listener, until)

    def _readable(self, listener: socket.socket, until: float) -> None:
        """`until`: the end of the time that is left to the others, 0 before it began."""
        if self._seat.is_ahead():
            now = self._loop.time()
            until = until or now + YIELD_SECONDS
            if now < until:
                self._loop.remove_reader(listener)
                self._loop.call_later(STEP_SECONDS, self._watch, listener, until)
                return
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            self._watch(listener)  # another process has it
            return
        except OSError:  # no descriptors
            self._loop.remove_reader(listener)
            self._loop.call_later(PAUSE_SECONDS, self._watch, listener)
            return
        connection.setblocking(False)
        connecting = self._loop.connect_accepted_socket(self._make_protocol, connection)
        task: asyncio.Task[object] = self._loop.create_task(connecting)
        self._tasks.add(task)
        task.add_done_callback(self._connected)
        self._watch(listener)

    def _connected(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the client has gone
