"""A time limit for somebody else, that does not blame them for our own sleep."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SLICES = 5


async def within(seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    """Awaits `call()`; TimeoutError after about `seconds`. The call is then cancelled.

    Timers run before sockets are read: a loop that was held for 50 ms (a container that used up its share of
    the processor sleeps for up to 100) finds every limit of 50 ms passed, and the answers waiting unread. So
    the time is counted in slices, each begun by a turn of the loop: being held costs one of them, however
    long.
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
