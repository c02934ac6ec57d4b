"""A cache of saliency maps on disk, keyed by everything a map depends on: a stopped or repeated run resumes from it."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from blake3 import blake3

from gazecrop.crop.grid import SaliencyGrid


def key(*parts: bytes) -> bytes:
    """A hash of the parts and their lengths: ("ab", "c") and ("a", "bc") differ."""
    return blake3(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest(16)


def _with_codec(kept: bytes) -> bytes:
    """Adds a fixed grid's code to the key: when a release changes the codec, older entries are no longer found."""
    return key(SaliencyGrid.from_density(np.arange(1.0, 26.0).reshape(5, 5), 5, 5).code, kept)


class Maps:
    """Thread-safe. `path` None: in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit: a crash loses nothing, and two audits may share a file.
        self._base = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None, timeout=60
        )
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._lock = threading.Lock()
        self.made = 0

    def value(self, key: bytes, make: Callable[[], bytes]) -> bytes:
        with self._lock:
            row = self._base.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return bytes(row[0])
        made = make()
        with self._lock:
            self._base.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, made))
            self.made += 1
        return made

    def grid(self, key: bytes, make: Callable[[], SaliencyGrid]) -> SaliencyGrid:
        return SaliencyGrid.from_code(self.value(_with_codec(key), lambda: make().code))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._base.close()
