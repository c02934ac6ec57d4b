import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gazecrop.concurrency.budget import Budget
from gazecrop.concurrency.gate import Gate
from gazecrop.concurrency.pace import Pace
from gazecrop.errors import DeadlinePassed, Overloaded, TooMuchMemory
from tests.helpers.gates import slot


class Visitor:
    """A task that goes through the gate and stays inside until `leave` is set."""

    def __init__(self, gate: Gate, size: int, deadline: float | None = None, cost: float = 0.0) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.ensure_future(self._visit(gate, size, deadline, cost))

    async def _visit(self, gate: Gate, size: int, deadline: float | None, cost: float) -> None:
        async with slot(gate, size, deadline, cost):
            self.inside = True
            await self.leave.wait()
        self.inside = False


class Steady(Pace):
    """A second of cost takes a second, whatever is measured."""

    def __init__(self) -> None:
        super().__init__(start=1, mean=1)

    def ended(self, cost: float, seconds: float) -> None:
        pass


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def visitors(gate: Gate, *sizes: int, cost: float = 0.0) -> AsyncIterator[list[Visitor]]:
    async with AsyncExitStack() as stack:
        found = [Visitor(gate, size, cost=cost) for size in sizes]
        for visitor in found:
            stack.push_async_callback(_end, visitor)
        await settle()
        yield found


async def _end(visitor: Visitor) -> None:
    visitor.task.cancel()
    await asyncio.gather(visitor.task, return_exceptions=True)


def inside(found: list[Visitor]) -> list[bool]:
    return [visitor.inside for visitor in found]


async def test_admits_while_there_is_room_then_in_order() -> None:
    gate = Gate(budget=10, max_queue=8)
    async with visitors(gate, 4, 6, 3, 1, 9) as found:
        assert inside(found) == [True, True, False, False, False]
        assert (gate.waiting, gate.inside, gate.bytes_inside) == (3, 2, 10)
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, True, True, False]
        for visitor in found:
            visitor.leave.set()
        await settle()
        assert all(visitor.task.done() for visitor in found)
    assert (gate.waiting, gate.inside, gate.bytes_inside) == (0, 0, 0)


async def test_a_small_one_does_not_overtake_a_large_one() -> None:
    async with visitors(Gate(budget=10, max_queue=8), 6, 9, 1) as found:
        assert inside(found) == [True, False, False]
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, True]


async def test_one_that_is_larger_than_the_budget_is_refused_at_once() -> None:
    """It would never fit: to let it in alone would take more memory than there is."""
    gate = Gate(budget=10, max_queue=8)
    async with visitors(gate, 1, 10) as found:
        with pytest.raises(TooMuchMemory) as refused:
            await gate.enter(11)
        assert (refused.value.members["limit"], refused.value.members["received"]) == (10, 11)
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True]


async def test_slots_bound_the_number_whatever_the_size() -> None:
    async with visitors(Gate(budget=10, max_queue=8, slots=2), 0, 0, 0) as found:
        assert inside(found) == [True, True, False]
        found[1].leave.set()
        await settle()
        assert inside(found) == [True, False, True]


async def test_a_full_queue_refuses_at_once() -> None:
    refused: list[str] = []
    gate = Gate(budget=1, max_queue=2, shed=refused.append)
    async with visitors(gate, 1, 1):
        gate.refuse_if_full()
        async with visitors(gate, 1):
            with pytest.raises(Overloaded) as error:
                gate.refuse_if_full()
            assert error.value.headers["Retry-After"] == "1"
            with pytest.raises(Overloaded):
                async with slot(gate, 1):
                    pass
    assert refused == ["queue", "queue"]
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_an_empty_gate_admits_even_without_a_queue() -> None:
    async with slot(Gate(budget=5, max_queue=0), 5):
        pass


async def test_a_cancelled_waiter_leaves_the_queue_and_makes_way() -> None:
    gate = Gate(budget=10, max_queue=8)
    async with visitors(gate, 6, 9, 4) as found:
        found[1].task.cancel()
        await settle()
        assert inside(found) == [True, False, True]
        assert gate.waiting == 0


