"""The one thread that writes to the SQLite file: all that waits goes into one transaction."""

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

T = TypeVar("T")

MOST_AT_ONCE = 64  # jobs of one transaction: bounds how long the first of them waits for the others
# A disk that hangs: the client hears 503 after this. Longer than a wait for another process's transaction.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    work: Callable[[Connection], Any]
    durable: bool
    answer: asyncio.Future[Any]


class Writer(threading.Thread):
    def __init__(self, connection: Connection, path: Path, before: Callable[[Connection], object]) -> None:
        """`before` runs at the start of every transaction. The thread owns the connection from `start` on."""
        super().__init__(name="store-writer", daemon=True)
        self._connection, self._path, self._before = connection, path, before
        self._inode = path.stat().st_ino
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False

    async def run_job(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Runs `work` in a transaction and returns its answer after the commit; durable: on the disk.

        Raises StoreAway. Then, as with any database, the change may have been made if the answer was lost.
        """
        answer: asyncio.Future[T] = self.post(work, durable=durable)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await answer
        except TimeoutError:
            raise self.away(f"did not commit within {PATIENCE_SECONDS:.0f} s") from None

    def post(self, work: Callable[[Connection], T], *, durable: bool = False) -> asyncio.Future[T]:
        if self._closed:
            raise self.away("is closed")
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_look_at)
        self._jobs.put(Job(work, durable, answer))
        return answer

    def stop(self) -> None:
        """Commits what waits and closes the file. Blocks; a thread may call it."""
        self._closed = True
        self._jobs.put(None)
        self.join(PATIENCE_SECONDS)

    def away(self, why: object) -> StoreAway:
        return StoreAway("The store cannot be reached just now.", retry_after=2, log=f"{self._path}: {why}")

    def run(self) -> None:
        open_ = True
        while open_:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MOST_AT_ONCE:
                    jobs.append(self._jobs.get_nowait())
            open_ = None not in jobs
            self._serve([job for job in jobs if job is not None])
        self._connection.close()

    def _serve(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        answers: list[Any]
        try:
            answers = self._commit(jobs)
        except Exception as error:  # whatever it is, this thread must live on
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            away = error if isinstance(error, StoreAway) else self.away(error)
            answers = [away] * len(jobs)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            jobs[0].answer.get_loop().call_soon_threadsafe(_deliver, jobs, answers)

    def _commit(self, jobs: list[Job]) -> list[Any]:
        durable = any(job.durable for job in jobs)
        if durable and not self.is_there():
            raise self.away("was removed or replaced under this process; start it again")
        # In WAL mode FULL flushes the log to the disk at each commit, with all that was in it before.
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        # A transaction that began by reading could fail to become a writing one without waiting its turn.
        self._connection.execute("BEGIN IMMEDIATE")
        self._before(self._connection)
        answers = [job.work(self._connection) for job in jobs]
        self._connection.execute("COMMIT")
        return answers

    def is_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False


def _deliver(jobs: list[Job], answers: list[Any]) -> None:
    for job, answer in zip(jobs, answers, strict=True):
        if job.answer.done():  # the client has left
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)


def _look_at(answer: asyncio.Future[Any]) -> None:
    """Some jobs are not waited for; asyncio complains of exceptions that nobody looked at."""
    if not answer.cancelled():
        answer.exception()
