"""Overload: several times the capacity arrives, and those that are served are served soon.

The server has all cores but one, the clients have that one: on shared cores the generator is late itself, which counts
as the server's delay. The picture is a progressive JPEG of 1.2 MB with noise, 55 ms of work, since one of 12 megapixels
without detail is decoded in 9 ms: ten times the capacity would be 1,000 new connections a second.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.conftest import ROOT, Server, serving
from tests.faults.rows import Row, Trial, fault
from tests.helpers.samples import scene

TIMES = (3, 10, 30)  # of the capacity
SERVED, ACCEPTED, CACHED, HEALTH, RECOVERY = 0.7, 3.0, 0.1, 0.2, 2.0  # share of the capacity, then seconds


@dataclass
class Probe:
    """Asks for one path again and again, on one connection."""

    url: str
    seconds: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.stop.wait(0.05):
                began = time.monotonic()
                client.get(self.url).raise_for_status()
                self.seconds.append(time.monotonic() - began)


def detailed(megapixels: float) -> bytes:
    """A progressive JPEG with noise, whose decoding takes as long as that of a photograph."""
    side = (megapixels * 1e6 / 12) ** 0.5
    pixels = np.asarray(scene(int(4 * side), int(3 * side)))
    noise = np.random.default_rng(0).normal(0, 6, (pixels.shape[0] // 2 + 1, pixels.shape[1] // 2 + 1, 1))
    noise = noise.repeat(2, 0).repeat(2, 1)[: pixels.shape[0], : pixels.shape[1]]
    file = io.BytesIO()
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=70, progressive=True
    )
    return file.getvalue()


@contextmanager
def apart(folder: Path) -> Iterator[Server]:
    """The server on all cores but one, what this process starts meanwhile on that one."""
    cores = os.sched_getaffinity(0)
    own = {max(cores)}
    os.sched_setaffinity(0, cores - own or cores)
    try:
        with serving(folder, {"GAZECROP_LOG_LEVEL": "error"}) as server:
            os.sched_setaffinity(0, own)
            yield server
    finally:
        os.sched_setaffinity(0, cores)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def capacity(url: str, data: bytes, seconds: float) -> float:
    """Uploads a second at four connections."""
    ends, done = time.monotonic() + seconds, Counter[int]()

    def work(worker: int) -> None:
        with httpx.Client(timeout=60) as client:
            while time.monotonic() < ends:
                number = worker.to_bytes() + time.monotonic_ns().to_bytes(8)
                done[client.post(f"{url}/v1/images", content=data + number).status_code] += 1

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    return done[201] / seconds


def probed(
    urls: list[str], during: Callable[[], list[dict[str, float]]]
) -> tuple[list[dict[str, float]], list[Probe]]:
    probes = [Probe(url) for url in urls]
    with ThreadPoolExecutor(len(probes)) as threads:
        running = [threads.submit(probe.run) for probe in probes]
        try:
            records = during()
        finally:
            for probe in probes:
                probe.stop.set()
        for one in running:
            one.result()
    return records, probes


def recovery(url: str, data: bytes) -> float:
    """Seconds until an upload is accepted and answered within the time that one may wait at half of the queue."""
    began = time.monotonic()
    while time.monotonic() - began < 30:
        sent = time.monotonic()
        answer = httpx.post(f"{url}/v1/images", content=data + time.monotonic_ns().to_bytes(8), timeout=30)
        if answer.status_code == 201 and time.monotonic() - sent < 1:
            break
        time.sleep(0.05)
    return time.monotonic() - began


def overload(times: tuple[int, ...] = TIMES, seconds: float = 10, megapixels: float = 12) -> list[Row]:
    """Three rows for each multiple of the capacity."""
    data = detailed(megapixels)
    rows = []
    with tempfile.TemporaryDirectory() as folder, apart(Path(folder)) as server:
        file = Path(folder) / "picture"
        file.write_bytes(data)
        id = httpx.post(f"{server.url}/v1/images", content=data, timeout=60).json()["id"]
        urls = [f"{server.url}/healthz", f"{server.url}/v1/images/{id}/crops/16:9"]
        most = capacity(server.url, data, seconds)
        for multiple in times:
            generator = [sys.executable, "-m", "tests.faults.arrivals", server.url.rpartition(":")[2]]
            generator += [str(most * multiple), str(seconds), str(file)]

            def arrive(command: list[str] = generator) -> list[dict[str, float]]:
                done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
                return [json.loads(line) for line in done.stdout.splitlines()]

            records, (health, cached) = probed(urls, arrive)
            rows += _rows(
                multiple, most, seconds, records, health.seconds, cached.seconds, recovery(server.url, data)
            )
    return rows


def _rows(
    multiple: int,
    most: float,
    seconds: float,
    records: list[dict[str, float]],
    health: list[float],
    cached: list[float],
    recovered: float,
) -> list[Row]:
    statuses = Counter(int(one["status"]) for one in records)
    accepted = [one["seconds"] for one in records if one["status"] == 201]
    within = sum(
        one["began"] + one["seconds"] <= records[0]["began"] + seconds
        for one in records
        if one["status"] == 201
    )
    rate, slowest = within / seconds, percentile(accepted, 0.99)
    refused = [one["seconds"] for one in records if one["status"] == 503]
    name = f"overload {multiple} x capacity ({most:.0f}/s)"
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    return [
        Row(
            f"{name}: served",
            f">= {SERVED:.0%}, 99 % within {ACCEPTED:g} s",
            f"{rate / most:.0%}, p50 {percentile(accepted, 0.5):.2f} s, p99 {slowest:.2f} s; {answers}; "
            f"refused after p50 {percentile(refused, 0.5):.2f} s",
            rate >= SERVED * most and slowest <= ACCEPTED and set(statuses) <= {201, 503},
        ),
        Row(
            f"{name}: others",
            f"cached GET p99 {CACHED:g} s, health {HEALTH:g} s",
            f"GET p99 {percentile(cached, 0.99):.3f} s, health p99 {percentile(health, 0.99):.3f}, "
            f"max {max(health, default=0):.3f} s",
            percentile(cached, 0.99) <= CACHED and max(health, default=99) <= HEALTH,
        ),
        Row(f"{name}: recovery", f"<= {RECOVERY:g} s", f"{recovered:.2f} s", recovered <= RECOVERY),
    ]


@fault("overload")
def overloaded(trial: Trial) -> Row:
    """In short nothing is measured but that each of many arrivals is served or refused, since a timed bar would fail on
    a machine that does other work."""
    rows = overload((3,), 3, 2) if trial.short else overload()
    bar = f">= {SERVED:.0%}, p99 {ACCEPTED:g} s; GET {CACHED:g}, health {HEALTH:g}; back in {RECOVERY:g} s"
    measured = "; ".join(f"{row.name.removeprefix('overload ')}: {row.measured}" for row in rows)
    return Row("overload", bar, measured, trial.short or all(row.ok for row in rows))
