"""The inbox: people's reports about crops, kept in the store, with the pictures that they chose to attach."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from gazecrop.errors import TooManyReports
from gazecrop.store.base import Report, Store

ADDRESSES = 10_000  # remembered for the rate limit; the longest silent one goes first


class Inbox:
    """In the store, so that all replicas share it, and a picture's deletion finds the copies of it in reports."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, report: dict[str, Any], picture: bytes | None) -> str:
        """Stores a report, durably. Returns its id. `report["id"]` is the picture's. Raises StoreFull, StoreAway."""
        number = secrets.token_hex(8)
        document = {"report": number, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} | report
        if picture is not None:
            document["picture"] = f"{report['id']}-{number}"
        await self._store.add_report(Report(document, picture))
        return number


class Turnstile:
    """At most `per_hour` reports from one address, refilled evenly (a token bucket). Used from the loop only."""

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_hour, self._clock = per_hour, clock
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> tokens, when

    def enter(self, address: str) -> None:
        """Raises TooManyReports."""
        now = self._clock()
        tokens, when = self._seen.pop(address, (float(self._per_hour), now))
        tokens = min(self._per_hour, tokens + (now - when) * self._per_hour / 3600)
        allowed = tokens >= 1
        self._seen[address] = (tokens - allowed, now)
        if len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        if not allowed:
            wait = max(1, round((1 - tokens) * 3600 / self._per_hour))
            raise TooManyReports(
                f"At most {self._per_hour} reports an hour from one address.",
                headers={"Retry-After": str(wait)},
                limit=self._per_hour,
            )
