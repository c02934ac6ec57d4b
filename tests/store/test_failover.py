"""Redis fails over: behind a proxy, with real Sentinels, and servers that are no primary."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gazecrop.errors import StoreAway
from gazecrop.store.base import Condition, Entry, Record
from gazecrop.store.redis import RedisStore
from tests.conftest import free_port
from tests.helpers.redis_servers import Node, Proxy, sentinels
from tests.store.conftest import Start

pytestmark = pytest.mark.redis

A, B, C = "a" * 32, "b" * 32, "c" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
ANY = Condition()
RECONNECT_SECONDS = 3.0

OpenStore = Callable[[str], RedisStore]
FailOver = Callable[..., Node]


@pytest.fixture
async def open_store() -> AsyncIterator[OpenStore]:
    opened: list[RedisStore] = []

    def open_one(url: str) -> RedisStore:
        opened.append(RedisStore(url, map_days=30, max_focus=10))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


async def succeeds(call: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Repeats the call until it succeeds; the seconds that it took."""
    began = time.monotonic()
    while True:
        try:
            await call()
            return time.monotonic() - began
        except StoreAway:
            assert time.monotonic() - began < seconds, f"no success within {seconds} s"
            await asyncio.sleep(0.02)


@pytest.fixture
async def behind_a_proxy(start: Start, open_store: OpenStore) -> AsyncIterator[tuple[RedisStore, FailOver]]:
    """A store with open connections to a primary, and a function that fails over and returns the new primary."""
    old, new = start(), start()
    new.follow(old)
    proxy = Proxy(old)

    def fail_over(old_follows: bool = True) -> Node:
        new.lead()
        old.client.replicaof("127.0.0.1", str(new.port) if old_follows else "1")
        proxy.target = new
        return new

    async with proxy.running() as url:
        store = open_store(url)
        await asyncio.gather(*(store.put(A, RECORD) for _ in range(40)))
        old.client.set("written-last", 1)  # WAIT counts the writes of its own connection alone
        assert old.client.wait(1, 5000) == 1
        yield store, fail_over
        await store.close()


async def test_a_write_after_a_fail_over_goes_to_the_new_primary_at_once(
    behind_a_proxy: tuple[RedisStore, FailOver],
) -> None:
    """Each of the old connections refused writes for ever: READONLY."""
    store, fail_over = behind_a_proxy
    new = fail_over()
    focus, _ = await store.set_focus(A, 0.5, 0.5, ANY)
    await asyncio.gather(*(store.put(f"{number:032x}", RECORD) for number in range(40)))
    assert new.client.exists(f"gazecrop:focus:{A}", "gazecrop:map:" + f"{39:032x}") == 2
    assert await store.get(A) == Entry(RECORD, focus)


async def test_reads_alone_reach_the_new_primary_too(
    behind_a_proxy: tuple[RedisStore, FailOver],
) -> None:
    """They were answered by the old server, a replica now, for ever: with old data, if it cannot follow."""
    store, fail_over = behind_a_proxy
    new = fail_over(old_follows=False)
    new.client.delete(f"gazecrop:map:{A}")
    began = time.monotonic()
    while (await asyncio.gather(*(store.get(A) for _ in range(20)))) != [None] * 20:
        assert time.monotonic() - began < RECONNECT_SECONDS
        await asyncio.sleep(0.05)


async def test_a_primary_that_dies_behind_a_proxy(start: Start, open_store: OpenStore) -> None:
    old, new = start(), start()
    proxy = Proxy(old)
    async with proxy.running() as url:
        store = open_store(url)
        await asyncio.gather(*(store.put(A, RECORD) for _ in range(20)))
        old.process.kill()
        old.process.wait()
        for _ in range(10):  # more than the breaker's five
            with pytest.raises(StoreAway):
                await store.put(A, RECORD)
        proxy.target = new
        assert await succeeds(lambda: store.put(B, RECORD), 20) < RECONNECT_SECONDS
        assert new.client.exists(f"gazecrop:map:{B}")
        await store.close()


async def test_a_replica_without_its_primary_is_left(start: Start, open_store: OpenStore) -> None:
    """MASTERDOWN: it refuses reads, too."""
    old, new = start(), start("--replica-serve-stale-data", "no")
    proxy = Proxy(new)
    async with proxy.running() as url:
        store = open_store(url)
        await store.put(A, RECORD)
        new.client.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreAway, match="refused"):
            await store.get(A)
        proxy.target = old
        assert await succeeds(lambda: store.get(A), 20) < RECONNECT_SECONDS
        await store.close()


@pytest.mark.long
async def test_sentinels_name_the_primary_and_its_successor(
    request: pytest.FixtureRequest, tmp_path: Path, open_store: OpenStore
) -> None:
    primary, replicas, watchers = sentinels(tmp_path, request.addfinalizer)
    hosts = ",".join(f"127.0.0.1:{port}" for port in (1, *(watcher.port for watcher in watchers)))
    store = open_store(f"redis+sentinel://{hosts}/name/0?socket_timeout=1")
    # A busy machine may keep some waiting for a connection for more than a second.
    await asyncio.gather(*(succeeds(lambda: store.put(A, RECORD), 60) for _ in range(20)))
    primary.client.wait(2, 5000)
    assert primary.client.exists(f"gazecrop:map:{A}")
    primary.process.kill()
    watchers[0].process.kill()
    primary.process.wait()

    def successor() -> Node | None:
        return next((node for node in replicas if node.client.role()[0] == b"master"), None)

    writing = asyncio.create_task(succeeds(lambda: store.put(B, RECORD), 60))
    await asyncio.to_thread(replicas[0].until, successor, 60)
    elected = time.monotonic()
    await writing
    assert time.monotonic() - elected < RECONNECT_SECONDS
    assert await store.get(A) == Entry(RECORD, None)
    found = successor()
    assert found and found.client.exists(f"gazecrop:map:{B}")


async def test_sentinels_that_name_no_primary(start: Start, open_store: OpenStore) -> None:
    primary = start()
    sentinel = start(sentinel_of=primary)
    with pytest.raises(StoreAway, match="no Sentinel names a primary 'other'"):
        await open_store(f"redis+sentinel://127.0.0.1:{sentinel.port}/other?socket_timeout=1").ping()
    await open_store(f"redis+sentinel://127.0.0.1:{sentinel.port}/name?socket_timeout=1").ping()


async def test_a_sentinel_and_a_cluster_node_are_named(start: Start, open_store: OpenStore) -> None:
    # The bus's default port, 10000 above the client's, does not exist for a client port above 55535.
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    sentinel, node = start(sentinel_of=start()), start(*cluster)
    with pytest.raises(StoreAway, match="is a Sentinel: REDIS_URL must be redis\\+sentinel"):
        await open_store(f"redis://127.0.0.1:{sentinel.port}?socket_timeout=1").get(A)
    with pytest.raises(StoreAway, match="Redis Cluster, which is not supported"):
        await open_store(f"redis://127.0.0.1:{node.port}?socket_timeout=1").get(A)
