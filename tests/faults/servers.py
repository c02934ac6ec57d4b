"""Servers behind nginx and on one Redis: one killed, all restarted in turn. One alone: drained, its disk full."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.conftest import RedisServer, Server, free_port, serving
from tests.faults.load import PICTURE, Load
from tests.faults.rows import Row, Trial, fault
from tests.helpers.contract import answer_of, begin_upload, until
from tests.helpers.disk import small_disk
from tests.helpers.nginx import answers, nginx, shipped
from tests.helpers.pictures import jpeg

CLIENTS = 4


class Fleet:
    """Servers on ports of their own that can be stopped and started again."""

    def __init__(self, folder: Path, redis_url: str, count: int) -> None:
        self._folder, self._redis_url = folder, redis_url
        self._ports = [free_port() for _ in range(count)]
        self._running: dict[int, ExitStack] = {}
        self.servers: dict[int, Server] = {}

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    def start(self, index: int) -> None:
        place = self._folder / f"server-{index}-{time.monotonic_ns()}"
        place.mkdir()
        environment = {"REDIS_URL": self._redis_url, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
        running = self._running[index] = ExitStack()
        self.servers[index] = running.enter_context(serving(place, environment, self._ports[index]))

    def stop(self, index: int) -> None:
        """By SIGTERM; returns when it has ended."""
        self._running.pop(index).close()

    def close(self) -> None:
        for index in list(self._running):
            self.stop(index)


@contextmanager
def fleet(folder: Path, count: int) -> Iterator[tuple[RedisServer, Fleet, str]]:
    """With the URL of nginx, which has the shipped configuration."""
    redis = RedisServer(folder / "s")
    port = free_port()
    with ExitStack() as stack:
        redis.start()
        stack.callback(redis.stop)
        servers = Fleet(folder, f"{redis.url}?socket_timeout=1", count)
        stack.callback(servers.close)
        for index in range(count):
            servers.start(index)
        stack.enter_context(nginx(shipped(port, servers.urls), folder))
        url = f"http://127.0.0.1:{port}"
        answers(url)
        yield redis, servers, url


@fault("kill")
def kill(trial: Trial) -> Row:
    """kill -9: what was in flight at that server may fail, and nothing else."""
    with fleet(trial.folder, 2 if trial.short else 4) as (_, servers, url):
        with Load(url, CLIENTS) as load:
            load.run(0.5 if trial.short else 3)
            servers.servers[0].process.kill()
            load.run(1 if trial.short else 4)
        failed = load.errors + len(load.broken)
        servers.stop(0)
        servers.start(0)
        lost = load.lost(*servers.urls, at_most=50 if trial.short else 400)
        count = len(servers.urls)
    measured = f"{count} servers, {sum(load.answers.values())} answers, {load.failures}, {lost} lost"
    return Row("kill", f"<= {CLIENTS} in flight fail, 0 lost", measured, failed <= CLIENTS and lost == 0)


@fault("restart")
def restart(trial: Trial) -> Row:
    """Each in turn by SIGTERM. Clients try a 503 again after its Retry-After."""
    with fleet(trial.folder, 2 if trial.short else 4) as (_, servers, url):
        with Load(url, CLIENTS, patient=True) as load:
            for index in range(len(servers.urls)):
                load.run(0.3 if trial.short else 1)
                servers.stop(index)
                servers.start(index)
            load.run(0.3)
        lost = load.lost(*servers.urls, at_most=50 if trial.short else 400)
        count = len(servers.urls)
    failed = load.errors + len(load.broken)
    measured = f"{count} servers, {sum(load.answers.values())} answers, {load.failures}, {lost} lost"
    return Row("restart", "0 failed, 0 lost", measured, failed == 0 and lost == 0)


@fault("drain")
def drain(trial: Trial) -> Row:
    """SIGTERM while uploads are half sent: all are answered, and the exit status is 0."""
    data = [jpeg(seed=seed) for seed in range(8)]
    with serving(trial.folder) as server:
        halves = [begin_upload(server.url, one, sent=1000) for one in data]
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
        server.process.terminate()
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        for half, one in zip(halves, data, strict=True):
            half.sendall(one[1000:])
        answered = sum(answer_of(half).status_code == 201 for half in halves)
        status = server.process.wait(60)
    measured = f"{answered} of {len(data)} answered, exit status {status}"
    return Row("drain", "all answered, exit status 0", measured, answered == len(data) and status == 0)


@fault("disk full")
def disk_full(trial: Trial) -> Row:
    """Not a byte left: maps are answered and not stored, reports are a 507, focal points and deletions still work."""
    with (
        small_disk(trial.folder) as (disk, fill),
        serving(trial.folder, {"GAZECROP_DATA_DIR": str(disk)}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        ids = [client.post("/v1/images", content=PICTURE + b"%d" % n).json()["id"] for n in range(2)]
        fill()
        got = [
            client.post("/v1/images", content=PICTURE + b"more").status_code,
            client.post("/v1/reports", json={"id": ids[0], "kind": "wrong"}).status_code,
            client.put(f"/v1/images/{ids[0]}/focus", json={"x": 0.1, "y": 0.2}).status_code,
            client.delete(f"/v1/images/{ids[1]}").status_code,
            client.get(f"/v1/images/{ids[0]}").status_code,
        ]
        traced = server.log.read_text().count("Traceback")
    measured = f"upload, report, focus, delete, read: {' '.join(map(str, got))}, {traced} tracebacks"
    return Row("disk full", "201 507 201 204 200", measured, got == [201, 507, 201, 204, 200] and not traced)
