"""The gate before decoding and rendering: memory, slots, and a queue that is bounded by time and refuses at once.

After imgproxy's `workers`: a queue that fails when it is full, then slots with waiting. Decoding is the expensive part
of an upload, so load is shed before it. A queue is full when the work ahead takes longer than `max_wait`, by the
measured pace. Several gates may share one budget: memory is one, the kinds of work are two.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from gazecrop.concurrency.bodies import keep_body
from gazecrop.concurrency.budget import Budget
from gazecrop.concurrency.pace import Pace
from gazecrop.errors import DeadlinePassed, Overloaded

T = TypeVar("T")

LATE = "The deadline passed before the work began."
# Shares of `max_wait`. After one has waited too long, those that would wait longer than the first share are refused,
# until the expected wait is below the second. Otherwise, as the newest is first, as many would wait in vain as are
# served during a lasting overload, and reading and identifying them took 8 % of the time at 3 times the capacity.
CROWDED, RELIEVED = 1 / 4, 1 / 8


@dataclass(slots=True, eq=False)
class Place:
    """One piece of work at a gate, waiting or inside. size: bytes. cost: see `Pace`."""

    size: int
    cost: float
    arrival: int = 0
    admitted: asyncio.Future[None] | None = None
    began: float = field(default=0.0)  # a time of `time.monotonic()`


class Gate:
    """Admits in the order of arrival while memory and slots last. Used from one event loop only.

    budget: of bytes, alone or shared with other gates. slots: how many may be inside at once, whatever their size
    (None: any number). max_queue: how many may wait, None for any number. max_wait: seconds that one may wait; the next
    is refused while the work ahead takes longer, and above half of it the newest is admitted first, so that those that
    are served were not waiting long. After one has waited in vain, fewer are admitted (CROWDED). `shed` is called
    with the reason for each one refused: queue, wait or late.
    """

    def __init__(
        self,
        budget: int | Budget,
        max_queue: int | None = None,
        slots: int | None = None,
        shed: Callable[[str], object] = lambda reason: None,
        *,
        max_wait: float = math.inf,
    ) -> None:
        self.max_queue = max_queue
        self.max_wait = max_wait
        self.slots = slots
        self.pace = Pace()
        self._budget = budget if isinstance(budget, Budget) else Budget(budget)
        self._budget.gates.append(self)
        self._queue: deque[Place] = deque()
        self._inside: set[Place] = set()
        self._crowded = False
        self._shed = shed

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def inside(self) -> int:
        return len(self._inside)

    @property
    def bytes_inside(self) -> int:
        return sum(place.size for place in self._inside)

    @property
    def has_slot(self) -> bool:
        return self.slots is None or len(self._inside) < self.slots

    @property
    def first(self) -> Place:
        """The one to be admitted next."""
        return self._queue[-1 if self.expected_wait() > self.max_wait / 2 else 0]

    def expected_wait(self) -> float:
        """Seconds until what is ahead now is done: by slots, or by memory where that lets fewer run at once."""
        pace, now = self.pace.pace, time.monotonic()
        coming = self.pace.announced()
        if not self._queue and (self.slots is None or len(self._inside) + coming < self.slots):
            return 0.0
        cost, area = coming * self.pace.mean, 0.0
        for place in self._queue:
            cost += place.cost
            area += place.cost * place.size
        for place in self._inside:
            left = max(0.0, place.cost - (now - place.began) / pace)
            cost += left
            area += left * place.size
        return pace * max(cost / (self.slots or 1), area / max(1, self._budget.largest))

    def refuse_if_full(self) -> None:
        """Checks the queue before a body is read, when the request has cost nothing yet. Raises `Overloaded`."""
        wait = self.expected_wait()
        self._crowded = self._crowded and wait >= RELIEVED * self.max_wait
        self._refuse_beyond(self.max_wait * (CROWDED if self._crowded else 1), wait)

    def _refuse_beyond(self, longest: float, wait: float) -> None:
        if self.max_queue is not None and len(self._queue) >= self.max_queue:
            raise self._refused("queue", wait)
        if wait >= longest:
            raise self._refused("wait", wait)

    async def run(
        self,
        threads: Executor,
        work: Callable[[], T],
        size: int = 0,
        deadline: float | None = None,
        *,
        cost: float = 0.03,
        started: Callable[[], object] = lambda: None,
    ) -> T:
        """The result of `work`, run in a thread. `started` is called when its turn has come.

        A caller that is cancelled gets no result, but a thread cannot be stopped: the slot, the memory and the bytes of
        the request's body stay taken until `work` itself has ended. Raises as `enter` and `work` do.
        """
        loop = asyncio.get_running_loop()
        release_body = keep_body()
        try:
            place = await self.enter(size, deadline, cost)
        except BaseException:
            release_body()
            raise

        answer: asyncio.Future[T] = loop.create_future()

        def end() -> None:
            release_body()
            self.leave(place)

        def deliver(job: Future[T]) -> None:
            end()
            if answer.done():  # the caller was cancelled
                return
            if job.cancelled():
                answer.cancel()
            elif (error := job.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(job.result())

        def ended(job: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(deliver, job)

        try:
            started()
            job = threads.submit(work)
        except BaseException:
            end()
            raise
        job.add_done_callback(ended)  # one for both: asyncio.wrap_future would wake the loop a second time
        try:
            return await answer
        except asyncio.CancelledError:
            job.cancel()  # if it has not begun
            raise

    async def enter(self, size: int, deadline: float | None = None, cost: float = 0.0) -> Place:
        """Waits for its turn; `leave` must follow. `deadline` is a time of `time.monotonic()`.

        Raises `TooMuchMemory` for what can never begin, `Overloaded` at once when the queue is full or when its time is
        over, `DeadlinePassed` when the deadline passes before the turn comes. A cancelled waiter leaves the queue, and
        gives back a turn that came at the same moment.
        """
        self.pace.arrived()
        self._budget.check(size)
        place = Place(size, cost)
        if self._must_wait(size):
            self._refuse_beyond(self.max_wait, self.expected_wait())  # it has been read already
            await self._wait(place, deadline)
        elif deadline is not None and time.monotonic() > deadline:
            raise DeadlinePassed(LATE)
        else:
            self._enter(place)
        return place

    def leave(self, place: Place) -> None:
        self._inside.remove(place)
        self._budget.work -= place.size
        if place.cost:
            self.pace.ended(place.cost, time.monotonic() - place.began)
        self._budget.admit()

    def admit(self, place: Place) -> None:
        """Lets this one go inside, if it still waits."""
        self._queue.remove(place)
        assert place.admitted is not None
        if not place.admitted.done():
            self._enter(place)
            place.admitted.set_result(None)

    def _must_wait(self, size: int) -> bool:
        if self._queue or not self.has_slot or not self._budget.fits(size):
            return True
        return bool(size) and self._budget.next() is not None  # one at another gate waits for memory

    async def _wait(self, place: Place, deadline: float | None) -> None:
        place.arrival = self._budget.arrive()
        admitted = place.admitted = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        now = time.monotonic()
        ends = min(now + self.max_wait, math.inf if deadline is None else deadline)
        try:
            async with asyncio.timeout(None if ends == math.inf else ends - now):
                await admitted
        except BaseException as error:
            if admitted.cancelled():
                with suppress(ValueError):  # `admit` may have removed it already
                    self._queue.remove(place)
                self._budget.admit()  # a large one that gave up may have blocked small ones that fit
            else:  # it was admitted at the moment it gave up
                place.cost = 0.0  # no measure of the pace
                self.leave(place)
            if isinstance(error, TimeoutError):
                if ends == deadline:
                    raise DeadlinePassed(LATE) from None
                self._crowded = True
                raise self._refused("late", self.expected_wait()) from None
            raise

    def _enter(self, place: Place) -> None:
        place.began = time.monotonic()
        self._inside.add(place)
        self._budget.work += place.size

    def _refused(self, reason: str, wait: float) -> Overloaded:
        """`Retry-After`: when what is ahead now will be done."""
        self._shed(reason)
        detail = (
            "This request has waited too long; try again later."
            if reason == "late"
            else "The queue of this server is full; try again in a moment."
        )
        return Overloaded(detail, retry_after=max(1, math.ceil(wait)))
