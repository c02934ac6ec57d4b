"""Caps the request-body bytes in memory. Counts bytes received, not Content-Length, so that a slow sender takes no more
of the budget than it has sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive

from gazecrop.errors import Overloaded


class Bodies:
    """`limit` in bytes. `shed` is called for every request that is refused. Used from the event loop only."""

    def __init__(self, limit: int, shed: Callable[[], object] = lambda: None) -> None:
        self.held = 0
        self._limit, self._shed = limit, shed

    @contextmanager
    def counted(self, receive: Receive, times: int = 1) -> Iterator[Receive]:
        """The same `receive`, counted until the block is left: its request is answered, its bytes are gone. `times`:
        the bytes that are held for each byte of the body. It raises Overloaded when all bodies together are over the
        limit, but for one that is alone: its own length is limited elsewhere, and it would never be taken."""
        mine = 0

        async def counting() -> Message:
            nonlocal mine
            message = await receive()
            size = len(message.get("body", b"")) * times
            mine += size
            self.held += size
            if size and self.held > max(self._limit, mine):
                self._shed()
                error = Overloaded("Too many uploads are being read at once; try again in a moment.")
                error.headers["Connection"] = "close"
                raise error
            return message

        try:
            yield counting
        finally:
            self.held -= mine
