"""One Redis as the store speaks to it: a bounded number of connections, 50 ms a call, no retries, a breaker."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from gazecrop.errors import StoreAway
from gazecrop.store.breaker import Breaker
from gazecrop.store.deadline import within

T = TypeVar("T")

SECONDS = 0.05  # for one call, connecting included; `?socket_timeout=0.2` in the URL changes it
# At 0.1 ms of this process's time a call, 16 at once keep Redis as busy as one event loop can. With 64 a
# burst on new connections took longer than 50 ms by its own weight. `?max_connections=` in the URL changes
# it.
CONNECTIONS = 16
# For what is asked once, at the start or by an operator: a name that is looked up for the first time in a
# cluster may take longer than 50 ms, and without the id key there is no start.
PATIENT_SECONDS = 2.0
# How long a call may wait for one of them. When Redis hangs the breaker ends the wait much sooner.
WAIT_FOR_CONNECTION = 1.0


class Link:
    """`client`: the commands, as `ask` is to run them."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Connects at the first call. Raises StoreAway when the URL is none."""
        try:
            options: dict[str, Any] = dict(parse_url(url))
        except ValueError as error:
            raise StoreAway(log=f"REDIS_URL is not usable: {error}") from error
        parts = urlsplit(url)  # what a log may show of it: no password
        self._where = f"Redis at {parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        self._seconds = options.pop("socket_timeout", SECONDS)
        connections = options.pop("max_connections", CONNECTIONS)
        ours: dict[str, Any] = {
            "max_connections": connections,
            # `within` keeps the time instead: it is fairer, and the client's own way costs 30 us a call.
            "socket_timeout": None,
            "socket_connect_timeout": None,
            # The client's default is ten: a Redis that is down costs 3 s a call, not 0.4 ms; a hung one 4 s.
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 30,
            "decode_responses": False,
            # RESP2 without CLIENT SETINFO: a new connection costs no round trip for a handshake.
            "protocol": 2,
            "driver_info": None,
        }
        self.client = Redis(connection_pool=ConnectionPool(**options | ours))
        self._slots = asyncio.Semaphore(connections)
        self._breaker = Breaker(clock=clock)

    async def ask(self, call: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Runs one call on a free connection, behind the breaker. Raises StoreAway."""
        try:
            if self._slots.locked():
                async with asyncio.timeout(WAIT_FOR_CONNECTION):
                    await self._slots.acquire()
            else:
                await self._slots.acquire()
        except TimeoutError:
            raise self.away("all connections are busy") from None
        try:
            if not self._breaker.allows():
                raise self.away("is left alone for a moment after failures")
            try:
                answer = await within(seconds or self._seconds, call)
            except ResponseError as error:  # it answers, if only to refuse: out of memory, read-only replica
                self._breaker.succeeded()
                raise self.away(f"refused: {error}") from error
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                # RuntimeError: uvloop's word for writing to a transport that has just been closed.
                self._breaker.failed()
                raise self.away(f"cannot be reached: {str(error) or 'no answer in time'}") from error
            except BaseException:
                self._breaker.undecided()
                raise
            self._breaker.succeeded()
            return answer
        finally:
            self._slots.release()

    def away(self, why: str) -> StoreAway:
        return StoreAway("The store cannot be reached just now.", retry_after=2, log=f"{self._where} {why}")

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await within(1.0, self.client.connection_pool.disconnect)
