"""A place inside a gate for the length of a block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gazecrop.concurrency.gate import Gate


@asynccontextmanager
async def slot(gate: Gate, pixels: int, deadline: float | None = None) -> AsyncIterator[None]:
    await gate.enter(pixels, deadline)
    try:
        yield
    finally:
        gate.leave(pixels)
