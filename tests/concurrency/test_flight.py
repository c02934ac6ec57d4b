"""Single flight: concurrent calls share one run of the work, which ends early only when all callers have left."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from gazecrop.concurrency.flight import Flights


class Work:
    """Counts its runs; ends when the test lets it."""

    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.runs += 1
        run = self.runs
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return run


async def started(*tasks: asyncio.Task[tuple[int, bool]]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_concurrent_calls_share_one_run() -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(5)]
    await started(*tasks)
    work.go.set()
    assert await asyncio.gather(*tasks) == [(1, True)] + [(1, False)] * 4
    assert await flights.run("a", work) == (2, True)  # nothing is kept


async def test_other_keys_are_other_work() -> None:
    flights, work = Flights[int](), Work()
    work.go.set()
    assert [*await asyncio.gather(flights.run("a", work), flights.run("b", work))] == [(1, True), (2, True)]


@pytest.mark.parametrize("leaves", [0, 1, 2])
async def test_when_one_leaves_the_others_get_the_answer(leaves: int) -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
    await started(*tasks)
    tasks[leaves].cancel()
    await asyncio.sleep(0)
    work.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers.pop(leaves), asyncio.CancelledError)
    assert [answer[0] for answer in answers if isinstance(answer, tuple)] == [1, 1]
    assert (work.runs, work.cancelled) == (1, 0)


async def test_when_all_leave_the_work_is_cancelled_and_the_next_begins_anew() -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(2)]
    await started(*tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert work.cancelled == 1
    work.go.set()
    assert await flights.run("a", work) == (2, True)


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    flights, work = Flights[int](), Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(2)]
    await started(*tasks)
    work.error = ValueError("broken")
    work.go.set()
    assert [str(e) for e in await asyncio.gather(*tasks, return_exceptions=True)] == ["broken"] * 2
    work.error = None
    assert await flights.run("a", work) == (2, True)


async def test_an_immediate_retry_starts_new_work() -> None:
    """Another caller may not have received the failure yet when the first one retries."""
    flights, work = Flights[int](), Work()

    async def twice() -> tuple[int, bool]:
        try:
            return await flights.run("a", work)
        except ValueError:
            work.error = None
            return await flights.run("a", work)

    tasks = [asyncio.create_task(twice()) for _ in range(3)]
    await started(*tasks)
    work.error = ValueError("broken")
    work.go.set()
    answers = await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert all(run == 2 for run, _ in answers) and work.runs == 2


@pytest.mark.parametrize("fails", [False, True])
async def test_asyncio_logs_nothing_after_all_callers_have_left(
    fails: bool, recwarn: pytest.WarningsRecorder
) -> None:
    complaints: list[dict[str, object]] = []
    handler: Callable[[object, dict[str, object]], None] = lambda loop, context: complaints.append(context)  # noqa: E731
    asyncio.get_running_loop().set_exception_handler(handler)
    flights, work = Flights[int](), Work()
    task = asyncio.create_task(flights.run("a", work))
    await started(task)
    work.error = ValueError("broken") if fails else None
    work.go.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)
    del task, flights
    gc.collect()
    assert complaints == [] and not recwarn.list
