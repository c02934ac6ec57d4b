"""The memory in front: fresh for a second, one read for many, away and back, and no deleted map returns."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gazecrop.crop.focus import Focus
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreAway
from gazecrop.store.base import Condition, Entry, Record, Store
from gazecrop.store.memory import MapCache
from gazecrop.store.redis import RedisStore
from gazecrop.store.slots import MAPS_SHARE, MEASURED_AFTER, OVERHEAD_BYTES, Found
from gazecrop.store.sqlite import SqliteStore
from tests.conftest import RedisServer
from tests.helpers.clock import Clock

A, B, C = "a" * 32, "b" * 32, "c" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
NEWER = Record("gaze-1", "jpeg", b"GC1other")
ANY = Condition()


class Watched(SqliteStore):
    """The real store; it counts its calls, and a test may hold an answer or a change back."""

    quick = False  # reads wait, as those of Redis do

    def __init__(self, path: Path) -> None:
        super().__init__(path, megabytes=10, max_focus=100)
        self.called: list[str] = []
        self.turns_until_answer: Callable[[], int] = lambda: 0
        self.hold_answers = asyncio.Event()
        self.hold_changes = asyncio.Event()
        self.hold_answers.set()
        self.hold_changes.set()
        self.held = 0

    async def get(self, id: str) -> Entry | None:
        self.called.append("get")
        entry = await super().get(id)
        for _ in range(self.turns_until_answer()):
            await asyncio.sleep(0)
        await self._at(self.hold_answers)
        return entry

    async def put(self, id: str, record: Record) -> Entry:
        self.called.append("put")
        await self._at(self.hold_changes)
        return await super().put(id, record)

    async def _at(self, hold: asyncio.Event) -> None:
        self.held += 1
        await hold.wait()
        self.held -= 1

    async def holds(self, calls: int) -> None:
        """Returns when this many calls are blocked."""
        async with asyncio.timeout(20):
            while self.held < calls:
                await asyncio.sleep(0.001)


class Decoded:
    """What the pipeline would build from a record."""

    made = 0

    def __init__(self, record: Record) -> None:
        if not record.code.startswith(b"GC1"):
            raise ValueError("not a code")
        self.code = record.code
        Decoded.made += 1


def cache_on(store: Store, clock: Clock, map_bytes: int = 0, **options: object) -> MapCache[Decoded]:
    settings = {"megabytes": 1, "map_bytes": lambda decoded: map_bytes} | options
    return MapCache(store, Decoded, clock=clock, **settings)  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Watched]:
    opened = Watched(tmp_path / "gazecrop.db")
    yield opened
    await opened.close()


@pytest.fixture
def cache(store: Watched, clock: Clock) -> MapCache[Decoded]:
    return cache_on(store, clock)


def seen(found: Found[Decoded] | None) -> tuple[Record, Focus | None, bool]:
    assert found and found.map.code == found.record.code
    return found.record, found.focus, found.degraded


# A second of freshness.


async def test_an_entry_of_less_than_a_second_is_not_read_again(
    cache: MapCache[Decoded], store: Watched, clock: Clock
) -> None:
    put = await cache.put(A, RECORD)
    clock.now += 0.99
    assert await cache.get(A) is cache.peek(A) is put
    assert store.called == ["put"]
    assert seen(put) == (RECORD, None, False)


async def test_an_older_one_sees_what_a_replica_did(
    cache: MapCache[Decoded], replica: SqliteStore, clock: Clock
) -> None:
    await cache.put(A, RECORD)
    focus, _ = await replica.set_focus(A, 0.5, 0.5, ANY)
    assert seen(await cache.get(A)) == (RECORD, None, False)  # a second is allowed
    clock.now += 1.01
    assert cache.peek(A) is None
    assert seen(await cache.get(A)) == (RECORD, focus, False)
    assert await cache.get_focus(A) == (focus, False)
    await replica.put(A, NEWER)
    clock.now += 1.01
    assert seen(await cache.get(A)) == (NEWER, focus, False)
    await replica.delete(A)
    clock.now += 1.01
    assert await cache.get(A) is None
    assert len(cache) == 0 and cache.bytes == 0


async def test_freshness_counts_from_the_call_not_from_its_result(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore, clock: Clock
) -> None:
    await replica.put(A, RECORD)
    store.hold_answers.clear()
    reading = asyncio.create_task(cache.get(A))
    await store.holds(1)
    await replica.delete(A)
    clock.now += 0.8
    store.hold_answers.set()
    assert await reading
    clock.now += 0.3
    assert await cache.get(A) is None


async def test_an_unchanged_map_is_not_decoded_again(
    cache: MapCache[Decoded], replica: SqliteStore, clock: Clock
) -> None:
    first = await cache.put(A, RECORD)
    made = Decoded.made
    await replica.set_focus(A, 0.5, 0.5, ANY)
    clock.now += 2
    again = await cache.get(A)
    assert again and again.map is first.map and again.focus
    assert Decoded.made == made


async def test_lookups_are_counted(store: Watched, clock: Clock) -> None:
    counts: list[tuple[str, str]] = []
    cache = cache_on(store, clock, count=lambda tier, result: counts.append((tier, result)))
    await cache.get(A)
    await cache.put(A, RECORD)
    await cache.get(A)
    clock.now += 2
    await cache.get(A)
    assert counts == [
        ("memory", "miss"),
        ("store", "miss"),
        ("memory", "hit"),
        ("memory", "miss"),
        ("store", "hit"),
    ]


# One read for many.


async def test_concurrent_misses_are_one_read(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore, clock: Clock
) -> None:
    await replica.put(A, RECORD)
    for _ in range(2):  # of an id that is not in memory, and of one that is no longer fresh
        store.called.clear()
        found = await asyncio.gather(*(cache.get(A) for _ in range(50)))
        assert store.called == ["get"]
        assert all(one is found[0] for one in found)
        clock.now += 2
    assert await asyncio.gather(*(cache.get(B) for _ in range(50))) == [None] * 50
    assert store.called == ["get", "get"]


async def test_a_read_continues_when_its_first_client_leaves(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore
) -> None:
    await replica.put(A, RECORD)
    store.hold_answers.clear()
    clients = [asyncio.create_task(cache.get(A)) for _ in range(3)]
    await store.holds(1)
    clients[0].cancel()
    await asyncio.gather(clients[0], return_exceptions=True)
    store.hold_answers.set()
    assert await clients[1] and await clients[2]
    assert store.called == ["get"]


# Bounded.


async def test_the_least_recently_used_go_first(store: Watched, clock: Clock) -> None:
    each = OVERHEAD_BYTES + len(RECORD.code)
    cache = cache_on(store, clock, megabytes=3 * each / (1 - MAPS_SHARE) / 1e6)
    for id in (A, B, C):
        await cache.put(id, RECORD)
    assert len(cache) == 3 and cache.bytes == 3 * each
    await cache.get(A)
    await cache.put("d" * 32, RECORD)
    assert len(cache) == 3 and cache.bytes == 3 * each
    assert cache.peek(A) and not cache.peek(B) and cache.peek(C)
    await cache.put(A, RECORD)  # in its own place
    assert len(cache) == 3 and cache.bytes == 3 * each


async def test_of_decoded_maps_the_least_recently_used_go_first_and_their_records_stay(
    store: Watched, clock: Clock
) -> None:
    cache = cache_on(store, clock, map_bytes=10_000, megabytes=2 * 10_000 / MAPS_SHARE / 1e6)
    first = [await cache.put(id, RECORD) for id in (A, B)]
    assert cache.peek(A) is first[0]
    await cache.put(C, RECORD)
    assert cache.bytes == 2 * 10_000 + 3 * (OVERHEAD_BYTES + len(RECORD.code))
    assert cache.peek(A) is first[0]
    again = cache.peek(B)
    assert again and seen(again) == seen(first[1]) and again.map is not first[1].map
    assert cache.bytes == 2 * 10_000 + 3 * (OVERHEAD_BYTES + len(RECORD.code))
    assert store.called == ["put"] * 3


async def test_a_map_that_grows_is_counted(store: Watched, clock: Clock) -> None:
    sizes = {id: 1_000 for id in range(10)}
    made = iter(range(10))

    class Growing:
        def __init__(self, record: Record) -> None:
            self.number = next(made)

    cache = MapCache(
        store, Growing, clock=clock, megabytes=0.1, map_bytes=lambda growing: sizes[growing.number]
    )
    records = 10 * (OVERHEAD_BYTES + len(RECORD.code))
    for number in range(10):
        await cache.put(str(number), RECORD)
    assert cache.bytes == records + 10_000
    sizes |= {0: 30_000, 1: 30_000}
    for _ in range(MEASURED_AFTER + 10):
        assert cache.peek("9")
    assert cache.bytes == records + 8_000 + 30_000, "the least recently used of the two is not held any more"


async def test_what_is_larger_than_all_is_answered_and_not_kept(store: Watched, clock: Clock) -> None:
    cache = cache_on(store, clock, map_bytes=2_000_000)
    assert seen(await cache.put(A, RECORD)) == (RECORD, None, False)
    assert len(cache) == 1 and cache.bytes == OVERHEAD_BYTES + len(RECORD.code)
    assert seen(await cache.get(A)) == (RECORD, None, False)
    large = Record("gaze-0", "jpeg", b"GC1" + bytes(1_000_000))
    assert seen(await cache.put(A, large)) == (large, None, False)
    assert len(cache) == 0 and cache.bytes == 0
    assert seen(await cache.get(A)) == (large, None, False)


# Focus.


async def test_a_focus_shows_at_once_here(cache: MapCache[Decoded], store: Watched) -> None:
    await cache.put(A, RECORD)
    focus, created = await cache.set_focus(A, 0.25, 0.5, ANY)
    assert created and seen(await cache.get(A)) == (RECORD, focus, False)
    assert await cache.get_focus(A) == (focus, False)
    assert await cache.delete_focus(A, Condition(match=(focus.revision,)))
    assert seen(await cache.get(A)) == (RECORD, None, False)
    assert store.called == ["put"]


async def test_a_failed_change_reads_again(
    cache: MapCache[Decoded], replica: SqliteStore, clock: Clock
) -> None:
    await cache.put(A, RECORD)
    focus, _ = await replica.set_focus(A, 0.5, 0.5, ANY)
    with pytest.raises(PreconditionFailed):
        await cache.set_focus(A, 0.1, 0.1, Condition(absent=True))
    assert seen(await cache.get(A)) == (RECORD, focus, False)  # so that the client sees why


async def test_a_read_under_way_does_not_bring_the_old_focus_back(
    cache: MapCache[Decoded], store: Watched, clock: Clock
) -> None:
    await cache.put(A, RECORD)
    clock.now += 2
    store.hold_answers.clear()
    reading = asyncio.create_task(cache.get(A))
    await store.holds(1)  # it has read "no focus"
    focus, _ = await cache.set_focus(A, 0.5, 0.5, ANY)
    store.hold_answers.set()
    await reading
    assert seen(await cache.get(A)) == (RECORD, focus, False)


async def test_the_focus_of_a_map_that_is_gone(cache: MapCache[Decoded], replica: SqliteStore) -> None:
    assert await cache.get_focus(A) == (None, False)
    with pytest.raises(ImageNotFound):
        await cache.set_focus(A, 0.5, 0.5, ANY)
    await replica.put(A, RECORD)
    focus, _ = await replica.set_focus(A, 0.5, 0.5, ANY)
    await replica._writer.run_job(lambda c: c.execute("DELETE FROM maps"), durable=False)  # as eviction does
    assert await cache.get_focus(A) == (focus, False)
    assert seen(await cache.put(A, RECORD)) == (RECORD, focus, False)


# Deletion.


async def test_a_deleted_map_is_gone_at_once(cache: MapCache[Decoded], replica: SqliteStore) -> None:
    await cache.put(A, RECORD)
    await cache.delete(A)
    assert await cache.get(A) is None and await replica.get(A) is None


async def test_a_read_under_way_does_not_bring_a_deleted_map_back(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore
) -> None:
    await replica.put(A, RECORD)
    store.hold_answers.clear()
    reading = asyncio.create_task(cache.get(A))
    await store.holds(1)  # it has read the map
    await cache.delete(A)
    after = asyncio.create_task(cache.get(A))  # must not join that read
    await store.holds(2)
    store.hold_answers.set()
    assert await after is None
    assert await reading is None
    assert await cache.get(A) is None and len(cache) == 0


async def test_two_uploads_and_a_deletion(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore
) -> None:
    store.hold_changes.clear()
    uploads = [asyncio.create_task(cache.put(A, RECORD)) for _ in range(2)]
    await store.holds(1)
    deletion = asyncio.create_task(cache.delete(A))
    await asyncio.sleep(0.01)  # it has begun, and waits
    store.hold_changes.set()
    await asyncio.gather(*uploads, deletion)
    assert await replica.get(A) is None
    assert await cache.get(A) is None


@pytest.mark.parametrize("seed", range(20))
async def test_memory_and_store_agree_after_concurrent_changes(
    cache: MapCache[Decoded], store: Watched, replica: SqliteStore, seed: int
) -> None:
    """No second passes here: what the memory answers without the store must be what the store holds."""
    chance = random.Random(seed)
    store.turns_until_answer = lambda: chance.randrange(30)

    async def client() -> None:
        for _ in range(15):
            id = chance.choice((A, B))
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)
            match chance.randrange(6):
                case 0:
                    await cache.put(id, chance.choice((RECORD, NEWER)))
                case 1:
                    await cache.delete(id)
                case 2:
                    with contextlib.suppress(ImageNotFound):
                        await cache.set_focus(id, chance.random(), 0.5, ANY)
                case 3:
                    await cache.delete_focus(id, ANY)
                case _:
                    await cache.get(id)

    await asyncio.gather(*(client() for _ in range(6)))
    for id in (A, B):
        found, entry = await cache.get(id), await replica.get(id)
        assert (found and (found.record, found.focus)) == (entry and (entry.record, entry.focus))


async def test_a_code_that_does_not_decode_is_a_miss(
    cache: MapCache[Decoded], replica: SqliteStore, clock: Clock
) -> None:
    await cache.put(A, RECORD)
    for id in (A, B):
        await replica.put(id, Record("gaze-0", "jpeg", b"junk"))
    clock.now += 2
    assert await cache.get(A) is None and await cache.get(B) is None
    await cache.put(A, RECORD)
    assert seen(await cache.get(A)) == (RECORD, None, False)


# The store is away, and comes back.

OpenCache = Callable[[], MapCache[Decoded]]


def patient(server: RedisServer) -> str:
    """A busy machine may keep a Redis that is well from answering for more than the 50 ms of the default."""
    return f"{server.url}?socket_timeout=0.5"


@pytest.fixture
async def open_cache(redis_server: RedisServer, clock: Clock) -> AsyncIterator[OpenCache]:
    opened: list[MapCache[Decoded]] = []

    def open_one() -> MapCache[Decoded]:
        store = RedisStore(patient(redis_server), map_days=1, max_focus=100, clock=clock)
        opened.append(cache_on(store, clock))
        return opened[-1]

    yield open_one
    for cache in opened:
        await cache.close()


@pytest.mark.redis
async def test_while_the_store_is_away(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    counts: list[tuple[str, str]] = []
    cache = open_cache()
    await cache.put(A, RECORD)
    focus, _ = await cache.set_focus(A, 0.5, 0.5, ANY)
    cache._count = lambda tier, result: counts.append((tier, result))
    redis_server.freeze()
    clock.now += 5
    assert cache.store_up
    for _ in range(8):  # through the breaker's opening
        assert seen(await cache.get(A)) == (RECORD, focus, True)
        assert not cache.store_up
    assert counts == [("memory", "miss"), ("store", "error")] * 8
    assert await cache.get_focus(A) == (focus, True)
    assert seen(await cache.put(B, RECORD)) == (RECORD, None, True)
    assert seen(await cache.get(B)) == (RECORD, None, True)
    clock.now += 5
    assert seen(await cache.get(B)) == (RECORD, None, True)
    assert seen(await cache.put(A, NEWER)) == (NEWER, focus, True)  # the focus in memory stays
    with pytest.raises(StoreAway):
        await cache.get(C)
    with pytest.raises(StoreAway):
        await cache.get_focus(C)
    for change in (
        cache.set_focus(A, 0.1, 0.1, ANY),
        cache.delete_focus(A, ANY),
        cache.delete(A),
        cache.ping(),
    ):
        with pytest.raises(StoreAway):
            await change
    with pytest.raises(StoreAway):
        await cache.get(A)  # it was removed from memory in any case
    assert cache.unsaved == 1


@pytest.mark.redis
async def test_an_unsaved_map_is_written_back_when_it_is_read(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache, other = open_cache(), open_cache()
    redis_server.stop()
    await cache.put(A, RECORD)
    redis_server.start()
    clock.now += 3
    assert seen(await cache.get(A)) == (RECORD, None, False)
    assert cache.unsaved == 0 and cache.store_up
    assert seen(await other.get(A)) == (RECORD, None, False)


@pytest.mark.redis
async def test_unsaved_maps_are_written_back_at_any_call(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache, other = open_cache(), open_cache()
    redis_server.stop()
    ids = [f"{number:032x}" for number in range(30)]
    await asyncio.gather(*(cache.put(id, RECORD) for id in ids))
    assert cache.unsaved == 30
    redis_server.start()
    clock.now += 3
    assert await cache.get(A) is None
    assert cache._back.task
    await cache._back.task
    assert cache.unsaved == 0
    for id in ids:
        assert seen(await other.get(id)) == (RECORD, None, False)


@pytest.mark.redis
async def test_unsaved_maps_are_written_back_at_the_end(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache, other = open_cache(), open_cache()
    redis_server.stop()
    await cache.put(A, RECORD)
    redis_server.start()
    clock.now += 3
    await cache.close()
    assert seen(await other.get(A)) == (RECORD, None, False)


@pytest.mark.redis
async def test_a_focus_can_be_set_on_an_unsaved_map(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache, other = open_cache(), open_cache()
    redis_server.stop()
    await cache.put(A, RECORD)
    redis_server.start()
    clock.now += 3
    focus, _ = await cache.set_focus(A, 0.5, 0.5, Condition(absent=True))
    assert seen(await cache.get(A)) == seen(await other.get(A)) == (RECORD, focus, False)


@pytest.mark.redis
async def test_a_store_that_answers_reads_and_refuses_writes(
    open_cache: OpenCache, redis_server: RedisServer, clock: Clock
) -> None:
    cache = open_cache()
    store = cache.store
    assert isinstance(store, RedisStore)
    await cache.put(A, RECORD)
    await store._client.config_set("maxmemory", 1)
    assert seen(await cache.put(B, RECORD)) == (RECORD, None, True)
    for _ in range(3):
        clock.now += 1.5
        assert seen(await cache.get(A)) == (RECORD, None, False)
        assert seen(await cache.get(B)) == (RECORD, None, True)
    await store._client.config_set("maxmemory", 0)
    clock.now += 1.5
    assert seen(await cache.get(B)) == (RECORD, None, False)


class Gate(RedisStore):
    """The real store, whose changes a test may hold back."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url, map_days=1, max_focus=100, clock=clock)
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, id: str, record: Record) -> Entry:
        await self.open.wait()
        return await super().put(id, record)


