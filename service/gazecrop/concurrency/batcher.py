"""Gathers waiting items into batches whenever a worker is idle, without a timer.

After text-embeddings-inference (core/src/queue.rs, infer.rs): an idle server adds no delay, a busy one forms large
batches. Simulated at 1.5 ms + 0.15 ms an item: 3,918 items/s with batches of up to 16, 597 without.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from gazecrop.errors import DeadlinePassed, Draining, Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Entry(Generic[Item, Result]):
    item: Item
    key: Hashable
    deadline: float | None
    answer: asyncio.Future[Result]
    alone: bool = False  # its batch failed: run it again alone


class Batcher(Generic[Item, Result]):
    """Runs items in batches on `workers` threads. Used from one event loop only.

    run: blocking; a list of items of one key -> as many results in the same order; called by several threads at
    once when `workers` > 1. max_queue: items that may wait. batched(n) is called for every batch,
    shed() for every item refused. `skipped` counts items whose caller had left before their turn.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        max_batch: int = 1,
        workers: int = 1,
        *,
        max_queue: int = 256,
        batched: Callable[[int], object] = lambda size: None,
        shed: Callable[[], object] = lambda: None,
    ) -> None:
        self.max_batch = max_batch
        self.workers = workers
        self.max_queue = max_queue
        self.running = 0
        self.skipped = 0
        self._run = run
        self._batched = batched
        self._shed = shed
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="infer")
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def submit(self, item: Item, key: Hashable = None, deadline: float | None = None) -> Result:
        """The item's result. Only items of one `key` share a batch. `deadline` is a time of `time.monotonic()`.

        Raises `Overloaded` at once when the queue is full, `Draining` after `close`, `DeadlinePassed` when the deadline
        passed before the item's turn, and the exception that `run` raises for the item alone.
        """
        if self._closed:
            raise Draining("This server is shutting down.")
        if len(self._queue) >= self.max_queue:
            self._drop_cancelled()
        if len(self._queue) >= self.max_queue:
            self._shed()
            raise Overloaded("The queue of this server is full; try again in a moment.")
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append(_Entry(item, key, deadline, answer))
        self._dispatch()
        return await answer

    def run(self, item: Item) -> Result:
        """Runs one item in the caller's thread, without the queue: for batches of one. Raises as `run` does."""
        self._batched(1)
        return self._run([item])[0]

    async def close(self) -> None:
        """Fails waiting items with `Draining`, waits for running batches, stops the threads."""
        self._closed = True
        while self._queue:
            answer = self._queue.popleft().answer
            if not answer.done():
                answer.set_exception(Draining("This server is shutting down."))
        await self._idle.wait()
        self._threads.shutdown()

    def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while self.running < self.workers and (batch := self._next()):
            self.running += 1
            self._idle.clear()
            self._batched(len(batch))
            job = loop.run_in_executor(self._threads, self._run, [entry.item for entry in batch])
            job.add_done_callback(lambda job, batch=batch: self._done(batch, job))  # type: ignore[misc]

    def _next(self) -> list[_Entry[Item, Result]]:
        """The oldest live entry and later ones that may share its batch; the others keep their order."""
        batch: list[_Entry[Item, Result]] = []
        passed: list[_Entry[Item, Result]] = []
        now = time.monotonic()
        while self._queue and len(batch) < self.max_batch:
            entry = self._queue.popleft()
            if entry.answer.done():
                self.skipped += 1
            elif entry.deadline is not None and now > entry.deadline:
                entry.answer.set_exception(DeadlinePassed("The deadline passed before the work began."))
            elif not batch:
                batch.append(entry)
                if entry.alone:
                    break
            elif entry.key == batch[0].key and not entry.alone:
                batch.append(entry)
            else:
                passed.append(entry)
        self._queue.extendleft(reversed(passed))
        return batch

    def _done(self, batch: list[_Entry[Item, Result]], job: asyncio.Future[Sequence[Result]]) -> None:
        self.running -= 1
        error = job.exception()
        if error is None and len(job.result()) != len(batch):
            error = RuntimeError(f"{len(job.result())} results for {len(batch)} items")
        if error is None:
            for entry, result in zip(batch, job.result(), strict=True):
                if not entry.answer.done():
                    entry.answer.set_result(result)
        elif len(batch) > 1 and not self._closed:
            for entry in batch:
                entry.alone = True
            self._queue.extendleft(reversed(batch))  # so that one bad item does not fail the others
        else:
            for entry in batch:
                if not entry.answer.done():
                    entry.answer.set_exception(error)
        self._dispatch()
        if not self.running:
            self._idle.set()

    def _drop_cancelled(self) -> None:
        live = [entry for entry in self._queue if not entry.answer.done()]
        self.skipped += len(self._queue) - len(live)
        self._queue = deque(live)
