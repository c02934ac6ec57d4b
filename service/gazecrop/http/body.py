"""Reads the body of an upload, raw or multipart, within its limits (bytes, seconds, parts). Hashes it as it arrives."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Receive

from gazecrop.errors import BadParameters, BodyTooLarge, BodyTooSlow, ClientGone

FIELD = b"file"
FRAMING = 64_000  # bytes of a multipart body beyond the file: boundaries, part headers, other fields
MAX_PARTS = 64  # each takes about 10 µs of the event loop, and 20 MB can hold 400,000 of them

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it logs a warning for every malformed body


class Hasher(Protocol):
    def update(self, data: bytes, /) -> object: ...


async def read_body(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    max_bytes: int,
    seconds: float,
    hasher: Hasher | None = None,
) -> bytes:
    """The uploaded file. `hasher`, if given, is updated with exactly these bytes, so that raw and multipart uploads of
    a file have the same id.

    headers: ASGI headers. max_bytes: of the file; a multipart body may be 64 kB longer. seconds: for the whole body.
    Raises `BodyTooLarge` (by Content-Length before anything is read, else while reading), `BodyTooSlow`,
    `BadParameters` (multipart without the field `file`), `ClientGone`. All but the last ask to close the connection.
    """
    form = None
    limit = max_bytes
    length: int | None = None
    for name, value in headers:
        if name == b"content-length":
            length = _length(value)
        elif name == b"content-type" and value[:19].lower() == b"multipart/form-data":
            form = _Form(value, hasher, max_bytes)
            limit = max_bytes + FRAMING
    if length is not None and length > limit:
        raise _too_large(max_bytes, length)
    reader = form or _Raw(hasher)
    count = 0
    try:
        async with asyncio.timeout(seconds):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                count += len(chunk)
                if count > limit:
                    raise _too_large(max_bytes)
                reader.feed(chunk)
    except TimeoutError:
        raise BodyTooSlow(
            f"The body was not received within {seconds:g} seconds.",
            headers=_CLOSE,
            limit=seconds,
            received=count,
        ) from None
    return reader.finish()


class _Raw:
    """The body is the file."""

    def __init__(self, hasher: Hasher | None) -> None:
        self._hasher = hasher
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> None:
        if self._hasher is not None:
            self._hasher.update(data)
        self._chunks.append(data)

    def finish(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


class _Form:
    """multipart/form-data (RFC 7578): the part named `file`; other parts are skipped."""

    def __init__(self, content_type: bytes, hasher: Hasher | None, max_bytes: int) -> None:
        boundary = parse_options_header(content_type.decode("latin-1"))[1].get(b"boundary")
        if not boundary:
            raise _malformed("the boundary is missing")
        self._hasher = hasher
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = self._parts = 0
        self._files = 0
        self._inside = self._ended = False
        self._header = self._value = self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _malformed("the boundary is too long") from error

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed("it does not follow RFC 7578") from error

    def finish(self) -> bytes:
        if not self._ended:
            raise _malformed("its last boundary is missing")
        if not self._files:
            raise _bad("The form has no field named file.", fix="curl -F file=@picture.jpg")
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _bad(f"The form has more than {MAX_PARTS} parts.", limit=MAX_PARTS)
        self._inside = False
        self._header = self._value = self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        self._inside = parse_options_header(self._disposition.decode("latin-1"))[1].get(b"name") == FIELD
        self._files += self._inside
        if self._files > 1:
            raise _bad("The form has more than one field named file.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._inside:
            return
        self._size += end - start
        if self._size > self._max_bytes:
            raise _too_large(self._max_bytes)
        part = data[start:end]
        if self._hasher is not None:
            self._hasher.update(part)
        self._chunks.append(part)

    def _end(self) -> None:
        self._ended = True


_CLOSE = {"Connection": "close"}


def _length(value: bytes) -> int:
    """Digits only (RFC 9110, 8.6): int() would also take signs, spaces and underscores."""
    if not value.isdigit() or len(value) > 18:
        raise BadParameters.one("Content-Length", "Content-Length is not a number of bytes.")
    return int(value)


def _too_large(limit: int, received: int | None = None) -> BodyTooLarge:
    more: dict[str, Any] = {} if received is None else {"received": received}
    return BodyTooLarge(f"The limit here is {limit:,} bytes.", headers=_CLOSE, limit=limit, **more)


def _malformed(reason: str) -> BadParameters:
    return _bad(f"The multipart body is malformed: {reason}.")


def _bad(detail: str, **members: Any) -> BadParameters:
    return BadParameters([{"parameter": "file", "detail": detail, **members}], headers=_CLOSE)
