"""Mixed load with faults for a long time: what is answered, and whether memory, descriptors or threads grow.

    python -m tests.faults.mixed --minutes=60

Two servers behind nginx on one Redis. Eight clients upload, crop, render, focus, report and delete; some files are
broken, some clients leave. In turn Redis hangs or is read-only, the second server is killed or restarted; the first
one runs to the end and is measured. Unexpected: an answer with a status that is not one of the request's. Without an
answer: a 502, a 504 or a lost connection, allowed for the requests in flight when a server is killed. A 503 with
Retry-After is a refusal: allowed and counted.
"""

import argparse
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np

from tests.conftest import RedisServer
from tests.faults.hostile import files
from tests.faults.servers import Fleet, fleet
from tests.faults.store import replicate
from tests.helpers.pictures import encode, jpeg
from tests.helpers.samples import SAMPLES, scene

CLIENTS = 8
PAUSE = 0.1  # seconds of a client between two steps
KEPT = 200  # ids that a client goes on asking for
APART = 60.0  # seconds between two faults
HANGS = 3.0  # seconds that Redis hangs or is read-only
EVERY = 5.0  # seconds between two measurements of the first server
WARM = 0.25  # of the time, which is not in the slopes: caches fill
FRESH = 1.5  # seconds after which every server knows of a deletion, or answers with X-Degraded
QUERIES = (
    "crops/1:1", "crops/16:9?protect=face", "crops/9:16?policy=window", "crops?ratios=4:5,2:1,1:1",
    "crops/1:1?zoom=auto", "crops/3:1?overlay=0,0.5,1,0.5", "crops/1:1?protect=none",
    "crops/2:3?fields=wordpress", "saliency", "", "picture?breakpoints=1:1@600,16:9",
)  # fmt: skip
WRONG = ("crops/0:1", "crops/1:1?zoom=1e9", "crops/1:1?policy=none", "crops/x", "crops/1:1?width=-1")


@dataclass
class Client:
    """One that waits for each answer. `answers`: "POST 201" -> count."""

    url: str
    dice: random.Random
    hostile: list[bytes]
    stop: threading.Event
    pause: float
    answers: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    refused: int = 0
    kept: list[str] = field(default_factory=list)

    def run(self) -> None:
        shares = {
            self.upload: 30, self.crop: 42, self.render: 8, self.focus: 5,
            self.delete: 2, self.attack: 5, self.leave: 3, self.look: 5,
        }  # fmt: skip
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.stop.is_set():
                self.dice.choices(list(shares), list(shares.values()))[0](client)
                self.stop.wait(self.pause)

    def ask(
        self, client: httpx.Client, expected: set[int], method: str, path: str, **rest: object
    ) -> httpx.Response | None:
        """The answer if it is one of the expected ones."""
        try:
            answer = client.request(method, path, **rest)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            self.broken += 1
            self.answers[f"{method} {type(error).__name__}"] += 1
            return None
        self.answers[f"{method} {answer.status_code}"] += 1
        if answer.status_code == 503 and "retry-after" in answer.headers:
            self.refused += 1
        elif answer.status_code in (502, 504):  # of nginx: the server was killed
            self.broken += 1
        elif answer.status_code not in expected:
            self.unexpected[f"{method} {path.split('?')[0]} {answer.status_code} {answer.text[:80]}"] += 1
        else:
            return answer
        return None

    def upload(self, client: httpx.Client) -> None:
        draw = self.dice.random()
        if draw < 0.02:
            data = LARGE + self.dice.randbytes(8)
        elif draw < 0.8:
            data = jpeg(320, 240, seed=self.dice.randrange(50)) + self.dice.randbytes(8)
        else:
            data = self.dice.choice(list(SAMPLES.values()))
        found = self.ask(client, {200, 201}, "POST", "/v1/images?ratios=1:1,16:9", content=data)
        if found is not None and draw < 0.8 and "x-degraded" not in found.headers:
            self.kept.append(found.json()["id"])
            del self.kept[:-KEPT]

    def crop(self, client: httpx.Client) -> None:
        if not self.kept:
            return
        id = self.dice.choice(self.kept)
        if self.dice.random() < 0.05:
            self.ask(client, {422, 404}, "GET", f"/v1/images/{id}/{self.dice.choice(WRONG)}")
            return
        query = self.dice.choice(QUERIES)
        if query == "crops/1:1":
            query = f"crops/{self.dice.randrange(100, 999)}:{self.dice.randrange(100, 999)}"
        self.ask(client, {200}, "GET", f"/v1/images/{id}/{query}".rstrip("/"))

    def render(self, client: httpx.Client) -> None:
        path = self.dice.choice(
            ("/v1/crop?ratio=1:1&width=200&format=webp", "/v1/crop?ratio=16:9&width=300", "/v1/explain")
        )
        data = LARGE if self.dice.random() < 0.1 else jpeg(640, 480, seed=self.dice.randrange(50))
        self.ask(client, {200}, "POST", path, content=data)

    def focus(self, client: httpx.Client) -> None:
        if self.kept:
            id = self.dice.choice(self.kept)
            self.ask(
                client, {200, 201}, "PUT", f"/v1/images/{id}/focus", json={"x": self.dice.random(), "y": 0.5}
            )
            if self.dice.random() < 0.5:
                self.ask(client, {204}, "DELETE", f"/v1/images/{id}/focus")

    def delete(self, client: httpx.Client) -> None:
        if self.kept:
            id = self.kept.pop(self.dice.randrange(len(self.kept)))
            if self.ask(client, {204}, "DELETE", f"/v1/images/{id}") is not None:
                self.stop.wait(FRESH)
                path = f"/v1/images/{id}/crops/{self.dice.randrange(1000, 9999)}:5000"
                found = self.ask(client, {404, 200}, "GET", path)
                if found is not None and found.is_success and "x-degraded" not in found.headers:
                    self.unexpected["GET of a deleted picture"] += 1

    def attack(self, client: httpx.Client) -> None:
        self.ask(
            client, {200, 201, 413, 415, 422}, "POST", "/v1/images", content=self.dice.choice(self.hostile)
        )

    def leave(self, client: httpx.Client) -> None:
        """In the middle of a body."""
        place = urlsplit(self.url)
        with suppress(OSError), socket.create_connection((place.hostname, place.port), timeout=30) as one:
            one.sendall(
                b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + bytes(1000)
            )

    def look(self, client: httpx.Client) -> None:
        path = self.dice.choice(("/healthz", "/readyz", "/openapi.json", "/"))
        self.ask(client, {200}, "GET", path)
        if self.kept and self.dice.random() < 0.2:
            report = {"id": self.dice.choice(self.kept), "kind": "wrong"}
            self.ask(client, {200, 201, 429}, "POST", "/v1/reports", json=report)


