"""Discards what clients still send after they were refused.

Closing a connection with unread bytes makes the kernel send a reset, and a client that is still sending its body would
lose the answer. So its bytes are received and dropped for a while (RFC 9112, section 9.6). Linux drops them without
copying them (MSG_TRUNC, tcp(7)), elsewhere they are copied into one buffer for all.

Connections are read ten times a second, as waking for each piece would cost more than the pieces.
"""

import asyncio
import socket
import time

from gazecrop.http.transports import borrowed_socket

LINGER_BYTES = 64 * 2**20  # of one connection, before it is closed
# At most a twentieth of the event loop's time. The rest waits in the kernel, and its senders with it.
READING_SECONDS, TICK_SECONDS = 0.005, 0.1
PIECE = 2 * 2**20  # bytes of one connection in a tick
_nowhere = bytearray(PIECE)  # takes no memory where nothing is copied


class Discarder:
    """What all connections of a server share. It ticks while it has any."""

    def __init__(self) -> None:
        # How many bytes each may still send, the oldest first: when there is too much to read, as many as possible end.
        self._left: dict[asyncio.Transport, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.Transport) -> None:
        """Discards what arrives, which the transport must not read, and closes it when its client has closed or has
        sent too much. `remove` must follow when it is closed."""
        self._left[transport] = LINGER_BYTES
        self._schedule()

    def remove(self, transport: asyncio.Transport) -> None:
        self._left.pop(transport, None)

    def tick(self) -> None:
        self._timer = None
        ends = time.thread_time() + READING_SECONDS
        for transport in list(self._left):
            self._read(transport)
            if time.thread_time() > ends:
                break
        if self._left:
            self._schedule()

    def _read(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return
        ours = borrowed_socket(transport)
        try:
            size = ours.recv_into(_nowhere, PIECE, socket.MSG_TRUNC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # a reset
            size = 0
        finally:
            ours.detach()
        self._left[transport] -= size
        if not size or self._left[transport] < 0:
            transport.close()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self.tick)
