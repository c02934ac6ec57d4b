"""Arrivals on a schedule, as of independent visitors: a slow server does not slow them down.

A user that sends, waits for the answer and sends again is a closed loop: while the server is slow it sends less, and
the requests that would have waited longest are never sent. Here each arrival has a time, drawn beforehand, and is sent
then in a greenlet of its own, whatever became of those before.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
from gevent.pool import Pool

LATE_SECONDS = (
    0.1  # a request that starts this much after its time counts as late: the generator is at its limit
)


@dataclass
class Tally:
    """The arrivals of all users of this process until `ended`, a monotonic time. `full`: those not sent because too
    many requests were under way; the others that were not sent were due while this process was busy."""

    offered: int = 0
    sent: int = 0
    full: int = 0
    late: int = 0
    ended: float = math.inf

    @property
    def unsent(self) -> int:
        return self.offered - self.sent

    def sentence(self) -> str:
        text = f"Arrivals: {self.offered} offered, {self.sent} sent"
        if self.unsent:
            text += (
                f"; {self.unsent} were NOT sent, {self.full} of them since too many requests were under way"
            )
        if self.late:
            text += f"; {self.late} started more than {LATE_SECONDS:g} s late, since this process was busy"
        return f"{text}."


def times(rate: float, start: float) -> Iterator[float]:
    """Instants of a Poisson process with `rate` arrivals per second."""
    while True:
        start += random.expovariate(rate)
        yield start


class Arrivals:
    """One user's arrivals. `in_flight`: the most requests of this user at once."""

    def __init__(self, rate: float, in_flight: int, tally: Tally) -> None:
        self._times = times(rate, time.monotonic())
        self._due = next(self._times)
        self._tally = tally
        self._pool = Pool(in_flight)

    def send_next(self, request: Callable[[], object]) -> None:
        """Waits for the next arrival's time and starts `request`; returns without waiting for its end."""
        gevent.sleep(max(0.0, self._due - time.monotonic()))
        self._tally.offered += 1
        if self._pool.free_count() > 0:
            self._tally.sent += 1
            self._tally.late += time.monotonic() - self._due > LATE_SECONDS
            self._pool.spawn(request)
        else:
            self._tally.full += 1
        self._due = next(self._times)

    def end(self, seconds: float) -> None:
        """Counts the arrivals that were due and not begun, and waits for the requests under way."""
        end = min(self._tally.ended, time.monotonic())
        while self._due < end:
            self._tally.offered += 1
            self._due = next(self._times)
        self._pool.join(timeout=seconds)
