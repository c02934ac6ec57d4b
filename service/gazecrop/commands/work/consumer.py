"""Works on the entries of one queue: as many at once as there are slots, and no more are read than slots are free."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from gazecrop.commands.work.queue import Entry, Output, Queue
from gazecrop.errors import GazecropError, StoreAway

T = TypeVar("T")
log = logging.getLogger(__name__)

BLOCK_SECONDS = 1.0  # that a read waits for new entries: a stop waits as long
MOST_BETWEEN_CLAIMS = 1.0  # seconds
FIRST_DELAY = 1.0  # before the second try; doubled for each further one, at most the queue's `idle`
LONGEST_PAUSE = 5.0  # between two calls of a Redis that does not answer


class GiveUp(Exception):
    """The entry becomes a dead letter now. The text is its reason."""


@dataclass(frozen=True, slots=True)
class Done:
    """`result`: for the metrics."""

    result: str
    outputs: Sequence[Output] = ()


async def always() -> bool:
    return True


class Consumer:
    """work: of one entry; an exception is a failed try. dead: the stream of entries that failed `tries` times. count:
    called with the result of each try. may_read: whether new entries may be read now."""

    def __init__(
        self,
        queue: Queue,
        work: Callable[[Entry], Awaitable[Done]],
        *,
        slots: int,
        tries: int,
        dead: Output,
        count: Callable[[str], object],
        may_read: Callable[[], Awaitable[bool]] = always,
    ) -> None:
        self._queue, self._work, self._slots, self._tries = queue, work, slots, tries
        self._dead, self._count, self._may_read = dead, count, may_read
        self._running: dict[str, asyncio.Task[None]] = {}
        self._next_claim = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    async def run(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Until `stop` is set; then ends what is under way, and gives back what is not done after `drain_seconds`."""
        alive = asyncio.create_task(self._refresh())
        stopped = asyncio.create_task(stop.wait())
        try:
            pause = 0.0
            while not stop.is_set():
                if len(self._running) >= self._slots:
                    await asyncio.wait(
                        {*self._running.values(), stopped}, return_when=asyncio.FIRST_COMPLETED
                    )
                    continue
                try:
                    entries = await self._next(self._slots - len(self._running))
                    pause = 0.0
                except StoreAway as error:
                    pause = min(LONGEST_PAUSE, 2 * pause or 0.1)
                    log.warning("The stream cannot be read, again in %.1f s: %s", pause, error)
                    await asyncio.wait({stopped}, timeout=pause * random.uniform(0.5, 1.0))
                    continue
                for entry in entries:
                    # A stop that came during the read: the entry is given back with the others.
                    if entry.id not in self._running and not stop.is_set():
                        self._start(entry)
            if self._running:
                await asyncio.wait(self._running.values(), timeout=drain_seconds)
        finally:
            alive.cancel()
            stopped.cancel()
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(alive, stopped, *tasks, return_exceptions=True)
            with suppress(StoreAway):  # then others claim them after `idle`
                if left := await self._queue.leave():
                    log.info("%d entries are given back", left)

    async def _next(self, free: int) -> list[Entry]:
        now = asyncio.get_running_loop().time()
        if now >= self._next_claim:
            self._next_claim = now + min(MOST_BETWEEN_CLAIMS, self._queue.idle / 4)
            claimed = await self._queue.claim(free)
            if claimed:
                return claimed
        if not await self._may_read():
            await asyncio.sleep(min(MOST_BETWEEN_CLAIMS, self._queue.idle / 4))
            return []
        return await self._queue.read(free, min(BLOCK_SECONDS, self._queue.idle / 2))

    def _start(self, entry: Entry) -> None:
        task = asyncio.create_task(self._try(entry))
        self._running[entry.id] = task
        task.add_done_callback(lambda _: self._running.pop(entry.id, None))

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._queue.idle / 3)
            with suppress(StoreAway):
                if ids := list(self._running):
                    await self._queue.refresh(ids)

    async def _try(self, entry: Entry) -> None:
        if entry.deliveries > self._tries:
            # Its workers did not live to report an error: it may be what ended them.
            reason = f"its worker stopped during each of {entry.deliveries - 1} tries"
            return await self._bury(entry, reason, entry.deliveries - 1)
        try:
            done = await self._work(entry)
        except GiveUp as error:
            return await self._bury(entry, str(error), entry.deliveries)
        except Exception as error:
            expected = isinstance(error, GazecropError | OSError)
            if not expected:
                log.exception("Entry %s failed", entry.id)
            reason = str(error) or type(error).__name__
            if entry.deliveries >= self._tries:
                return await self._bury(entry, reason, entry.deliveries)
            delay = _delay(error, entry.deliveries)
            if expected:
                log.warning("Entry %s failed, again in %.1f s: %s", entry.id, delay, reason)
            self._count("retried")
            await _until_answered(lambda: self._queue.put_off(entry.id, delay))
            return
        if await _until_answered(lambda: self._queue.finish(entry.id, done.outputs)):
            self._count(done.result)

    async def _bury(self, entry: Entry, reason: str, tries: int) -> None:
        log.error("Entry %s is a dead letter after %d tries: %s", entry.id, tries, reason)
        fields = entry.fields | {
            b"error": reason[:1000].encode("utf-8", "replace"),
            b"tries": str(tries).encode(),
            b"entry": entry.id.encode(),
        }
        if await _until_answered(lambda: self._queue.finish(entry.id, [replace(self._dead, fields=fields)])):
            self._count("dead")


def _delay(error: Exception, deliveries: int) -> float:
    """Seconds until the next try: `Retry-After` where the error has one, else doubled each time, with jitter."""
    headers: object = getattr(error, "headers", None)
    asked = headers.get("Retry-After", "") if isinstance(headers, dict) else ""
    backed_off = FIRST_DELAY * 2.0 ** min(deliveries - 1, 20) * random.uniform(0.75, 1.25)
    return max(float(asked), backed_off) if asked.isdecimal() and len(asked) < 6 else backed_off


async def _until_answered(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call of Redis while that does not answer: without it the work would have been for nothing."""
    pause = 0.1
    while True:
        try:
            return await call()
        except StoreAway:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST_PAUSE, 2 * pause)
