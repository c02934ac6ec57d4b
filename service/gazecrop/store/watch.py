"""Whether what a process has read from a store is still what the store holds, without reading it again.

A store that can say what others have changed confirms, at most twice a second and only while it is asked, that it has
reported every change up to a time. Between two of its epochs changes may have been missed. A store that cannot say
confirms nothing, and each entry is read again after a second.
"""

from collections.abc import Callable

FRESH_SECONDS = 1.0  # how long a change made elsewhere may remain unseen
ASK_SECONDS = 0.5  # a confirmation older than this is asked for anew: before it is too old
NEVER = -1  # the epoch of an entry that no confirmation covers


class Watch:
    """Used from the event loop only.

    `epoch`: increases when changes may have been missed. `confirmed`: every change made elsewhere before this time has
    either been passed to `changed`, with the picture's id, or begun a new epoch.
    """

    def __init__(self, ask: Callable[[float], object] = lambda now: None) -> None:
        """`ask(now)` requests a confirmation without waiting for it; the store then sets `confirmed` to that `now`."""
        self.epoch = 0
        self.confirmed = float("-inf")
        self.changed: Callable[[str], None] = lambda id: None
        self._ask = ask

    def covers(self, epoch: int, now: float) -> bool:
        """Whether an entry whose reading began in this epoch, and that was not reported since, is as fresh as one that
        was read within the last second."""
        if not now - self.confirmed <= ASK_SECONDS:
            self._ask(now)
        return epoch == self.epoch and now - self.confirmed <= FRESH_SECONDS
