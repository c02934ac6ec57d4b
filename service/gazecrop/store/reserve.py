"""Disk space for the changes that must not fail when the disk is full: deletions and focal points."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

# The log of changes has up to 4 MB, and SQLite must copy it into the file before it can reuse it.
BYTES = 8_000_000
PAUSE = 5.0  # seconds between two attempts to take the space again


class Reserve:
    """A file of `BYTES` that is removed when the disk is full. `held`: whether it exists; without it only small changes
    are allowed, so that they find the space that it left."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._next_attempt = float("-inf")
        self.held = False

    def take(self) -> bool:
        """Takes the space if it is not held, at most once in `PAUSE`. Returns `held`."""
        if self.held and not self._path.exists():  # another process on the same file has released it
            self.held = False
            self._next_attempt = self._clock() + PAUSE
        if self.held or self._clock() < self._next_attempt:
            return self.held
        self._next_attempt = self._clock() + PAUSE
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file, 0, BYTES)
                else:
                    os.pwrite(file, bytes(BYTES), 0)
            finally:
                os.close(file)
            self.held = True
        except OSError:
            self._remove()
        return self.held

    def release(self) -> None:
        self.held = False
        self._next_attempt = self._clock() + PAUSE
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
