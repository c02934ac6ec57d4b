"""Keeps several processes running that share one listening socket: starts, restarts and stops them."""

import contextlib
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

from gazecrop.concurrency.board import Board, Seat

# A process whose event loop has not run for so long is killed and started anew: the probes reach the others, so an
# orchestrator does not see it.
SILENCE_SECONDS = 60.0
# Before the n-th restart in a row: 0, 0.5, 1, 2 ... up to this. One that ran for a minute starts the row again.
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0
STOPS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("gazecrop")


class Supervisor:
    """`work(seat, alive)` runs in a process of its own and returns its exit status. `alive` is a file descriptor that
    becomes readable when the supervisor has died. `ended(row)` is called here when a process has."""

    def __init__(
        self,
        board: Board,
        work: Callable[[Seat, int], int],
        *,
        stop_seconds: float,
        ended: Callable[[int], object] = lambda row: None,
    ) -> None:
        """`stop_seconds`: from SIGTERM until a process is killed."""
        self._board, self._work, self._ended = board, work, ended
        self._stop_seconds = stop_seconds
        self._alive_read, self._alive_write = os.pipe()
        self._started: dict[int, float] = {}  # row -> time of its start
        self._restarts: dict[int, int] = {}  # row -> restarts in a row
        self._due: dict[int, float] = {}  # row -> time of its next start
        self._stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit status. That of the first process if it did not get ready."""
        with self._signals() as wake:
            first, *others = self._board.seats
            self._start(first)
            while not first.ready and not self._stopping:
                self._wait(wake, 0.05)
                for _, status in self._reap():
                    return status
            for seat in others:
                self._start(seat)
            while not self._stopping:
                self._wait(wake, self._next_step())
                for row, _ in self._reap():
                    self._plan_restart(row)
                self._restart_due()
                self._kill_silent()
            self._stop(wake)
        return 0

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Yields a descriptor that becomes readable at a signal."""

        def note(number: int, frame: FrameType | None) -> None:
            self._stopping = self._stopping or number in STOPS

        wake, written = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(written, False)
        before = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, note) for number in (*STOPS, signal.SIGCHLD)}
        try:
            yield wake
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            os.close(wake)
            os.close(written)

    def _wait(self, wake: int, seconds: float) -> None:
        select.select([wake], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)

    def _next_step(self) -> float:
        return min([1.0, *(due - time.monotonic() for due in self._due.values())])

    def _start(self, seat: Seat) -> None:
        self._due.pop(seat.row, None)
        self._started[seat.row] = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        for handler in logging.getLogger().handlers:
            handler.flush()  # else both processes would write what waits
        pid = os.fork()
        if pid:
            seat.take(pid)
            return
        status = 70  # EX_SOFTWARE
        try:
            os.close(self._alive_write)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in STOPS:
                signal.signal(number, lambda *_: os._exit(0))
            os.setpgid(0, 0)  # Ctrl+C goes to the supervisor alone, which stops them all
            status = self._work(seat, self._alive_read)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            _log.exception("a process failed")
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> list[tuple[int, int]]:
        """(row, exit status) of each process that ended; the status is -N after signal N."""
        ended: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if not pid:
                return ended
            for seat in self._board.seats:
                if seat.pid == pid:  # as process 1 of a container it also gets those of others
                    seat.leave()
                    self._ended(seat.row)
                    ended.append((seat.row, os.waitstatus_to_exitcode(status)))
                    if not self._stopping:
                        _log.warning("process %d ended with %d", pid, ended[-1][1])

    def _plan_restart(self, row: int) -> None:
        now = time.monotonic()
        count = 0 if now - self._started[row] >= STABLE_SECONDS else self._restarts.get(row, 0)
        self._restarts[row] = count + 1
        self._due[row] = now + (min(LONGEST_PAUSE, 0.25 * 2**count) if count else 0.0)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for row in [row for row, due in self._due.items() if due <= now]:
            self._start(self._board.seats[row])

    def _kill_silent(self) -> None:
        for seat in self._board.seats:
            if seat.pid and seat.ready and seat.silence > SILENCE_SECONDS:
                _log.error("process %d has not answered for %.0f s and is killed", seat.pid, seat.silence)
                self._kill(seat.pid, signal.SIGKILL)

    def _stop(self, wake: int) -> None:
        for pid in self._board.pids():
            self._kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + self._stop_seconds
        while self._board.pids():
            self._wait(wake, 0.5)
            self._reap()
            if time.monotonic() > deadline:
                for pid in self._board.pids():
                    self._kill(pid, signal.SIGKILL)

    def _kill(self, pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
