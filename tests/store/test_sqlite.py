"""The embedded store: bounded, private, consistent after a crash, clear errors when it cannot start."""

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gazecrop.errors import StoreAway, StoreFull
from gazecrop.store import sqlite_file, sqlite_reports
from gazecrop.store.base import Condition, Entry, Record, Report
from gazecrop.store.sqlite import SqliteStore

A = "a" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
ANY = Condition()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gazecrop.db"


@pytest.fixture
async def open_store(path: Path) -> AsyncIterator[Callable[..., SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_one(**changes: float) -> SqliteStore:
        options = {"megabytes": 10, "max_focus": 10} | changes
        opened.append(SqliteStore(path, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


def record(number: int) -> Record:
    """A map of a usual size, about 600 bytes that no page can share."""
    return Record("gaze-0", "jpeg", random.Random(number).randbytes(600))


def name(number: int) -> str:
    return f"{number:032x}"


async def fill(store: SqliteStore, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, 50):
        await asyncio.gather(*(store.put(name(n), record(n)) for n in numbers[start - numbers.start :][:50]))


async def test_the_file_stays_below_its_limit(open_store: Callable[..., SqliteStore], path: Path) -> None:
    store = open_store(megabytes=1, touch_seconds=0)
    key = await store.id_key()
    await fill(store, range(10))
    await store.set_focus(name(3), 0.3, 0.3, ANY)
    largest = 0
    for start in range(10, 5000, 500):
        await fill(store, range(start, start + 500))
        assert await store.get(name(5)), "a map in use was evicted"
        largest = max(largest, path.stat().st_size)
    # A transaction of 64 maps of 600 bytes, and their indexes, may come on top before the next one evicts.
    assert largest <= 1_000_000 + 64 * 1500
    assert await store.get(name(6)) is None, "nothing was evicted"
    assert await store.get(name(5009)) == Entry(record(5009), None)
    assert (await store.get_focus(name(3))) and await store.get(name(3)) is None
    focus, created = await store.set_focus(name(3), 0.4, 0.4, ANY)  # its focus keeps the id
    assert not created
    assert await store.put(name(3), record(3)) == Entry(record(3), focus)
    assert await store.id_key() == key


async def test_a_lowered_limit_gives_the_space_back(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store(megabytes=5)
    await fill(store, range(4000))
    await store.close()
    assert path.stat().st_size > 2_000_000
    store = open_store(megabytes=1)
    assert await store.get(name(3999)) == Entry(record(3999), None)
    assert await store.get(name(0)) is None
    await store.close()
    assert path.stat().st_size <= 1_000_000


async def test_reading_marks_a_map_as_used_once_an_hour(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    now = [1000.0]
    store = open_store(clock=lambda: now[0])
    await store.put(A, RECORD)

    async def used_after_a_change() -> int:
        await store.put(name(1), RECORD)
        with sqlite3.connect(path) as connection:
            (used,) = connection.execute("SELECT used FROM maps WHERE id = ?", (A,)).fetchone()
        connection.close()
        return int(used // 1e6)

    now[0] += 3599
    await store.get(A)
    assert await used_after_a_change() == 1000
    now[0] += 2
    await store.get(A)
    assert await used_after_a_change() == 4601


async def test_only_the_owner_may_read_the_file(open_store: Callable[..., SqliteStore], path: Path) -> None:
    path.touch(0o644)
    store = open_store()
    await store.id_key()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["gazecrop.db", "gazecrop.db-reserve", "gazecrop.db-wal", "gazecrop.db-shm"], 0o600
    )


async def test_a_focus_is_flushed_to_the_disk_and_a_map_is_not(
    open_store: Callable[..., SqliteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 is NORMAL, 2 is FULL: the pragma, read while the change is under way."""
    store = open_store()
    seen: list[int] = []
    evict = store._writer._before

    def look(connection: sqlite3.Connection) -> None:
        seen.append(connection.execute("PRAGMA synchronous").fetchone()[0])
        evict(connection)

    monkeypatch.setattr(store._writer, "_before", look)
    await store.put(A, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    await store.put(A, RECORD)
    await store.delete_focus(A, ANY)
    await store.delete(A)
    await store.id_key()
    assert seen == [1, 2, 1, 2, 2, 2]


WRITER = """
import asyncio, sys
from pathlib import Path
from gazecrop.store.base import Condition, Record
from gazecrop.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]), megabytes=10, max_focus=100_000)
    number = 0
    while True:
        id = f"{number:032x}"
        await store.put(id, Record("gaze-0", "jpeg", b"GC1" + bytes(600)))
        focus, _ = await store.set_focus(id, 0.25, 0.5, Condition())
        print(id, focus.revision, flush=True)
        number += 1

asyncio.run(main())
"""


async def test_what_was_answered_is_there_after_kill_9(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout
        answered = [writer.stdout.readline() for _ in range(40)]
        writer.send_signal(signal.SIGKILL)
        answered += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        store = open_store()
        for line in filter(lambda line: line.endswith("\n"), answered):
            id, revision = line.split()
            entry = await store.get(id)
            assert entry and entry.focus and entry.focus.revision == int(revision)
        assert await store.check() == []
        await store.close()


SHARER = """
import asyncio, sys
from pathlib import Path
from gazecrop.store.base import Condition, Record
from gazecrop.store.sqlite import SqliteStore

async def main(path, mine):
    store = SqliteStore(Path(path), megabytes=1, max_focus=100_000)
    key = await store.id_key()
    for number in range(150):
        id = f"{mine}{number:031x}"
        await store.put(id, Record("gaze-0", "jpeg", bytes(900)))
        if number % 10 == 0:
            await store.set_focus(id, 0.25, 0.5, Condition(absent=True))
    await store.close()
    print(key.hex())

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_share_the_file_from_its_creation(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARER, str(path), str(mine)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for mine in range(4)
    ]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [end[1] for end in ends] == [""] * 4
    assert len({end[0] for end in ends}) == 1, "two made an id key each"
    store = open_store()
    for mine in range(4):
        for number in range(0, 150, 10):
            assert await store.get_focus(f"{mine}{number:031x}")
    assert await store.check() == []


async def test_a_lock_of_another_process_is_waited_for(
    open_store: Callable[..., SqliteStore], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 60)
    store = open_store()
    await store.put(A, RECORD)
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.5)
    hasty = open_store()
    await hasty.put(A, RECORD)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.set_focus(A, 0.1, 0.1, ANY))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await store.get(A) == Entry(RECORD, None), "a reader must not wait for a writer"
    lock.execute("COMMIT")
    focus, _ = await waiting
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked"):
        await hasty.set_focus(A, 0.2, 0.2, ANY)
    lock.execute("ROLLBACK")
    lock.close()
    assert await hasty.get_focus(A) == focus
    await hasty.set_focus(A, 0.2, 0.2, ANY)


async def test_a_full_disk_is_reported_and_survived(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store()
    await store.put(A, RECORD)

    async def allow(pages: int) -> None:
        await store._writer.run_job(lambda c: c.execute(f"PRAGMA max_page_count = {pages}"), durable=False)

    await allow(1)  # SQLite takes the present size where that is more
    with pytest.raises(StoreAway, match=f"{path}.*full"):
        await store.put(name(1), Record("gaze-0", "jpeg", bytes(100_000)))
    assert await store.get(A) == Entry(RECORD, None)
    await allow(1_000_000)
    await store.put(name(1), RECORD)


async def test_on_a_full_disk_only_the_changes_that_need_space_fail(
    open_store: Callable[..., SqliteStore],
) -> None:
    """Deletions, focal points and large maps in one transaction, of which the maps do not fit."""
    store = open_store(max_focus=100)
    await fill(store, range(20))
    for number in range(5):
        await store.set_focus(name(number), 0.1, 0.1, ANY)
    pages = "PRAGMA max_page_count = 1"  # SQLite takes the present size where that is more
    await store._writer.run_job(lambda connection: connection.execute(pages), durable=False)
    large = Record("gaze-0", "jpeg", bytes(100_000))
    outcomes = await asyncio.gather(
        *(store.put(name(100 + number), large) for number in range(10)),
        *(store.delete(name(number)) for number in range(10)),
        *(store.set_focus(name(number), 0.9, 0.9, ANY) for number in range(10, 15)),
        *(store.put(name(200 + number), large) for number in range(10)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, StoreAway) for outcome in (*outcomes[:10], *outcomes[25:]))
    assert outcomes[10:20] == [None] * 10
    assert [found.x for found, _ in outcomes[20:25]] == [0.9] * 5  # type: ignore[misc]
    assert [await store.get(name(number)) for number in range(10)] == [None] * 10
    assert [await store.get_focus(name(number)) for number in range(5)] == [None] * 5


async def test_reports_do_not_push_maps_out(open_store: Callable[..., SqliteStore]) -> None:
    store = open_store(megabytes=1, reports_megabytes=3)
    await fill(store, range(100))
    for number in range(4):
        await store.add_report(Report({"id": name(number), "picture": "x"}, bytes(700_000)))
    await fill(store, range(100, 400))
    assert await store.get(name(0)) == Entry(record(0), None)
    await store.close()
    store = open_store(megabytes=1, reports_megabytes=3)
    assert await store.get(name(0)) == Entry(record(0), None)


async def test_a_report_that_was_not_written_takes_no_room(open_store: Callable[..., SqliteStore]) -> None:
    store = open_store(reports_megabytes=1)
    (pages,) = await store._writer.run_job(lambda c: c.execute("PRAGMA page_count").fetchone(), durable=False)

    async def allow(pages: int) -> None:
        await store._writer.run_job(lambda c: c.execute(f"PRAGMA max_page_count = {pages}"), durable=False)

    await allow(pages + 10)
    large = Report({"id": A, "picture": "x"}, bytes(900_000))
    for _ in range(3):
        with pytest.raises(StoreFull, match="full"):
            await store.add_report(large)
    await allow(1_000_000)
    await store.add_report(large)
    assert [found async for found in store.reports()] == [large]


async def test_a_file_of_the_first_layout_gets_reports(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store()
    await store.put(A, RECORD)
    await store.close()
    with sqlite3.connect(path) as connection:
        for table in ("reports", "reports_total"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert list(sqlite_reports.read(path)) == []
    store = open_store()
    await store.add_report(Report({"id": A}, None))
    assert await store.get(A) == Entry(RECORD, None)
    assert [found.document async for found in store.reports()] == [{"id": A}]
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO reports (id, bytes, document) VALUES ('a', 1, '7'), ('a', 2, '{')")
    connection.close()
    assert [found.document async for found in store.reports()] == [{"id": A}]


async def test_a_large_report_does_not_leave_a_large_log(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store()
    await store.add_report(Report({"id": A, "picture": "x"}, bytes(20_000_000)))
    await fill(store, range(10))
    assert path.with_name(f"{path.name}-wal").stat().st_size < 5_000_000


async def test_a_job_that_raises_fails_alone(open_store: Callable[..., SqliteStore]) -> None:
    store = open_store()
    runs: list[str] = []

    def wrong(connection: sqlite3.Connection) -> None:
        runs.append("wrong")
        connection.execute("DELETE FROM maps")
        raise OverflowError("no such number")

    outcomes = await asyncio.gather(
        store.put(A, RECORD), store._writer.run_job(wrong, durable=True), return_exceptions=True
    )
    assert outcomes[0] == Entry(RECORD, None)
    assert isinstance(outcomes[1], StoreAway)
    assert await store.get(A) == Entry(RECORD, None), "its own change was not rolled back"
    assert runs


async def test_a_file_removed_while_in_use_fails_changes(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store()
    await store.put(A, RECORD)
    await store.ping()
    path.rename(path.with_suffix(".elsewhere"))
    with pytest.raises(StoreAway, match="removed"):
        await store.set_focus(A, 0.5, 0.5, ANY)
    with pytest.raises(StoreAway, match="removed"):
        await store.ping()


async def test_values_of_another_kind_are_a_miss(open_store: Callable[..., SqliteStore], path: Path) -> None:
    store = open_store()
    await store.put(A, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE focus SET x = 'left'")
    assert await store.get(A) == Entry(RECORD, None)
    assert await store.get_focus(A) is None
    for value in ("text", b"nospaces", b"\xff\xfe jpeg code", 7):
        with connection:
            connection.execute("UPDATE maps SET value = ?", (value,))
        assert await store.get(A) is None
    connection.close()


async def test_a_closed_store_is_away(open_store: Callable[..., SqliteStore]) -> None:
    store = open_store()
    await store.put(A, RECORD)
    await store.close()
    for call in (store.put(A, RECORD), store.get(A)):
        with pytest.raises(StoreAway):
            await call


def refused(path: Path) -> str:
    with pytest.raises(StoreAway) as error:
        SqliteStore(path, megabytes=10, max_focus=10)
    assert str(path) in str(error.value)
    return str(error.value)


def test_garbage_is_refused(path: Path) -> None:
    path.write_bytes(os.urandom(5000))
    assert "not a database" in refused(path)


async def test_a_truncated_file_is_refused(open_store: Callable[..., SqliteStore], path: Path) -> None:
    store = open_store()
    await fill(store, range(200))
    await store.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert "malformed" in refused(path)


async def test_a_damaged_table_of_focal_points_is_refused(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store(max_focus=1000)
    await fill(store, range(300))
    for number in range(300):
        await store.set_focus(name(number), 0.5, 0.5, ANY)
    await store.close()
    content = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'focus'").fetchone()
    connection.close()
    content[(root - 1) * 4096 + 8 : root * 4096] = os.urandom(4088)
    path.write_bytes(content)
    refused(path)


def test_another_program_s_file_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in refused(path)
    assert path.read_bytes() == before


async def test_a_newer_layout_is_refused(open_store: Callable[..., SqliteStore], path: Path) -> None:
    await open_store().close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "newer" in refused(path)


def test_a_folder_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    assert "GAZECROP_DATA_DIR" in refused(Path("/proc/gazecrop/gazecrop.db"))  # not even root writes there
    (tmp_path / "file").touch()
    assert "GAZECROP_DATA_DIR" in refused(tmp_path / "file" / "gazecrop.db")
    (tmp_path / "gazecrop.db").mkdir()
    assert "GAZECROP_DATA_DIR" in refused(tmp_path / "gazecrop.db")


async def test_check_finds_damage_and_a_small_disk(
    open_store: Callable[..., SqliteStore], path: Path
) -> None:
    store = open_store()
    await fill(store, range(500))
    assert await store.check() == []
    huge = open_store(megabytes=10**9)
    assert any("Lower GAZECROP_STORE_MEGABYTES" in problem for problem in await huge.check())
    await store.close()
    await huge.close()
    content = bytearray(path.read_bytes())
    content[60 * 4096 : 62 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(content)
    store = open_store()
    problems = await store.check()
    assert len(problems) == 1 and "damaged" in problems[0] and str(path) in problems[0]
