"""GETs of crops that were asked for lately, or not: as ratios to a trivial FastAPI GET in the same process.

A CDN asks for each crop about once. So many pictures are asked for in turn, each with one ratio after the other, that
neither the cache of answers nor the freshness of a second helps.
"""

import io
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

PICTURES, SLICE = 1000, 1000  # requests of each kind in turn: what else the machine does concerns all alike
RATIOS = (
    *("16:9", "1:1", "4:5", "9:16", "3:1", "1.91:1", "2:3", "1.7778", "40:21", "6:13"),
    *("3:4", "21:9", "5:4", "3:2", "2:1", "1:2", "4:3", "7:5", "5:7", "10:3"),
)


class Server(Protocol):
    def cpu(self) -> float: ...


Get = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Costs:
    """Of each slice: (CPU of the server, time), in microseconds a request."""

    trivial: list[tuple[float, float]]
    cold: list[tuple[float, float]]
    repeated: list[tuple[float, float]]

    def cpu(self, kind: list[tuple[float, float]]) -> float:
        """The CPU of a request over that of the trivial one. Sums, as the clock of CPU time has ticks of 10 ms."""
        return sum(cpu for cpu, _ in kind) / sum(cpu for cpu, _ in self.trivial)

    def rate(self, kind: list[tuple[float, float]]) -> float:
        """The rate over that of the trivial one, on one connection."""
        pairs = zip(self.trivial, kind, strict=True)
        return statistics.median(trivial / took for (_, trivial), (_, took) in pairs)


def small_pictures(photographs: Sequence[bytes], count: int = PICTURES) -> list[bytes]:
    """Different parts of the photographs, of 100 to 900 pixels."""
    chance = random.Random(1)
    sources = []
    for data in photographs:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (900, 900))
            source = picture.convert("RGB")
        source.thumbnail((900, 900))
        sources.append(source)
    found = []
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = (chance.randint(side // 3, side) for side in source.size)
        x, y = chance.randint(0, source.width - width), chance.randint(0, source.height - height)
        file = io.BytesIO()
        source.crop((x, y, x + width, y + height)).save(file, "JPEG", quality=60)
        found.append(file.getvalue())
    return found


def measure(server: Server, get: Get, ids: Sequence[str]) -> Costs:
    """`get(path)` asks the server over one connection."""
    cold = [f"/v1/images/{id}/crops/{ratio}" for ratio in RATIOS for id in ids]
    one = [f"/v1/images/{ids[0]}/crops/{ratio}" for ratio in RATIOS]
    repeated = one * (SLICE // len(one))
    costs = Costs([], [], [])
    _slice(server, get, ["/bare/get"] * SLICE)
    for start in range(0, len(cold), SLICE):
        costs.trivial.append(_slice(server, get, ["/bare/get"] * SLICE))
        costs.cold.append(_slice(server, get, cold[start : start + SLICE]))
        costs.repeated.append(_slice(server, get, repeated))
    return costs


def _slice(server: Server, get: Get, paths: Sequence[str]) -> tuple[float, float]:
    cpu, began = server.cpu(), time.perf_counter()
    for path in paths:
        get(path)
    ended = time.perf_counter()
    return (server.cpu() - cpu) / len(paths) * 1e6, (ended - began) / len(paths) * 1e6


@contextmanager
def redis() -> Iterator[str | None]:
    """The URL of a Redis; None where there is none on this machine."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait()
