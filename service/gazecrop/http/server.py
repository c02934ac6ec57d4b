"""The server: start, drain and the settings that it gives to uvicorn."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import _TrustedHosts

from gazecrop.concurrency.board import Seat
from gazecrop.http import logs
from gazecrop.http.acceptor import Acceptor
from gazecrop.http.connection import Connection
from gazecrop.http.crowd import Crowd
from gazecrop.http.listener import listen, url_of
from gazecrop.http.protocol import Protocol, Refuse, State, never
from gazecrop.settings import Settings

# Keep-alive: longer than the 60 s of common load balancers, which would otherwise reuse a closed connection.
IDLE_SECONDS = 75
STARTUP_FAILURE = 3  # exit status, the same as uvicorn's
# Above it the oldest idle connection is closed. Where all are busy, uvicorn refuses with a 503 at 64 more: those that
# are being closed still count there.
CONNECTIONS = 1_000
# From SIGTERM until idle connections are closed: those in use get `Connection: close` with an answer before. A proxy
# that sends a POST on a connection that is just being closed does not send it again.
QUIET_SECONDS = 0.5
SHARE = 250  # of one client's address
OWN_DESCRIPTORS = 200  # of files, the store and libraries


_log = logging.getLogger("gazecrop")


class Server(uvicorn.Server):
    """Drains at SIGTERM: notifies the application and keeps accepting connections until the requests in progress have
    ended, so that probes and new clients get a 503 instead of a refused connection. Then it closes."""

    def __init__(
        self,
        config: uvicorn.Config,
        seconds: float,
        draining: Callable[[], object],
        connections: int,
        seat: Seat | None,
        refuse: Refuse,
    ) -> None:
        """seat: of this process, when several share the sockets."""
        super().__init__(config)
        self._seconds = seconds
        self._draining = draining
        self._seat = seat
        self._acceptor: Acceptor | None = None
        proxies = _TrustedHosts(config.forwarded_allow_ips)
        share = min(SHARE, max(1, connections // 4))
        self._state = State(refuse)
        self._state.crowd = Crowd(connections, share, proxies.__contains__, self._count)
        self.server_state = self._state

    def _count(self, connections: int) -> None:
        if self._seat is not None:
            self._seat.connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # What was imported stays. Its 100,000 objects would take 30 ms of the event loop in each full collection.
        gc.collect()
        gc.freeze()
        if self._seat is None:
            await super().startup(sockets)
            for listener in sockets or ():
                _log.info("Listening on %s", url_of(listener))
            return
        await super().startup([])
        self._acceptor = Acceptor(sockets or (), self._protocol, self._seat)
        self._acceptor.open()
        self._seat.open()

    def _protocol(self) -> Connection:
        return Connection(self.config, self._state, self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A stop during the start ends at once: nothing is under way, and loading a network may take long."""
        if not self.started:
            logging.shutdown()
            os._exit(0)
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # of 0.1 s
            self._check()
            if self._seat is not None:
                self._seat.beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining()
        self._state.draining = True
        began = time.monotonic()
        deadline = began + self._seconds
        in_progress = set(self.server_state.tasks)
        while in_progress and time.monotonic() < deadline and not self.force_exit:
            await asyncio.wait(in_progress, timeout=0.1)
            in_progress = {task for task in in_progress if not task.done()}
            self._check()
            if self._seat is not None:
                self._seat.beat()
        while self._state.connections and time.monotonic() < min(deadline, began + QUIET_SECONDS):
            await asyncio.sleep(0.05)
        if self._acceptor is not None:
            self._acceptor.close()
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


def make_server(
    app: ASGIApp,
    settings: Settings,
    draining: Callable[[], object] = lambda: None,
    seat: Seat | None = None,
    refuse: Refuse = never,
) -> Server:
    """The server, not started. `refuse`: see `State`."""
    connections = _connections()
    config = uvicorn.Config(
        app,
        host=settings.address,
        port=settings.port,
        http=Connection,  # type: ignore[arg-type]  # declared as a Protocol, called with four arguments
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=logs.configuration(settings),
        log_level=settings.log_level,
        access_log=False,  # ours has routes and stages: observe.py
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        limit_concurrency=connections + 64,
    )
    return Server(config, settings.drain_seconds, draining, connections, seat, refuse)


def _connections() -> int:
    """As many as the descriptors of this process allow. A connection without one left would wait in the kernel."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OWN_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    return min(CONNECTIONS, max(16, soft - OWN_DESCRIPTORS))


def bind(settings: Settings) -> list[socket.socket]:
    """The sockets of the server's address. Raises SystemExit(3), after a line with the reason."""
    try:
        return listen(settings.address, settings.port)
    except OSError as error:
        print(f"gazecrop: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)


def serve(
    app: ASGIApp, settings: Settings, draining: Callable[[], object] = lambda: None, refuse: Refuse = never
) -> None:
    """Runs until SIGTERM or SIGINT, then drains: `draining` is called at once, and requests in progress have
    `settings.drain_seconds` to end. Returns afterwards (exit status 0). Raises SystemExit(3) if it could not start."""
    make_server(app, settings, draining, refuse=refuse).run(bind(settings))


def serve_shared(
    app: ASGIApp,
    settings: Settings,
    draining: Callable[[], object],
    refuse: Refuse,
    sockets: list[socket.socket],
    seat: Seat,
    alive: int,
) -> None:
    """As `serve`, in one of several processes. It also stops when `alive` becomes readable: the supervisor has died."""
    server = make_server(app, settings, draining, seat, refuse)

    def watch() -> None:
        select.select([alive], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()
    server.run(sockets)
