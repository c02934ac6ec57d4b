"""uvicorn's protocol with limits on heads, unread bodies, unread answers and idle connections.

The application limits what it reads itself (a slow body: `body.py`). This module limits what the application never
sees: endless or incomplete heads, trailers, bodies that it does not read, answers that the client does not read.
Refusals here are plain text.
"""

import asyncio
from typing import cast

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gazecrop.http.crowd import Crowd
from gazecrop.http.discard import Discarder, Sink
from gazecrop.http.upgrade import continuing_parser, substitute_head

HEAD_BYTES = 32_768  # request line, headers and trailers; nginx takes 4 times 8 kB
HEAD_SECONDS = 10.0  # for a whole head, from its first byte or the start of the connection
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"  # uvicorn's, written before the head of an answer
JOINED_BYTES = 65_536  # of a part of a body: copying it takes as long as a second write
# Of a body that the application does not read, before the connection is closed.
UNREAD_BYTES, UNREAD_SECONDS = 262_144, 5.0
LINGER_SECONDS = 10.0  # after a refusal
# A client that reads its answer more slowly than so many bytes in so many seconds is cut off: until then its answer
# stays in memory. nginx's send_timeout is 60 s for any byte.
ANSWER_BYTES, ANSWER_SECONDS = 65_536, 30.0


class State(ServerState):
    """What all connections of a server share."""

    crowd: "Crowd[Protocol]"
    draining = False  # every answer closes its connection

    def __init__(self) -> None:
        super().__init__()
        self.discarder = Discarder()


