"""The calls of the store from memory: whether it answers, with a warning in the log when it does not."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gazecrop.errors import GazecropError, StoreAway

R = TypeVar("R")

log = logging.getLogger(__name__)

WARNING_PAUSE = 10.0  # between two log lines about a store that does not answer


class Calls:
    """`up`: whether the store answered the last call. `answered` is called after each one that it did."""

    def __init__(self, clock: Callable[[], float], answered: Callable[[], None]) -> None:
        self.up = True
        self._clock, self._on_answer = clock, answered
        self._next_warning = float("-inf")

    async def run(self, call: Awaitable[R]) -> R:
        try:
            answer = await call
        except GazecropError as error:
            self._failed(error)
            raise
        self._answered()
        return answer

    def at_once(self, call: Callable[[], R]) -> R:
        """The same of a call that does not wait."""
        try:
            answer = call()
        except GazecropError as error:
            self._failed(error)
            raise
        self._answered()
        return answer

    def _failed(self, error: GazecropError) -> None:
        """Other errors than StoreAway are answers: an id that is unknown, for example."""
        if not isinstance(error, StoreAway):
            return self._answered()
        self.up = False
        if self._clock() >= self._next_warning:
            self._next_warning = self._clock() + WARNING_PAUSE
            log.warning("The store does not answer: %s", error)

    def _answered(self) -> None:
        self.up = True
        self._on_answer()
