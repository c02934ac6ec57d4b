"""The gate before decoding and rendering: a budget of pixels, slots, and a bounded queue that refuses at once.

After imgproxy's `workers`: a queue that fails when it is full, then slots with waiting. Decoding is the expensive part
of an upload, so load is shed before it. Several gates may share one budget: memory is one, the kinds of work are two.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from gazecrop.concurrency.bodies import keep_body
from gazecrop.errors import DeadlinePassed, Overloaded

T = TypeVar("T")

LATE = "The deadline passed before the work began."


@dataclass(slots=True, eq=False)
class _Waiter:
    pixels: int
    arrival: int
    admitted: asyncio.Future[None]


class Budget:
    """The most pixels that the work behind all of its gates holds in memory at once."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.pixels_inside = 0
        self.inside = 0
        self.gates: list[Gate] = []
        self._arrivals = count()

    def arrive(self) -> int:
        """A number for the order of arrival at all gates."""
        return next(self._arrivals)

    def fits(self, pixels: int) -> bool:
        """One that needs more than the whole budget fits when it is alone."""
        return self.inside == 0 or self.pixels_inside + pixels <= self.pixels

    def change(self, by: int, pixels: int) -> None:
        self.inside += by
        self.pixels_inside += by * pixels

    def next_gate(self) -> "Gate | None":
        """The gate with the oldest waiter whose gate has a free slot: it has the first claim on pixels."""
        ready = [gate for gate in self.gates if gate.waiting and gate.has_slot]
        return min(ready, key=lambda gate: gate.oldest.arrival, default=None)

    def admit(self) -> None:
        """Strictly in order of arrival: if small ones overtook a large one, it might wait forever."""
        while (gate := self.next_gate()) is not None and self.fits(gate.oldest.pixels):
            gate.admit_oldest()


class Gate:
    """Admits in the order of arrival while pixels and slots last. Used from one event loop only.

    pixels: a budget, alone or shared with other gates. slots: how many may be inside at once, whatever their size
    (None: any number). max_queue: how many may wait; the next is refused. `shed` is called for each one refused.
    """

    def __init__(
        self,
        pixels: int | Budget,
        max_queue: int,
        slots: int | None = None,
        shed: Callable[[], object] = lambda: None,
    ) -> None:
        self.max_queue = max_queue
        self.slots = slots
        self.pixels_inside = 0
        self.inside = 0
        self._budget = pixels if isinstance(pixels, Budget) else Budget(pixels)
        self._budget.gates.append(self)
        self._queue: deque[_Waiter] = deque()
        self._shed = shed

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def oldest(self) -> _Waiter:
        return self._queue[0]

    @property
    def has_slot(self) -> bool:
        return self.slots is None or self.inside < self.slots

    def refuse_if_full(self) -> None:
        """Checks the queue before a body is read, when the request has cost nothing yet. Raises `Overloaded`."""
        if len(self._queue) >= self.max_queue:
            self._shed()
            raise Overloaded("The queue of this server is full; try again in a moment.")

    async def run(
        self,
        threads: Executor,
        work: Callable[[], T],
        pixels: int = 0,
        deadline: float | None = None,
        *,
        started: Callable[[], object] = lambda: None,
    ) -> T:
        """The result of `work`, run in a thread. `started` is called when its turn has come.

        A caller that is cancelled gets no result, but a thread cannot be stopped: the slot, the pixels and the bytes of
        the request's body stay taken until `work` itself has ended. Raises as `enter` and `work` do.
        """
        loop = asyncio.get_running_loop()
        release_body = keep_body()
        try:
            await self.enter(pixels, deadline)
        except BaseException:
            release_body()
            raise

        def end() -> None:
            release_body()
            self.leave(pixels)

        def ended(job: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(end)

        try:
            started()
            job = threads.submit(work)
        except BaseException:
            end()
            raise
        job.add_done_callback(ended)
        return await asyncio.wrap_future(job)

    async def enter(self, pixels: int, deadline: float | None = None) -> None:
        """Waits for its turn; `leave` must follow. `deadline` is a time of `time.monotonic()`.

        Raises `Overloaded` at once when the queue is full, `DeadlinePassed` when the deadline passes before the turn
        comes. A cancelled waiter leaves the queue, and gives back a turn that came at the same moment.
        """
        if self._must_wait(pixels):
            self.refuse_if_full()
            await self._wait(pixels, deadline)
        elif deadline is not None and time.monotonic() > deadline:
            raise DeadlinePassed(LATE)
        else:
            self._enter(pixels)

    def leave(self, pixels: int) -> None:
        self.inside -= 1
        self.pixels_inside -= pixels
        self._budget.change(-1, pixels)
        self._budget.admit()

    def admit_oldest(self) -> None:
        waiter = self._queue.popleft()
        if not waiter.admitted.done():
            self._enter(waiter.pixels)
            waiter.admitted.set_result(None)

    def _must_wait(self, pixels: int) -> bool:
        if self._queue or not self.has_slot or not self._budget.fits(pixels):
            return True
        return self._budget.next_gate() is not None  # one at another gate waits for pixels

    async def _wait(self, pixels: int, deadline: float | None) -> None:
        waiter = _Waiter(pixels, self._budget.arrive(), asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
                await waiter.admitted
        except BaseException as error:
            if waiter.admitted.cancelled():
                with suppress(ValueError):  # `admit` may have removed it already
                    self._queue.remove(waiter)
                self._budget.admit()  # a large one that gave up may have blocked small ones that fit
            else:  # it was admitted at the moment it gave up
                self.leave(pixels)
            if isinstance(error, TimeoutError):
                raise DeadlinePassed(LATE) from None
            raise

    def _enter(self, pixels: int) -> None:
        self.inside += 1
        self.pixels_inside += pixels
        self._budget.change(1, pixels)
