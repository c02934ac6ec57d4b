"""The server: start, drain and the settings that it gives to uvicorn."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from gazecrop.http import logs
from gazecrop.http.listener import listen, url_of
from gazecrop.http.protocol import Protocol
from gazecrop.settings import Settings

# Keep-alive: longer than the 60 s of common load balancers, which would otherwise reuse a closed connection.
IDLE_SECONDS = 75
STARTUP_FAILURE = 3  # exit status, the same as uvicorn's
CONNECTIONS = 1_000  # backstop above the gates: uvicorn's own 503


_log = logging.getLogger("gazecrop")


class Server(uvicorn.Server):
    """Drains at SIGTERM: notifies the application and keeps accepting connections until the requests in progress have
    ended, so that probes and new clients get a 503 instead of a refused connection. Then it closes."""

    def __init__(self, config: uvicorn.Config, seconds: float, draining: Callable[[], object]) -> None:
        super().__init__(config)
        self._seconds = seconds
        self._draining = draining

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            _log.info("Listening on %s", url_of(listener))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A stop during the start ends at once: nothing is under way, and loading a network may take long."""
        if not self.started:
            logging.shutdown()
            os._exit(0)
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # of 0.1 s
            self._check()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining()
        deadline = time.monotonic() + self._seconds
        in_progress = set(self.server_state.tasks)
        while in_progress and time.monotonic() < deadline and not self.force_exit:
            await asyncio.wait(in_progress, timeout=0.1)
            in_progress = {task for task in in_progress if not task.done()}
            self._check()
        left = max(0.0, deadline - time.monotonic())
        self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]  # float works, and 0.5 is not 0
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn raises the signal again at the end, and a clean drain would look like a kill."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def _check(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.check()


def make_server(app: ASGIApp, settings: Settings, draining: Callable[[], object] = lambda: None) -> Server:
    """The server, not started."""
    config = uvicorn.Config(
        app,
        host=settings.address,
        port=settings.port,
        http=Protocol,
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=logs.configuration(settings),
        log_level=settings.log_level,
        access_log=False,  # ours has routes and stages: observe.py
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        limit_concurrency=CONNECTIONS,
    )
    return Server(config, settings.drain_seconds, draining)


def serve(app: ASGIApp, settings: Settings, draining: Callable[[], object] = lambda: None) -> None:
    """Runs until SIGTERM or SIGINT, then drains: `draining` is called at once, and requests in progress have
    `settings.drain_seconds` to end. Returns afterwards (exit status 0). Raises SystemExit(3) if it could not start."""
    try:
        sockets = listen(settings.address, settings.port)
    except OSError as error:
        print(f"gazecrop: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)
    make_server(app, settings, draining).run(sockets)
