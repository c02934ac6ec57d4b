"""A named pipe in the place of a picture: its reader blocks until the test writes it."""

import os
from pathlib import Path
from types import TracebackType

from tests.helpers.contract import until


class Awaited:
    """Replaces the file at `path`. A reader that needs to seek blocks too, and then finds the file unreadable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0

    def __enter__(self) -> "Awaited":
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._end:
            os.close(self._end)

    def reached(self) -> None:
        """Returns when a reader has opened it; the reader then waits for the data."""
        self._end = until(self._open, 60)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: no reader
            return 0

    def let_go(self) -> None:
        """Unblocks a waiting reader, which reads no data."""
        if end := self._open():
            os.close(end)

    def give(self, data: bytes) -> None:
        end, self._end = self._end, 0
        os.set_blocking(end, True)
        with open(end, "wb") as file:
            file.write(data)
