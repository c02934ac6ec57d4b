"""A place inside a gate for the length of a block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gazecrop.concurrency.gate import Gate


@asynccontextmanager
async def slot(
    gate: Gate, size: int, deadline: float | None = None, cost: float = 0.0
) -> AsyncIterator[None]:
    place = await gate.enter(size, deadline, cost)
    try:
        yield
    finally:
        gate.leave(place)
