"""The thread that writes to the SQLite file: all waiting jobs go into one transaction.

When a job fails, all of them are rolled back and each runs again in a transaction of its own, so that only the failing
one fails. On a full disk the reserve is released for small jobs, and others are refused until it could be taken again.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

from gazecrop.errors import StoreAway
from gazecrop.store.reserve import Reserve
from gazecrop.store.sqlite_file import is_full

T = TypeVar("T")

# As SQLite reports it.
DISK_FULL = sqlite3.OperationalError("database or disk is full")
DISK_FULL.sqlite_errorcode = sqlite3.SQLITE_FULL
MOST_AT_ONCE = 64  # jobs of one transaction; bounds how long the first waits for the others
# On a hung disk the client gets 503 after this. Longer than the wait for another process's transaction.
PATIENCE_SECONDS = 5.0


class DiskFull(StoreAway):
    """There is no space for this change."""


@dataclass(frozen=True, slots=True)
class Job:
    work: Callable[[Connection], Any]
    durable: bool
    small: bool
    answer: asyncio.Future[Any]
    alone: bool = False  # outside a transaction


class Writer(threading.Thread):
    def __init__(self, connection: Connection, path: Path, before: Callable[[Connection], object]) -> None:
        """`before` runs at the start of every transaction. The thread owns the connection from `start` on."""
        super().__init__(name="store-writer", daemon=True)
        self._connection, self._path, self._before = connection, path, before
        self._inode = path.stat().st_ino
        self._reserve = Reserve(path.with_name(f"{path.name}-reserve"))
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._synchronous: bool | None = None  # as last set

    async def run_job(self, work: Callable[[Connection], T], *, durable: bool, small: bool = False) -> T:
        """Runs `work` in a transaction and returns its result after the commit; durable: on disk. small: a change of a
        few pages that must succeed on a full disk, too.

        Raises StoreAway; the change may have been made all the same when only the answer was late.
        """
        answer: asyncio.Future[T] = self.post(work, durable=durable, small=small)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await answer
        except TimeoutError:
            raise self.away(f"did not commit within {PATIENCE_SECONDS:.0f} s") from None

    def post(
        self, work: Callable[[Connection], T], *, durable: bool = False, small: bool = False
    ) -> asyncio.Future[T]:
        return self._put(work, durable, small)

    def data_version(self) -> asyncio.Future[int]:
        """SQLite's number that changes with the commits of other connections. Raises StoreAway."""
        return self._put(_data_version, alone=True)

    def _put(
        self,
        work: Callable[[Connection], T],
        durable: bool = False,
        small: bool = False,
        *,
        alone: bool = False,
    ) -> asyncio.Future[T]:
        if self._closed:
            raise self.away("is closed")
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_retrieve)
        self._jobs.put(Job(work, durable, small, answer, alone))
        return answer

    def stop(self) -> None:
        """Commits the waiting jobs and closes the file. Blocks: call it in a thread."""
        self._closed = True
        self._jobs.put(None)
        self.join(PATIENCE_SECONDS)

    def away(self, why: object) -> StoreAway:
        kind = DiskFull if isinstance(why, Exception) and is_full(why) else StoreAway
        return kind("The store cannot be reached just now.", retry_after=2, log=f"{self._path}: {why}")

    def run(self) -> None:
        open_ = True
        while open_:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MOST_AT_ONCE:
                    jobs.append(self._jobs.get_nowait())
            open_ = None not in jobs
            self._serve([job for job in jobs if job is not None and not job.alone])
            self._serve([job for job in jobs if job is not None and job.alone])
        self._connection.close()

    def _serve(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        answers = self._attempt(jobs)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            jobs[0].answer.get_loop().call_soon_threadsafe(_deliver, jobs, answers)

    def _attempt(self, jobs: list[Job]) -> list[Any]:
        """The result of each job, a StoreAway for each that failed."""
        if jobs[0].alone:
            return self._read(jobs)
        began = False
        if not self._reserve.take() and not all(job.small for job in jobs):
            if len(jobs) > 1:
                return [self._attempt([job])[0] for job in jobs]
            return [self.away(DISK_FULL)]
        try:
            self._begin(durable=any(job.durable for job in jobs))
            began = True
            return self._commit(jobs)
        except Exception as error:  # the thread must survive every error
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            # When no transaction can begin (the file was removed, another process holds the lock), all jobs fail.
            if began and len(jobs) > 1:
                return [self._attempt([job])[0] for job in jobs]
            if began and jobs[0].small and self._reserve.held and is_full(error):
                self._release_reserve()
                return self._attempt(jobs)
            return [error if isinstance(error, StoreAway) else self.away(error)] * len(jobs)

    def _read(self, jobs: list[Job]) -> list[Any]:
        try:
            return [job.work(self._connection) for job in jobs]
        except Exception as error:  # the thread must survive every error
            return [self.away(error)] * len(jobs)

    def _release_reserve(self) -> None:
        """Gives its space to the file, and empties the log into it: then the log has room for small changes."""
        self._reserve.release()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _begin(self, *, durable: bool) -> None:
        if durable and not self.is_there():
            raise self.away("was removed or replaced while in use; restart the server")
        if durable != self._synchronous:
            # In WAL mode FULL flushes the whole log to disk at each commit.
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synchronous = durable
        # IMMEDIATE: a transaction that starts with a read fails at its first write when another process writes.
        self._connection.execute("BEGIN IMMEDIATE")

    def _commit(self, jobs: list[Job]) -> list[Any]:
        self._before(self._connection)
        answers = [job.work(self._connection) for job in jobs]
        self._connection.execute("COMMIT")
        return answers

    def is_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False


def _data_version(connection: Connection) -> int:
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _deliver(jobs: list[Job], answers: list[Any]) -> None:
    for job, answer in zip(jobs, answers, strict=True):
        if job.answer.done():  # the client has left
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Some jobs are not awaited; asyncio logs exceptions that are never retrieved."""
    if not answer.cancelled():
        answer.exception()
