"""Connections that lead to the primary. After a fail-over an open connection still leads to the old server, which is
then a replica: it answers reads with old data and refuses writes. So each connection's role is checked every second.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError, ResponseError

ROLE_SECONDS = 1.0  # between two checks of a connection in use: 0.1 ms each
# The client's default is ten retries: a Redis that is down costs 3 s a call, not 0.4 ms; a hung one 4 s.
NO_RETRY = Retry(NoBackoff(), 0)


class WrongKind(ResponseError):
    """The server is not one that holds data for us: a Sentinel, or a node of a cluster."""


class PrimaryPool(ConnectionPool):
    """Hands out connections whose role was checked within the last second. `reconnected_at`: when one of them was last
    opened anew, by `clock`.

    A connection to a replica is opened anew, which leads to the primary when a proxy, a name or the Sentinels have
    followed the fail-over. Until then reads are answered by the replica.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, **options: Any) -> None:
        super().__init__(**options)
        self.reconnected_at = float("-inf")
        self._clock = clock
        self._connected_before: WeakSet[AbstractConnection] = WeakSet()
        self._next_checks: WeakKeyDictionary[AbstractConnection, float] = WeakKeyDictionary()

    def make_connection(self) -> AbstractConnection:
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        connection.register_connect_callback(self._connected)  # type: ignore[no-untyped-call]
        return connection

    def make_tracking_connection(self) -> AbstractConnection:
        """One with RESP3, in which a server sends what was not asked for. It is not one of the pool's."""
        connection: AbstractConnection = self.connection_class(**self.connection_kwargs | {"protocol": 3})
        return connection

    async def _connected(self, connection: AbstractConnection) -> None:
        if connection in self._connected_before:
            self.reconnected_at = self._clock()
        self._connected_before.add(connection)

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        await super().ensure_connection(connection)
        now = asyncio.get_running_loop().time()
        if now < self._next_checks.get(connection, 0.0):
            return
        self._next_checks[connection] = now + ROLE_SECONDS
        try:
            if await ask_role(connection) in ("master", "unknown"):
                return
        except (ConnectionError, OSError):
            pass  # the server has closed the connection
        await connection.disconnect()
        await super().ensure_connection(connection)


async def ask_role(connection: AbstractConnection) -> str:
    """The role of the server, as `role_of`; "unknown" also for one that does not say. Raises WrongKind.

    By HELLO, which users with few permissions may call, other than ROLE and INFO, and which a loading server answers.
    """
    await connection.send_command("HELLO", check_health=False)
    try:
        answer = await connection.read_response()
    except ResponseError:  # before Redis 6, or a proxy
        return "unknown"
    return role_of(answer)


def role_of(answer: Any) -> str:
    """ "master", "replica" or "unknown", from the answer to HELLO in RESP2 or RESP3. Raises WrongKind."""
    if not isinstance(answer, Mapping):
        answer = dict(zip(answer[::2], answer[1::2], strict=True))
    mode = answer.get(b"mode", b"standalone")
    if mode == b"cluster":
        raise WrongKind("it is a node of a Redis Cluster, which is not supported")
    if mode == b"sentinel":
        raise WrongKind("it is a Sentinel: REDIS_URL must be redis+sentinel://HOST:PORT/NAME-OF-THE-PRIMARY")
    role: bytes = answer.get(b"role", b"unknown")
    return role.decode()


class Sentinels:
    """Finds the primary. Asks all Sentinels at once, so that one that hangs does not delay the answer."""

    def __init__(
        self, addresses: Sequence[tuple[str, int]], service: str, options: Mapping[str, Any]
    ) -> None:
        self._service = service
        self._clients = [
            Redis(host=host, port=port, protocol=2, retry=NO_RETRY, **options) for host, port in addresses
        ]

    async def primary(self) -> tuple[str, int]:
        """(host, port). Raises redis-py's ConnectionError when no Sentinel names one."""
        questions = [asyncio.ensure_future(self._locate(client)) for client in self._clients]
        try:
            for answer in asyncio.as_completed(questions):
                with contextlib.suppress(RedisError, OSError):
                    if found := await answer:
                        return found[0].decode(), int(found[1])
        finally:
            for question in questions:
                question.cancel()
            await asyncio.gather(*questions, return_exceptions=True)
        raise ConnectionError(f"no Sentinel names a primary {self._service!r}")

    async def _locate(self, client: Redis) -> list[bytes] | None:
        command = "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service
        found: list[bytes] | None = await client.execute_command(*command)  # type: ignore[no-untyped-call]
        return found

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients), return_exceptions=True)


class SentinelConnection(Connection):
    """Asks the Sentinels for its address whenever it connects."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self._sentinels = sentinels

    async def _connect(self) -> None:
        self.host, self.port = await self._sentinels.primary()
        await super()._connect()  # type: ignore[no-untyped-call]


class SentinelTlsConnection(SentinelConnection, SSLConnection):
    pass
