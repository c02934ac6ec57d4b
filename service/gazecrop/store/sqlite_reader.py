"""Reads of the SQLite file: on the event loop while they take microseconds, in a thread while the disk is slow."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gazecrop.errors import StoreAway
from gazecrop.store.sqlite_file import open_reader
from gazecrop.store.sqlite_writer import PATIENCE_SECONDS

Row = tuple[Any, ...]

# Two reads in a row that take longer than this (one may be a pause of this process) make reads run in a thread for a
# while. A read of pages that are not cached takes 0.1 ms on an SSD, 10 ms on a disk, seconds on one that hangs.
SLOW_SECONDS = 0.005
SLOW_PAUSE = 10.0


class Reader:
    def __init__(self, path: Path, away: Callable[[object], StoreAway]) -> None:
        """`away` makes the error from a reason. Raises sqlite3.Error."""
        self._connection = open_reader(path)
        self._away = away
        self._slow_reads, self._slow_until = 0, float("-inf")
        self._thread: ThreadPoolExecutor | None = None

    @property
    def quick(self) -> bool:
        return time.monotonic() >= self._slow_until

    def read(self, query: str, id: str) -> list[Row]:
        """All rows, read in this thread. Raises StoreAway."""
        began = time.monotonic()
        try:
            return self._connection.execute(query, (id,)).fetchall()
        except sqlite3.Error as error:
            raise self._away(error) from error
        finally:
            ended = time.monotonic()
            self._slow_reads = self._slow_reads + 1 if ended - began > SLOW_SECONDS else 0
            if self._slow_reads >= 2:
                self._slow_until = ended + SLOW_PAUSE

    async def read_aside(self, query: str, id: str) -> list[Row]:
        """At once while reads are quick, else in the one thread for them. Raises StoreAway, also when it hangs."""
        if self.quick:
            return self.read(query, id)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        read = asyncio.get_running_loop().run_in_executor(self._thread, self.read, query, id)
        try:
            return await asyncio.wait_for(read, PATIENCE_SECONDS)
        except TimeoutError:
            raise self._away(f"was not read within {PATIENCE_SECONDS:.0f} s") from None

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()
