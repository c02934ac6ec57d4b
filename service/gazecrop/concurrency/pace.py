"""How fast this process works, measured: an exponential average of seconds for each unit of cost."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

_KEPT = 0.95  # of the average after each piece of work: about the last 20 count
# Seconds for which an admitted upload counts as work ahead: while it is being read, and then until it is at the gate.
_READING, _IDENTIFYING = 1.0, 10.0


class Pace:
    """Cost is in seconds of an ordinary core, estimated; the pace is how many seconds one of them takes here, with all
    threads busy. It begins at `start`."""

    def __init__(self, start: float = 1.5, mean: float = 0.03) -> None:
        self._seconds, self._cost = start * mean, mean
        self.mean = mean  # of the cost, also an exponential average
        self._announced: deque[_Announced] = deque()

    def ended(self, cost: float, seconds: float) -> None:
        """One piece of work of this cost took this long in its thread."""
        self._seconds = self._seconds * _KEPT + seconds
        self._cost = self._cost * _KEPT + cost
        self.mean = self.mean * _KEPT + cost * (1 - _KEPT)

    @property
    def pace(self) -> float:
        return self._seconds / self._cost

    def announce(self) -> "_Announced":
        """Counts one more piece of work that will arrive: an upload that was admitted and whose body is being read.
        Without that, all uploads that begin within one body's time would be admitted to the same free place. It stops
        counting after a second, so that slow senders cannot refuse everyone else."""
        one = _Announced(monotonic() + _READING)
        self._announced.append(one)
        return one

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Counts one more piece of work until it is at the gate (`arrived`) or this ends: an upload that was read,
        while it is looked up and identified. Else others would be admitted in that time, read, and then refused."""
        one = _Announced(monotonic() + _IDENTIFYING)
        self._announced.append(one)
        before = _coming.set((self, one))
        try:
            yield
        finally:
            one.arrive()
            _coming.reset(before)

    def arrived(self) -> None:
        """What the current request counts as coming here is at the gate."""
        if (coming := _coming.get()) is not None and coming[0] is self:
            coming[1].arrive()

    def announced(self) -> int:
        """How many pieces of work will arrive, each of about the cost `mean`."""
        now = monotonic()
        while self._announced and self._announced[0].until < now:
            self._announced.popleft()
        return sum(one.until >= now for one in self._announced)


class _Announced:
    """`until`: when it stops counting."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until

    def arrive(self) -> None:
        self.until = -inf


# A context variable, because tasks inherit it from the request that starts them.
_coming: ContextVar[tuple[Pace, _Announced] | None] = ContextVar("coming", default=None)
