"""A timeout that excludes time during which our own event loop was blocked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SLICES = 5


async def within(seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    """Awaits `call()`; cancels it and raises TimeoutError after about `seconds`.

    An event loop runs expired timers before it reads sockets. After a block of 50 ms (a container over its CPU quota is
    paused for up to 100) every timeout of 50 ms has expired, although the answers have arrived. The time is therefore
    counted in slices, each started by an iteration of the loop: a block of any length costs one slice.
    """
    loop = asyncio.get_running_loop()
    left = SLICES
    timer: asyncio.TimerHandle

    def slice_over() -> None:
        nonlocal left, timer
        left -= 1
        if left:
            timer = loop.call_later(seconds / SLICES, slice_over)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(seconds / SLICES, slice_over)
        try:
            return await call()
        finally:
            timer.cancel()
