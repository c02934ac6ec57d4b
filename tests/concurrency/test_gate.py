import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gazecrop.concurrency.gate import Budget, Gate
from gazecrop.errors import DeadlinePassed, Overloaded
from tests.helpers.gates import slot


class Visitor:
    """A task that goes through the gate and stays inside until `leave` is set."""

    def __init__(self, gate: Gate, pixels: int, deadline: float | None = None) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.ensure_future(self._visit(gate, pixels, deadline))

    async def _visit(self, gate: Gate, pixels: int, deadline: float | None) -> None:
        async with slot(gate, pixels, deadline):
            self.inside = True
            await self.leave.wait()
        self.inside = False


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def visitors(gate: Gate, *sizes: int) -> AsyncIterator[list[Visitor]]:
    async with AsyncExitStack() as stack:
        found = [Visitor(gate, size) for size in sizes]
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
    gate = Gate(pixels=10, max_queue=8)
    async with visitors(gate, 4, 6, 3, 1, 9) as found:
        assert inside(found) == [True, True, False, False, False]
        assert (gate.waiting, gate.inside, gate.pixels_inside) == (3, 2, 10)
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, True, True, False]
        for visitor in found:
            visitor.leave.set()
        await settle()
        assert all(visitor.task.done() for visitor in found)
    assert (gate.waiting, gate.inside, gate.pixels_inside) == (0, 0, 0)


async def test_a_small_one_does_not_overtake_a_large_one() -> None:
    async with visitors(Gate(pixels=10, max_queue=8), 6, 9, 1) as found:
        assert inside(found) == [True, False, False]
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, True]


async def test_one_that_is_larger_than_all_goes_alone() -> None:
    async with visitors(Gate(pixels=10, max_queue=8), 1, 100, 1) as found:
        assert inside(found) == [True, False, False]
        found[0].leave.set()
        await settle()
        assert inside(found) == [False, True, False]
        found[1].leave.set()
        await settle()
        assert inside(found) == [False, False, True]


async def test_slots_bound_the_number_whatever_the_size() -> None:
    async with visitors(Gate(pixels=10, max_queue=8, slots=2), 0, 0, 0) as found:
        assert inside(found) == [True, True, False]
        found[1].leave.set()
        await settle()
        assert inside(found) == [True, False, True]


async def test_a_full_queue_refuses_at_once() -> None:
    refused: list[int] = []
    gate = Gate(pixels=1, max_queue=2, shed=lambda: refused.append(1))
    async with visitors(gate, 1, 1):
        gate.refuse_if_full()
        async with visitors(gate, 1):
            with pytest.raises(Overloaded) as error:
                gate.refuse_if_full()
            assert error.value.headers["Retry-After"] == "1"
            with pytest.raises(Overloaded):
                async with slot(gate, 1):
                    pass
    assert len(refused) == 2
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_an_empty_gate_admits_even_without_a_queue() -> None:
    async with slot(Gate(pixels=1, max_queue=0), 5):
        pass


async def test_a_cancelled_waiter_leaves_the_queue_and_makes_way() -> None:
    gate = Gate(pixels=10, max_queue=8)
    async with visitors(gate, 6, 9, 4) as found:
        found[1].task.cancel()
        await settle()
        assert inside(found) == [True, False, True]
        assert gate.waiting == 0


@pytest.mark.parametrize("turn_given", [False, True])
async def test_a_turn_given_at_the_moment_of_cancelling_goes_to_the_next(turn_given: bool) -> None:
    gate = Gate(pixels=1, max_queue=8)
    async with visitors(gate, 1, 1, 1) as found:
        found[0].leave.set()
        if turn_given:
            await asyncio.sleep(0)  # the first has left now, and the second has its turn but has not woken
            assert (gate.waiting, gate.inside) == (1, 1)
        found[1].task.cancel()
        await settle()
        assert found[1].task.cancelled()
        assert inside(found) == [False, False, True]
    assert (gate.waiting, gate.inside, gate.pixels_inside) == (0, 0, 0)


async def test_a_deadline_ends_the_waiting() -> None:
    gate = Gate(pixels=1, max_queue=8)
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
    gate = Gate(pixels=1, max_queue=8)
    async with slot(gate, 1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), slot(gate, 1):
                pass
        with pytest.raises(ZeroDivisionError):
            async with slot(Gate(pixels=1, max_queue=8), 1):
                raise ZeroDivisionError
    assert (gate.waiting, gate.inside) == (0, 0)


