"""Entries in memory that need no reading, as the store says that nothing else was changed; and every way in which it
cannot say so."""

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gazecrop.errors import StoreAway
from gazecrop.store import redis_pool, redis_tracking, sqlite_reader
from gazecrop.store.base import Condition, Entry, Record, Store
from gazecrop.store.memory import REREAD_SECONDS, MapCache
from gazecrop.store.redis import RedisStore
from gazecrop.store.slots import OVERHEAD_BYTES, Slots
from gazecrop.store.sqlite import SqliteStore
from gazecrop.store.watch import NEVER, Watch
from tests.conftest import RedisServer
from tests.helpers.clock import Clock
from tests.helpers.redis_servers import Proxy
from tests.store.conftest import Start

A, B = "a" * 32, "b" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
ANY = Condition()


class Cache(MapCache[Record]):
    """The real one, which counts its reads of the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.reads = 0
        super().__init__(
            store,
            lambda record: record,
            megabytes=1,
            map_bytes=lambda record: 0,
            clock=clock,
            count=self._counted,
        )

    def _counted(self, tier: str, result: str) -> None:
        self.reads += tier == "store"


async def confirmed(store: Store, clock: Clock) -> None:
    """Returns when the store has confirmed this moment."""
    async with asyncio.timeout(20):
        while store.watch.confirmed != clock.now:
            store.watch.covers(0, clock.now)
            await asyncio.sleep(0.005)


async def seconds_pass(cache: Cache, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    await confirmed(cache.store, clock)


async def hold(cache: Cache, clock: Clock) -> None:
    """The cache has read A since the store began to report."""
    await seconds_pass(cache, clock, 2)
    await cache.put(A, RECORD)
    await seconds_pass(cache, clock, 2)
    assert await cache.get(A)
    await seconds_pass(cache, clock, 2)
    cache.reads = 0


def test_a_confirmation_is_asked_for_before_it_is_too_old() -> None:
    asked: list[float] = []
    watch = Watch(asked.append)
    assert not watch.covers(0, 10.0) and asked == [10.0]
    watch.confirmed = 10.0
    assert watch.covers(0, 10.4) and asked == [10.0]
    assert watch.covers(0, 10.9) and asked == [10.0, 10.9]
    assert not watch.covers(0, 11.1) and not watch.covers(NEVER, 10.1) and not watch.covers(1, 10.1)


# SQLite.


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "gazecrop.db", megabytes=1, max_focus=100)
    yield opened
    await opened.close()


async def test_what_nobody_changed_is_not_read_again(store: SqliteStore, clock: Clock) -> None:
    cache = Cache(store, clock)
    await hold(cache, clock)
    epoch = store.watch.epoch
    for _ in range(3):
        await seconds_pass(cache, clock, 60)
        await cache.put(B, RECORD)  # this process's own changes
        await cache.set_focus(B, 0.5, 0.5, ANY)
        assert await cache.get(A)
    assert cache.reads == 0 and store.watch.epoch == epoch
    await seconds_pass(cache, clock, REREAD_SECONDS)
    assert await cache.get(A) and cache.reads == 1, "a map in use must be read now and then, or it is evicted"


async def test_a_change_by_another_process_is_seen_within_a_second(
    store: SqliteStore, replica: SqliteStore, clock: Clock
) -> None:
    cache = Cache(store, clock)
    await hold(cache, clock)
    focus, _ = await replica.set_focus(A, 0.5, 0.5, ANY)
    await seconds_pass(cache, clock, 0.6)
    found = await cache.get(A)
    assert found and found.focus == focus and cache.reads == 1
    await replica.delete(A)
    clock.now += 1.01  # no confirmation has arrived
    assert await cache.get(A) is None


async def test_without_a_confirmation_every_second_is_read(
    store: SqliteStore, replica: SqliteStore, clock: Clock
) -> None:
    cache = Cache(store, clock)
    await hold(cache, clock)
    for number in range(3):
        clock.now += 1.01
        assert await cache.get(A) and cache.reads == number + 1


async def test_an_eviction_is_a_change(store: SqliteStore, clock: Clock) -> None:
    cache = Cache(store, clock)
    await hold(cache, clock)
    epoch = store.watch.epoch
    for start in range(0, 2500, 100):
        large = Record("gaze-0", "jpeg", bytes(600))
        await asyncio.gather(*(store.put(f"{number:032x}", large) for number in range(start, start + 100)))
    await seconds_pass(cache, clock, 1)
    assert store.watch.epoch > epoch and await cache.get(A) is None


async def test_a_closed_store_confirms_nothing(tmp_path: Path, clock: Clock) -> None:
    store = SqliteStore(tmp_path / "closed.db", megabytes=1, max_focus=1)
    await store.close()
    assert not store.watch.covers(0, clock.now)


async def test_a_focus_set_here_is_read_once_again(store: SqliteStore, clock: Clock) -> None:
    """Another change may have followed it before its answer arrived."""
    cache = Cache(store, clock)
    await hold(cache, clock)
    focus, _ = await cache.set_focus(A, 0.5, 0.5, ANY)
    await seconds_pass(cache, clock, 2)
    for _ in range(2):
        found = await cache.get(A)
        assert found and found.focus == focus and cache.reads == 1


async def test_a_slow_file_is_read_in_a_thread(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(store, clock)
    await cache.put(A, RECORD)
    assert store.quick
    monkeypatch.setattr(sqlite_reader, "SLOW_SECONDS", 0.0)  # now every read is too slow
    monkeypatch.setattr(sqlite_reader, "SLOW_PAUSE", 3600.0)
    for _ in range(2):
        clock.now += 2
        assert store.quick and await cache.get(A)
    assert not store.quick
    reader = store._reader
    hung, go_on, read = asyncio.Event(), threading.Event(), reader.read
    loop = asyncio.get_running_loop()

    def slow(query: str, id: str) -> list[sqlite_reader.Row]:
        loop.call_soon_threadsafe(hung.set)
        assert go_on.wait(60)
        return read(query, id)

    monkeypatch.setattr(reader, "read", slow)
    clock.now += 2
    reading = [asyncio.create_task(cache.get(A)) for _ in range(5)]
    await hung.wait()  # the loop runs while the file is read
    assert not any(one.done() for one in reading)
    go_on.set()
    assert all(await asyncio.gather(*reading)) and await store.get_focus(A) is None
    go_on.clear()
    monkeypatch.setattr(sqlite_reader, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(StoreAway):
        await store.get(B)
    go_on.set()
    monkeypatch.setattr(reader, "_slow_until", 0.0)
    assert store.quick


async def test_a_failing_read_answers_from_memory(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(store, clock)
    await cache.put(A, RECORD)
    clock.now += 2

    def broken(id: str) -> Entry | None:
        raise StoreAway

    monkeypatch.setattr(store, "look", broken)
    found = await cache.get(A)
    assert found and found.degraded and not cache.store_up
    with pytest.raises(StoreAway):
        await cache.get(B)


def test_the_overhead_of_a_record_is_what_is_counted() -> None:
    slots: Slots[None] = Slots(lambda record: None, megabytes=100, map_bytes=lambda nothing: 10**9)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        packed = b"gaze-0 jpeg " + number.to_bytes(250, "big")
        slots.keep(f"{number:032x}", Entry(Record.unpack(packed), None), float(number))
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(slots) == 20_000
    assert 0.8 * slots.bytes < held < 1.1 * slots.bytes, (held / 20_000, OVERHEAD_BYTES)


# Redis.

OpenCache = Callable[[str], Cache]


@pytest.fixture
async def open_cache(clock: Clock) -> AsyncIterator[OpenCache]:
    opened: list[Cache] = []

    def open_one(url: str) -> Cache:
        store = RedisStore(f"{url}?socket_timeout=2", map_days=1, max_focus=100, clock=clock)
        opened.append(Cache(store, clock))
        return opened[-1]

    yield open_one
    for cache in opened:
        await cache.close()


@pytest.fixture
def redis_cache(open_cache: OpenCache, redis_server: RedisServer) -> Cache:
    return open_cache(redis_server.url)


async def reported(cache: Cache, id: str = A) -> None:
    """Returns when the change of an id has been reported to the memory."""
    async with asyncio.timeout(20):
        while (slot := cache._slots.get(id)) is not None and slot.epoch != NEVER:
            await asyncio.sleep(0.005)


@pytest.mark.redis
async def test_redis_reports_changes_and_the_rest_is_not_read_again(
    redis_cache: Cache, open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache, other = redis_cache, open_cache(redis_server.url)
    await hold(cache, clock)
    for _ in range(3):
        await other.put(B, RECORD)
        await seconds_pass(cache, clock, 60)
        assert await cache.get(A)
    assert cache.reads == 0
    focus, _ = await other.set_focus(A, 0.5, 0.5, ANY)
    await reported(cache)
    found = await cache.get(A)
    assert found and found.focus == focus and cache.reads == 1
    await seconds_pass(cache, clock, 2)
    assert await cache.get(A) and cache.reads == 1, "it is covered again"
    await other.delete(A)
    await reported(cache)
    assert await cache.get(A) is None


@pytest.mark.redis
async def test_expired_maps_and_an_emptied_redis_are_reported(
    redis_cache: Cache, raw: Redis, clock: Clock
) -> None:
    cache = redis_cache
    await hold(cache, clock)
    await raw.delete(f"gazecrop:map:{A}")  # expiry and eviction are reported in the same way
    await reported(cache)
    assert await cache.get(A) is None
    await hold(cache, clock)
    await raw.flushall()
    await seconds_pass(cache, clock, 2)
    assert await cache.get(A) is None


@pytest.mark.redis
async def test_a_report_that_overtakes_the_answer_of_a_read(
    redis_cache: Cache,
    open_cache: OpenCache,
    redis_server: RedisServer,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, other = redis_cache, open_cache(redis_server.url)
    await hold(cache, clock)
    await seconds_pass(cache, clock, REREAD_SECONDS)
    get, answered, go_on = cache.store.get, asyncio.Event(), asyncio.Event()

    async def held(id: str) -> Entry | None:
        entry = await get(id)
        answered.set()
        await go_on.wait()
        return entry

    monkeypatch.setattr(cache.store, "get", held)
    reading = asyncio.create_task(cache.get(A))
    await answered.wait()
    focus, _ = await other.set_focus(A, 0.5, 0.5, ANY)
    await reported(cache)
    go_on.set()
    found = await reading
    assert found and found.focus is None
    await seconds_pass(cache, clock, 1.01)
    found = await cache.get(A)
    assert found and found.focus == focus


@pytest.mark.redis
async def test_what_is_changed_while_the_connection_is_lost_is_seen(
    redis_cache: Cache, open_cache: OpenCache, redis_server: RedisServer, raw: Redis, clock: Clock
) -> None:
    cache, other = redis_cache, open_cache(redis_server.url)
    await hold(cache, clock)
    epoch = cache.store.watch.epoch
    await raw.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(20):
        while cache.store.watch.confirmed > 0:
            await asyncio.sleep(0.005)
    focus = None
    while focus is None:
        try:
            focus, _ = await other.set_focus(A, 0.5, 0.5, ANY)
        except StoreAway:
            clock.now += 3
    clock.now += 2
    found = await cache.get(A)
    assert found and found.focus == focus, "answered by the old entry"
    await seconds_pass(cache, clock, 2)
    assert cache.store.watch.epoch > epoch
    cache.reads = 0
    assert await cache.get(A) and cache.reads == 1, "it was read before the reports began again"
    await seconds_pass(cache, clock, 2)
    assert await cache.get(A) and cache.reads == 1


@pytest.mark.redis
async def test_a_hung_redis_confirms_nothing(
    redis_cache: Cache, redis_server: RedisServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_tracking, "ANSWER_SECONDS", 0.1)
    cache = redis_cache
    await hold(cache, clock)
    redis_server.freeze()
    clock.now += 2
    found = await cache.get(A)
    assert found and found.degraded
    async with asyncio.timeout(20):
        while cache.store.watch.confirmed > 0:  # the connection is given up
            await asyncio.sleep(0.005)


@pytest.mark.redis
@pytest.mark.parametrize("without", ["CLIENT", "HELLO"])
async def test_where_redis_cannot_report_every_second_is_read(
    open_cache: OpenCache, start: Start, clock: Clock, without: str
) -> None:
    """HELLO: a server, or a proxy, with RESP2 alone."""
    node = start("--rename-command", without, "")
    cache = open_cache(f"redis://127.0.0.1:{node.port}")
    await cache.put(A, RECORD)
    for number in range(1, 4):
        clock.now += 2
        assert await cache.get(A) and cache.reads == number
        await asyncio.sleep(0.05)
    assert cache.store.watch.confirmed < 0
    assert node.client.info("stats")["total_connections_received"] < 10, "attempts have a pause"


@pytest.mark.redis
async def test_a_user_without_the_permission_reads_every_second(
    open_cache: OpenCache, start: Start, clock: Clock
) -> None:
    node = start()
    node.client.acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-client|tracking"]
    )
    cache = open_cache(f"redis://app:secret@127.0.0.1:{node.port}/1")
    await cache.put(A, RECORD)
    for number in range(1, 3):
        clock.now += 2
        assert await cache.get(A) and cache.reads == number
        await asyncio.sleep(0.05)
    assert cache.store.watch.confirmed < 0


@pytest.mark.redis
async def test_a_user_with_a_password_and_another_database(
    open_cache: OpenCache, start: Start, clock: Clock
) -> None:
    node = start()
    node.client.config_set("requirepass", "secret")
    cache = open_cache(f"redis://:secret@127.0.0.1:{node.port}/2")
    await hold(cache, clock)
    assert await cache.get(A) and cache.reads == 0


@pytest.mark.redis
async def test_after_a_fail_over_the_old_server_confirms_nothing(
    open_cache: OpenCache, start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a replica that cannot follow: it would never report what the new primary changes. A connection whose role
    is due to be checked leads to the new one at once."""
    monkeypatch.setattr(redis_pool, "ROLE_SECONDS", 0.0)
    old, new = start(), start()
    new.follow(old)
    proxy = Proxy(old)
    async with proxy.running() as url:
        cache = open_cache(url.partition("?")[0])
        await hold(cache, clock)
        new.lead()
        old.client.replicaof("127.0.0.1", "1")
        proxy.target = new
        await open_cache(f"redis://127.0.0.1:{new.port}").delete(A)
        clock.now += 1.01  # what was confirmed before is no longer fresh
        assert await cache.get(A) is None
        async with asyncio.timeout(20):
            while cache.store.watch.confirmed > 0:  # the connection for the reports is given up
                await asyncio.sleep(0.005)
        await hold(cache, clock)  # with the new one
        assert await cache.get(A) and cache.reads == 0
        assert new.client.info("clients")["tracking_clients"] == 1  # the proxy's
        await cache.close()


@pytest.mark.redis
async def test_sentinels_name_the_server_that_reports(
    open_cache: OpenCache, start: Start, clock: Clock
) -> None:
    primary = start()
    sentinel = start(sentinel_of=primary)
    cache = open_cache(f"redis+sentinel://127.0.0.1:{sentinel.port}/name")
    await hold(cache, clock)
    assert await cache.get(A) and cache.reads == 0
    assert primary.client.info("clients")["tracking_clients"] == 1
