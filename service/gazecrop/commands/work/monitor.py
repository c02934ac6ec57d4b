"""The worker's HTTP port, in a thread of its own: /metrics, and /healthz for a probe."""

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from gazecrop.errors import Forbidden, Unauthorized
from gazecrop.http.auth import check
from gazecrop.keys import Keys

STUCK_SECONDS = 60.0  # without a sign of the event loop


class Monitor:
    """`render`: the metrics' body and content type, by `Accept`."""

    def __init__(self, host: str, port: int, render: Callable[[str], tuple[bytes, str]], keys: Keys) -> None:
        """Raises OSError where the address cannot be bound."""
        self._render, self._keys = render, keys
        self._seen = time.monotonic()
        self._server = make_server(host, port, self._answer, _Server, _Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True, name="monitor").start()

    def beat(self) -> None:
        """Called by the event loop again and again."""
        self._seen = time.monotonic()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/healthz":
            stuck = time.monotonic() - self._seen > STUCK_SECONDS
            start("503 Service Unavailable" if stuck else "200 OK", [("Content-Type", "text/plain")])
            return [b"stuck\n" if stuck else b"ok\n"]
        if path != "/metrics":
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"See /metrics and /healthz.\n"]
        sent = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
        try:
            check(self._keys, [(b"authorization", sent)] if sent else [])
        except Unauthorized:
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"/metrics needs GAZECROP_METRICS_KEY.\n"]
        except Forbidden:
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This key is not valid here.\n"]
        body, content_type = self._render(environ.get("HTTP_ACCEPT", ""))
        start("200 OK", [("Content-Type", content_type)])
        return [body]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 10.0  # seconds that a silent client holds its thread

    def log_message(self, format: str, *arguments: object) -> None:
        """A scrape every few seconds is not worth a line."""
