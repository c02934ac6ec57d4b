"""uvicorn's protocol with limits on heads, unread bodies, unread answers and idle connections.

The application limits what it reads itself (a slow body: `body.py`). This module limits what the application never
sees: endless or incomplete heads, trailers, bodies that it does not read, answers that the client does not read.
Refusals here are plain text.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gazecrop.http.crowd import Crowd
from gazecrop.http.discard import Discarder
from gazecrop.http.request_body import CONTINUE, RequestBody
from gazecrop.http.upgrade import continuing_parser, substitute_head

HEAD_BYTES = 32_768  # request line, headers and trailers; nginx takes 4 times 8 kB
BODY_READ = 262_144
HEAD_SECONDS = 10.0  # for a whole head, from its first byte or the start of the connection
JOINED_BYTES = 65_536  # of a part of a body: copying it takes as long as a second write
# Of a body that the application does not read, before the connection is closed.
UNREAD_BYTES, UNREAD_SECONDS = 262_144, 5.0
LINGER_SECONDS = 10.0  # after a refusal
# A client that reads its answer more slowly than so many bytes in so many seconds is cut off: until then its answer
# stays in memory. nginx's send_timeout is 60 s for any byte.
ANSWER_BYTES, ANSWER_SECONDS = 65_536, 30.0

Headers = list[tuple[bytes, bytes]]
# Method, target and headers of a request -> the whole answer, or None where the application is to answer.
Refuse = Callable[[bytes, bytes, Headers], bytes | None]


def never(method: bytes, target: bytes, headers: Headers) -> bytes | None:
    """A `Refuse` that leaves all requests to the application."""
    return None


class State(ServerState):
    """What all connections of a server share. `refuse` is asked before a request is made."""

    crowd: "Crowd[Protocol]"
    draining = False  # every answer closes its connection

    def __init__(self, refuse: Refuse) -> None:
        super().__init__()
        self.refuse = refuse
        self.discarder = Discarder()
        # For one read of any connection: what was read is parsed before anything else is.
        self.buffer = memoryview(bytearray(BODY_READ))


class Protocol(HttpToolsProtocol):
    """One connection. `check` must be called about once a second, which is cheaper than timers for every request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._state = cast(State, self.server_state)
        self._crowd = self._state.crowd
        self._head_since: float | None = self.loop.time()  # None: no head is being received
        self.in_body = False  # between the end of a head and the end of its body
        self._body: RequestBody | None = None  # of the last request
        self._pending = 0  # bytes fed to the parser that have produced no event yet
        self._unread, self._unread_since = 0, 0.0
        self._lingers_since: float | None = None
        # Bytes of answers that the client has not taken, and the time since when it should take more of them.
        self._unsent, self._unsent_since = 0, 0.0
        if not self._crowd.enter(self, self.client[0] if self.client else ""):
            self.transport.write(self._refusal(503, "Too many connections from this address."))
            self.transport.close()  # without lingering: it has sent nothing yet, and is to hold no descriptor

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        self._state.discarder.remove(self.transport)
        super().connection_lost(exc)

    def close_idle(self) -> None:
        """To make room for another one."""
        self.transport.close()

    def data_received(self, data: bytes | memoryview) -> None:
        if self._lingers_since is not None:  # read before the transport was paused
            return
        body = self._body
        if self._head_since is None and not self.in_body:
            self._head_since = self.loop.time()
        self._pending += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if self.in_body and self._body is not body:
            self.flow.pause_reading()  # until the application asks for the body
        if self._pending > HEAD_BYTES and self._lingers_since is None and not self.transport.is_closing():
            self._refuse(431, "The head of this request is too large.")

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            while True:
                try:
                    return self.parser.feed_data(data)
                except httptools.HttpParserUpgrade as offer:
                    if self._lingers_since is not None:
                        return
                    head = substitute_head(self.scope["headers"], self.cycle.keep_alive)
                    data = head + bytes(data[offer.args[0] :])
                    self.parser = continuing_parser(self)
        except httptools.HttpParserError:
            if self._lingers_since is not None:  # behind a request that was refused
                return
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(400, "Invalid HTTP request received.")

    def on_headers_complete(self) -> None:
        if self._lingers_since is not None:
            return
        self._head_since = None
        self.in_body = True
        self._crowd.busy(self)
        # The body may have arrived with the head, so the head alone is counted again.
        if self._pending > HEAD_BYTES and self._head_size() > HEAD_BYTES:
            self.app = _head_too_large
        elif self._refused_early():
            return
        super().on_headers_complete()
        if self._state.draining:
            self.cycle.keep_alive = False
        self.headers = []  # trailers must not be added to the headers of the current request
        self.cycle.transport = _AnswerTransport(self, self.scope["method"] != "HEAD")  # type: ignore[assignment]
        self._body = RequestBody(self.cycle, self.transport)
        self.cycle.receive = self._body.receive  # type: ignore[method-assign, assignment]

    def _refused_early(self) -> bool:
        if self.cycle is not None and not self.cycle.response_complete:
            return False  # answers are in the order of requests
        answer = self._state.refuse(self.parser.get_method(), self.url, self.headers)
        if answer is None:
            return False
        self.server_state.total_requests += 1
        self.transport.write(answer)
        self.linger()
        return True

    def on_body(self, body: bytes) -> None:
        if self._lingers_since is not None:
            return
        # Twice, for the framing of chunked bodies: chunks of a few bytes are legal.
        self._pending = max(0, self._pending - 2 * len(body))
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD_BYTES:
                self.linger()
        else:
            assert self._body is not None
            self._body.add(body)

    def on_message_complete(self) -> None:
        if self._lingers_since is not None or self.parser.should_upgrade():
            return  # with an offer it is the end of the head: the body follows through another parser
        self.in_body = False
        self._pending = 0
        super().on_message_complete()
        if self.cycle.response_complete:  # uvicorn's idle timer was stopped by the rest of this body
            self._head_since = self.loop.time()
            self._crowd.idle(self)

    def on_response_complete(self) -> None:
        if self._lingers_since is not None:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self.in_body:
            self._unread, self._unread_since = 0, self.loop.time()
            assert self._body is not None
            self._body.end()
        else:
            self._crowd.idle(self)

    def check(self) -> None:
        """Closes the connection if one of its time limits has passed."""
        self._check_answer()
        if self.transport.is_closing():
            return
        if self._lingers_since is not None:
            if self.loop.time() - self._lingers_since > LINGER_SECONDS:
                self.transport.close()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            return
        now = self.loop.time()
        if self.in_body:
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
        if self.in_body:
            self.linger()
        else:
            self.transport.close()

    def linger(self) -> None:
        """Closes our half of the connection, then reads and discards for a while (RFC 9112, section 9.6).

        Closing with unread bytes makes the kernel send a reset. A client that is still sending its body would then
        lose the response.
        """
        if self._lingers_since is not None or self.transport.is_closing():
            return
        self._lingers_since = self.loop.time()
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.pause_reading()
        if self._body is not None:
            self._body.end()
        self._state.discarder.add(self.transport)
        self._crowd.idle(self)

    def shutdown(self) -> None:
        if self._lingers_since is not None:
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
