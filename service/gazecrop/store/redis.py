"""The store shared by replicas: one Redis, or a primary that Sentinels name. redis_url.py has the forms of its URL.

    gazecrop:map:ID      a packed Record; expires, so `volatile-lru` may evict it
    gazecrop:focus:ID    a packed Focus; never expires, so `volatile-*` never evicts it. ID/PROFILE: that of one profile
    gazecrop:focuses     the set of ids, and of ID/PROFILE, that have a focus: SCARD is their number
    gazecrop:id_key      32 random bytes; never expires
    gazecrop:gone:ID     a tombstone: "all" after a deletion, "focus" after that of a focus (also ID/PROFILE); expires
                         after an hour
    gazecrop:report...   people's reports: redis_reports.py

A focus has its own key, so that one MGET reads map and focal points: 81 us a call with one focus; a pipeline of GET and
HGET takes 122. The ten keys of the profiles add 6 us, fewer than a second round trip. The
number of focal points is the size of a set, not a counter: adding or removing an id twice has no effect, so it cannot
drift. Keys that depend on each other are changed by one script, so no reader sees an intermediate state.

A tombstone distinguishes a deleted map from one that Redis has lost, which the replicas write back from memory. A Redis
without persistence loses the tombstones too: then a map that was deleted within the hour before may come back from a
replica that had not read it since.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from gazecrop.crop.focus import Focus, Profiles
from gazecrop.crop.ratios import PROFILES
from gazecrop.errors import StoreAway
from gazecrop.store.base import Condition, Entry, Outcome, Record, focus_key, settle
from gazecrop.store.redis_link import PATIENT_SECONDS, Link
from gazecrop.store.redis_reports import BYTES, RedisReports, pictures_of
from gazecrop.store.redis_scripts import CHANGE_FOCUS, FORGET, RESTORE
from gazecrop.store.redis_tracking import Tracking
from gazecrop.store.watch import Watch

T = TypeVar("T")


def _map(id: str) -> str:
    return f"gazecrop:map:{id}"


def _gone(id: str) -> str:
    return f"gazecrop:gone:{id}"


def _focus(key: str) -> str:
    """`key`: an id, or ID/PROFILE."""
    return f"gazecrop:focus:{key}"


def _keys(id: str) -> list[str]:
    """Of all focal points of a picture, the general one first."""
    return [focus_key(id, profile) for profile in ("", *PROFILES)]


FOCUSES = "gazecrop:focuses"
ID_KEY = "gazecrop:id_key"


def _unpack(kind: Callable[[bytes], T], value: object) -> T | None:
    """None also for a foreign value: one that does not unpack is a miss, never an exception."""
    if not isinstance(value, bytes):
        return None
    try:
        return kind(value)
    except ValueError:
        return None


def _foci(values: Sequence[object]) -> tuple[Focus | None, Profiles]:
    """Of the values of `_keys`."""
    general, *own = (_unpack(Focus.unpack, value) for value in values)
    return general, tuple(sorted((name, each) for name, each in zip(PROFILES, own, strict=True) if each))


def _entry(values: Sequence[object]) -> Entry | None:
    """Of the values of the map and of `_keys`."""
    record = _unpack(Record.unpack, values[0])
    return None if record is None else Entry(record, *_foci(values[1:]))


class RedisStore:
    name = "redis"
    quick = False  # 0.1 ms, and it waits

    def __init__(
        self,
        url: str,
        *,
        map_days: float,
        max_focus: int,
        reports_megabytes: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects at the first call. Raises StoreAway when the URL is not usable."""
        self._link = Link(url, clock)
        self._client = self._link.client
        self._map_seconds = max(1, round(map_days * 86400))
        self._max_focus = max_focus
        self._id_key = b""  # as read at the start
        self.watch = Watch(lambda now: self._tracking.ask(now))
        self._tracking = Tracking(
            self._link.pool.make_tracking_connection, (_map(""), _focus("")), self.watch
        )
        self._reports = RedisReports(self._link, reports_megabytes * 1_000_000)
        self.add_report, self.reports = self._reports.add, self._reports.read

    async def get(self, id: str) -> Entry | None:
        values = await self._link.run(lambda: self._client.mget(_map(id), *map(_focus, _keys(id))))
        return _entry(values)

    def look(self, id: str) -> Entry | None:
        raise AssertionError("a read of Redis waits")

    async def put(self, id: str, record: Record) -> Entry:
        def call() -> Awaitable[list[Any]]:
            pipe = self._client.pipeline(transaction=False)
            pipe.set(_map(id), record.pack(), ex=self._map_seconds)
            if self._id_key:  # a Redis that restarted empty has lost it
                pipe.set(ID_KEY, self._id_key, nx=True)
            pipe.mget(map(_focus, _keys(id)))  # MGET, as GET fails on a value of another type
            return pipe.execute()

        values = (await self._link.run(call))[-1]
        return Entry(record, *_foci(values))

    @property
    def reconnected_at(self) -> float:
        return self._link.pool.reconnected_at

    async def restore(self, id: str, entry: Entry) -> Entry | None:
        all_keys, held = _keys(id), dict(entry.profiles)
        foci = [entry.focus, *(held.get(profile) for profile in PROFILES)]
        keys = [_map(id), _gone(id), FOCUSES, *map(_focus, all_keys), *map(_gone, all_keys)]
        arguments: list[str | bytes | int] = [entry.record.pack(), self._map_seconds, self._max_focus]
        for key, focus in zip(all_keys, foci, strict=True):
            arguments += [key, focus.pack() if focus else b""]
        values: Any = await self._link.run(lambda: self._eval(RESTORE, keys, *arguments))
        return None if values is None else _entry(values)

    async def delete(self, id: str) -> None:
        all_keys = _keys(id)
        keys = (_map(id), FOCUSES, pictures_of(id), BYTES, _gone(id), *map(_focus, all_keys))
        await self._link.run(lambda: self._eval(FORGET, keys, *all_keys))

    async def get_focus(self, id: str, profile: str = "") -> Focus | None:
        values = await self._link.run(lambda: self._client.mget(_focus(focus_key(id, profile))))
        return _unpack(Focus.unpack, values[0])

    async def set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str = ""
    ) -> tuple[Focus, bool]:
        focus = Focus.new(x, y)
        return focus, await self._change_focus(id, profile, focus.pack(), condition)

    async def delete_focus(self, id: str, condition: Condition, profile: str = "") -> bool:
        return await self._change_focus(id, profile, b"", condition)

    async def _change_focus(self, id: str, profile: str, value: bytes, condition: Condition) -> bool:
        arguments: list[str | bytes] = [
            "absent" if condition.absent else "",
            "" if condition.match is None else str(len(condition.match)),
            *(revision.to_bytes(8, "big") for revision in (*(condition.match or ()), *condition.other)),
        ]
        key = focus_key(id, profile)
        keys = (_map(id), _focus(key), FOCUSES, _gone(key), *map(_focus, _keys(id)))
        outcome = await self._link.run(
            lambda: self._eval(CHANGE_FOCUS, keys, key, value, self._max_focus, *arguments)
        )
        return settle(cast(Outcome, outcome.decode()), self._max_focus)

    def _eval(self, script: str, keys: Sequence[str], *arguments: bytes | str | int) -> Awaitable[bytes]:
        # The text each time, not its hash: changes are rare, and a restart of Redis empties its script cache.
        return cast(Awaitable[bytes], self._client.eval(script, len(keys), *keys, *arguments))

    async def id_key(self) -> bytes:
        def call() -> Awaitable[list[Any]]:
            pipe = self._client.pipeline(transaction=False)
            pipe.set(ID_KEY, self._id_key or secrets.token_bytes(32), nx=True)
            pipe.get(ID_KEY)
            return pipe.execute()

        _, key = await self._link.run(call, PATIENT_SECONDS)
        if not isinstance(key, bytes) or len(key) != 32:
            raise self._link.away(f"does not hold 32 bytes under {ID_KEY}")
        self._id_key = key
        return key

    async def ping(self) -> None:
        await self._link.run(self._client.ping)

    async def check(self) -> list[str]:
        info = await self._link.run(lambda: self._client.info("everything"), PATIENT_SECONDS)
        problems = []
        if info.get("role") == "slave":
            problems.append("It is a replica and accepts no writes: set REDIS_URL to the primary.")
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
            problems.append("It cannot write its append-only file: check its disk.")
        else:
            problems += await self._check_sync()
        return problems

    async def _check_sync(self) -> list[str]:
        try:
            found: Any = await self._link.run(lambda: self._client.config_get("appendfsync"), PATIENT_SECONDS)
        except StoreAway:
            return []  # hosted services forbid CONFIG, and INFO does not include appendfsync
        sync = found.get("appendfsync") or found.get(b"appendfsync")
        if sync in ("always", b"always"):
            return []
        return [
            "appendfsync is not always: a power cut loses the focal points of about the last second. "
            "Set appendfsync always."
        ]

    async def close(self) -> None:
        await self._tracking.close()
        await self._link.close()
