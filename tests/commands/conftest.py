from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RedisServer
from tests.helpers.workers import Workers


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    with Redis.from_url(redis_server.url) as redis:
        found = Workers(tmp_path, redis_server, redis)
        yield found
        found.end()
