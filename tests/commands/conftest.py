from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RedisServer
from tests.helpers.workers import Workers, workers_of


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    with workers_of(tmp_path, redis_server) as found:
        yield found
