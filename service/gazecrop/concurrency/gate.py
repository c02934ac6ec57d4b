"""The gate before decoding and rendering: a budget of pixels, slots, and a bounded queue that refuses at once.

After imgproxy's `workers`: a queue that fails when it is full, then slots with waiting. Decoding is the expensive part
of an upload, so load is shed before it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gazecrop.errors import DeadlinePassed, Overloaded

LATE = "The deadline passed before the work began."


@dataclass(slots=True, eq=False)
class _Waiter:
    pixels: int
    admitted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gate:
    """Admits in the order of arrival while pixels and slots last. Used from one event loop only.

    pixels: the most that all admitted together hold in memory. One that needs more than that is admitted when it is
    alone. slots: how many may be inside at once, whatever their size (None: any number). max_queue: how many may wait;
    the next is refused. `shed` is called for each one refused.
    """

    def __init__(
        self, pixels: int, max_queue: int, slots: int | None = None, shed: Callable[[], object] = lambda: None
    ) -> None:
        self.pixels = pixels
        self.max_queue = max_queue
        self.slots = slots
        self.pixels_inside = 0
        self.inside = 0
        self._queue: deque[_Waiter] = deque()
        self._shed = shed

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def refuse_if_full(self) -> None:
        """Checks the queue before a body is read, when the request has cost nothing yet. Raises `Overloaded`."""
        if len(self._queue) >= self.max_queue:
            self._shed()
            raise Overloaded("The queue of this server is full; try again in a moment.")

    @asynccontextmanager
    async def slot(self, pixels: int, deadline: float | None = None) -> AsyncIterator[None]:
        """Inside as long as the block runs. `deadline` is a time of `time.monotonic()`.

        Raises `Overloaded` at once when the queue is full, `DeadlinePassed` when the time is up before the turn
        comes. A cancelled waiter leaves the queue, and gives back a turn that came in the same moment.
        """
        if self._queue or not self._fits(pixels):
            self.refuse_if_full()
            await self._wait(pixels, deadline)
        elif deadline is not None and time.monotonic() > deadline:
            raise DeadlinePassed(LATE)
        else:
            self._enter(pixels)
        try:
            yield
        finally:
            self._leave(pixels)

    async def _wait(self, pixels: int, deadline: float | None) -> None:
        waiter = _Waiter(pixels)
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
                await waiter.admitted
        except BaseException as error:
            if waiter.admitted.cancelled():
                with suppress(ValueError):  # `_admit` may have removed it already
                    self._queue.remove(waiter)
                self._admit()  # a large one that gave up may have blocked small ones that fit
            else:  # it was admitted at the moment it gave up
                self._leave(pixels)
            if isinstance(error, TimeoutError):
                raise DeadlinePassed(LATE) from None
            raise

    def _fits(self, pixels: int) -> bool:
        if self.inside == 0:
            return True
        room = self.pixels_inside + pixels <= self.pixels
        return room and (self.slots is None or self.inside < self.slots)

    def _enter(self, pixels: int) -> None:
        self.inside += 1
        self.pixels_inside += pixels

    def _leave(self, pixels: int) -> None:
        self.inside -= 1
        self.pixels_inside -= pixels
        self._admit()

    def _admit(self) -> None:
        """Strictly in order: if small ones overtook a large one, it might wait forever."""
        while self._queue and self._fits(self._queue[0].pixels):
            waiter = self._queue.popleft()
            if not waiter.admitted.done():
                self._enter(waiter.pixels)
                waiter.admitted.set_result(None)
