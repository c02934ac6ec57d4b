"""A Redis that has lost its data: what replicas hold in memory is written back, and nothing that was deleted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreAway
from gazecrop.store.base import Condition, Entry, Record
from gazecrop.store.memory import MapCache
from gazecrop.store.redis import RedisStore
from tests.conftest import RedisServer
from tests.helpers.clock import Clock

pytestmark = pytest.mark.redis

A, B = "a" * 32, "b" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
ANY = Condition()


@pytest.fixture
async def open_cache(
    redis_server: RedisServer, clock: Clock
) -> AsyncIterator[Callable[[], MapCache[Record]]]:
    opened: list[MapCache[Record]] = []

    def open_one() -> MapCache[Record]:
        url = f"{redis_server.url}?socket_timeout=2"
        store = RedisStore(url, map_days=1, max_focus=100, clock=clock)
        opened.append(
            MapCache(store, lambda record: record, megabytes=1, map_bytes=lambda record: 0, clock=clock)
        )
        return opened[-1]

    yield open_one
    for cache in opened:
        await cache.close()


@pytest.fixture
async def cache(open_cache: Callable[[], MapCache[Record]]) -> MapCache[Record]:
    """One replica; it holds A."""
    opened = open_cache()
    await opened.put(A, RECORD)
    return opened


@pytest.fixture
async def other(open_cache: Callable[[], MapCache[Record]]) -> MapCache[Record]:
    """Another one, with nothing in memory; it has a connection."""
    opened = open_cache()
    await opened.ping()
    return opened


async def restart_empty(server: RedisServer, clock: Clock, *caches: MapCache[Record]) -> None:
    server.stop()
    server.start()
    clock.now += 3
    await reconnected(clock, *caches)


async def close_connections(raw: Redis, clock: Clock, *caches: MapCache[Record]) -> None:
    await raw.client_kill_filter(_type="normal", skipme=True)
    clock.now += 3
    await reconnected(clock, *caches)


async def reconnected(clock: Clock, *caches: MapCache[Record]) -> None:
    """The first call may still use the closed connection and fail."""
    for cache in caches:
        async with asyncio.timeout(20):
            while cache.store.reconnected_at < clock.now:
                with contextlib.suppress(StoreAway):
                    await cache.store.ping()


async def test_a_map_in_memory_answers_and_is_written_back(
    cache: MapCache[Record], other: MapCache[Record], redis_server: RedisServer, clock: Clock
) -> None:
    focus, _ = await cache.set_focus(A, 0.2, 0.3, ANY)
    clock.now += 600
    await restart_empty(redis_server, clock, cache, other)
    found = await cache.get(A)
    assert found and (found.record, found.focus, found.degraded) == (RECORD, focus, False)
    assert await other.store.get(A) == Entry(RECORD, focus)
    found = await other.get(A)
    assert found and found.focus == focus
    assert await other.delete_focus(A, Condition(match=(focus.revision,)))  # it counts among the focal points


async def test_a_focus_of_a_lost_map_is_read_and_changed(
    cache: MapCache[Record], other: MapCache[Record], redis_server: RedisServer, clock: Clock
) -> None:
    focus, _ = await cache.set_focus(A, 0.2, 0.3, ANY)
    await restart_empty(redis_server, clock, cache, other)
    assert await cache.get_focus(A) == (focus, False)
    await restart_empty(redis_server, clock, cache, other)
    with pytest.raises(PreconditionFailed):
        await cache.set_focus(A, 0.5, 0.5, Condition(absent=True))
    await restart_empty(redis_server, clock, cache, other)
    changed, created = await cache.set_focus(A, 0.4, 0.4, Condition(match=(focus.revision,)))
    assert not created
    assert await other.get_focus(A) == (changed, False)
    with pytest.raises(ImageNotFound):
        await cache.set_focus(B, 0.4, 0.4, ANY)


async def test_what_was_deleted_elsewhere_is_not_written_back(
    cache: MapCache[Record], other: MapCache[Record], raw: Redis, clock: Clock
) -> None:
    await cache.set_focus(A, 0.2, 0.3, ANY)
    await other.delete(A)
    clock.now += 3000
    await close_connections(raw, clock, cache, other)  # a reconnect, and nothing was lost
    assert await cache.get(A) is None
    assert await cache.get_focus(A) == (None, False)
    assert await other.store.get(A) is None and await other.store.get_focus(A) is None


async def test_what_is_deleted_after_the_loss_stays_deleted(
    cache: MapCache[Record], other: MapCache[Record], redis_server: RedisServer, clock: Clock
) -> None:
    await restart_empty(redis_server, clock, cache, other)
    await other.delete(A)
    clock.now += 3000
    with pytest.raises(ImageNotFound):
        await cache.set_focus(A, 0.5, 0.5, ANY)
    assert await cache.get(A) is None
    assert await other.store.get(A) is None


async def test_a_focus_that_was_deleted_elsewhere_is_not_written_back_with_its_map(
    cache: MapCache[Record], other: MapCache[Record], raw: Redis, clock: Clock
) -> None:
    await cache.set_focus(A, 0.2, 0.3, ANY)
    await other.delete_focus(A, ANY)
    await raw.delete(f"gazecrop:map:{A}")
    await close_connections(raw, clock, cache, other)
    found = await cache.get(A)
    assert found and (found.record, found.focus) == (RECORD, None)
    focus, _ = await other.set_focus(A, 0.6, 0.6, ANY)
    await other.get(A)
    await raw.delete(f"gazecrop:map:{A}", f"gazecrop:focus:{A}", "gazecrop:focuses")
    await close_connections(raw, clock, cache, other)
    found = await other.get(A)
    assert found and found.focus == focus, "the tombstone of the deleted focus hides a later one"


async def test_what_expired_or_was_evicted_is_gone(cache: MapCache[Record], raw: Redis, clock: Clock) -> None:
    await raw.delete(f"gazecrop:map:{A}")
    clock.now += 3
    assert await cache.get(A) is None
    assert await raw.exists(f"gazecrop:map:{A}") == 0


async def test_an_entry_that_was_not_read_for_an_hour_is_dropped(
    cache: MapCache[Record], redis_server: RedisServer, clock: Clock
) -> None:
    """A tombstone from before the loss would have expired: the entry may have been deleted elsewhere."""
    clock.now += 3600
    await restart_empty(redis_server, clock, cache)
    assert await cache.get(A) is None
    assert len(cache) == 0


async def test_the_id_key_is_written_back(
    cache: MapCache[Record], other: MapCache[Record], redis_server: RedisServer, clock: Clock
) -> None:
    key = await cache.store.id_key()
    await restart_empty(redis_server, clock, cache, other)
    await cache.put(B, RECORD)
    assert await other.store.id_key() == key
