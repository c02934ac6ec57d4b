"""Restarts with growing pauses, exit statuses, the shared board. The processes are forked by a script."""

import os
import signal
import subprocess
import sys
import textwrap
import time

from gazecrop.concurrency.board import Board
from tests.helpers.contract import until

SCRIPT = """
    import os, sys, time
    from gazecrop.concurrency import supervisor
    from gazecrop.concurrency.board import Board
    from gazecrop.concurrency.supervisor import Supervisor

    def work(seat, alive):
        if sys.argv[1] == "fails":
            return 3
        seat.open()
        print("up", seat.row, os.getpid(), flush=True)
        if sys.argv[1] == "dies" and seat.row == 1:
            return 1
        while True:
            if sys.argv[1] != "hangs":
                seat.beat()
            time.sleep(0.01)

    supervisor.SILENCE_SECONDS = 0.3
    ended = lambda row: print("ended", row, flush=True)
    sys.exit(Supervisor(Board(2), work, stop_seconds=5, ended=ended).run())
"""


def start(how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_one_that_cannot_start_ends_them_all_with_its_status() -> None:
    process = start("fails")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "ended 0\n")


def test_one_that_dies_at_once_is_started_after_growing_pauses() -> None:
    process = start("dies")
    times: list[float] = []
    assert process.stdout
    while len(times) < 4:
        line = process.stdout.readline()
        assert line, "it has ended"
        if line.startswith("up 1 "):
            times.append(time.monotonic())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert process.returncode == 0
    assert pauses[1] > 0.4 and pauses[2] > 0.9, pauses


def test_one_whose_loop_hangs_is_killed_and_replaced() -> None:
    process = start("hangs")
    assert process.stdout
    lines: list[str] = []
    while sum(line.startswith("ended") for line in lines) < 2:
        lines.append(process.stdout.readline())
        assert lines[-1], "it has ended"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_stop_ends_the_children() -> None:
    process = start("works")
    assert process.stdout
    pids = [int(process.stdout.readline().split()[2]) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0

    def exist(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            return True
        except ProcessLookupError:
            return False

    until(lambda: not any(map(exist, pids)))


def test_a_process_may_be_ready_before_its_parent_writes_its_number() -> None:
    [seat] = Board(1).seats
    seat.open()
    seat.take(11)
    assert seat.ready and seat.pid == 11


def test_the_board() -> None:
    board = Board(2)
    one, other = board.seats
    assert board.pids() == [] and not one.is_ahead()
    one.take(11)
    other.take(12)
    one.connections = 1
    assert not one.is_ahead(), "the other does not accept yet"
    other.open()
    assert one.is_ahead() and not other.is_ahead() and board.pids() == [11, 12]
    assert one.silence < 1
    other.leave()
    assert not one.is_ahead() and board.pids() == [11] and not other.ready
