"""gazecrop doctor: checks the network, the store, the address and the settings of this environment; where
GAZECROP_SOURCES is set also whether each prefix answers, and where GAZECROP_WORK_STREAM is set the worker.

Exit status 0: the server would start, and the worker that is set up; 1: one would not (see the lines FAIL). Warnings do
not change the status.
"""

import argparse
import asyncio
import os
import platform
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from gazecrop import __version__
from gazecrop.commands.doctor.finding import Finding, State
from gazecrop.commands.doctor.sources import of_sources
from gazecrop.commands.doctor.worker import of_worker
from gazecrop.console.environment import read_settings
from gazecrop.console.options import exit_status
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import ALL_PROFILES
from gazecrop.errors import GazecropError, PictureError, StoreAway
from gazecrop.http.tracing import open_tracing
from gazecrop.metrics import Metrics
from gazecrop.model import Model, ModelError, self_test_picture
from gazecrop.picture.decode import Limits, decode
from gazecrop.pipeline import as_record
from gazecrop.settings import Settings, unknown_variables
from gazecrop.store import open_store
from gazecrop.store.reserve import BYTES as RESERVE_BYTES

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
RUNS = 5


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop doctor", description=__doc__)
    parser.parse_args(argv)
    return exit_status("doctor", run)


def run() -> int:
    settings = read_settings()
    failed = False
    for finding in examine(settings):
        print(f"{finding.state:<5} {finding.about:<8} {finding.text}", flush=True)
        failed = failed or finding.state == "FAIL"
    return int(failed)


def examine(settings: Settings) -> Iterator[Finding]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("ok", "release", f"gazecrop {__version__}, {python}, {settings.workers} workers")
    for warning in unknown_variables(os.environ):
        yield Finding("warn", "settings", warning)
    model = None
    try:
        model = Model.load(settings)
        model.warm()
    except ModelError as error:
        yield Finding("FAIL", "network", str(error))
    else:
        file = f"{model.name} ({model.precision}, {model.file}, SHA-256 {model.sha256[:16]}...)"
        yield Finding(
            "ok",
            "network",
            f"{file}: matches the manifest, and gives the expected map of the test picture; "
            f"its outputs: {', '.join(model.outputs)}",
        )
        text = f"runs on {model.provider}, {' and '.join(_runtimes())}; GAZECROP_DEVICE={settings.device}"
        yield Finding("ok", "device", text)
    yield from _runtime(model)
    yield from _formats()
    if settings.tracing:
        yield _tracing()
    yield from asyncio.run(_store(settings))
    if settings.sources:
        yield from asyncio.run(of_sources(settings))
    if settings.work_stream:
        yield from asyncio.run(of_worker(settings))
    yield _address(settings)
    if model is not None:
        yield _speed(model)


def _tracing() -> Finding:
    try:
        open_tracing(Metrics()).close()
    except GazecropError as error:
        return Finding("FAIL", "tracing", str(error))
    return Finding("ok", "tracing", "spans are sent by OTLP; nothing was sent to try it")


def _runtimes() -> list[str]:
    """The installed packages that hold the module onnxruntime, with versions."""
    return [
        f"{name} {version(name)}" for name in sorted(set(packages_distributions().get("onnxruntime", ())))
    ]


def _runtime(model: Model | None) -> Iterator[Finding]:
    """Two packages with one module, or a GPU that the installed package cannot use."""
    found = _runtimes()
    pip = f"{shlex.quote(sys.executable)} -m pip"
    names = " ".join(runtime.split()[0] for runtime in found)
    if len(found) > 1:
        text = (
            f"{' and '.join(found)} are both installed; they hold the same files, and the later one overwrote the "
            f"other's. Remove both and install one: {pip} uninstall --yes {names}; {pip} install --no-deps "
            "onnxruntime-gpu (GPU) or onnxruntime (CPU), in the version above"
        )
        yield Finding("warn", "device", text)
    elif model is not None and model.fell_back:
        text = (
            f"there is a GPU, but {' '.join(found)} runs on the CPU. For the GPU: {pip} uninstall --yes {names}; "
            f"{pip} install --require-hashes -r docker/cuda.lock"
        )
        yield Finding("warn", "device", text)


