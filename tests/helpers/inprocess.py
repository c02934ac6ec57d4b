"""The service in a thread of the test's own process, so that a test decides when work in it goes on.

A test that needs work to be under way must not hope that the work is slow: 29 megapixels take a decoder 1 s on one
machine and less than 0.15 s on another. Here the threads that do the work wait for the test instead.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from gazecrop.app import create_app
from gazecrop.http.protocol import Refuse, never
from gazecrop.http.server import Server, make_server
from gazecrop.parts import Parts
from gazecrop.settings import Settings


@contextmanager
def listening(
    app: ASGIApp,
    settings: Settings,
    draining: Callable[[], object] = lambda: None,
    refuse: Refuse = never,
) -> Iterator[tuple[int, Server]]:
    """The product's server in a thread, with its port. It ends with the block, also when the block fails."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = make_server(app, settings, draining, refuse=refuse)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.005)
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join(60)
        assert not thread.is_alive()


@dataclass
class Held:
    """The whole service, with the means to stop its threads."""

    url: str
    parts: Parts

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """While this lasts no decoder decodes: an upload that passed the gate keeps its place there."""
        with _occupied(self.parts.pipeline._decoders, self.parts.settings.workers):
            yield

    @contextmanager
    def rendering(self) -> Iterator[None]:
        """The same of the threads that draw."""
        with _occupied(self.parts.renderers, max(1, self.parts.settings.workers // 2)):
            yield


@contextmanager
def _occupied(threads: ThreadPoolExecutor, count: int) -> Iterator[None]:
    """All of them wait for the end of the block; a pool begins its work in the order in which that was given."""
    go = threading.Event()
    try:
        for _ in range(count):
            threads.submit(go.wait)
        yield
    finally:
        go.set()


class Blocked:
    """Wraps a function: its calls wait until `go` is set. `running`: how many wait now; `most`: waited at once."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self.running = self.most = 0
        self.go = threading.Event()

    def __call__(self, *args: Any, **options: Any) -> Any:
        self._count(1)
        try:
            self.go.wait(60)
            return self._function(*args, **options)
        finally:
            self._count(-1)

    def _count(self, by: int) -> None:
        with self._lock:
            self.running += by
            self.most = max(self.most, self.running)


@contextmanager
def holdable(folder: Path, **settings: Any) -> Iterator[Held]:
    """The service with nothing but these settings, on a free port and the CPU, its store in `folder`."""
    with pytest.MonkeyPatch.context() as environment:
        for name in (*os.environ,):
            if name.startswith("GAZECROP_") or name == "REDIS_URL":
                environment.delenv(name)
        made = Settings(device="cpu", data_dir=folder, log_level="error", **settings)
    app = create_app(made)
    with listening(app, made, app.drain, app.refuse) as (port, _):
        yield Held(f"http://127.0.0.1:{port}", app.api.state.parts)
