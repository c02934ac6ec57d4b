"""Ignores `Connection: Upgrade` and reads the request's body as HTTP/1.1 (RFC 9110, section 7.8).

Java's HttpClient and `curl --http2` offer h2c with every request. After such a head the parser (llhttp) stops, as it
expects another protocol. A second parser continues: it gets a substitute head with the same framing and without the
offer, then the rest of the connection.
"""

from collections.abc import Iterable
from typing import Protocol

import httptools

_FRAMING = (b"content-length", b"transfer-encoding")


class Callbacks(Protocol):
    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


def substitute_head(headers: Iterable[tuple[bytes, bytes]], keep_alive: bool) -> bytes:
    """A head with the framing of a request that offered an upgrade.

    headers: of that request, names in lower case. keep_alive: whether further requests may follow it.
    """
    framing = b"".join(b"%b: %b\r\n" % header for header in headers if header[0] in _FRAMING)
    close = b"" if keep_alive else b"connection: close\r\n"
    return b"POST / HTTP/1.1\r\n" + framing + close + b"\r\n"


def continuing_parser(protocol: Callbacks) -> httptools.HttpRequestParser:
    """A parser for the substitute head and all that follows it."""
    parser = httptools.HttpRequestParser(_AfterHead(protocol))
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it for the first parser
    return parser


class _AfterHead:
    """The parser's callbacks: drops those of the substitute head, passes on all later ones."""

    def __init__(self, protocol: Callbacks) -> None:
        self._protocol = protocol
        self._in_head = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._in_head:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._in_head:
            self._in_head = False
        else:
            self._protocol.on_headers_complete()
