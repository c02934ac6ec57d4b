"""Benchmarks of the service: `make bench`. Not tests. Results are ratios within one run, since absolute times vary.

The baseline in the same process does the minimum of such a service: it reads the body and decodes the JPEG scaled.
CPU time is that of the server process (user and system, all threads), so other load on the machine changes little.
"""

import argparse
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from PIL import Image

from loadtests import cold, library, policies

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
RATIOS = ("16:9", "1:1", "4:5", "9:16", "3:1", "1.91:1", "2:3", "1.7778")


class Server:
    """A server process on a free port."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | env | {"PORT": str(self.port)}, stdout=subprocess.DEVNULL
        )
        while True:
            try:
                with Connection(self.port) as connection:
                    connection.request("GET", "/healthz")
                break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f"{command} did not start") from None
                time.sleep(0.01)
        self.start_seconds = time.perf_counter() - began

    def cpu(self) -> float:
        """CPU time so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def megabytes(self) -> float:
        """Resident memory, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def peak_megabytes(self, method: str, path: str, body: bytes) -> float:
        """How much one request adds to the resident memory at its peak, in MiB."""
        before = self.megabytes()
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # the peak counts from here
        with Connection(self.port) as connection:
            status, content = connection.request(method, path, body)
        assert status in (200, 201), (status, content[:300])
        status_text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status_text.partition("VmHWM:")[2].split()[0]) / 1024 - before

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Connection:
    """A minimal HTTP/1.1 client, since its CPU time competes with the server's."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("the server closed the connection")
            answer += part
        headers, _, content = answer.partition(b"\r\n\r\n")
        length = int(headers.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        while len(content) < length:
            content += self._socket.recv(length - len(content))
        return int(headers[9:12]), content


@contextmanager
def started(*module: str, **env: str) -> Iterator[Server]:
    """A server of its own, with an empty data directory: `python -m MODULE ...`."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server([sys.executable, "-m", *module], env | {"GAZECROP_DATA_DIR": folder})
        try:
            yield server
        finally:
            server.stop()


def gazecrop(**env: str) -> AbstractContextManager[Server]:
    """The complete service, plus the trivial routes for comparison in the same process (loadtests/subjects.py)."""
    return started("loadtests.subjects", **env)


def processes(count: int) -> AbstractContextManager[Server]:
    """`gazecrop serve` with so many processes."""
    return started("gazecrop", "serve", GAZECROP_PROCESSES=str(count), GAZECROP_MAX_WAIT_SECONDS="60")


def photographs(folder: Path) -> list[bytes]:
    """At most 8 of a folder's JPEG files of at least 1 megapixel, spread over their sizes."""
    found = []
    for path in sorted(folder.glob("*.jp*g")):
        with Image.open(path) as picture:
            width, height = picture.size
            if width * height >= 1_000_000 and picture.mode == "RGB":
                found.append((width * height, path.read_bytes()))
    found.sort()
    step = max(len(found) / 8, 1)
    return [found[int(i * step)][1] for i in range(min(8, len(found)))]


def variants(data: bytes, count: int) -> list[bytes]:
    """The same picture as different files: random bytes after the end of the image, which no decoder reads."""
    return [data + os.urandom(8) for _ in range(count)]


def cost(server: Server, path: str, bodies: list[bytes], expect: int) -> float:
    """CPU time per request, in seconds."""
    with Connection(server.port) as connection:
        before = server.cpu()
        for body in bodies:
            status, content = connection.request("POST", path, body)
            assert status == expect, (status, content[:300])
        return (server.cpu() - before) / len(bodies)


def rate(server: Server, path: str, bodies: list[bytes], connections: int) -> float:
    """Uploads per second over several connections."""

    def work(part: list[bytes]) -> None:
        with Connection(server.port) as connection:
            for body in part:
                connection.request("POST", path, body)

    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, [bodies[i::connections] for i in range(connections)]))
    return len(bodies) / (time.perf_counter() - began)


def closed_rate(server: Server, files: list[Path]) -> float:
    """Uploads per second over 16 connections of one process."""
    seconds = 3
    command = [sys.executable, "-m", "loadtests.closed", str(server.port), "16", str(seconds)]
    command += map(str, files)
    answers: dict[str, int] = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    )
    assert answers.keys() <= {"200", "201"}, answers
    return sum(answers.values()) / seconds


