"""The store shared by replicas: one Redis at `redis://`, `rediss://` or `unix://`, no Cluster, no Sentinel.

    gazecrop:map:ID      a packed Record; expires, so `volatile-lru` may evict it
    gazecrop:focus:ID    a packed Focus; never expires, so `volatile-*` never evicts it
    gazecrop:focuses     the set of ids that have a focus: SCARD is their number
    gazecrop:id_key      32 random bytes; never expires

A focus has a key of its own, so that map and focus come with one MGET: 81 us a call, where a pipeline of GET
and HGET takes 122. Their number is the size of a set and no counter, because adding or removing an id twice
changes nothing: it cannot drift. What belongs together changes in one script, so no reader sees half of it.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from service.errors import StoreAway
from service.store.base import Condition, Entry, Focus, Outcome, Record, settle
from service.store.breaker import Breaker
from service.store.deadline import within

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

# KEYS: map, focus, focuses. ARGV: id, the new focus or "" to delete it, the limit, then the condition: "absent"
# or "", how many revisions match ("": nothing is said, "0": any does), these, and those that must not be the
# present one, 8 bytes each. The order is 404, 412 (RFC 9110, 13.2.1), 507. A focus that is no string of 24 bytes
# is not ours: as if absent.
CHANGE_FOCUS = """
local present = redis.pcall('GET', KEYS[2])
if type(present) ~= 'string' or #present ~= 24 then present = false end
if ARGV[2] ~= '' and not present and redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
if ARGV[4] == 'absent' and present then return 'precondition' end
local matching = tonumber(ARGV[5])
local matches = matching == nil or (present and matching == 0)
for i = 6, #ARGV do
  if present and string.sub(present, 17) == ARGV[i] then
    if i > 5 + (matching or 0) then return 'precondition' end
    matches = true
  end
end
if not matches then return 'precondition' end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('SREM', KEYS[3], ARGV[1])
  return present and 'deleted' or 'absent'
end
if not present and redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 0
    and redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
