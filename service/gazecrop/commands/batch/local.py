"""The work on this machine, one process per core. If workers die, only the picture that kills them is given up."""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process

from gazecrop.commands.batch import work
from gazecrop.commands.batch.work import Job
from gazecrop.console.rows import failure, line
from gazecrop.console.sources import Item
from gazecrop.model import Model

UNIT = 8  # pictures sent to a worker at once: 0.2 s of work for 1 ms of transfer
ALONE, LOST = 2, 3  # deaths of the pool while a unit ran: then it runs alone; then its picture is given up


@dataclass(frozen=True, slots=True)
class _Unit:
    places: range
    deaths: int = 0

    def after_a_death(self) -> "list[_Unit]":
        return [_Unit(range(place, place + 1), self.deaths + 1) for place in self.places]


class WorkersDie(Exception):
    """Workers die before they get any picture."""


def lines(job: Job, items: Sequence[Item], workers: int) -> Generator[tuple[int, bytes], None, None]:
    """(place in `items`, JSON line), in any order. Raises WorkersDie, and what a worker raises (OSError: disk full)."""
    waiting = deque(_Unit(range(at, min(at + UNIT, len(items)))) for at in range(0, len(items), UNIT))
    while waiting:
        running: dict[Future[list[bytes]], _Unit] = {}
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (job,))
        try:
            _start_all(pool, workers)
            while waiting or running:
                while waiting and _may_start(waiting[0], running, workers):
                    unit = waiting.popleft()
                    running[pool.submit(_run, [items[place] for place in unit.places])] = unit
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    results = future.result()
                    yield from zip(running.pop(future).places, results, strict=True)
        except BrokenProcessPool:
            for unit in [again for each in running.values() for again in each.after_a_death()]:
                if unit.deaths == LOST:
                    name = items[unit.places[0]].name
                    yield unit.places[0], line(failure(name, OSError("the worker process died")))
                else:
                    waiting.appendleft(unit)
        finally:
            pool.shutdown(cancel_futures=True)


def _start_all(pool: ProcessPoolExecutor, workers: int) -> None:
    """Only the parent handles Ctrl-C: workers inherit that SIGINT is ignored while they start."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if here else None
    try:
        up = [pool.submit(_nothing) for _ in range(workers)]  # each submission starts one
    finally:
        if here:
            signal.signal(signal.SIGINT, before)
    try:
        wait(up, return_when=FIRST_COMPLETED).done.pop().result()
    except BrokenProcessPool:
        raise WorkersDie("the worker processes die at their start; is there enough memory?") from None


def _may_start(unit: _Unit, running: dict[Future[list[bytes]], _Unit], workers: int) -> bool:
    """Two units for each worker, so that none is idle; a suspect unit runs alone, to find the picture that kills."""
    if unit.deaths == ALONE or any(other.deaths == ALONE for other in running.values()):
        return not running
    return len(running) < 2 * workers


_job: Job
_model: Model


def _start(job: Job) -> None:
    """Initialises a worker process."""
    global _job, _model
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _job, _model = job, Model.load(job.settings)


def _end_with_parent() -> None:
    """A worker has both ends of its queue open: without this it would wait forever after the parent was killed."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _nothing() -> None:
    pass


def _run(items: list[Item]) -> list[bytes]:
    return work.lines(items, _job, _model)