@pytest.fixture
async def gate(redis_server: RedisServer, clock: Clock) -> AsyncIterator[Gate]:
    opened = Gate(patient(redis_server), clock)
    yield opened
    await opened.close()


@pytest.mark.redis
async def test_a_write_back_does_not_bring_a_deleted_map_back(
    gate: Gate, redis_server: RedisServer, clock: Clock
) -> None:
    cache = cache_on(gate, clock)
    redis_server.stop()
    await cache.put(A, RECORD)
    redis_server.start()
    clock.now += 3
    gate.open.clear()
    await cache.ping()  # begins to write back
    await asyncio.sleep(0.01)
    assert len(cache) == 1
    deletion = asyncio.create_task(cache.delete(A))
    await asyncio.sleep(0.01)
    assert not deletion.done() and len(cache) == 0
    gate.open.set()
    await deletion
    assert cache._back.task
    await cache._back.task
    assert await cache.get(A) is None and await gate.get(A) is None


def test_a_record_has_its_frames_and_older_ones_are_stills() -> None:
    for record in (
        RECORD,
        Record("m", "gif", b"c", 1, 24),
        Record("m", "webp", b"c", 6, 3),
        Record("m", "png", b"c", 8),
    ):
        assert Record.unpack(record.pack()) == record
    assert Record("m", "webp", b"c", 6, 3).pack() == b"m webp:3/6 c"
    assert Record.unpack(b"m gif c") == Record("m", "gif", b"c") and Record.unpack(b"m gif c").frames == 1