class Protocol(HttpToolsProtocol):
    """One connection. `check` must be called about once a second, which is cheaper than timers for every request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._state = cast(State, self.server_state)
        self._crowd = self._state.crowd
        self._head_since: float | None = self.loop.time()  # None: no head is being received
        self._in_body = False  # between the end of a head and the end of its body
        self._pending = 0  # bytes fed to the parser that have produced no event yet
        self._unread, self._unread_since = 0, 0.0
        self._lingering = False
        self._sink: Sink | None = None
        # Bytes of answers that the client has not taken, and the time since when it should take more of them.
        self._unsent, self._unsent_since = 0, 0.0
        if not self._crowd.enter(self, self.client[0] if self.client else ""):
            self.transport.write(self._refusal(503, "Too many connections from this address."))
            self.transport.close()  # without lingering: it has sent nothing yet, and is to hold no descriptor

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        if self._sink is not None:
            self._sink.close()
        super().connection_lost(exc)

    def close_idle(self) -> None:
        """To make room for another one."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._lingering:  # read before the transport was paused
            return
        if self._head_since is None and not self._in_body:
            self._head_since = self.loop.time()
        self._pending += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._pending > HEAD_BYTES and not self._lingering and not self.transport.is_closing():
            self._refuse(431, "The head of this request is too large.")

    def _feed(self, data: bytes) -> None:
        try:
            while True:
                try:
                    return self.parser.feed_data(data)
                except httptools.HttpParserUpgrade as offer:
                    head = substitute_head(self.scope["headers"], self.cycle.keep_alive)
                    data = head + data[offer.args[0] :]
                    self.parser = continuing_parser(self)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(400, "Invalid HTTP request received.")

    def on_headers_complete(self) -> None:
        self._head_since = None
        self._in_body = True
        self._crowd.busy(self)
        # The body may have arrived with the head, so the head alone is counted again.
        if self._pending > HEAD_BYTES and self._head_size() > HEAD_BYTES:
            self.app = _head_too_large
        super().on_headers_complete()
        if self._state.draining:
            self.cycle.keep_alive = False
        self.headers = []  # trailers must not be added to the headers of the current request
        self.cycle.transport = _AnswerTransport(self, self.scope["method"] != "HEAD")  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        # Twice, for the framing of chunked bodies: chunks of a few bytes are legal.
        self._pending = max(0, self._pending - 2 * len(body))
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD_BYTES:
                self.linger()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the end of the head: the body follows through another parser
        self._in_body = False
        self._pending = 0
        super().on_message_complete()
        if self.cycle.response_complete:  # uvicorn's idle timer was stopped by the rest of this body
            self._head_since = self.loop.time()
            self._crowd.idle(self)

    def on_response_complete(self) -> None:
        if self._lingering:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self._in_body:
            self._unread, self._unread_since = 0, self.loop.time()
        else:
            self._crowd.idle(self)

    def check(self) -> None:
        """Closes the connection if one of its time limits has passed."""
        self._check_answer()
        if self._lingering or self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            return
        now = self.loop.time()
        if self._in_body:
            if now - self._unread_since > UNREAD_SECONDS:
                self.linger()
        elif self._head_since is not None and now - self._head_since > HEAD_SECONDS:
            if self._pending:
                self._refuse(408, "The head of this request was not received in time.")
            else:
                self.transport.close()

    def _check_answer(self) -> None:
        """Also while it is closing: `close` waits until all is sent, for as long as the client does not read."""
        left = self.transport.get_write_buffer_size()
        if not left or not self._unsent or left <= self._unsent - ANSWER_BYTES:
            self._unsent, self._unsent_since = left, self.loop.time()
        elif self.loop.time() - self._unsent_since > ANSWER_SECONDS:
            self.transport.abort()

    def resume_writing(self) -> None:
        """The client has taken all but 16 kB, so its time begins anew."""
        super().resume_writing()
        self._unsent = 0

    def close_after_response(self) -> None:
        """At once if the request was read completely, else with lingering."""
        if self._in_body:
            self.linger()
        else:
            self.transport.close()

    def linger(self) -> None:
        """Closes our half of the connection, then reads and discards for a while (RFC 9112, section 9.6).

        Closing with unread bytes makes the kernel send a reset. A client that is still sending its body would then
        lose the response.
        """
        if self._lingering or self.transport.is_closing():
            return
        self._lingering = True
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.pause_reading()
        try:
            descriptor = self.transport.get_extra_info("socket").fileno()
            self._sink = Sink(self._state.discarder, descriptor, self.transport.close)
        except OSError:
            self.transport.close()
            return
        self._state.discarder.wait(self._sink)
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def shutdown(self) -> None:
        if self._lingering:
            self.loop.call_later(1.0, self.transport.close)
        else:
            super().shutdown()

    def _refuse(self, status: int, text: str) -> None:
        self.transport.write(self._refusal(status, text))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.linger()

    def _refusal(self, status: int, text: str) -> bytes:
        headers = (
            f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\nconnection: close\r\n"
        )
        return STATUS_LINE[status] + f"{headers}\r\n{text}".encode()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


class _AnswerTransport:
    """The transport that one request's answer is written to. It sends the head together with the first part of the
    body: each write takes 8 us, a tenth of a GET, and is a packet of its own. `close` lingers."""

    __slots__ = ("_head", "_head_written", "_protocol", "is_closing")

    def __init__(self, protocol: Protocol, has_body: bool) -> None:
        """has_body: a part of the body will be written, perhaps an empty one."""
        self._protocol = protocol
        self._head = b""
        self._head_written = not has_body
        self.is_closing = protocol.transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._head_written and data != CONTINUE:
            self._head, self._head_written = data, True
            return
        if len(data) <= JOINED_BYTES:
            data = self._head + data
        elif self._head:
            self._protocol.transport.write(self._head)
        self._head = b""
        self._protocol.transport.write(data)

    def close(self) -> None:
        if self._head:
            self.write(b"")
        self._protocol.close_after_response()


async def _head_too_large(scope: Scope, receive: Receive, send: Send) -> None:
    text = b"The head of this request is too large."
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    headers.append((b"content-length", b"%d" % len(text)))
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": text})
