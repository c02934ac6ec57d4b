"""How fast this process works, measured: an exponential average of seconds for each unit of cost."""

from collections import deque
from contextvars import ContextVar
from time import monotonic

_KEPT = 0.95  # of the average after each piece of work: about the last 20 count
# Seconds for which an admitted upload counts as work ahead: while it is being read, and then until it is at the gate.
_READING, _PROBING = 1.0, 10.0


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
        """Counts one more piece of work that will arrive: an upload that was admitted, while its body is read and the
        file is identified. Without that, all uploads that begin within this time would be admitted to the same free
        place, read, and then refused. It stops counting after a second of reading, so that slow senders cannot refuse
        everyone else. It belongs to the current request: see `arrived`."""
        one = _Announced(self, monotonic() + _READING)
        self._announced.append(one)
        _current.set(one)
        return one

    def announced(self) -> int:
        """How many pieces of work will arrive, each of about the cost `mean`."""
        now = monotonic()
        while self._announced and self._announced[0].until < now:
            self._announced.popleft()
        return sum(one.until >= now for one in self._announced)


class _Announced:
    """`until`: when it stops counting."""

    __slots__ = ("pace", "until")

    def __init__(self, pace: Pace, until: float) -> None:
        self.pace, self.until = pace, until

    def read(self) -> None:
        """Its body is there."""
        self.until = monotonic() + _PROBING

    def arrive(self) -> None:
        """It is at the gate, or will not come."""
        self.until = 0.0


# A context variable, because tasks inherit it from the request that starts them.
_current: ContextVar[_Announced | None] = ContextVar("announced", default=None)


def arrived(at: Pace | None = None) -> None:
    """What the current request has announced is at the gate with this pace, or (None) will not come."""
    if (one := _current.get()) is not None and at in (None, one.pace):
        one.arrive()