async def test_nothing_is_lost_under_chance() -> None:
    chance = random.Random(1)
    gate = Gate(pixels=100, max_queue=50, slots=4)

    async def visit() -> None:
        pixels = chance.choice((1, 30, 60, 200))
        async with asyncio.timeout(chance.choice((None, 0.002, 0.01))), slot(gate, pixels):
            assert gate.inside <= 4 and (gate.pixels_inside <= 100 or gate.inside == 1)
            await asyncio.sleep(chance.choice((0, 0, 0.001)))

    results = await asyncio.gather(*(visit() for _ in range(50)), return_exceptions=True)
    results += await asyncio.gather(*(visit() for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), TimeoutError, Overloaded}
    assert sum(result is None for result in results) > 10
    assert (gate.waiting, gate.inside, gate.pixels_inside) == (0, 0, 0)


async def test_gates_that_share_a_budget_share_its_order() -> None:
    budget = Budget(10)
    first, second = Gate(budget, 8), Gate(budget, 8)
    async with visitors(first, 6) as [holder], visitors(second, 9) as [large], visitors(first, 1) as [small]:
        assert inside([holder, large, small]) == [True, False, False], "the small one overtook the large one"
        holder.leave.set()
        await settle()
        assert inside([large, small]) == [True, True]
    assert (budget.inside, budget.pixels_inside, first.inside, second.inside) == (0, 0, 0, 0)


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


async def test_one_larger_than_a_shared_budget_waits_until_all_gates_are_empty() -> None:
    budget = Budget(10)
    first, second = Gate(budget, 8), Gate(budget, 8)
    async with visitors(first, 1) as [holder], visitors(second, 100) as [huge]:
        assert not huge.inside
        holder.leave.set()
        await settle()
        assert huge.inside


async def test_nothing_is_lost_under_chance_with_a_shared_budget() -> None:
    chance = random.Random(2)
    budget = Budget(100)
    gates = [Gate(budget, 50, slots=3), Gate(budget, 50, slots=2)]

    async def visit() -> None:
        gate, pixels = chance.choice(gates), chance.choice((1, 30, 60, 200))
        async with asyncio.timeout(chance.choice((None, 0.002, 0.01))), slot(gate, pixels):
            assert budget.pixels_inside <= 100 or budget.inside == 1
            assert budget.pixels_inside == sum(gate.pixels_inside for gate in gates)
            await asyncio.sleep(chance.choice((0, 0, 0.001)))

    results = await asyncio.gather(*(visit() for _ in range(80)), return_exceptions=True)
    results += await asyncio.gather(*(visit() for _ in range(80)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), TimeoutError, Overloaded}
    assert sum(result is None for result in results) > 20
    assert (budget.inside, budget.pixels_inside, *(gate.waiting for gate in gates)) == (0, 0, 0, 0)


async def test_work_of_a_cancelled_caller_holds_its_slot_until_it_ends() -> None:
    gate, go = Gate(pixels=10, max_queue=8, slots=1), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        caller = asyncio.create_task(gate.run(threads, go.wait, 7))
        await until_true(lambda: gate.inside == 1)
        following = asyncio.create_task(gate.run(threads, lambda: "result", 7))
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await settle()
        assert (gate.inside, gate.pixels_inside, gate.waiting) == (1, 7, 1)
        go.set()
        assert await following == "result"
    assert (gate.inside, gate.pixels_inside, gate.waiting) == (0, 0, 0)


async def test_work_that_no_thread_has_begun_gives_its_slot_back_at_once() -> None:
    gate, go, ran = Gate(pixels=10, max_queue=8), threading.Event(), list[int]()
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
    gate = Gate(pixels=10, max_queue=8)
    threads = ThreadPoolExecutor(1)
    with pytest.raises(ZeroDivisionError):
        await gate.run(threads, lambda: 1 // 0, 7)
    threads.shutdown()
    with pytest.raises(RuntimeError):
        await gate.run(threads, lambda: 1, 7)
    assert (gate.inside, gate.pixels_inside) == (0, 0)


async def until_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)
