"""Discards what a client still sends after it was refused.

Closing a connection with unread bytes makes the kernel send a reset, and a client that is still sending its body would
lose the answer. So its bytes are received and dropped for a while (RFC 9112, section 9.6). Linux drops them without
copying them (MSG_TRUNC, tcp(7)), elsewhere they are copied into one buffer for all. A transport would copy each piece
twice, into new memory: with 500 refused uploads of 1 MB a second that took a sixth of a core.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

LINGER_BYTES = 64 * 2**20  # of one connection, before it is closed
# Of all connections together from one tick to the next: 8 ms of the event loop. The rest waits in the kernel, and its
# senders with it.
DISCARDED_BYTES, TICK_SECONDS = 64 * 2**20, 0.1
PIECE = 2**20  # bytes at a time
_nowhere = bytearray(PIECE)


class Discarder:
    """What all connections of a server share. It ticks while bytes are counted or a sink waits."""

    def __init__(self) -> None:
        self._discarded = 0
        self._waiting: deque[Sink] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return self._discarded > DISCARDED_BYTES

    def count(self, size: int) -> None:
        self._discarded += size
        self._schedule()

    def wait(self, sink: "Sink") -> None:
        """The sink reads on at the next tick."""
        self._waiting.append(sink)
        self._schedule()

    def tick(self) -> None:
        """Those that waited longest are read first."""
        self._timer = None
        self._discarded = 0
        for _ in range(len(self._waiting)):
            if self.is_full:
                break
            self._waiting.popleft().read()
        if self._waiting:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self.tick)


class Sink:
    """Discards what arrives on one connection, whose transport must not read meanwhile. `done` is called when the
    client has closed its half or has sent too much; `close` must follow. It has a descriptor of its own, since an event
    loop does not watch one that belongs to a transport. Raises OSError when no descriptor is left."""

    def __init__(self, discarder: Discarder, descriptor: int, done: Callable[[], object]) -> None:
        self._loop, self._discarder, self._done = asyncio.get_running_loop(), discarder, done
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._left = LINGER_BYTES
        self._watched = False

    def read(self) -> None:
        """One piece; then more when it arrives, or at the next tick."""
        if self._socket.fileno() < 0:  # closed
            return
        try:
            size = self._socket.recv_into(_nowhere, PIECE, socket.MSG_TRUNC)
        except (BlockingIOError, InterruptedError):
            self._watch(True)
            return
        except OSError:  # a reset
            size = 0
        self._discarder.count(size)
        self._left -= size
        if not size or self._left < 0:
            self._watch(False)
            self._done()
        elif self._discarder.is_full:
            self._watch(False)
            self._discarder.wait(self)
        else:
            self._watch(True)

    def close(self) -> None:
        self._watch(False)
        self._socket.close()

    def _watch(self, wanted: bool) -> None:
        if wanted != self._watched:
            self._watched = wanted
            if wanted:
                self._loop.add_reader(self._socket.fileno(), self.read)
            else:
                self._loop.remove_reader(self._socket.fileno())
