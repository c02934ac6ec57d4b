"""Memory: the largest pictures and the hostile ones at once stay below the container's limit."""

import io
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from tests.conftest import serving
from tests.faults.control_group import control_group
from tests.faults.rows import Row, Trial, fault

LIMIT = 1536 * 2**20
PATHS = ("/v1/crop?ratio=1:1", "/v1/explain", "/v1/images", "/v1/images")
ANSWERS = {200, 201, 413, 415, 422, 503}  # 415: the random bytes


def progressive(megapixels: float, seed: int = 0, subsampling: int = 2) -> bytes:
    """A progressive JPEG that is small for its pixels: 1.3 MB for 99 megapixels."""
    side = int((megapixels * 1e6) ** 0.5) // 8 * 8
    small = np.random.default_rng(seed).integers(0, 256, (side // 250, side // 250, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60, progressive=True, subsampling=subsampling)
    return file.getvalue()


def still(format: str, megapixels: float, mode: str = "RGB", **options: object) -> bytes:
    side = int((megapixels * 1e6) ** 0.5)
    file = io.BytesIO()
    Image.effect_noise((side // 20, side // 20), 60).resize((side, side)).convert(mode).save(
        file, format, **options
    )
    return file.getvalue()


def hostile() -> list[bytes]:
    """Files that take much memory for their length, and some that are broken."""
    large = progressive(99)
    return [
        large,
        progressive(99, 1, subsampling=0),
        large[: len(large) // 2],
        still("PNG", 29, "RGBA", compress_level=1),
        still("PNG", 29, "LA", compress_level=1),
        still("WEBP", 29, method=0),
        still("GIF", 29, "P"),
        still("TIFF", 4, "CMYK"),
        still("JPEG", 99),
        b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(1_000_000)),
        os.urandom(2_000_000),
    ]


def peak(process: int) -> int:
    """Bytes; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def send(requests: Sequence[tuple[str, bytes]], at_once: int, name: str) -> Row:
    """The row of a server with two workers in a group of LIMIT bytes."""
    with tempfile.TemporaryDirectory() as folder, control_group(LIMIT) as group:
        environment = {"GAZECROP_WORKERS": "2", "GAZECROP_LOG_LEVEL": "error"}
        if group is None:
            environment["GAZECROP_MEMORY_MEGABYTES"] = str(LIMIT / 1e6)
        with serving(Path(folder), environment, group=group) as server:

            def one(request: tuple[str, bytes]) -> int:
                try:
                    return httpx.post(server.url + request[0], content=request[1], timeout=240).status_code
                except httpx.HTTPError:
                    return 0

            with ThreadPoolExecutor(at_once) as clients:
                answers = Counter(clients.map(one, requests))
            reached, alive = peak(server.process.pid), server.process.poll() is None
        kills = group.kills if group else 0
    ok = (
        alive
        and not kills
        and 0 < reached < LIMIT
        and set(answers) <= ANSWERS
        and answers[200] + answers[201] > 0
    )
    counted = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
    where = "in a control group" if group else "without a control group"
    measured = f"peak {reached / 2**20:,.0f} MiB, killed {kills}, {counted} ({where})"
    return Row(name, f"below {LIMIT / 2**20:,.0f} MiB, none killed", measured, ok)


def four_small_requests() -> Row:
    """One progressive JPEG of 99 megapixels, sent at once to be cropped, explained and twice uploaded."""
    large = progressive(99, subsampling=0)
    return send([(path, large) for path in PATHS], 4, "memory: four requests of one 99 MP file")


def any_mix() -> Row:
    """64 at once of the hostile set and of the largest pictures."""
    files = hostile()
    paths = cycle(
        ("/v1/crop?ratio=1:1", "/v1/images", "/v1/explain?format=avif", "/v1/crop?ratio=16:9&format=png")
    )
    # the same bytes again are known: the crops and explanations have to render, the rest must be analysed
    return send(list(islice(zip(paths, cycle(files)), 64)), 64, "memory: 64 hostile and large files at once")


@fault("memory")
def memory(trial: Trial) -> Row:
    rows = [four_small_requests()] if trial.short else [four_small_requests(), any_mix()]
    return Row("memory", rows[0].bar, "; ".join(row.measured for row in rows), all(row.ok for row in rows))
