import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gazecrop.concurrency.batcher import Batcher
from gazecrop.errors import DeadlinePassed, Draining, Overloaded


class Engine:
    """Doubles numbers. While `open` is clear it blocks, so that a test can fill the queue."""

    def __init__(self, bad: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Semaphore(0)
        self._bad = bad

    def run(self, items: list[int]) -> Sequence[int]:
        self.batches.append(items)
        self.begun.release()
        assert self.open.wait(20)
        if self._bad in items:
            raise ArithmeticError(items)
        return [2 * item for item in items]


@asynccontextmanager
async def batching(engine: Engine, **options: Any) -> AsyncIterator[Batcher[int, int]]:
    batcher = Batcher(engine.run, **options)
    try:
        yield batcher
    finally:
        engine.open.set()
        await batcher.close()


async def busy(engine: Engine, batcher: Batcher[int, int], item: int = 0) -> "asyncio.Task[int]":
    """Sends one item and waits until the engine blocks on it."""
    engine.open.clear()
    task = asyncio.ensure_future(batcher.submit(item))
    await asyncio.to_thread(engine.begun.acquire)
    return task


def send(batcher: Batcher[int, int], *items: int, **more: Any) -> "list[asyncio.Task[int]]":
    return [asyncio.ensure_future(batcher.submit(item, **more)) for item in items]


async def test_an_idle_one_runs_at_once_and_alone() -> None:
    engine = Engine()
    async with batching(engine, max_batch=16) as batcher:
        assert await batcher.submit(21) == 42
    assert engine.batches == [[21]]


async def test_one_item_may_run_in_the_callers_own_thread() -> None:
    threads, sizes = [], list[int]()

    def double(items: list[int]) -> list[int]:
        threads.append(threading.current_thread())
        return [2 * item for item in items]

    batcher = Batcher(double, batched=sizes.append)
    assert batcher.run(21) == 42
    assert (threads, sizes) == ([threading.current_thread()], [1])
    await batcher.close()


async def test_what_waits_is_drained_into_batches() -> None:
    engine, sizes = Engine(), list[int]()
    async with batching(engine, max_batch=16, batched=sizes.append) as batcher:
        first = await busy(engine, batcher)
        tasks = send(batcher, *range(1, 21))
        await asyncio.sleep(0)
        assert (batcher.waiting, batcher.running) == (20, 1)
        engine.open.set()
        assert await asyncio.gather(first, *tasks) == [2 * item for item in range(21)]
    assert engine.batches == [[0], list(range(1, 17)), list(range(17, 21))]
    assert sizes == [1, 16, 4]


async def test_only_one_key_shares_a_batch_and_the_others_keep_their_order() -> None:
    engine = Engine()
    async with batching(engine, max_batch=3) as batcher:
        first = await busy(engine, batcher)
        tasks = [
            *send(batcher, 1, key="a"),
            *send(batcher, 2, 3, key="b"),
            *send(batcher, 4, 5, 6, key="a"),
        ]
        await asyncio.sleep(0)
        engine.open.set()
        await asyncio.gather(first, *tasks)
    assert engine.batches == [[0], [1, 4, 5], [2, 3], [6]]


async def test_workers_run_side_by_side() -> None:
    engine = Engine()
    async with batching(engine, max_batch=1, workers=2) as batcher:
        first = await busy(engine, batcher)
        second = send(batcher, 1)
        await asyncio.to_thread(engine.begun.acquire)  # would wait for ever if one had to end before
        assert (batcher.running, batcher.waiting) == (2, 0)
        engine.open.set()
        assert await asyncio.gather(first, *second) == [0, 2]


async def test_items_of_callers_that_left_are_skipped_and_counted() -> None:
    engine = Engine()
    async with batching(engine, max_batch=16) as batcher:
        first = await busy(engine, batcher)
        tasks = send(batcher, 1, 2, 3, 4)
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        engine.open.set()
        assert await asyncio.gather(*[first, tasks[1], tasks[3]]) == [0, 4, 8]
        assert batcher.skipped == 2
    assert engine.batches == [[0], [2, 4]]


async def test_a_caller_may_leave_while_its_batch_runs() -> None:
    engine = Engine()
    async with batching(engine) as batcher:
        first = await busy(engine, batcher)
        first.cancel()
        await asyncio.sleep(0)
        engine.open.set()
        assert await batcher.submit(4) == 8


async def test_a_deadline_that_passed_is_not_run() -> None:
    engine = Engine()
    async with batching(engine, max_batch=16) as batcher:
        first = await busy(engine, batcher)
        late, live = (
            send(batcher, 1, deadline=time.monotonic() - 1)[0],
            send(batcher, 2, deadline=time.monotonic() + 60)[0],
        )
        await asyncio.sleep(0)
        engine.open.set()
        assert await asyncio.gather(*[first, live]) == [0, 4]
        with pytest.raises(DeadlinePassed):
            await late
    assert engine.batches == [[0], [2]]


async def test_one_bad_item_does_not_fail_the_others() -> None:
    engine = Engine(bad=2)
    async with batching(engine, max_batch=16) as batcher:
        first = await busy(engine, batcher)
        tasks = send(batcher, 1, 2, 3)
        await asyncio.sleep(0)
        engine.open.set()
        results = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert [results[0], results[1], results[3]] == [0, 2, 6]
        assert isinstance(results[2], ArithmeticError)
        assert await batcher.submit(5) == 10
    assert engine.batches == [[0], [1, 2, 3], [1], [2], [3], [5]]


async def test_too_few_results_are_an_error_not_a_wait() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: [])
    with pytest.raises(RuntimeError, match="0 results for 1 items"):
        await batcher.submit(1)
    await batcher.close()


async def test_a_full_queue_refuses_at_once() -> None:
    engine, refused = Engine(), list[int]()
    shed: Callable[[], None] = lambda: refused.append(1)  # noqa: E731
    async with batching(engine, max_queue=2, shed=shed) as batcher:
        first = await busy(engine, batcher)
        tasks = send(batcher, 1, 2)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit(3)
        assert len(refused) == 1
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks += send(batcher, 4)  # takes the place of the one that left
        await asyncio.sleep(0)
        engine.open.set()
        assert await asyncio.gather(first, *tasks[1:]) == [0, 4, 8]
        assert (batcher.skipped, len(refused)) == (1, 1)


async def test_closing_fails_waiting_items_and_awaits_running_batches() -> None:
    engine = Engine()
    async with batching(engine) as batcher:
        first = await busy(engine, batcher)
        waiting = send(batcher, 1)
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(batcher.close())
        with pytest.raises(Draining) as error:
            await waiting[0]
        assert error.value.headers["Retry-After"]
        with pytest.raises(Draining):
            await batcher.submit(2)
        assert not closing.done()
        engine.open.set()
        assert await first == 0
        await closing
    assert engine.batches == [[0]]