@pytest.mark.parametrize("turn_given", [False, True])
async def test_a_turn_given_at_the_moment_of_cancelling_goes_to_the_next(turn_given: bool) -> None:
    gate = Gate(budget=1, max_queue=8)
    async with visitors(gate, 1, 1, 1) as found:
        found[0].leave.set()
        if turn_given:
            await asyncio.sleep(0)  # the first has left now, and the second has its turn but has not woken
            assert (gate.waiting, gate.inside) == (1, 1)
        found[1].task.cancel()
        await settle()
        assert found[1].task.cancelled()
        assert inside(found) == [False, False, True]
    assert (gate.waiting, gate.inside, gate.bytes_inside) == (0, 0, 0)


async def test_a_deadline_ends_the_waiting() -> None:
    gate = Gate(budget=1, max_queue=8)
    with pytest.raises(DeadlinePassed):
        async with slot(gate, 1, time.monotonic() - 1):
            pass
    async with slot(gate, 1, time.monotonic() + 60):
        with pytest.raises(DeadlinePassed):
            async with slot(gate, 1, time.monotonic() + 0.01):
                pass
        with pytest.raises(DeadlinePassed):
            async with slot(gate, 1, time.monotonic() - 1):
                pass
        late = Visitor(gate, 1, time.monotonic() + 60)
        await settle()
        assert not late.inside
    await settle()
    assert late.inside
    late.leave.set()
    await late.task
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_a_timeout_of_the_caller_stays_a_timeout() -> None:
    gate = Gate(budget=1, max_queue=8)
    async with slot(gate, 1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), slot(gate, 1):
                pass
        with pytest.raises(ZeroDivisionError):
            async with slot(Gate(budget=1, max_queue=8), 1):
                raise ZeroDivisionError
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_nothing_is_lost_under_chance() -> None:
    chance = random.Random(1)
    gate = Gate(budget=100, max_queue=50, slots=4)

    async def visit() -> None:
        size = chance.choice((1, 30, 60, 100))
        async with asyncio.timeout(chance.choice((None, 0.002, 0.01))), slot(gate, size):
            assert gate.inside <= 4 and gate.bytes_inside <= 100
            await asyncio.sleep(chance.choice((0, 0, 0.001)))

    results = await asyncio.gather(*(visit() for _ in range(50)), return_exceptions=True)
    results += await asyncio.gather(*(visit() for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), TimeoutError, Overloaded}
    assert sum(result is None for result in results) > 10
    assert (gate.waiting, gate.inside, gate.bytes_inside) == (0, 0, 0)


async def test_gates_that_share_a_budget_share_its_order() -> None:
    budget = Budget(10)
    first, second = Gate(budget, 8), Gate(budget, 8)
    async with visitors(first, 6) as [holder], visitors(second, 9) as [large], visitors(first, 1) as [small]:
        assert inside([holder, large, small]) == [True, False, False], "the small one overtook the large one"
        holder.leave.set()
        await settle()
        assert inside([large, small]) == [True, True]
    assert (budget.work, first.inside, second.inside) == (0, 0, 0)


async def test_one_that_waits_for_a_slot_of_its_gate_does_not_block_the_other_gate() -> None:
    budget = Budget(10)
    first, second = Gate(budget, 8, slots=1), Gate(budget, 8, slots=1)
    async with visitors(first, 2, 9) as [holder, large], visitors(second, 3) as [other]:
        assert inside([holder, large, other]) == [True, False, True]
        holder.leave.set()
        await settle()
        assert not large.inside, "2 gone, 3 inside: 9 more are too many"
        other.leave.set()
        await settle()
        assert large.inside


async def test_nothing_is_lost_under_chance_with_a_shared_budget() -> None:
    chance = random.Random(2)
    budget = Budget(100)
    gates = [Gate(budget, 50, slots=3), Gate(budget, 50, slots=2)]

    async def visit() -> None:
        gate, size = chance.choice(gates), chance.choice((1, 30, 60, 100))
        async with asyncio.timeout(chance.choice((None, 0.002, 0.01))), slot(gate, size):
            assert budget.work <= 100
            assert budget.work == sum(gate.bytes_inside for gate in gates)
            await asyncio.sleep(chance.choice((0, 0, 0.001)))

    results = await asyncio.gather(*(visit() for _ in range(80)), return_exceptions=True)
    results += await asyncio.gather(*(visit() for _ in range(80)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), TimeoutError, Overloaded}
    assert sum(result is None for result in results) > 20
    assert (budget.work, *(gate.waiting for gate in gates)) == (0, 0, 0)


