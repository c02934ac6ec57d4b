"""The embedded store: one SQLite file on a local disk (its log of changes, WAL, does not work over NFS).

Reads run on the event loop: they take about 20 us while the pages are cached, less than a change of threads; on a slow
disk they run in a thread. Changes go through one writer thread, which commits all waiting changes in one transaction.
What other processes commit is noticed by `PRAGMA data_version`, asked at most twice a second.

Durability. A focus, a deletion, a report and the id key are committed with `synchronous = FULL`: on disk before the
call returns. Maps can be made again from their pictures, so they use `NORMAL`: nothing is lost when the process is
killed, the last maps may be lost in a power failure, and the file stays consistent in both cases.
"""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from gazecrop.crop.focus import Focus, Profiles
from gazecrop.errors import StoreAway
from gazecrop.store import sqlite_reports
from gazecrop.store.base import (
    Condition,
    Entry,
    Outcome,
    Record,
    Report,
    focus_key,
    no_space,
    reports_full,
    settle,
)
from gazecrop.store.sqlite_file import open_file, open_reader
from gazecrop.store.sqlite_reader import Reader, Row
from gazecrop.store.sqlite_writer import DiskFull, Writer
from gazecrop.store.watch import Watch

# The focal points of a picture are the rows ID and ID/PROFILE; "0" follows "/".
GET = """
    SELECT maps.value, maps.used, focus.id, focus.x, focus.y, focus.revision
    FROM maps LEFT JOIN focus ON focus.id >= maps.id AND focus.id < maps.id || '0' WHERE maps.id = ?"""
PUT = """
    INSERT INTO maps (id, value, used) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET value = excluded.value, used = excluded.used"""
TOUCH = "UPDATE maps SET used = max(used, ?) WHERE id = ?"
ALL_FOCUS = "SELECT id, x, y, revision FROM focus WHERE id >= ?1 AND id < ?1 || '0'"
GET_FOCUS = "SELECT x, y, revision FROM focus WHERE id = ?"
FORGET_FOCUS = "DELETE FROM focus WHERE id >= ?1 AND id < ?1 || '0'"
IS_KNOWN = """
    SELECT 1 FROM maps WHERE id = ?1 UNION ALL SELECT 1 FROM focus WHERE id >= ?1 AND id < ?1 || '0' LIMIT 1"""
SET_FOCUS = """
    INSERT INTO focus (id, x, y, revision) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET x = excluded.x, y = excluded.y, revision = excluded.revision"""
# A transaction on a file above its limit first deletes this many maps: at least as many as a transaction adds, and
# about 1 ms of work, which delays a focus by as much.
EVICT = 64
EVICTION = "DELETE FROM maps WHERE rowid IN (SELECT rowid FROM maps ORDER BY used LIMIT ?)"
ENOUGH_TOUCHES = 1024  # written when so many wait and nothing else is


