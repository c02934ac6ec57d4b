"""Open arrivals: uploads begin at their time, whatever became of those before. Run in a process of its own.

    python -m tests.faults.arrivals PORT RATE SECONDS FILE

A client sends the head and the body, and stops when the answer comes: as one that reads while it writes. Prints a line
of JSON for each upload: when it began, its status (0: no answer), seconds, Retry-After. On uvloop, and without streams,
since at 500 uploads a second a generator that takes a millisecond for each is late itself.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

LONGEST = 30.0  # seconds that a client waits for its answer


class Upload(asyncio.Protocol):
    """`done` has status and Retry-After; (0, 0) when the connection ends without an answer."""

    def __init__(self, data: bytes, done: asyncio.Future[tuple[int, int]]) -> None:
        self._data, self._done, self._answer = data, done, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = "POST /v1/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writing = cast(asyncio.WriteTransport, transport)
        writing.writelines([(head % len(self._data)).encode(), self._data])

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if b"\r\n\r\n" in self._answer and not self._done.done():
            head = self._answer.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
            after = next((int(line.partition(":")[2]) for line in head if line.startswith("retry-after:")), 0)
            self._done.set_result((int(head[0].split()[1]), after))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result((0, 0))


async def one(port: int, data: bytes, number: int) -> None:
    """`number`, behind the picture, makes it another one."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[int, int]] = loop.create_future()
    began, transport = time.monotonic(), None
    try:
        async with asyncio.timeout(LONGEST):
            transport, _ = await loop.create_connection(
                lambda: Upload(data + number.to_bytes(8), done), "127.0.0.1", port
            )
            status, after = await done
    except (OSError, TimeoutError):
        status, after = 0, 0
    finally:
        if transport is not None:
            transport.abort()
    record = {"began": began, "status": status, "seconds": time.monotonic() - began, "after": after}
    sys.stdout.write(json.dumps(record) + "\n")


async def arrive(port: int, rate: float, seconds: float, data: bytes) -> None:
    start, first = time.monotonic(), int.from_bytes(os.urandom(7))
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            if (early := start + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(early)
            elif number % 8 == 0:
                await asyncio.sleep(0)
            tasks.create_task(one(port, data, first + number))


if __name__ == "__main__":
    uvloop.run(
        arrive(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]).read_bytes())
    )
