"""The rate of reports: limited for each address, shared by replicas, and no failure of Redis fails a report."""

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from limits.aio.strategies import RateLimiter

from gazecrop.errors import TooManyReports
from gazecrop.store import rate
from gazecrop.store.rate import ReportRate
from tests.conftest import RedisServer, Server
from tests.helpers.contract import client, problem

START = 1_800_000_100.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that the library reads; asyncio has another."""
    clock = [START]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    return clock


async def refused(limited: ReportRate, address: str) -> int:
    """Retry-After; 0: the report was allowed."""
    try:
        await limited.hit(address)
    except TooManyReports as error:
        assert error.members["limit"] == limited._limit.amount
        return int(error.headers["Retry-After"])
    return 0


async def test_a_report_over_the_limit_is_refused_with_the_time_to_wait(now: list[float]) -> None:
    limited = ReportRate(2)
    assert [await refused(limited, "192.0.2.1") for _ in range(2)] == [0, 0]
    wait = await refused(limited, "192.0.2.1")
    assert 1 <= wait <= 3600
    assert await refused(limited, "192.0.2.2") == 0
    now[0] += wait - 2
    assert 1 <= await refused(limited, "192.0.2.1") <= 3
    now[0] += 2.01
    assert await refused(limited, "192.0.2.1") == 0


@pytest.mark.parametrize("per_hour", [1, 2, 5, 60])
async def test_after_the_time_to_wait_a_report_is_allowed(now: list[float], per_hour: int) -> None:
    """And in no hour there are more than twice as many as the limit."""
    limited, rng, allowed, refusals = ReportRate(per_hour), random.Random(per_hour), list[float](), 0
    for _ in range(300):
        now[0] += rng.expovariate(per_hour / 1200)
        wait = await refused(limited, "a")
        if wait:
            refusals += 1
            now[0] += wait + 0.01
            assert await refused(limited, "a") == 0
        allowed.append(now[0])
        assert sum(at > now[0] - 3600 for at in allowed) <= 2 * per_hour
    assert refusals > 10


async def test_addresses_of_one_ipv6_subscriber_are_one() -> None:
    limited = ReportRate(1)
    assert await refused(limited, "2001:db8:1:2::1") == 0
    assert await refused(limited, "2001:db8:1:2:ffff::9") > 0
    assert await refused(limited, "2001:db8:1:3::1") == 0
    assert await refused(limited, "192.0.2.1") == 0
    assert await refused(limited, "::ffff:192.0.2.1") > 0
    assert await refused(limited, "") == 0  # a Unix socket
    assert await refused(limited, "") > 0


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "ADDRESSES", 20)
    limited = ReportRate(1)
    for number in range(100):
        await refused(limited, f"192.0.2.{number}")
        assert len(limited._memory.expirations) <= 22
        assert len(limited._memory.storage) <= 22 and len(limited._memory.locks) <= 22


def test_a_report_over_the_limit_is_a_429(start_server: Callable[..., Server]) -> None:
    with client(start_server(GAZECROP_REPORTS_PER_HOUR="2").url) as api:
        report = {"id": "0" * 32, "text": "cut"}
        assert [api.post("/v1/reports", json=report).status_code for _ in range(2)] == [201, 201]
        answer = api.post("/v1/reports", json=report)
        document = problem(answer, 429, "too_many_reports")
        assert document["limit"] == 2 and "2 reports an hour" in document["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 3600


needs_redis = pytest.mark.redis


@pytest.fixture
async def replicas(redis_server: RedisServer) -> AsyncIterator[list[ReportRate]]:
    """Two on one Redis; the longer timeout is for a busy machine."""
    made = [ReportRate(3, f"{redis_server.url}?socket_timeout=1") for _ in range(2)]
    yield made
    for each in made:
        await each.close()


@needs_redis
async def test_replicas_share_the_rate(replicas: list[ReportRate]) -> None:
    first, second = replicas
    assert [await refused(each, "a") for each in (first, second, first)] == [0, 0, 0]
    assert 1 <= await refused(second, "a") <= 3600
    assert 1 <= await refused(first, "a") <= 3600
    assert await refused(second, "b") == 0


@needs_redis
async def test_without_redis_the_memory_counts(redis_server: RedisServer) -> None:
    limited = ReportRate(2, redis_server.url)
    with suppress(TooManyReports):
        await limited.hit("a")
    redis_server.stop()
    assert [await refused(limited, "a") for _ in range(2)] == [0, 0]
    assert await refused(limited, "a") > 0
    await limited.close()


@needs_redis
async def test_a_redis_that_does_not_answer_delays_no_report(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The breaker opens after five calls of 50 ms; then one is made every pause of 2 s."""
    limited = ReportRate(20, redis_server.url)
    hit, asked = limited._hit, 0

    async def counted(limiter: RateLimiter, key: str) -> float | None:
        nonlocal asked
        asked += limiter is limited._shared
        return await hit(limiter, key)

    monkeypatch.setattr(limited, "_hit", counted)
    redis_server.freeze()
    try:
        began = time.monotonic()
        assert [await refused(limited, "a") for _ in range(20)] == [0] * 20
        assert await refused(limited, "a") > 0
        assert 5 <= asked <= 5 + (time.monotonic() - began) / 2
    finally:
        redis_server.thaw()
    await limited.close()
