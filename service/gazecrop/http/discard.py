"""Discards what clients still send after they were refused.

Closing a connection with unread bytes makes the kernel send a reset, and a client that is still sending its body would
lose the answer. So its bytes are received and dropped for a while (RFC 9112, section 9.6). Linux drops them without
copying them (MSG_TRUNC, tcp(7)), elsewhere they are copied into one buffer for all.

Connections are read in ticks, as waking for each piece would cost more than the pieces. Fifty ticks a second let 20 MB
through in two seconds, over 40 ms and 100 Mbit/s: the window grows. With ten a second it took more than LINGER_SECONDS.
"""

import asyncio
import socket
import time

from gazecrop.http.transports import borrowed_socket

LINGER_BYTES = 64 * 2**20  # of one connection, before it is closed
# From one tick to the next; longer after one that took much time, so that all take at most this share of the event
# loop's. The rest waits in the kernel, and its senders with it.
TICK_SECONDS, SHARE = 0.02, 0.04
READING_SECONDS = 0.005  # of a tick
PIECE = 2 * 2**20  # bytes of one connection in a tick
_nowhere = bytearray(PIECE)  # takes no memory where nothing is copied


class Discarder:
    """What all connections of a server share. It ticks while it has any."""

    def __init__(self) -> None:
        # How many bytes each may still send. Those that send are first, the oldest before others: when there is too
        # much to read, as many as possible end.
        self._left: dict[asyncio.Transport, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.Transport) -> None:
        """Discards what arrives, which the transport must not read, and closes it when its client has closed or has
        sent too much. `remove` must follow when it is closed."""
        self._left[transport] = LINGER_BYTES
        self._schedule(TICK_SECONDS)

    def remove(self, transport: asyncio.Transport) -> None:
        self._left.pop(transport, None)

    def tick(self) -> None:
        self._timer = None
        began, used = time.thread_time(), 0.0
        for transport in list(self._left):
            self._read(transport)
            used = time.thread_time() - began
            if used > READING_SECONDS:
                break
        if self._left:
            self._schedule(max(TICK_SECONDS, used / SHARE))

    def _read(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return
        ours = borrowed_socket(transport)
        try:
            size = ours.recv_into(_nowhere, PIECE, socket.MSG_TRUNC)
        except (BlockingIOError, InterruptedError):
            self._left[transport] = self._left.pop(transport)
            return
        except OSError:  # a reset
            size = 0
        finally:
            ours.detach()
        self._left[transport] -= size
        if not size or self._left[transport] < 0:
            transport.close()

    def _schedule(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.tick)