def get_rate(server: Server, paths: list[str], count: int, *, fresh: bool = False) -> float:
    """GETs per second of the server's CPU time, over one connection. `fresh`: every query string is new."""
    with Connection(server.port) as connection:
        before = server.cpu()
        for i in range(count):
            path = paths[i % len(paths)]
            if fresh:
                path += f"{'&' if '?' in path else '?'}v={time.perf_counter_ns()}"
            status, content = connection.request("GET", path)
            assert status == 200, content
        return count / (server.cpu() - before)


def row(name: str, value: float, target: str, unit: str = "") -> None:
    print(f"{name:<78} {value:>8.2f}{unit:<3} {target}", flush=True)


def cold_gets(photographs: list[bytes]) -> None:
    """The rows of GETs of 1,000 pictures in turn, over each store."""
    pictures = cold.small_pictures(photographs)
    with cold.redis() as url:
        stores: list[tuple[str, dict[str, str], str, str]] = [("SQLite", {}, "<= 1.9", ">= 0.55")]
        if url is not None:
            stores.append(("Redis", {"REDIS_URL": url}, "<= 2.5", ""))
        for name, env, cpu, per_second in stores:
            with gazecrop(**env) as server, Connection(server.port) as connection:
                ids = [
                    json.loads(connection.request("POST", "/v1/images", each)[1])["id"] for each in pictures
                ]

                def get(path: str, connection: Connection = connection) -> None:
                    status, content = connection.request("GET", path)
                    assert status == 200, (status, content[:300])

                def window(path: str, get: cold.Get = get) -> None:
                    get(f"{path}?policy=window" if path.startswith("/v1/") else path)

                found = cold.measure(server, get, ids)
                other = cold.measure(server, window, ids)
            trivial = statistics.fmean(used for used, _ in found.trivial)
            row(
                f"CPU of a cold GET over a trivial one ({trivial:.0f} us), {name}", found.cpu(found.cold), cpu
            )
            row("  its rate over that one", found.rate(found.cold), per_second)
            row("  rate of a repeated GET over that one", found.rate(found.repeated), ">= 1.2")
            row("  CPU of a cold GET with policy=window", other.cpu(other.cold), cpu)


def of_processes(pictures: list[bytes]) -> None:
    """The rows of small pictures uploaded over 16 connections to one and to two processes: pictures whose maps are
    stored, where the event loop is the limit, and new ones, which one process decodes on all cores."""
    with processes(1) as one, processes(2) as two, tempfile.TemporaryDirectory() as folder:
        files = []
        for i, data in enumerate(pictures[:200]):
            files.append(Path(folder) / str(i))
            files[-1].write_bytes(data)
        for server in (one, two):
            rate(server, "/v1/images", pictures[:200], 16)
        known = [closed_rate(two, files) / closed_rate(one, files) for _ in range(5)]
        new = []
        for start in range(200, 800, 200):
            bodies = pictures[start : start + 200]
            single = rate(one, "/v1/images", bodies, 16)
            new.append(rate(two, "/v1/images", bodies, 16) / single)
    row("rate of small uploads, 2 processes over 1, 16 connections", statistics.median(known), ">= 1.6")
    row("  of pictures that are new", statistics.median(new), "")


def of_servers(pictures: list[bytes]) -> None:
    """The row of small pictures uploaded to four servers in turn, as by a balancer, and to one, all over one Redis."""
    with cold.redis() as url, ExitStack() as stack:
        if url is None:
            return
        servers = [stack.enter_context(started("gazecrop", "serve", REDIS_URL=url)) for _ in range(4)]
        pairs = []
        for start in range(0, 600, 200):
            part = [data for each in pictures[start : start + 200] for data in variants(each, 1)]
            one = cost(servers[0], "/v1/images", part, 201)
            part = [data for each in part for data in variants(each, 1)]
            each = [cost(server, "/v1/images", part[k::4], 201) for k, server in enumerate(servers)]
            pairs.append(one / statistics.fmean(each))
    row("uploads per CPU second, 4 servers over one Redis, over 1", statistics.median(pairs), ">= 0.9")