class SqliteStore:
    name = "sqlite"
    reconnected_at = float("-inf")  # the file is never exchanged under a running server: `ping`

    def __init__(
        self,
        path: Path,
        *,
        megabytes: int,
        max_focus: int,
        reports_megabytes: int = 200,
        touch_seconds: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens or makes the file. Raises StoreAway, whose log text names the path, when neither is possible.

        `touch_seconds`: the shortest time between two updates of a map's time of use; most reads cause no write.
        An hour is precise enough for a store that holds weeks of maps. The file may grow to the sum of both limits.
        """
        self._path, self._max_focus = path, max_focus
        self._limit, self._reports_limit = megabytes * 1_000_000, reports_megabytes * 1_000_000
        self._touch_after, self._clock = round(touch_seconds * 1e6), clock
        self._touched: dict[str, int] = {}
        self.watch = Watch(self._ask)
        self._version: tuple[int, int] | None = None  # at the last confirmation
        self._asking = False
        self._evictions = 0
        connection = open_file(path)
        self._writer = Writer(connection, path, self._evict)
        try:
            (self._page_size,) = connection.execute("PRAGMA page_size").fetchone()
            self._reader = Reader(path, self._writer.away)
            self._shrink(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._writer.away(error) from error
        self._writer.start()

    def _now(self) -> int:
        return int(self._clock() * 1e6)

    def _evict(self, connection: Connection) -> None:
        """Deletes some of the least recently used maps when the file without the reports is above its limit."""
        if self._excess(connection) > 0:
            connection.execute(EVICTION, (EVICT,))
            self._evictions += 1

    def _excess(self, connection: Connection) -> float:
        """The share of the pages in use that is above the limit; negative below it."""
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        return float(
            1 - (self._limit + sqlite_reports.total(connection)) / ((pages - free) * self._page_size)
        )

    def _shrink(self, connection: Connection) -> None:
        """After the limit was lowered between two starts: evicts down to it and returns the pages to the disk."""
        while (excess := self._excess(connection)) > 0:
            (maps,) = connection.execute("SELECT count(*) FROM maps").fetchone()
            if not maps:
                break  # the rest is focal points and reports, which are never evicted
            connection.execute(EVICTION, (max(EVICT, int(maps * excess * 0.9)),))
            connection.executescript("PRAGMA incremental_vacuum")  # `execute` would return one page only

    def _ask(self, now: float) -> None:
        """`data_version` of the writing connection changes with the commits of all other ones, and those are of other
        processes. Evictions are ours, and change what the file holds, too."""
        if self._asking:
            return
        self._asking = True

        def answered(answer: asyncio.Future[int]) -> None:
            self._asking = False
            if answer.cancelled() or answer.exception() is not None:
                return
            version = answer.result(), self._evictions
            if version != self._version:
                self._version = version
                self.watch.epoch += 1
            self.watch.confirmed = now

        with contextlib.suppress(StoreAway):  # closed
            self._writer.data_version().add_done_callback(answered)

    @property
    def quick(self) -> bool:
        return self._reader.quick

    async def get(self, id: str) -> Entry | None:
        return self._entry(id, await self._reader.read_aside(GET, id))

    def look(self, id: str) -> Entry | None:
        return self._entry(id, self._reader.read(GET, id))

    def _entry(self, id: str, rows: list[Row]) -> Entry | None:
        if not rows:
            return None
        record = _record(rows[0][0])
        now = self._now()
        if now - rows[0][1] >= self._touch_after:
            self._touched[id] = now
            if len(self._touched) >= ENOUGH_TOUCHES:
                self._writer.post(self._touches())
        return None if record is None else Entry(record, *_foci(id, (row[2:] for row in rows)))

    def _touches(self) -> Callable[[Connection], object]:
        """The job that updates the time of use of all maps read since the last call."""
        rows = [(used, id) for id, used in self._touched.items()]
        self._touched = {}
        return lambda connection: connection.executemany(TOUCH, rows)

    async def put(self, id: str, record: Record) -> Entry:
        value, now = record.pack(), self._now()

        def work(connection: Connection) -> tuple[Focus | None, Profiles]:
            connection.execute(PUT, (id, value, now))
            return _foci(id, connection.execute(ALL_FOCUS, (id,)))

        if self._touched:
            self._writer.post(self._touches())
        return Entry(record, *await self._writer.run_job(work, durable=False))

    async def restore(self, id: str, entry: Entry) -> Entry | None:
        return None  # nothing is lost here: what is missing was deleted or evicted

    async def delete(self, id: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM maps WHERE id = ?", (id,))
            connection.execute(FORGET_FOCUS, (id,))
            sqlite_reports.forget(connection, id)

        await self._writer.run_job(work, durable=True, small=True)

    async def get_focus(self, id: str, profile: str = "") -> Focus | None:
        rows = await self._reader.read_aside(GET_FOCUS, focus_key(id, profile))
        return _focus(*rows[0]) if rows else None

    async def set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str = ""
    ) -> tuple[Focus, bool]:
        focus, key = Focus.new(x, y), focus_key(id, profile)

        def work(connection: Connection) -> Outcome:
            present = _present(connection, key)
            if not present and not connection.execute(IS_KNOWN, (id,)).fetchone():
                return "unknown"
            if not condition.holds(present.revision if present else None):
                return "precondition"
            if not present:
                (count,) = connection.execute("SELECT count(*) FROM focus").fetchone()
                if count >= self._max_focus:
                    return "full"
            connection.execute(SET_FOCUS, (key, focus.x, focus.y, focus.revision))
            return "replaced" if present else "created"

        return focus, settle(await self._writer.run_job(work, durable=True, small=True), self._max_focus)

    async def delete_focus(self, id: str, condition: Condition, profile: str = "") -> bool:
        key = focus_key(id, profile)

        def work(connection: Connection) -> Outcome:
            present = _present(connection, key)
            if not condition.holds(present.revision if present else None):
                return "precondition"
            connection.execute("DELETE FROM focus WHERE id = ?", (key,))
            return "deleted" if present else "absent"

        return settle(await self._writer.run_job(work, durable=True, small=True), self._max_focus)

    async def add_report(self, report: Report) -> None:
        limit = self._reports_limit
        try:
            added = await self._writer.run_job(lambda c: sqlite_reports.add(c, report, limit), durable=True)
        except DiskFull as error:
            raise no_space(str(error)) from error
        if not added:
            raise reports_full(limit)

    async def reports(self) -> AsyncGenerator[Report, None]:
        for report in sqlite_reports.read(self._path):
            yield report

    async def id_key(self) -> bytes:
        def work(connection: Connection) -> bytes:
            made = ("id_key", secrets.token_bytes(32))
            connection.execute("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", made)
            (key,) = connection.execute("SELECT value FROM secrets WHERE name = 'id_key'").fetchone()
            return bytes(key)

        return await self._writer.run_job(work, durable=True, small=True)

    async def ping(self) -> None:
        await self._reader.read_aside("SELECT 1 FROM secrets WHERE name = ?", "id_key")
        if not self._writer.is_there():
            raise self._writer.away("was removed or replaced while in use; restart the server")

    async def check(self) -> list[str]:
        """Reads the whole file, in a thread: seconds for a gigabyte."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> list[str]:
        problems = []
        try:
            with contextlib.closing(open_reader(self._path)) as connection:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            verdict = str(error)
        if verdict != "ok":
            problems.append(f"{self._path} is damaged: {verdict}. Restore a copy, or remove it.")
        missing = self._limit + self._reports_limit - self._path.stat().st_size
        free = shutil.disk_usage(self._path.parent).free
        if free < missing:
            problems.append(
                f"{self._path} may grow by {missing // 1_000_000} MB and its disk has {free // 1_000_000} MB "
                "free. Lower GAZECROP_STORE_MEGABYTES."
            )
        return problems

    async def close(self) -> None:
        if self._touched:
            self._writer.post(self._touches())
        # First: the last connection writes the log into the file, which a read-only one cannot.
        await self._reader.close()
        await asyncio.to_thread(self._writer.stop)


def _record(value: object) -> Record | None:
    """None for a value that is not a record: a miss."""
    try:
        return Record.unpack(value) if isinstance(value, bytes) else None
    except ValueError:
        return None


def _focus(x: object, y: object, revision: object) -> Focus | None:
    """None when the join found no focus."""
    if isinstance(x, float) and isinstance(y, float) and isinstance(revision, int):
        return Focus(x, y, revision)
    return None


def _foci(id: str, rows: Iterable[tuple[Any, ...]]) -> tuple[Focus | None, Profiles]:
    """Of rows of key, x, y, revision."""
    found = {key: focus for key, *values in rows if (focus := _focus(*values)) is not None}
    return found.pop(id, None), tuple(sorted((key[len(id) + 1 :], focus) for key, focus in found.items()))


def _present(connection: Connection, key: str) -> Focus | None:
    row = connection.execute(GET_FOCUS, (key,)).fetchone()
    return None if row is None else _focus(*row)
