"""`gazecrop work`: real workers, a real Redis, real HTTP servers."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from tests.conftest import RedisServer, Server
from tests.helpers.contract import until
from tests.helpers.http_servers import http_server
from tests.helpers.pictures import jpeg
from tests.helpers.workers import STREAM, Workers

pytestmark = pytest.mark.redis


def sources(url: str) -> dict[str, str]:
    return {"GAZECROP_SOURCES": f"{url}/", "GAZECROP_SOURCES_PRIVATE": "127.0.0.0/8"}


def test_what_it_needs_is_said_in_one_line(tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("gazecrop")), "work"]
    for environment, word in (
        ({}, "GAZECROP_WORK_STREAM"),
        ({"GAZECROP_WORK_STREAM": "jobs"}, "REDIS_URL"),
        (
            {"GAZECROP_WORK_STREAM": "jobs", "REDIS_URL": "redis://x", "GAZECROP_WORK_RESULTS": "webhook"},
            "GAZECROP_WORK_WEBHOOK",
        ),
        ({"GAZECROP_WORK_RESULTS": "fax"}, "GAZECROP_WORK_RESULTS"),
        ({"GAZECROP_WORK_WEBHOOK_SECRETS": "secret"}, "whsec_"),
    ):
        done = subprocess.run(
            program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and word in done.stderr and done.stderr.count("\n") == 1


def test_jobs_their_results_and_the_service_beside_it(
    workers: Workers, start_server: Callable[..., Server], redis_server: RedisServer
) -> None:
    """Bytes and URLs; what is no picture, no job and not allowed is answered once, with an error document."""
    picture = jpeg(seed=7)

    def serve(number: int, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return (404, {}, b"") if request.path == "/none" else (200, {}, picture)

    with http_server(serve) as url:
        worker = workers.running(**sources(url), GAZECROP_MAX_BYTES="500000")
        given = [
            {"image": picture, "id": "bytes", "ratios": "16:9"},
            {"url": f"{url}/a.jpg", "id": "url"},
            {"url": f"{url}/none", "id": "none"},
            {"url": "http://127.0.0.2/", "id": "outside"},
            {"image": b"no picture", "id": "poison"},
            {"image": b"\xff\xd8" * 300_000, "id": "large"},
            {"image": picture, "ratios": "no-ratio", "id": "wrong"},
            {"event": json.dumps({"Records": [], "x": 1}), "id": "event"},
            {"event": b"nonsense", "id": "no event"},
        ]
        for fields in given:
            workers.add(**fields)  # type: ignore[arg-type]
        until(workers.all_done, 60)
        results = {fields[b"id"].decode(): fields for fields in workers.results()}
        statuses = {id: int(fields[b"status"]) for id, fields in results.items()}
        assert {statuses.pop("bytes"), statuses.pop("url")} <= {200, 201}
        assert statuses == {
            "none": 502, "outside": 403, "poison": 415, "large": 413, "wrong": 422, "no event": 422,
        }  # fmt: skip
        document = json.loads(results["bytes"][b"document"])
        assert [crop["ratio"] for crop in document["crops"]] == ["16:9"]
        assert json.loads(results["poison"][b"document"])["type"] == "/problems/unsupported_picture"
        assert results["url"][b"source"].decode() == f"{url}/a.jpg"
        assert not workers.dead()
        text = worker.metrics()
        assert 'gazecrop_work_entries_total{queue="jobs",result="refused"} 6.0' in text
        assert 'gazecrop_work_entries_total{queue="jobs",result="retried"} 0.0' in text
        assert "gazecrop_work_seconds_count 8.0" in text
        assert worker.stop() == 0
        assert workers.redis.xinfo_consumers(STREAM, "gazecrop") == []
    # The service answers from the map that the worker stored, with the document of the worker.
    server = start_server(REDIS_URL=redis_server.url)
    import httpx

    answer = httpx.get(f"{server.url}/v1/images/{document['id']}", params={"ratios": "16:9"})
    assert answer.status_code == 200 and answer.content == results["bytes"][b"document"]


def test_the_page_s_commands_run(workers: Workers, tmp_path: Path) -> None:
    """The worker of the first block, in the background, with a job that redis-cli adds from a file."""
    page = (Path(__file__).parents[2] / "docs/worker.md").read_text()
    [code] = [block for block in re.findall(r"^```shell\n(.*?)^```$", page, re.M | re.S) if "XADD" in block]
    cli = f"redis-cli -s {workers.server.path}"
    code = code.replace("redis://127.0.0.1:6379/0", f"{workers.server.url}?socket_timeout=2")
    setting, work, add, show = code.replace("redis-cli", cli).splitlines()
    wait = f"until [ $({cli} XLEN jobs:results) = 1 ]; do sleep 0.1; done"
    script = "\n".join([setting, f"{work} &", "worker=$!", add, wait, show, "kill $worker", "wait $worker"])
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GAZECROP_DEVICE": "cpu",
        "GAZECROP_HOST": "127.0.0.1",
        "GAZECROP_WORK_PORT": "0",
    }
    program = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.splitlines()
    assert printed[printed.index("id") + 1] == "42" and printed[printed.index("status") + 1] == "201"
    assert len(json.loads(printed[printed.index("document") + 1])["crops"]) == 2


def test_passing_errors_are_retried_and_then_dead_letters(workers: Workers) -> None:
    picture = jpeg()

    def serve(number: int, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        seen.append(request.path)
        if request.path == "/later" and seen.count("/later") == 3:
            return 200, {}, picture
        return 503, {}, b""

    seen: list[str] = []
    with http_server(serve) as url:
        workers.running(**sources(url), GAZECROP_WORK_TRIES="3", GAZECROP_WORK_IDLE_SECONDS="0.4")
        workers.add(url=f"{url}/later", id="later")
        never = workers.add(url=f"{url}/never", id="never", ratios="1:1")
        until(workers.all_done, 90)
    assert seen.count("/later") == seen.count("/never") == 3
    assert [fields[b"id"] for fields in workers.results()] == [b"later"]
    [dead] = workers.dead()
    assert (dead[b"id"], dead[b"ratios"], dead[b"tries"], dead[b"entry"]) == (
        *(b"never", b"1:1", b"3"), never.encode(),
    )  # fmt: skip
    assert b"503" in dead[b"error"]


def test_dead_letters_are_put_back(workers: Workers) -> None:
    """Jobs as jobs, without what was added to them; a webhook's messages as its messages."""
    job, result = (
        {"image": jpeg(), "id": "again"},
        {"job": "1-1", "id": "result", "status": "201", "document": "{}"},
    )
    for fields in (job, result):
        workers.redis.xadd(f"{STREAM}:dead", fields | {"error": "e", "tries": "5", "entry": "1-1"})  # type: ignore[arg-type]
    program = [str(Path(sys.executable).with_name("gazecrop")), "work", "--retry-dead"]
    environment = {"REDIS_URL": workers.server.url + "?socket_timeout=1", "GAZECROP_WORK_STREAM": STREAM}
    for moved in (2, 0):
        done = subprocess.run(
            program, env=environment, cwd=workers.folder, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{moved} dead letters are back in their streams\n"
    assert not workers.dead()
    [(_, message)] = workers.redis.xrange(f"{STREAM}:webhooks")  # type: ignore[misc]
    assert message == {name.encode(): value.encode() for name, value in result.items()}
    workers.running()
    until(workers.all_done, 60)
    assert [fields[b"id"] for fields in workers.results()] == [b"again"]


def test_a_job_that_ends_its_workers_is_a_dead_letter(workers: Workers) -> None:
    """A worker that dies cannot count its tries: Redis does."""
    workers.redis.xgroup_create(STREAM, "gazecrop", "0", mkstream=True)
    id = workers.add(image=jpeg(), id="deadly")
    for _ in range(5):
        workers.redis.xautoclaim(STREAM, "gazecrop", "dead", 0)
        if not workers.redis.xpending_range(STREAM, "gazecrop", "-", "+", 1):
            workers.redis.xreadgroup("gazecrop", "dead", {STREAM: ">"})
    workers.redis.xclaim(STREAM, "gazecrop", "dead", 0, [id], retrycount=5)
    workers.running()
    until(workers.all_done, 90)
    [dead] = workers.dead()
    assert dead[b"tries"] == b"5" and b"worker stopped" in dead[b"error"] and not workers.results()


def test_a_stop_ends_what_runs_and_gives_back_the_rest(workers: Workers) -> None:
    """No more are read than slots are free: two of the jobs, whose source does not answer yet."""
    picture, answering = jpeg(), threading.Event()

    def serve(number: int, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        answering.wait(120)
        return 200, {}, picture

    with http_server(serve) as url:
        worker = workers.running(**sources(url))
        for number in range(5):
            workers.add(url=f"{url}/{number}", id=str(number))

        def pending() -> int:
            try:
                summary: dict[str, int] = workers.redis.xpending(STREAM, "gazecrop")
            except ResponseError:  # the worker has not created the group yet
                return 0
            return summary["pending"]

        until(lambda: pending() == 2, 60)
        until(lambda: 'gazecrop_work_running{queue="jobs"} 2.0' in worker.metrics(), 60)
        worker.process.terminate()
        time.sleep(1.5)  # the read that waits for entries ends within a second
        assert worker.process.poll() is None
        answering.set()
        assert worker.process.wait(60) == 0
        assert sorted(fields[b"id"] for fields in workers.results()) == [b"0", b"1"]
        assert pending() == 0 and workers.redis.xlen(STREAM) == 3
        # Drained too late: the rest is given back at once, and its try does not count.
        answering.clear()
        worker = workers.running(**sources(url), GAZECROP_DRAIN_SECONDS="0", GAZECROP_WORK_TRIES="1")
        until(lambda: pending() == 2, 60)
        assert worker.stop() == 0
        answering.set()
        workers.running(**sources(url), GAZECROP_WORK_TRIES="1")
        until(workers.all_done, 90)
    assert len(workers.results()) == 5 and not workers.dead()


def test_redis_restarts_under_a_worker(workers: Workers) -> None:
    worker = workers.running()
    workers.add(image=jpeg(), id="before")
    until(workers.all_done, 60)
    workers.server.stop()
    time.sleep(1.0)
    workers.server.start()  # empty: the group has gone with it
    workers.add(image=jpeg(), id="after")
    until(workers.all_done, 90)
    assert [fields[b"id"] for fields in workers.results()] == [b"after"]
    assert worker.stop() == 0


def killed_at_random(workers: Workers, jobs: int, kills: int, at_once: int) -> None:
    """Kills a random worker at `kills` random moments and starts another in its place; every job is done, once."""
    pictures = [jpeg(320, 240, seed) for seed in range(20)]
    for number in range(jobs):
        workers.add(image=pictures[number % 20] + number.to_bytes(4, "big"), id=str(number))
    running = [workers.start() for _ in range(at_once)]
    left = jobs
    moments = sorted(random.sample(range(1, jobs), kills), reverse=True)
    for moment in moments:  # by the jobs that are left: the kills are spread over all of the work
        until(partial(workers.at_most, moment), 300)
        time.sleep(random.uniform(0, 0.05))
        ready = [worker for worker in running if worker.process.poll() is None]
        victim = random.choice(ready)
        victim.kill()
        running.remove(victim)
        running.append(workers.start())
        left = moment
    assert left >= 1
    until(workers.all_done, 300)
    ids = [int(fields[b"id"]) for fields in workers.results()]
    assert sorted(ids) == list(range(jobs))
    assert not workers.dead()
    assert all(fields[b"status"] in (b"200", b"201") for fields in workers.results())


def test_killed_workers_lose_nothing(workers: Workers) -> None:
    killed_at_random(workers, jobs=60, kills=2, at_once=2)


@pytest.mark.long
def test_twenty_kills_over_five_hundred_jobs(workers: Workers) -> None:
    killed_at_random(workers, jobs=500, kills=20, at_once=3)
