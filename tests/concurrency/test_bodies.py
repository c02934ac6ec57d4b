"""The bytes of all request bodies: bounded by what was received, released when a request ends."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive

from gazecrop.concurrency.bodies import Bodies, keep_body
from gazecrop.concurrency.flight import Flights
from gazecrop.errors import Overloaded


def chunks(*sizes: int) -> Receive:
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes]
    )

    async def receive() -> Message:
        return next(messages)

    return receive


def test_the_request_that_goes_over_is_refused_and_the_others_go_on() -> None:
    shed = []
    bodies = Bodies(100, lambda: shed.append(1))

    async def story() -> None:
        with bodies.counted(chunks(60, 20)) as first:
            await first()
            with bodies.counted(chunks(30, 30)) as second:
                await second()
                with pytest.raises(Overloaded) as refused:
                    await second()
                assert refused.value.headers == {"Retry-After": "1", "Connection": "close"}
            await first()
            assert bodies.held == 80

    asyncio.run(story())
    assert bodies.held == 0
    assert shed == [1]


def test_a_body_may_count_several_times_and_one_alone_is_always_taken() -> None:
    bodies = Bodies(100)

    async def story() -> None:
        with bodies.counted(chunks(20, 20), times=4) as first:
            await first()
            assert bodies.held == 80
            with bodies.counted(chunks(21)) as second, pytest.raises(Overloaded):
                await second()
            await first()
            assert bodies.held == 160

    asyncio.run(story())
    assert bodies.held == 0


def test_an_announced_length_is_not_counted_and_an_error_releases() -> None:
    bodies = Bodies(100)

    async def story() -> None:
        with bodies.counted(chunks(0, 90)) as receive:
            await receive()
            assert bodies.held == 0
            await receive()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(story())
    assert bodies.held == 0


def test_a_body_counts_until_everything_that_keeps_it_has_let_go() -> None:
    bodies = Bodies(100)

    async def story() -> None:
        keep_body()()  # outside a request
        with bodies.counted(chunks(60)) as receive:
            release_first, release_second = keep_body(), keep_body()
            await receive()
            release_first()
        assert bodies.held == 60
        release_second()

    asyncio.run(story())
    assert bodies.held == 0


def test_a_flight_keeps_the_body_of_the_request_that_started_it() -> None:
    bodies, flights = Bodies(100), Flights[str]()

    async def story() -> None:
        go = asyncio.Event()

        async def work() -> str:
            await go.wait()
            return "result"

        async def request(size: int) -> str:
            with bodies.counted(chunks(size)) as receive:
                await receive()
                return (await flights.run("key", work))[0]

        starter = asyncio.create_task(request(30))
        await asyncio.sleep(0)
        joined = asyncio.create_task(request(5))
        await asyncio.sleep(0.01)
        starter.cancel()
        await asyncio.gather(starter, return_exceptions=True)
        assert bodies.held == 35
        go.set()
        assert await joined == "result"
        await asyncio.sleep(0)

    asyncio.run(story())
    assert bodies.held == 0
