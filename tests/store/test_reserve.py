"""Space for deletions and focal points on a full disk."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gazecrop.errors import StoreAway, StoreFull
from gazecrop.store import reserve
from gazecrop.store.base import Condition, Entry, Record, Report
from gazecrop.store.reserve import BYTES, PAUSE, Reserve
from gazecrop.store.sqlite import SqliteStore

A, B, C = "a" * 32, "b" * 32, "c" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")


class Disk:
    """A disk that is full as long as `taken` and the reserve file exist: each transaction fails as SQLite's does."""

    def __init__(self, store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = False
        self.file = path.with_name(f"{path.name}-reserve")
        evict, fallocate = store._writer._before, os.posix_fallocate

        def before(connection: sqlite3.Connection) -> None:
            if self.taken and self.file.exists():
                connection.execute("PRAGMA max_page_count = 1")
                connection.execute("INSERT INTO secrets VALUES ('large', ?)", (bytes(10_000_000),))
            connection.execute("PRAGMA max_page_count = 1000000")
            evict(connection)

        def allocate(file: int, offset: int, length: int) -> None:
            if self.taken:
                raise OSError(28, "No space left on device")
            fallocate(file, offset, length)

        monkeypatch.setattr(store._writer, "_before", before)
        monkeypatch.setattr(os, "posix_fallocate", allocate)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gazecrop.db", megabytes=10, max_focus=10)
    yield opened
    await opened.close()


@pytest.fixture
def disk(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(reserve, "PAUSE", 0.0)
    return Disk(store, tmp_path / "gazecrop.db", monkeypatch)


async def test_small_changes_use_the_reserve_and_large_ones_wait_for_space(
    store: SqliteStore, disk: Disk
) -> None:
    await store.put(A, RECORD)
    await store.put(B, RECORD)
    assert disk.file.stat().st_size == BYTES
    disk.taken = True
    with pytest.raises(StoreAway, match="full"):
        await store.put(C, RECORD)
    assert disk.file.exists(), "a map released the reserve"
    outcomes = await asyncio.gather(
        store.put(C, RECORD),
        store.delete(A),
        store.set_focus(B, 0.5, 0.5, Condition()),
        store.add_report(Report({"id": B}, None)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], StoreAway) and isinstance(outcomes[3], StoreFull)
    assert outcomes[1] is None and not isinstance(outcomes[2], BaseException)
    assert not disk.file.exists()
    for _ in range(3):
        with pytest.raises(StoreAway, match="full"):
            await store.put(C, RECORD)
        await store.delete_focus(B, Condition())
    disk.taken = False
    assert await store.put(C, RECORD) == Entry(RECORD, None)
    assert disk.file.stat().st_size == BYTES


def test_it_is_taken_again_after_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    held = Reserve(tmp_path / "reserve", clock=lambda: now[0])
    assert held.take()
    file = (tmp_path / "reserve").stat()
    assert (file.st_size, stat.S_IMODE(file.st_mode)) == (BYTES, 0o600)
    held.release()
    assert not (tmp_path / "reserve").exists() and not held.take()
    now[0] += PAUSE
    assert held.take()


def test_a_disk_without_room_keeps_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, offset: int, length: int) -> None:
        os.write(file, b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert not Reserve(tmp_path / "reserve").take()
    assert not (tmp_path / "reserve").exists()
    assert not Reserve(tmp_path / "absent" / "reserve").take()
