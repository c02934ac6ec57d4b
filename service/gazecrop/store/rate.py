"""The rate limit of reports for each client address, in Redis if there is one, so that replicas share it."""

import time
from math import ceil
from typing import Any

from limits import RateLimitItemPerHour
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import RateLimiter, SlidingWindowCounterRateLimiter

from gazecrop.concurrency.addresses import subscriber
from gazecrop.errors import StoreAway, TooManyReports
from gazecrop.store.redis_link import Link

ADDRESSES = 10_000  # in memory; above, all are forgotten: a hit would take over 2 ms of the event loop


class ReportRate:
    """At most `per_hour` reports from one address, by a sliding window. An IPv6 address counts as its /64 network, the
    smallest that a subscriber has. When Redis does not answer in 50 ms, the process's own memory counts."""

    def __init__(self, per_hour: int, redis_url: str | None = None) -> None:
        """Connects to Redis at the first report. Raises StoreAway when the URL is not usable."""
        self._limit = RateLimitItemPerHour(per_hour, namespace="gazecrop-reports")
        self._memory = MemoryStorage()
        self._local = SlidingWindowCounterRateLimiter(self._memory)
        self._link = Link(redis_url) if redis_url else None
        self._shared: RateLimiter | None = None

    async def hit(self, address: str) -> None:
        """Counts a report. Raises TooManyReports with Retry-After."""
        wait = await self._wait(subscriber(address))
        if wait is None:
            return
        raise TooManyReports(
            f"At most {self._limit.amount} reports an hour from one address.",
            headers={"Retry-After": str(max(1, ceil(wait)))},
            limit=self._limit.amount,
        )

    async def close(self) -> None:
        if self._link is not None:
            await self._link.close()

    async def _wait(self, key: str) -> float | None:
        """Seconds until the next report is allowed; None: this one is."""
        if self._link is not None:
            if self._shared is None:
                options: dict[str, Any] = {"connection_pool": self._link.pool}
                storage = RedisStorage("async+redis://", implementation="redispy", **options)
                self._shared = SlidingWindowCounterRateLimiter(storage)
            shared = self._shared
            try:
                return await self._link.run(lambda: self._hit(shared, key))
            except StoreAway:
                pass
        if len(self._memory.expirations) > ADDRESSES:
            await self._memory.reset()
        return await self._hit(self._local, key)

    async def _hit(self, limiter: RateLimiter, key: str) -> float | None:
        if await limiter.hit(self._limit, key):
            return None
        return (await limiter.get_window_stats(self._limit, key)).reset_time - time.time()