async def test_the_queue_is_as_long_as_the_wait_that_is_allowed() -> None:
    """Each costs 1 s here: with two slots, 4 s are 8 of them ahead."""
    refused: list[str] = []
    gate = Gate(budget=1000, slots=2, shed=refused.append, max_wait=4)
    gate.pace = Steady()
    async with AsyncExitStack() as stack:
        for number in range(8):
            gate.refuse_if_full()
            visitor = Visitor(gate, 1, cost=1.0)
            stack.push_async_callback(_end, visitor)
            await settle()
            assert gate.expected_wait() == pytest.approx(max(0, number + 1) / 2 if number else 0, abs=0.1)
        assert (gate.inside, gate.waiting) == (2, 6)
        stack.push_async_callback(_end, Visitor(gate, 1, cost=1.5))
        await settle()
        with pytest.raises(Overloaded) as error:
            gate.refuse_if_full()
        assert refused == ["wait"]
        assert error.value.headers["Retry-After"] == "5"  # 9.5 s of work in two slots


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the pace, in its only item."""
    now = [100.0]
    monkeypatch.setattr("gazecrop.concurrency.pace.monotonic", lambda: now[0])
    return now


def steady() -> Gate:
    gate = Gate(budget=1000, slots=1, max_wait=4)
    gate.pace = Steady()
    return gate


async def test_uploads_that_are_being_read_count_as_ahead_for_a_while(now: list[float]) -> None:
    """Else all uploads of the time that one body takes would be admitted to the same free slot."""
    gate = steady()
    announced = [gate.pace.announce() for _ in range(5)]
    assert gate.expected_wait() == pytest.approx(5)
    with pytest.raises(Overloaded):
        gate.refuse_if_full()
    announced[2].arrive()
    assert gate.expected_wait() == pytest.approx(4)
    now[0] += 1.1
    assert gate.expected_wait() == 0, "slow senders do not refuse everyone else"


async def test_an_upload_that_was_read_counts_as_ahead_until_it_is_at_the_gate(now: list[float]) -> None:
    """Identifying a file may take longer than reading it: what is admitted meanwhile would be read to be refused."""
    gate = steady()

    async def upload() -> None:
        now[0] += 2
        other = Gate(budget=1000)
        other.leave(await other.enter(1))
        assert gate.expected_wait() == pytest.approx(1)
        place = await gate.enter(1)
        assert gate.pace.announced() == 0
        gate.leave(place)

    with gate.pace.coming():
        await asyncio.create_task(upload())
    assert gate.expected_wait() == 0
    with gate.pace.coming():
        assert gate.expected_wait() == pytest.approx(1)
        now[0] += 11
        assert gate.expected_wait() == 0, "one that takes very long is not counted"
    with gate.pace.coming():
        gate.pace.announce()
        now[0] += 1.1
        assert gate.expected_wait() == pytest.approx(1), "a slow sender behind it is not counted longer"
    assert gate.expected_wait() == 0, "nor one that failed before"


async def test_beyond_half_of_the_wait_the_newest_is_first() -> None:
    gate = Gate(budget=1000, slots=1, max_wait=10)
    gate.pace = Steady()
    async with visitors(gate, 1, 2, 3, cost=1.0) as found:
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, False], "in order of arrival"
        async with visitors(gate, 4, 5, 6, 7, 8, cost=1.0) as newer:
            found[1].leave.set()
            await settle()
            assert inside([*found, *newer]) == [False] * 7 + [True]


async def test_one_that_has_waited_too_long_is_refused_with_the_time_of_what_is_ahead() -> None:
    refused: list[str] = []
    gate = Gate(budget=1000, slots=1, shed=refused.append, max_wait=0.05)
    gate.pace = Steady()
    async with slot(gate, 1, cost=0.01):
        with pytest.raises(Overloaded) as error:
            async with slot(gate, 1, cost=7.0):
                pass
    assert refused == ["late"] and int(error.value.headers["Retry-After"]) >= 1
    assert (gate.waiting, gate.inside, gate.bytes_inside) == (0, 0, 0)


async def test_after_one_waited_in_vain_only_short_waits_are_let_in(now: list[float]) -> None:
    """A quarter of the wait, until there is less than an eighth of it."""
    gate = Gate(budget=1000, slots=1, max_wait=0.1)
    gate.pace = Steady()
    gate.pace.mean = 0.013  # of each that is announced
    announced = [gate.pace.announce() for _ in range(5)]
    gate.refuse_if_full()
    async with visitors(gate, 1):
        with pytest.raises(Overloaded, match="too long"):
            await gate.enter(1)
        with pytest.raises(Overloaded, match="full"):
            gate.refuse_if_full()
        async with visitors(gate, 1):
            assert gate.waiting == 1, "what has been read may wait as long as before"
    for each in announced[1:]:
        each.arrive()
    gate.refuse_if_full()
    announced.append(gate.pace.announce())
    with pytest.raises(Overloaded, match="full"):
        gate.refuse_if_full()
    for each in announced:
        each.arrive()
    gate.refuse_if_full()
    announced = [gate.pace.announce() for _ in range(5)]
    gate.refuse_if_full()


async def test_memory_that_lets_fewer_run_at_once_lengthens_the_expected_wait() -> None:
    gate = Gate(budget=10, slots=4, max_wait=100)
    gate.pace = Steady()
    async with visitors(gate, 10, 10, 10, cost=2.0):
        assert gate.expected_wait() == pytest.approx(6, abs=0.1), "one after another, in spite of four slots"


async def test_the_pace_follows_what_is_measured() -> None:
    pace = Pace(start=1, mean=1)
    for _ in range(100):
        pace.ended(0.5, 1.5)
    assert pace.pace == pytest.approx(3, rel=0.01)
    assert pace.mean == pytest.approx(0.5, rel=0.01)


async def test_bodies_take_from_what_work_may_use() -> None:
    budget = Budget(100, 20)
    gate = Gate(budget)
    with pytest.raises(TooMuchMemory):
        await gate.enter(81)  # the rest may be bodies
    async with visitors(gate, 50) as [first]:
        budget.hold_bodies(20)
        async with visitors(gate, 31) as [second]:
            assert inside([first, second]) == [True, False]
            budget.hold_bodies(-1)
            await settle()
            assert inside([first, second]) == [True, True]
    budget.hold_bodies(-19)
    assert (budget.used, gate.waiting) == (0, 0)


async def test_work_of_a_cancelled_caller_holds_its_slot_until_it_ends() -> None:
    gate, go = Gate(budget=10, max_queue=8, slots=1), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        caller = asyncio.create_task(gate.run(threads, go.wait, 7))
        await until_true(lambda: gate.inside == 1)
        following = asyncio.create_task(gate.run(threads, lambda: "result", 7))
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await settle()
        assert (gate.inside, gate.bytes_inside, gate.waiting) == (1, 7, 1)
        go.set()
        assert await following == "result"
    assert (gate.inside, gate.bytes_inside, gate.waiting) == (0, 0, 0)


async def test_work_that_no_thread_has_begun_gives_its_slot_back_at_once() -> None:
    gate, go, ran = Gate(budget=10, max_queue=8), threading.Event(), list[int]()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(go.wait)
        caller = asyncio.create_task(gate.run(threads, lambda: ran.append(1), 7))
        await until_true(lambda: gate.inside == 1)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await until_true(lambda: gate.inside == 0)
        go.set()
    assert not ran


async def test_errors_of_the_work_and_of_the_threads_give_the_slot_back() -> None:
    gate = Gate(budget=10, max_queue=8)
    threads = ThreadPoolExecutor(1)
    with pytest.raises(ZeroDivisionError):
        await gate.run(threads, lambda: 1 // 0, 7)
    threads.shutdown()
    with pytest.raises(RuntimeError):
        await gate.run(threads, lambda: 1, 7)
    assert (gate.inside, gate.bytes_inside) == (0, 0)


async def until_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)
