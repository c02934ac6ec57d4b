"""Servers that pictures are fetched from, hostile ones too: raw bytes on a socket, as no HTTP library would send."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gazecrop.sources import network

Answer = Callable[[socket.socket], object]


@dataclass
class Origin:
    """One server. `answers`: by target, what is sent; b"" stands for every other target."""

    host: str
    port: int
    answers: dict[bytes, bytes | Answer] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)  # their heads, in order
    names: list[str | None] = field(default_factory=list)  # of TLS
    connections: int = 0


def head(status: str = "200 OK", *lines: str, length: int | None = None) -> bytes:
    more = [f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, *more, "", ""]).encode()


def whole(data: bytes, *lines: str) -> bytes:
    return head("200 OK", *lines, length=len(data)) + data


def redirect(location: str, status: str = "302 Found") -> bytes:
    return head(status, f"Location: {location}", length=0)


@contextmanager
def origin(
    answers: Mapping[bytes, bytes | Answer], host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Origin]:
    """A server in threads at this address and a free port."""
    made = Origin(host, 0, dict(answers))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.connections += 1
            client = self.request
            try:
                if tls is not None:
                    client = tls.wrap_socket(client, server_side=True)
                received = b""
                while b"\r\n\r\n" not in received:
                    if not (piece := client.recv(65_536)):
                        return
                    received += piece
                made.requests.append(received)
                target = received.split(b" ", 2)[1]
                answer = made.answers.get(target, made.answers.get(b"", head("404 Not Found", length=0)))
                client.sendall(answer) if isinstance(answer, bytes) else answer(client)
            except OSError:
                pass  # the client left, as it should
            finally:
                client.close()

    if tls is not None:
        tls.sni_callback = lambda connection, name, context: made.names.append(name)
    with _Server((host, 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


class HostileDns:
    """Stands for the system's resolver. `answers`: for each look-up in turn its addresses; the last one stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str] | OSError) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        monkeypatch.setattr(network, "socket", self)

    SOCK_STREAM = socket.SOCK_STREAM

    def getaddrinfo(self, host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        found = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, self.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]
