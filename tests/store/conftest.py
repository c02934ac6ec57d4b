"""Stores, real redis-servers and a clock for the tests of this folder. A module with a store of its own kind defines
`store` itself."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gazecrop.store import redis_link
from gazecrop.store.base import Store
from gazecrop.store.redis import RedisStore
from gazecrop.store.sqlite import SqliteStore
from tests.conftest import RedisServer
from tests.helpers.clock import Clock
from tests.helpers.redis_servers import Node

OpenStore = Callable[[], Store]
Start = Callable[..., Node]
MAX_FOCUS = 5


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def max_focus() -> int:
    """Of the stores that `open_one` opens; a module may have another."""
    return MAX_FOCUS


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def open_one(
    request: pytest.FixtureRequest, tmp_path: Path, max_focus: int, monkeypatch: pytest.MonkeyPatch
) -> OpenStore:
    """Opens the same store each time, as replicas do, or a process that starts again."""
    if request.param == "sqlite":
        return lambda: SqliteStore(
            tmp_path / "gazecrop.db", megabytes=10, max_focus=max_focus, reports_megabytes=1
        )
    # Its timeouts are not the subject here, and a busy machine is slow.
    monkeypatch.setattr(redis_link, "WAIT_FOR_CONNECTION", 20.0)
    url = f"{request.getfixturevalue('redis_server').url}?socket_timeout=2"
    return lambda: RedisStore(url, map_days=1, max_focus=max_focus, reports_megabytes=1)


@pytest.fixture
async def store(open_one: OpenStore) -> AsyncIterator[Store]:
    opened = open_one()
    yield opened
    await opened.close()


@pytest.fixture
async def other(open_one: OpenStore) -> AsyncIterator[Store]:
    """A second replica on the same store."""
    opened = open_one()
    yield opened
    await opened.close()


@pytest.fixture
async def replica(tmp_path: Path, store: SqliteStore) -> AsyncIterator[SqliteStore]:
    """Another process' view of the file of `store`, with no memory in front."""
    opened = SqliteStore(tmp_path / "gazecrop.db", megabytes=10, max_focus=100)
    yield opened
    await opened.close()


@pytest.fixture
async def raw(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """The same server as the store's, without the store."""
    client = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(options of redis-server) -> Node, as many as a test needs; all are stopped."""
    nodes: list[Node] = []

    def start_one(*options: str, sentinel_of: Node | None = None) -> Node:
        nodes.append(Node(tmp_path / str(len(nodes)), *options, sentinel_of=sentinel_of))
        return nodes[-1]

    yield start_one
    for node in nodes:
        node.stop()
