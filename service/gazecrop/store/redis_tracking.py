"""Redis reports every change of a map or a focus on a connection of its own: client-side caching (CLIENT TRACKING in
broadcasting mode, Redis 6 and later, RESP3).

Without it each entry in memory is read again every second: 0.1 ms. It is opened when the memory first asks for a
confirmation. A confirmation is the answer to HELLO on that connection: what Redis reported before has then arrived, and
the server is still the primary. Where it cannot be had (an older Redis, a proxy, a user without the permission), or
while it is lost, nothing is confirmed.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, RedisError

from gazecrop.store.redis_pool import ask_role, role_of
from gazecrop.store.watch import Watch

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0  # a connection that does not answer for so long is opened anew
# Between two attempts; each failure doubles it, as a server that cannot do it will not soon.
PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Tracking:
    def __init__(
        self, open_connection: Callable[[], AbstractConnection], prefixes: Sequence[str], watch: Watch
    ) -> None:
        """`open_connection` makes one with protocol 3, not connected. An id is what follows a prefix in a key."""
        self._open, self._watch = open_connection, watch
        self._prefixes = [prefix.encode() for prefix in prefixes]
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._asked_at = 0.0
        self._pause, self._next_attempt = PAUSE, 0.0
        self._answer: asyncio.Future[Any] | None = None

    def ask(self, now: float) -> None:
        """Requests a confirmation; `watch.confirmed` is then set to `now`."""
        self._asked_at = now
        self._wanted.set()
        if self._task is None and time.monotonic() >= self._next_attempt:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        """From one connecting to the loss of the connection."""
        connection = self._open()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._turn_on(connection)
            self._watch.epoch += 1  # what was changed until now has not been reported
            async with asyncio.TaskGroup() as both:
                both.create_task(self._listen(connection))
                both.create_task(self._confirm(connection))
        except* (
            RedisError,
            OSError,
            TimeoutError,
            RuntimeError,
        ):  # RuntimeError: of uvloop, a closed transport
            pass
        finally:
            self._watch.confirmed = -math.inf
            self._next_attempt = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._task = None
            with contextlib.suppress(RedisError, OSError, RuntimeError):
                await connection.disconnect(nowait=True)

    async def _turn_on(self, connection: AbstractConnection) -> None:
        await connection.connect()  # type: ignore[no-untyped-call]
        if await ask_role(connection) != "master":
            raise ConnectionError("it is not the primary")
        parser: Any = connection._parser
        parser.set_invalidation_push_handler(self._reported)
        prefixes = [word for prefix in self._prefixes for word in (b"PREFIX", prefix)]
        await connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", *prefixes, check_health=False)
        await connection.read_response()

    async def _listen(self, connection: AbstractConnection) -> None:
        """Reads answers, and reports between them, which redis-py passes to `_reported`."""
        while True:
            answer = await connection.read_response(timeout=math.inf)
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(answer)

    async def _confirm(self, connection: AbstractConnection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            asked_at = self._asked_at
            self._answer = asyncio.get_running_loop().create_future()
            await connection.send_command("HELLO", check_health=False)
            async with asyncio.timeout(ANSWER_SECONDS):
                role = role_of(await self._answer)
            if role != "master":
                raise ConnectionError("it is no longer the primary")
            self._watch.confirmed = asked_at
            self._pause = PAUSE

    async def _reported(self, message: Sequence[Any]) -> None:
        keys = message[1]
        if keys is None:  # FLUSHALL, FLUSHDB
            self._watch.epoch += 1
            return
        for key in keys:
            for prefix in self._prefixes:
                if key.startswith(prefix):
                    id, _, _profile = key[len(prefix) :].decode(errors="replace").partition("/")
                    self._watch.changed(id)
