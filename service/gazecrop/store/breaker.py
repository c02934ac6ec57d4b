"""A circuit breaker: after five failures in a row none is made for a pause, then one call probes the service."""

import time
from collections.abc import Callable


class Breaker:
    """Without it a hung Redis costs every call the timeout, 50 ms; with it one call every pause.

    Call `allows` before each call, and exactly one of the other three methods after it.
    """

    def __init__(
        self, *, failures: int = 5, pause: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._pause, self._clock = failures, pause, clock
        self._failures = 0
        self._next_probe = 0.0
        self._probing = False

    def allows(self) -> bool:
        """Whether to make the call. After the pause it is True for one caller until that one reports."""
        if self._failures < self._limit:
            return True
        if self._probing or self._clock() < self._next_probe:
            return False
        self._probing = True
        return True

    @property
    def is_open(self) -> bool:
        """Whether a call that is made now only probes the service."""
        return self._failures >= self._limit

    def succeeded(self) -> None:
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        self._next_probe = self._clock() + self._pause

    def undecided(self) -> None:
        """The call was cancelled before it ended; the next caller may probe."""
        self._probing = False