def _formats() -> Iterator[Finding]:
    broken = []
    for name in FORMATS:
        file = BytesIO()
        try:
            Image.fromarray(self_test_picture(48, 64)).save(file, name)
            if decode(file.getvalue(), Limits(), [(48, 64)]).format != name.lower():
                broken.append(name)
        except (PictureError, OSError, KeyError):
            broken.append(name)
    read = ", ".join(name for name in FORMATS if name not in broken)
    heic = "HEIC" if find_spec("pillow_heif") else "no HEIC without the extra [heic]"
    yield Finding("ok", "formats", f"reads {read}; {heic}")
    if broken:
        yield Finding("FAIL", "formats", f"this Pillow cannot read {', '.join(broken)}")


async def _store(settings: Settings) -> list[Finding]:
    file = settings.data_dir / "gazecrop.db"
    if not settings.redis_url and not file.exists():
        return [_could_be_made(file)]
    try:
        store = open_store(settings)
    except StoreAway as error:
        return [Finding("FAIL", "store", str(error))]
    try:
        await store.ping()
        problems = await store.check()
    except StoreAway as error:
        # With GAZECROP_ID_KEY set the server starts without its store and answers with `X-Degraded: store`.
        state: State = "warn" if settings.id_key else "FAIL"
        return [Finding(state, "store", str(error))]
    finally:
        await store.close()
    return [
        Finding("ok", "store", f"{store.name} answers"),
        *(Finding("warn", "store", problem) for problem in problems),
    ]


def _could_be_made(file: Path) -> Finding:
    """Checks without creating the file: the server may run as another user."""
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if shutil.disk_usage(folder).free < 2 * RESERVE_BYTES:
        return Finding("FAIL", "store", f"sqlite, but the disk of {folder} is full: set GAZECROP_DATA_DIR")
    if os.access(folder, os.W_OK | os.X_OK):
        return Finding("ok", "store", f"sqlite, {file} will be created at the first start")
    return Finding("FAIL", "store", f"sqlite, but {folder} cannot be written: set GAZECROP_DATA_DIR")


def _address(settings: Settings) -> Finding:
    host = f"[{settings.address}]" if ":" in settings.address else settings.address
    where = f"{host}:{settings.port}"
    if settings.refusal:
        return Finding("FAIL", "address", f"the server would not start: {settings.refusal}")
    keys = f"{len(settings.api_keys)} keys" if settings.api_keys else "no keys"
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.address, settings.port))
    except OSError as error:
        return Finding(
            "warn", "address", f"{where}, {keys}: {error.strerror} (a server may be running there)"
        )
    return Finding("ok", "address", f"{where}, {keys}")


def _speed(model: Model) -> Finding:
    """Median times of one picture."""
    file = BytesIO()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 24, (1200, 1600, 3), np.uint8)
    Image.fromarray(self_test_picture(1200, 1600) // 8 * 7 + noise).save(file, "JPEG", quality=85)
    data = file.getvalue()
    runs = [_timed(data, model) for _ in range(RUNS)]
    stages = zip(("decode", "infer", "crop"), zip(*runs, strict=True), strict=True)
    times = ", ".join(f"{name} {1000 * median(seconds):.1f} ms" for name, seconds in stages)
    return Finding("ok", "speed", f"a JPEG of 1600x1200, every profile: {times}")


def _timed(data: bytes, model: Model) -> tuple[float, ...]:
    """Seconds for decoding, inference, cropping."""
    marks = [time.perf_counter()]
    thumbnail = decode(data, Limits(), model.shapes)
    marks.append(time.perf_counter())
    prediction = model.infer([thumbnail.pixels])[0]
    marks.append(time.perf_counter())
    cropper = Cropper(SaliencyGrid.from_code(as_record(thumbnail, prediction, model).code))
    for ratio in ALL_PROFILES:
        cropper.crop(ratio, Options())
    marks.append(time.perf_counter())
    return tuple(after - before for before, after in pairwise(marks))
