"""Reads the body of an upload, raw or multipart, within its limits (bytes, seconds, parts). Hashes it as it arrives."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from python_multipart.multipart import parse_options_header
from starlette.types import Receive

from gazecrop.errors import BadParameters, BodyTooLarge, BodyTooSlow, ClientGone, UnsupportedEncoding
from gazecrop.http.multipart import Headers, Malformed, MultipartParser

FIELD = b"file"
CURL = "curl -F file=@picture.jpg"
FRAMING = 64_000  # bytes of a multipart body beyond the file: boundaries, part headers, other fields
MAX_PARTS = 64  # each takes about 10 µs of the event loop, and 20 MB can hold 400,000 of them
BOUNDARY = 256  # characters; RFC 2046 allows 70


class Hasher(Protocol):
    def update(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Upload:
    """The bytes of a file, and the form's other fields as a URL-encoded query string."""

    data: bytes
    query: str = ""


def is_form(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a body with these ASGI headers is read as multipart/form-data."""
    return any(name == b"content-type" and _is_multipart(value) for name, value in headers)


def _is_multipart(content_type: bytes) -> bool:
    return content_type[:19].lower() == b"multipart/form-data"


async def read_body(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    max_bytes: int,
    seconds: float,
    hasher: Hasher | None = None,
) -> bytes:
    """The bytes of the uploaded file alone. Parameters and errors as of `read_upload`."""
    return (await read_upload(receive, headers, max_bytes, seconds, hasher)).data


async def read_upload(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    max_bytes: int,
    seconds: float,
    hasher: Hasher | None = None,
) -> Upload:
    """The uploaded file and the fields beside it. `hasher`, if given, is updated with exactly the bytes of the file, so
    that raw and multipart uploads of a file have the same id.

    headers: ASGI headers. max_bytes: of the file; a multipart body may be 64 kB longer. seconds: for the whole body.
    Raises `UnsupportedEncoding`, `BodyTooLarge` (by Content-Length before anything is read, else while reading),
    `BodyTooSlow`, `BadParameters` (multipart without the field `file`), `ClientGone`. All but the last ask to close the
    connection.
    """
    form = None
    limit = max_bytes
    length: int | None = None
    for name, value in headers:
        if name == b"content-length":
            length = _length(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise _encoded(value)
        elif name == b"content-type" and _is_multipart(value):
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

    def finish(self) -> Upload:
        return Upload(self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))


class _Form:
    """multipart/form-data (RFC 7578): the part named `file`, and the other parts as fields."""

    def __init__(self, content_type: bytes, hasher: Hasher | None, max_bytes: int) -> None:
        boundary = parse_options_header(content_type.decode("latin-1"))[1].get(b"boundary")
        if not boundary:
            raise _malformed("the boundary is missing")
        if len(boundary) > BOUNDARY:
            raise _malformed("the boundary is too long")
        self._parser = MultipartParser(boundary, self._part, self._data)
        self._file = _Raw(hasher)
        self._max_bytes = max_bytes
        self._fields: list[tuple[bytes, list[bytes]]] = []
        self._files = self._file_bytes = self._field_bytes = 0
        self._in_file = False

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except Malformed as error:
            raise _malformed(str(error)) from error

    def finish(self) -> Upload:
        try:
            self._parser.close()
        except Malformed as error:
            raise _malformed(str(error)) from error
        if not self._files:
            raise _bad("The form has no field named file.", fix=CURL)
        fields = [(name, b"".join(chunks)) for name, chunks in self._fields]
        return Upload(self._file.finish().data, urlencode(fields))

    def _part(self, headers: Headers) -> None:
        disposition = dict(headers).get(b"content-disposition", b"").decode("latin-1")
        name = parse_options_header(disposition)[1].get(b"name", b"")
        self._in_file = name == FIELD
        if self._in_file:
            self._files += 1
            if self._files > 1:
                raise _bad("The form has more than one field named file.")
        else:
            self._fields.append((name, []))
        if self._files + len(self._fields) > MAX_PARTS:
            raise _bad(f"The form has more than {MAX_PARTS} parts.", limit=MAX_PARTS)

    def _data(self, data: bytes) -> None:
        if self._in_file:
            self._file_bytes += len(data)
            if self._file_bytes > self._max_bytes:
                raise _too_large(self._max_bytes)
            self._file.feed(data)
        else:
            self._field_bytes += len(data)
            if self._field_bytes > FRAMING:
                if self._files:
                    raise _too_large(FRAMING)
                name = self._fields[-1][0].decode("utf-8", "replace")[:40]
                detail = (
                    f"The field {name!r} is large, and no field is named file: the picture belongs there."
                )
                raise _bad(detail, limit=FRAMING, fix=CURL)
            self._fields[-1][1].append(data)


_CLOSE = {"Connection": "close"}


def _length(value: bytes) -> int:
    """Digits only (RFC 9110, 8.6): int() would also take signs, spaces and underscores."""
    if not value.isdigit() or len(value) > 18:
        raise BadParameters.one("Content-Length", "Content-Length is not a number of bytes.")
    return int(value)


def _encoded(coding: bytes) -> UnsupportedEncoding:
    name = coding.decode("latin-1").strip()[:40]
    return UnsupportedEncoding(
        f"The body has Content-Encoding: {name}, and this server does not decode it.",
        headers={"Accept-Encoding": "identity", **_CLOSE},  # RFC 9110, section 15.5.16
        received=name,
        fix="Send the body as it is, without Content-Encoding.",
    )


def _too_large(limit: int, received: int | None = None) -> BodyTooLarge:
    more: dict[str, Any] = {} if received is None else {"received": received}
    return BodyTooLarge(f"The limit here is {limit:,} bytes.", headers=_CLOSE, limit=limit, **more)


def _malformed(reason: str) -> BadParameters:
    return _bad(f"The multipart body is malformed: {reason}.")


def _bad(detail: str, **members: Any) -> BadParameters:
    return BadParameters([{"parameter": "file", "detail": detail, **members}], headers=_CLOSE)
