"""POST /v1/events/s3."""

import json
from collections.abc import Callable

import pytest
from redis import Redis

from tests.conftest import RedisServer, Server
from tests.helpers.contract import client, problem, wrong
from tests.jobs.test_events import S3, record

PATH = "/v1/events/s3"


def test_without_a_stream_it_says_what_to_set(server: Server) -> None:
    with client(server.url) as api:
        answer = api.post(PATH, json=S3)
        assert "GAZECROP_WORK_STREAM" in problem(answer, 503, "unavailable")["detail"]


@pytest.mark.long  # a source in a bucket needs the extra [remote], which only the long tests install
@pytest.mark.redis
def test_events_become_jobs(start_server: Callable[..., Server], redis_server: RedisServer) -> None:
    server = start_server(
        REDIS_URL=redis_server.url,
        GAZECROP_WORK_STREAM="jobs",
        GAZECROP_WORK_MAX_JOBS="3",
        GAZECROP_SOURCES="s3://photos/in/",
        GAZECROP_API_KEYS="k",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_DEFAULT_REGION="eu-central-1",
    )
    redis = Redis.from_url(redis_server.url)
    with redis, client(server.url, headers={"Authorization": "Bearer k"}) as api:
        assert api.post(PATH, json=S3, headers={"Authorization": ""}).status_code == 401
        two = {"Records": [record("in/a+b.jpg"), record("out/c.jpg")]}
        answer = api.post(PATH, json=two)
        assert (answer.status_code, answer.json()) == (202, {"jobs": 1, "skipped": 1})
        [(_, fields)] = redis.xrange("jobs") or []
        assert fields == {b"bucket": b"photos", b"key": b"in/a b.jpg"}
        test = api.post(PATH, json={"Service": "Amazon S3", "Event": "s3:TestEvent"})
        assert (test.status_code, test.json()) == (202, {"jobs": 0, "skipped": 0})
        assert wrong(api.post(PATH, content=b"{}")) == ["body"]
        assert wrong(api.post(PATH, params={"x": "1"}, json=S3)) == ["x"]
        many = json.dumps(S3).encode().ljust(1_100_000)
        problem(api.post(PATH, content=many), 413, "body_too_large")
        # All or none: three do not fit beside the one that waits.
        three = {"Records": [record(f"in/{n}.jpg") for n in range(3)]}
        answer = api.post(PATH, json=three)
        problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] and redis.xlen("jobs") == 1
        redis_server.stop()
        problem(api.post(PATH, json=S3), 503, "store_unavailable")


@pytest.mark.redis
def test_a_server_whose_sources_have_no_bucket(
    start_server: Callable[..., Server], redis_server: RedisServer
) -> None:
    server = start_server(REDIS_URL=redis_server.url, GAZECROP_WORK_STREAM="jobs")
    with client(server.url) as api:
        assert "GAZECROP_SOURCES" in problem(api.post(PATH, json=S3), 503, "unavailable")["detail"]
