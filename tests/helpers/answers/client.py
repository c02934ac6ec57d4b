"""Requests over plain sockets: nothing is added to them and nothing of an answer is lost."""

import contextlib
import socket
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.helpers.answers.recording import Answer

SECONDS = 120.0
BOUNDARY = "----recorded"


class Client:
    """Asks one server, one connection for each request, and keeps every answer in `answers`."""

    def __init__(self, url: str, settings: str = "") -> None:
        """`settings`: what sets this server apart from others of the recording; it stands in the labels and is
        the answers' part."""
        parts = urlsplit(url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 80
        self._settings = settings
        self._seen: Counter[str] = Counter()
        self.names: dict[str, str] = {}  # of ids and versions, for the labels
        self.answers: list[Answer] = []

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        note: str = "",
        random: bool = False,
    ) -> Answer:
        """Sends Host and Content-Length, where there is a body, beside `headers`."""
        given = dict(headers or {})
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        if body and not given.keys() & {"Transfer-Encoding", "Content-Length"}:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in given.items()]
        raw = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        shown = "; ".join(f"{name}: {value[:60]}" for name, value in given.items())
        return self.send(raw, f"{method} {target}", note or shown, method=method, random=random)

    def send(
        self, raw: bytes, line: str, note: str = "", *, method: str = "", random: bool = False
    ) -> Answer:
        """Sends bytes as they are. Without a method what comes back until the server closes is the body."""
        status, headers, content = self._exchange(raw, method)
        label = ": ".join(filter(None, (self._settings, line))) + (f" [{note}]" if note else "")
        for value, name in self.names.items():
            label = label.replace(value, name)
        self._seen[label] += 1
        if self._seen[label] > 1:
            label += f" ({self._seen[label]})"
        answer = Answer(label, status, headers, content, random, self._settings)
        self.answers.append(answer)
        return answer

    def _exchange(self, raw: bytes, method: str) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        with socket.create_connection(self._address, timeout=SECONDS) as link:
            with contextlib.suppress(ConnectionError):  # it may refuse before all is sent
                link.sendall(raw)
            if not method:
                with contextlib.suppress(ConnectionError):
                    return 0, (), b"".join(iter(lambda: link.recv(65536), b""))
                return 0, (), b""
            answer = HTTPResponse(link, method=method)
            answer.begin()
            return answer.status, tuple(answer.getheaders()), answer.read()


def form(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """A multipart/form-data body of these fields, and its headers."""
    body = b""
    for name, content in parts:
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}.bin"'
        body += f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode(), {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"
    }


def chunked(body: bytes, size: int = 5000) -> tuple[bytes, dict[str, str]]:
    """The body in chunks, and its header."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"}
