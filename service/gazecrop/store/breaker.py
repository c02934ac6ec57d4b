"""A breaker: after five failures in a row a service is left alone for two seconds, then one call tries it."""

import time
from collections.abc import Callable


class Breaker:
    """A hung Redis costs each call its time-out, 50 ms; behind this it costs one call that every two seconds.

    Ask `allows` before a call and report its end by exactly one of the other three.
    """

    def __init__(
        self, *, failures: int = 5, pause: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._pause, self._clock = failures, pause, clock
        self._failures = 0
        self._closed_again = 0.0
        self._probing = False

    def allows(self) -> bool:
        """Whether to call now. Once the pause is over only one caller hears yes until it reports."""
        if self._failures < self._limit:
            return True
        if self._probing or self._clock() < self._closed_again:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        self._closed_again = self._clock() + self._pause

    def undecided(self) -> None:
        """The call was given up before it ended; the next caller may probe."""
        self._probing = False
