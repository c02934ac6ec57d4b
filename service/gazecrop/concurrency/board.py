"""What the processes of one server show each other: a row of numbers for each, in memory that they share."""

import mmap
import time
from collections.abc import Iterator

_FIELDS = 4  # pid, ready, connections, time of the last beat in ms
_PID, _READY, _CONNECTIONS, _BEAT = range(_FIELDS)


class Board:
    """Made before the processes are; a row has one writer at a time, so no lock is needed."""

    def __init__(self, rows: int) -> None:
        self._memory = mmap.mmap(-1, rows * _FIELDS * 8)
        self._cells = memoryview(self._memory).cast("q")
        self.seats = [Seat(self, row) for row in range(rows)]

    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [seat.pid for seat in self.seats if seat.pid]

    def get(self, row: int, field: int) -> int:
        return int(self._cells[row * _FIELDS + field])

    def set(self, row: int, field: int, value: int) -> None:
        self._cells[row * _FIELDS + field] = value


class Seat:
    """One process's row."""

    def __init__(self, board: Board, row: int) -> None:
        self._board, self.row = board, row

    @property
    def pid(self) -> int:
        """0 while no process has it."""
        return self._board.get(self.row, _PID)

    @property
    def ready(self) -> bool:
        return bool(self._board.get(self.row, _READY))

    @property
    def connections(self) -> int:
        return self._board.get(self.row, _CONNECTIONS)

    @connections.setter
    def connections(self, count: int) -> None:
        self._board.set(self.row, _CONNECTIONS, count)

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._board.get(self.row, _BEAT) / 1000

    def take(self, pid: int) -> None:
        """Of an empty row. What the process wrote into it before stays: it may run before its parent does."""
        self.beat()
        self._board.set(self.row, _PID, pid)

    def leave(self) -> None:
        for field in range(_FIELDS):
            self._board.set(self.row, field, 0)

    def open(self) -> None:
        """It accepts connections."""
        self._board.set(self.row, _READY, 1)

    def beat(self) -> None:
        """Its event loop runs."""
        self._board.set(self.row, _BEAT, round(time.monotonic() * 1000))

    def is_ahead(self) -> bool:
        """Whether another process that accepts has fewer connections."""
        return any(other.connections < self.connections for other in self._others())

    def _others(self) -> Iterator["Seat"]:
        return (seat for seat in self._board.seats if seat is not self and seat.ready)
