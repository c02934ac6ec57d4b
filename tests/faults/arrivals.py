"""Open arrivals: uploads begin at their time, whatever became of those before. Run in a process of its own.

    python -m tests.faults.arrivals PORT RATE SECONDS FILE

A client sends the head and then the body in pieces, and stops when the answer comes: as one that reads while it writes.
Prints a line of JSON for each upload: when it began, its status (0: no answer), seconds, Retry-After.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

NICE = 3  # so that the generator does not take the cores of what it measures
PIECE = 65_536
LONGEST = 30.0  # seconds that a client waits for its answer


async def upload(port: int, data: bytes, number: int) -> tuple[int, int]:
    """Status and Retry-After. The number behind the picture makes it another one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    body = data + number.to_bytes(8)
    try:
        writer.write(
            b"POST /v1/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(body), PIECE):
                if answer.done():
                    break
                writer.write(body[at : at + PIECE])
                await writer.drain()
        head = (await answer).decode().lower().split("\r\n")
    finally:
        writer.close()
    after = next((int(line.partition(":")[2]) for line in head if line.startswith("retry-after:")), 0)
    return int(head[0].split()[1]), after


async def one(port: int, data: bytes, number: int) -> None:
    began = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST):
            status, after = await upload(port, data, number)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        status, after = 0, 0
    record = {"began": began, "status": status, "seconds": time.monotonic() - began, "after": after}
    sys.stdout.write(json.dumps(record) + "\n")


async def arrive(port: int, rate: float, seconds: float, data: bytes) -> None:
    start, first = time.monotonic(), int.from_bytes(os.urandom(7))
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            tasks.create_task(one(port, data, first + number))


if __name__ == "__main__":
    os.nice(NICE)
    asyncio.run(
        arrive(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]).read_bytes())
    )