LARGE = encode(scene(4000, 3000), quality=70)


def measured(process: int) -> dict[str, float]:
    """Memory in MB, descriptors, threads."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":" in line
    )
    descriptors = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return {
        "MB": int(status["VmRSS"].split()[0]) * 1024 / 1e6,
        "descriptors": descriptors,
        "threads": int(status["Threads"]),
    }


def hang(redis: RedisServer, servers: Fleet) -> None:
    redis.freeze()
    time.sleep(HANGS)
    redis.thaw()


def read_only(redis: RedisServer, servers: Fleet) -> None:
    replicate(redis, "127.0.0.1 1")
    time.sleep(HANGS)
    replicate(redis, "NO ONE")


def killed(redis: RedisServer, servers: Fleet) -> None:
    servers.servers[1].process.kill()
    time.sleep(HANGS)
    servers.stop(1)
    servers.start(1)


def restarted(redis: RedisServer, servers: Fleet) -> None:
    servers.stop(1)
    servers.start(1)


FAULTS: tuple[Callable[[RedisServer, Fleet], None], ...] = (hang, killed, read_only, restarted)


def slope(rows: list[tuple[float, dict[str, float]]], name: str) -> float:
    """By least squares, an hour, of the rows after the warm ones."""
    rows = [row for row in rows if row[0] >= WARM * rows[-1][0]]
    return float(np.polyfit([at / 3600 for at, _ in rows], [each[name] for _, each in rows], 1)[0])


def mixed(minutes: float, apart: float = APART, pause: float = PAUSE) -> tuple[bool, list[str]]:
    """Whether all was as it should be, and the lines of the report. Slopes are for the reader: an hour shows them."""
    rows: list[tuple[float, dict[str, float]]] = []
    injected, stop, hostile = Counter[str](), threading.Event(), files(short=False)
    with tempfile.TemporaryDirectory(prefix="gazecrop-mixed-") as name, fleet(Path(name), 2) as place:
        redis, servers, url = place
        clients = [Client(url, random.Random(seed), hostile, stop, pause) for seed in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as threads:
            running = [threads.submit(client.run) for client in clients]
            try:
                began, after = time.monotonic(), apart
                while (now := time.monotonic() - began) < 60 * minutes:
                    rows.append((now, measured(servers.servers[0].process.pid)))
                    if now >= after:
                        fault = FAULTS[injected.total() % len(FAULTS)]
                        fault(redis, servers)
                        injected[fault.__name__] += 1
                        after = time.monotonic() - began + apart
                    stop.wait(EVERY)
            finally:
                stop.set()
            for one in running:
                one.result()
        tracebacks = sum(each.read_text().count("Traceback") for each in Path(name).glob("server-*/log"))
        kept = [id for client in clients for id in client.kept]
        with httpx.Client(base_url=servers.urls[0], timeout=30) as client:
            lost = sum(client.get(f"/v1/images/{id}").status_code != 200 for id in kept)
    total = sum((client.answers for client in clients), Counter[str]())
    unexpected = sum((client.unexpected for client in clients), Counter[str]())
    broken, refused = sum(client.broken for client in clients), sum(client.refused for client in clients)
    allowed = CLIENTS * injected["killed"]
    lines = [
        f"{total.total()} answers: {json.dumps(dict(sorted(total.items())))}",
        f"faults: {dict(injected)}, refused with Retry-After: {refused}, tracebacks: {tracebacks}",
        f"unexpected: {unexpected.total()} {dict(unexpected.most_common(10))}",
        f"without an answer: {broken} (in flight at a kill: at most {allowed}), lost: {lost} of {len(kept)}",
    ]
    for key, last in rows[-1][1].items():
        lines.append(
            f"{key}: {rows[len(rows) // 4][1][key]:.0f} -> {last:.0f}, {slope(rows, key):+.1f} an hour"
        )
    return not (unexpected or lost or tracebacks or broken > allowed), lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mixed", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    ok, lines = mixed(parser.parse_args().minutes)
    print("\n".join(lines))
    return int(not ok)


if __name__ == "__main__":
    sys.exit(main())
