"""Single flight: concurrent calls with one key share one run of the work (after Go's x/sync singleflight)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gazecrop.concurrency.bodies import keep_body

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0

    @property
    def failed(self) -> bool:
        """Existing waiters get the failure; a new caller retries."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)


class Flights(Generic[T]):
    """The work is a task of its own. When the caller that started it leaves, the others still get the result; when all
    have left, it is cancelled."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The result, and whether this call started the work."""
        flight = self._flights.get(key)
        began = flight is None or flight.failed
        if flight is None or flight.failed:
            flight = _Flight(asyncio.ensure_future(_as_coroutine(work)))
            self._flights[key] = flight
            release_body = keep_body()  # the work may outlast the request that started it
            flight.task.add_done_callback(lambda _: release_body())
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), began
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()  # does nothing to a task that is done


async def _as_coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
