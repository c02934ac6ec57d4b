"""`gazecrop work` in processes of its own, beside a real Redis."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from tests.conftest import RedisServer, free_port
from tests.helpers.contract import until

STREAM = "jobs"


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def kill(self) -> None:
        """At once, as a machine that fails."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
            return True
        return False

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: bytes = answer.read()
            return text.decode()


@dataclass
class Workers:
    """Starts any number; all are killed at the end."""

    folder: Path
    server: RedisServer
    redis: Redis
    started: list[Worker] = field(default_factory=list)

    def start(self, **settings: str) -> Worker:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_")}
        port = free_port()
        environment = {
            "REDIS_URL": self.server.url + "?socket_timeout=1",
            "GAZECROP_WORK_STREAM": STREAM,
            "GAZECROP_WORK_IDLE_SECONDS": "1",
            "GAZECROP_WORK_PORT": str(port),
            "GAZECROP_HOST": "127.0.0.1",
            "GAZECROP_DEVICE": "cpu",
            "GAZECROP_WORKERS": "1",
            "GAZECROP_MEMORY_MEGABYTES": "1500",
        }
        log = self.folder / f"worker-{len(self.started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("gazecrop")), "work"],
                env=inherited | environment | settings,
                cwd=self.folder,
                stdout=out,
                stderr=out,
            )
        self.started.append(Worker(process, port, log))
        return self.started[-1]

    def running(self, **settings: str) -> Worker:
        worker = self.start(**settings)
        until(worker.ready, 120)
        return worker

    def add(self, **fields: bytes | str) -> str:
        id: bytes = self.redis.xadd(STREAM, dict(fields))  # type: ignore[arg-type,assignment]
        return id.decode()

    def results(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.redis.xrange(f"{STREAM}:results")]  # type: ignore[union-attr,misc]

    def dead(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.redis.xrange(f"{STREAM}:dead")]  # type: ignore[union-attr,misc]

    def all_done(self) -> bool:
        return self.redis.xlen(STREAM) == 0

    def at_most(self, left: int) -> bool:
        return self.redis.xlen(STREAM) <= left

    def end(self) -> None:
        for worker in self.started:
            if worker.process.poll() is None:
                worker.kill()


@contextmanager
def workers_of(folder: Path, server: RedisServer) -> Iterator[Workers]:
    with Redis.from_url(server.url) as redis:
        found = Workers(folder, server, redis)
        try:
            yield found
        finally:
            found.end()
