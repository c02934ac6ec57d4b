"""Real servers and real photographs for the tests. With CI=true a skipped test is a failed one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import hypothesis
import pytest

from tests.faults.control_group import ControlGroup
from tests.helpers.contract import client
from tests.helpers.leaks import pytest_runtest_setup as pytest_runtest_setup
from tests.helpers.leaks import pytest_runtest_teardown as pytest_runtest_teardown
from tests.helpers.pictures import jpeg

ROOT = Path(__file__).parents[1]
PHOTOGRAPHS = ROOT / "service" / "gazecrop" / "page" / "examples"
CI = os.environ.get("CI") == "true"
# The default deadline of 200 ms for one example fails on a slow machine.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _no_skips_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_skips_in_ci((yield))


def _no_skips_in_ci(report: Report) -> Report:
    """A machine that lacks redis-server or Chromium must not look as if it had tested them."""
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true forbids: {report.longrepr}"
    return report


def command(*names: str) -> str:
    """The first of these commands that this machine has; without any the test is skipped."""
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{names[0]} is not installed here")


@dataclass
class RedisServer:
    """A real redis-server on a unix socket: ready in 12 ms, no port to clash. Nothing is written to disk."""

    path: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        """Starts it, empty; again after `stop`."""
        options = ["--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"]
        program = [command("redis-server"), *options, "--dir", str(self.path.parent)]
        self.process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.002)

    def stop(self) -> None:
        """Kills it at once, as a crash would."""
        self.process.kill()
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It still accepts connections and never answers, the worst of its failures; `thaw` ends that."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(self.path))
        except OSError:
            client.close()
            raise
        return client

    def _answers(self) -> bool:
        try:
            with self.connect() as client:
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """An empty redis-server of its own for every test."""
    server = RedisServer(tmp_path_factory.mktemp("redis") / "s")
    server.start()
    yield server
    server.stop()


@dataclass
class Server:
    """`gazecrop serve` in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    data_dir: Path

    def stop(self) -> int:
        """SIGTERM, as an operator or Kubernetes sends it; gives the exit status."""
        self.process.terminate()
        return self.process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@contextmanager
def serving(
    folder: Path,
    environment: dict[str, str] | None = None,
    port: int = 0,
    *,
    group: ControlGroup | None = None,
) -> Iterator[Server]:
    """The service with nothing but these settings, on the CPU, its store in `folder`, until /readyz answers 200.
    port 0: a free one. group: the control group that its process is started in."""
    port = port or free_port()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_") and k != "REDIS_URL"}
    settings = {
        "PORT": str(port),
        "GAZECROP_HOST": "127.0.0.1",
        "GAZECROP_DATA_DIR": str(folder / "data"),
        "GAZECROP_DEVICE": "cpu",
    }
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("gazecrop")), "serve"],
            env=inherited | settings | (environment or {}),
            cwd=folder,
            stdout=out,
            stderr=out,
            preexec_fn=(lambda: group.add(os.getpid())) if group is not None else None,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log, folder / "data")
    try:
        deadline = (
            time.monotonic() + 180
        )  # 1.5 s on a quiet machine; on a very busy one more than 60 were seen
        while not _ready(server.url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"gazecrop serve did not get ready:\n{log.read_text()[-4000:]}")
            time.sleep(0.02)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for all tests that change no settings: default settings, CPU, embedded store."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[httpx.Client]:
    """A client of `server` that holds every answer against /openapi.json."""
    with client(server.url) as running:
        yield running


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """start_server(GAZECROP_API_KEYS="k", REDIS_URL=...) -> Server, as many as a test needs; all are stopped.

    folder: an earlier server's `data_dir.parent`, to start again over the same store.
    """
    with ExitStack() as running:

        def start(folder: Path | None = None, **environment: str) -> Server:
            place = folder or tmp_path_factory.mktemp("server")
            return running.enter_context(serving(place, environment))

        yield start


@pytest.fixture(scope="session")
def photo() -> Callable[[str], Path]:
    """photo("astronaut"), chelsea, coffee, motorcycle or rocket: a real photograph, unpacked at set-up."""

    def path(name: str) -> Path:
        file = PHOTOGRAPHS / f"{name}.jpg"
        if not file.exists():
            pytest.skip(f"no photograph {file.name}: `make page`")
        return file

    return path


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A JPEG of 640x480: a bright disc in the upper left of a textured ground."""
    return jpeg()