def memory_per_megapixel(data: bytes) -> None:
    """The rows of the peak of one request, over the picture's megapixels. Each in a server of its own: an allocator
    keeps what an earlier request took."""
    with Image.open(io.BytesIO(data)) as picture:
        megapixels = picture.width * picture.height / 1e6
        progressive = io.BytesIO()
        picture.save(progressive, "JPEG", quality=90, progressive=True)
    jobs = [
        ("upload, baseline JPEG", "/v1/images", data),
        ("upload, progressive JPEG", "/v1/images", progressive.getvalue()),
        ("crop as a JPEG 600 pixels wide", "/v1/crop?ratio=1:1&width=600", data),
        ("crop as a JPEG in full size", "/v1/crop?ratio=1:1", data),
    ]
    for name, path, body in jobs:
        with gazecrop() as server:
            peak = server.peak_megabytes("POST", path, body)
        row(f"memory at the peak per megapixel, {name} ({megapixels:.0f} MP)", peak / megapixels, "", " MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, default=ROOT.parent / "shared" / "data" / "large")
    parser.add_argument(
        "--uploads", type=int, default=2000, help="number of uploads for the growth of memory"
    )
    options = parser.parse_args()
    pictures = photographs(options.photographs)
    if len(pictures) < 4:
        raise SystemExit(f"too few JPEG photographs of a megapixel and more in {options.photographs}")
    print(f"{len(pictures)} photographs, {os.cpu_count()} cores\n{'':<78} measured    target")

    with gazecrop() as server:
        pass
    with gazecrop() as server:
        row("cold start to the first answer", server.start_seconds, "<= 1.5", " s")
        warm = server.megabytes()

        uploads: list[float] = []
        floors: list[float] = []
        for data in pictures:
            for path, into, status in (("/v1/images", uploads, 201), ("/bare/decode", floors, 200)):
                into.append(min(cost(server, path, variants(data, 10), status) for _ in range(3)))
        ratios = [upload / floor for upload, floor in zip(uploads, floors, strict=True)]
        row(
            "CPU of an upload over read + scaled decoding, median",
            statistics.median(ratios),
            "<= 1.22",
        )
        row("  the same, worst picture", max(ratios), "")

        middle = pictures[len(pictures) // 2]
        pairs = []
        for _ in range(3):
            ours = rate(server, "/v1/images", variants(middle, 60), 4)
            pairs.append(ours / rate(server, "/bare/decode", variants(middle, 60), 4))
        row("rate of uploads over that, 4 connections", statistics.median(pairs), ">= 0.78")

        same = [middle] * 200
        cost(server, "/v1/images", same[:1], 201)
        repeat = min(cost(server, "/v1/images", same, 200) for _ in range(3))
        body = min(cost(server, "/bare/read", same, 200) for _ in range(3))
        row("CPU of the same bytes again over a POST that only reads the body", repeat / body, "<= 2")

        with Connection(server.port) as connection:
            id = json.loads(connection.request("POST", "/v1/images", middle)[1])["id"]
        crops = [f"/v1/images/{id}/crops/{ratio}" for ratio in RATIOS]
        keeps = [f"{path}?keep=0.4,0.4,0.2,0.2" for path in crops]
        get = [(get_rate(server, crops, 4000), get_rate(server, ["/bare/get"], 4000)) for _ in range(5)]
        row(
            "rate of GET one crop over a trivial FastAPI GET",
            statistics.median(a / b for a, b in get),
            ">= 1.0",
        )
        new = [
            (get_rate(server, crops, 4000, fresh=True), get_rate(server, ["/bare/get"], 4000))
            for _ in range(3)
        ]
        row("  the same with a new query string each time", statistics.median(a / b for a, b in new), "")
        kept = [
            get_rate(server, crops, 4000, fresh=True) / get_rate(server, keeps, 4000, fresh=True)
            for _ in range(3)
        ]
        row("CPU of GET with keep over GET without", statistics.median(kept), "<= 2")

        before = server.megabytes()
        row("memory after the start", warm, "<= 180", " MB")
        row("memory after these uploads", before, "", " MB")
        small = io.BytesIO()
        Image.open(io.BytesIO(middle)).resize((640, 480)).save(small, "JPEG")
        cost(server, "/v1/images", variants(small.getvalue(), options.uploads), 201)
        row(
            f"memory gained over {options.uploads} uploads (the caches may take 32 MB)",
            server.megabytes() - before,
            "<= 32",
            " MB",
        )

    memory_per_megapixel(pictures[-1])
    for zoom in ("1", "2"):
        row(
            f"CPU of a crop, balanced over window, zoom {zoom}",
            policies.balanced_beside_window(pictures, zoom),
            "",  # the aim is of version 0.1's window: docs/performance.md
        )
    cold_gets(pictures)
    of_processes(cold.small_pictures(pictures))
    of_servers(cold.small_pictures(pictures))

    by_time, by_cpu = zip(*library.ratios(pictures, os.cpu_count() or 1), strict=True)
    row("speed of `gazecrop batch` over processes of the bare stages", statistics.median(by_time), ">= 0.9")
    row("  the same by CPU, which a busy machine changes less", statistics.median(by_cpu), ">= 0.9")


if __name__ == "__main__":
    main()
