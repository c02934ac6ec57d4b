"""The connection to Redis: a bounded number of sockets, 50 ms a call, no retries, a circuit breaker."""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, RedisError, ResponseError

from gazecrop.errors import StoreAway
from gazecrop.store.breaker import Breaker
from gazecrop.store.deadline import within
from gazecrop.store.redis_pool import (
    NO_RETRY,
    PrimaryPool,
    SentinelConnection,
    Sentinels,
    SentinelTlsConnection,
)
from gazecrop.store.redis_url import parse

T = TypeVar("T")

SECONDS = 0.05  # for one call, connecting included; `?socket_timeout=0.2` in the URL changes it
# A call takes 0.1 ms of this process's time, so 16 at once use one event loop fully. With 64 a burst on new connections
# took longer than 50 ms by itself. `?max_connections=` in the URL changes it.
CONNECTIONS = 16
# For calls made once, at the start or by an operator: a first DNS lookup in a cluster may take longer than 50 ms, and
# the server does not start without the id key.
PATIENT_SECONDS = 2.0
# Between two questions to a Redis that fails. With two that a busy machine made late, a recovery is seen within 3 s;
# with a pause of 1 s it took 3.2 there.
PAUSE_SECONDS = 0.5
# For that question, which one request in half a second waits for: it opens a connection, with Sentinels after asking
# them.
# On a busy machine that took more than 50 ms again and again, and a fail-over was seen after 9 s.
PROBE_SECONDS = 0.3
# How long a call may wait for a free connection. When Redis hangs, the breaker ends the wait much sooner.
WAIT_FOR_CONNECTION = 1.0


# redis-py puts the failed command of a pipeline in front of the answer, and Redis quotes the arguments of a command
# that it does not know: both hold the bytes of a map.
_PIPELINE = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: \W*", re.DOTALL)
_ARGUMENTS = re.compile(r", with args beginning with.*$", re.DOTALL)
_REASON_CHARACTERS = 200


def reason_of(error: BaseException) -> str:
    """An error's text for the log, without the data of the command that failed."""
    text = str(error)
    if _PIPELINE.match(text):
        text = _PIPELINE.sub("", text).rstrip("\"',)")
    if (
        "unauthenticated" in text
    ):  # Redis' answer to a command of more than ten arguments, which MGET of a map has
        return "Authentication required."
    text = "".join(c if c.isprintable() else "?" for c in _ARGUMENTS.sub("", text))
    return text[:_REASON_CHARACTERS]


class Link:
    """`client`: the Redis commands. Pass them to `run`."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Connects at the first call. Raises StoreAway when the URL is not usable."""
        try:
            target = parse(url)
        except ValueError as error:
            raise StoreAway(log=f"REDIS_URL is not usable: {error}") from error
        options, self._where = target.options, f"Redis at {target.where}"
        self._seconds = options.pop("socket_timeout", SECONDS)
        connections = options.pop("max_connections", CONNECTIONS)
        fixed: dict[str, Any] = {
            "max_connections": connections,
            # `within` does it: it excludes our own delays, and the client's timeout costs 30 us a call.
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "retry": NO_RETRY,
            "health_check_interval": 0,  # the pool checks the role instead
            "decode_responses": False,
            # RESP2 without CLIENT SETINFO: a new connection costs no round trip for a handshake.
            "protocol": 2,
            "driver_info": None,
        }
        self._sentinels = None
        if target.sentinels:
            self._sentinels = Sentinels(target.sentinels, target.service, target.sentinel_options)
            with_tls = "connection_class" in options
            fixed["connection_class"] = SentinelTlsConnection if with_tls else SentinelConnection
            fixed["sentinels"] = self._sentinels
        self.pool = PrimaryPool(clock=clock, **options | fixed)
        self.client = Redis(connection_pool=self.pool)
        self._slots = asyncio.Semaphore(connections)
        self._breaker = Breaker(pause=PAUSE_SECONDS, clock=clock)

    async def run(self, call: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Runs one call on a free connection, behind the breaker. Raises StoreAway."""
        try:
            if self._slots.locked():
                async with asyncio.timeout(WAIT_FOR_CONNECTION):
                    await self._slots.acquire()
            else:
                await self._slots.acquire()
        except TimeoutError:
            raise self.away("has no free connection") from None
        try:
            if not self._breaker.allows():
                raise self.away(f"is not called for {PAUSE_SECONDS:g} s after five failures")
            try:
                patience = max(self._seconds, PROBE_SECONDS) if self._breaker.is_open else self._seconds
                answer = await within(seconds or patience, lambda: self._on_the_primary(call))
            except ResponseError as error:  # Redis answered with an error: out of memory, for example
                self._breaker.succeeded()
                raise self.away(f"refused: {reason_of(error)}") from error
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                # RuntimeError: uvloop raises it when a write meets a transport that has just been closed.
                self._breaker.failed()
                raise self.away(f"cannot be reached: {reason_of(error) or 'no answer in time'}") from error
            except BaseException:
                self._breaker.undecided()
                raise
            self._breaker.succeeded()
            return answer
        finally:
            self._slots.release()

    async def _on_the_primary(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call. When the server refuses it as a replica, or while it loads its data, the idle connections
        are closed: a new one may lead to the primary. A replica has changed nothing, so a second call is safe."""
        try:
            return await call()
        except (ReadOnlyError, MasterDownError):
            await self.pool.disconnect(inuse_connections=False)
            return await call()
        except BusyLoadingError:
            await self.pool.disconnect(inuse_connections=False)
            raise

    def away(self, why: str) -> StoreAway:
        return StoreAway("The store cannot be reached just now.", retry_after=2, log=f"{self._where} {why}")

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await within(1.0, self.pool.disconnect)
        if self._sentinels is not None:
            await self._sentinels.close()
