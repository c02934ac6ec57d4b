"""A small ASGI app behind the server's protocol, in a thread, and raw sockets to it."""

import contextlib
import re
import socket
from collections.abc import Generator
from dataclasses import dataclass

from blake3 import blake3
from starlette.types import Receive, Scope, Send

from gazecrop.errors import GazecropError
from gazecrop.http.body import read_body
from gazecrop.http.observe import Observe
from gazecrop.http.protocol import Refuse, never
from gazecrop.http.server import Server
from gazecrop.metrics import Metrics
from gazecrop.settings import Settings
from tests.helpers.inprocess import listening

MB = 1_000_000
LARGE = 32 * MB  # more than the kernel's buffers of a connection


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """/read takes 1 MB at most; /ignore and /large do not read; /trailers shows its headers after the body; /once reads
    until it has something, /pieces says how often it read, both without a limit."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    scope["gazecrop.route"] = scope["path"]
    status, headers, body = 200, [], b"ignored"
    if scope["path"] == "/large":
        body = bytes(LARGE)
    elif scope["path"] == "/once":
        while not (body := (await receive())["body"]):
            pass
        body = b"%d" % len(body)
    elif scope["path"] == "/pieces":
        count = 1
        while (await receive())["more_body"]:
            count += 1
        body = b"%d" % count
    elif scope["path"] != "/ignore":
        try:
            body = b"%d" % len(await read_body(receive, scope["headers"], MB, 30, blake3()))
        except GazecropError as error:
            status, body = error.status, error.slug.encode()
            headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    if scope["path"] == "/trailers":
        body = b" ".join(name for name, _ in scope["headers"])
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Running:
    port: int
    server: Server
    metrics: Metrics

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, *parts: bytes) -> bytes:
        """Everything received until the server closes."""
        with self.connect() as client:
            for part in parts:
                client.sendall(part)
            return everything(client)


def everything(client: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def whole_answer(client: socket.socket) -> bytes:
    """One answer, however many pieces its head and its body arrive in, and what is already there behind it."""
    answer = b""
    while True:
        part = client.recv(65536)
        assert part, answer
        answer += part
        head, end, content = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if end and length is not None and len(content) >= int(length[1]):
            return answer


@contextlib.contextmanager
def serving(refuse: Refuse = never) -> Generator[Running]:
    metrics = Metrics()
    settings = Settings(PORT=0, drain_seconds=5, log_level="error")
    with listening(Observe(app, metrics), settings, refuse=refuse) as (port, server):
        yield Running(port, server, metrics)