return present and 'replaced' or 'created'
"""

# A script and no MULTI: a Redis that is out of memory refuses everything inside MULTI, deletions too.
FORGET = """
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SREM', KEYS[3], ARGV[1])
return 'deleted'
"""


def _map(id: str) -> str:
    return f"gazecrop:map:{id}"


def _focus(id: str) -> str:
    return f"gazecrop:focus:{id}"


FOCUSES = "gazecrop:focuses"
ID_KEY = "gazecrop:id_key"


def _unpack(kind: Callable[[bytes], T], value: object) -> T | None:
    """None also for what is not ours: a value that does not unpack is a miss, never an exception."""
    if not isinstance(value, bytes):
        return None
    try:
        return kind(value)
    except ValueError:
        return None


class RedisStore:
    name = "redis"

    def __init__(
        self, url: str, *, map_days: float, max_focus: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
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
        self._client = Redis(connection_pool=ConnectionPool(**options | ours))
        self._slots = asyncio.Semaphore(connections)
        self._breaker = Breaker(clock=clock)
        self._map_seconds = max(1, round(map_days * 86400))
        self._max_focus = max_focus

    async def _ask(self, call: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Runs one call on a free connection, behind the breaker. Raises StoreAway."""
        try:
            if self._slots.locked():
                async with asyncio.timeout(WAIT_FOR_CONNECTION):
                    await self._slots.acquire()
            else:
                await self._slots.acquire()
        except TimeoutError:
            raise self._away("all connections are busy") from None
        try:
            if not self._breaker.allows():
                raise self._away("is left alone for a moment after failures")
            try:
                answer = await within(seconds or self._seconds, call)
            except ResponseError as error:  # it answers, if only to refuse: out of memory, read-only replica
                self._breaker.succeeded()
                raise self._away(f"refused: {error}") from error
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                # RuntimeError: uvloop's word for writing to a transport that has just been closed.
                self._breaker.failed()
                raise self._away(f"cannot be reached: {str(error) or 'no answer in time'}") from error
            except BaseException:
                self._breaker.undecided()
                raise
            self._breaker.succeeded()
            return answer
        finally:
            self._slots.release()

    def _away(self, why: str) -> StoreAway:
        return StoreAway("The store cannot be reached just now.", retry_after=2, log=f"{self._where} {why}")

    async def get(self, id: str) -> Entry | None:
        values = await self._ask(lambda: self._client.mget(_map(id), _focus(id)))
        record = _unpack(Record.unpack, values[0])
        return None if record is None else Entry(record, _unpack(Focus.unpack, values[1]))

    async def put(self, id: str, record: Record) -> Entry:
        pipe = self._client.pipeline(transaction=False)
        pipe.set(_map(id), record.pack(), ex=self._map_seconds)
        pipe.mget(_focus(id))  # MGET, as GET fails on a value of another type
        _, values = await self._ask(pipe.execute)
        return Entry(record, _unpack(Focus.unpack, values[0]))

    async def delete(self, id: str) -> None:
        await self._ask(lambda: self._eval(FORGET, id))

    async def get_focus(self, id: str) -> Focus | None:
        values = await self._ask(lambda: self._client.mget(_focus(id)))
        return _unpack(Focus.unpack, values[0])

    async def set_focus(self, id: str, x: float, y: float, condition: Condition) -> tuple[Focus, bool]:
        focus = Focus.new(x, y)
        return focus, await self._change_focus(id, focus.pack(), condition)

    async def delete_focus(self, id: str, condition: Condition) -> bool:
        return await self._change_focus(id, b"", condition)

    async def _change_focus(self, id: str, value: bytes, condition: Condition) -> bool:
        said: list[str | bytes] = [
            "absent" if condition.absent else "",
            "" if condition.match is None else str(len(condition.match)),
            *(revision.to_bytes(8, "big") for revision in (*(condition.match or ()), *condition.other)),
        ]
        outcome = await self._ask(lambda: self._eval(CHANGE_FOCUS, id, value, self._max_focus, *said))
        return settle(cast(Outcome, outcome.decode()), self._max_focus)

    def _eval(self, script: str, id: str, *arguments: bytes | str | int) -> Awaitable[bytes]:
        # The text each time, not its hash: changes are rare, and a Redis that restarted has forgotten hashes.
        keys = (_map(id), _focus(id), FOCUSES)
        return cast(Awaitable[bytes], self._client.eval(script, 3, *keys, id, *arguments))

    async def id_key(self) -> bytes:
        pipe = self._client.pipeline(transaction=False)
        pipe.set(ID_KEY, secrets.token_bytes(32), nx=True)
        pipe.get(ID_KEY)
        _, key = await self._ask(pipe.execute, PATIENT_SECONDS)
        if not isinstance(key, bytes) or len(key) != 32:
            raise self._away(f"holds something else than 32 bytes under {ID_KEY}")
        return key

    async def ping(self) -> None:
        await self._ask(self._client.ping)

    async def check(self) -> list[str]:
        info = await self._ask(lambda: self._client.info("everything"), PATIENT_SECONDS)
        problems = []
        if info.get("role") == "slave":
            problems.append("It is a replica and takes no writes: point REDIS_URL at the primary.")
        policy = info.get("maxmemory_policy", "noeviction")
        if not (policy == "noeviction" or policy.startswith("volatile-")):
            problems.append(
                f"maxmemory-policy is {policy}: it may evict people's focal points and the id key, "
                "which never expire. Set volatile-lru."
            )
        elif policy == "noeviction" and info.get("maxmemory", 0):
            problems.append(
                "maxmemory-policy is noeviction: once maxmemory is reached new maps and focal points "
                "are refused. Set volatile-lru."
            )
        if not info.get("aof_enabled"):
            problems.append(
                "appendonly is off: focal points set since the last snapshot are lost when it stops. "
                "Set appendonly yes."
            )
        elif info.get("aof_last_write_status", "ok") != "ok":
            problems.append("It cannot write its append-only file: look at its disk.")
        else:
            problems += await self._check_sync()
        return problems

    async def _check_sync(self) -> list[str]:
        try:
            found: Any = await self._ask(lambda: self._client.config_get("appendfsync"), PATIENT_SECONDS)
        except StoreAway:
            return []  # hosted Redises forbid CONFIG; INFO, which they allow, does not tell
        sync = found.get("appendfsync") or found.get(b"appendfsync")
        if sync in ("always", b"always"):
            return []
        return [
            "appendfsync is not always: a power cut loses the focal points of about the last second. "
            "Set appendfsync always."
        ]

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await within(1.0, self._client.connection_pool.disconnect)
