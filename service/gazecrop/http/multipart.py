"""A push parser of multipart bodies (RFC 2046, section 5.1): bytes in, parts out through callbacks.

Reads what python-multipart refuses: a preamble, folded part headers, padding after a boundary.
"""

import re
from collections.abc import Callable

HEADER_BYTES, HEADER_LINES = 8192, 16  # of one part; browsers and HTTP libraries send at most 3 lines
PADDING = 256  # bytes of spaces and tabs after a boundary; more are data
LOOKALIKES = 64  # words in the data that begin like the boundary; each takes about 1 µs of the event loop
_FOLD = re.compile(rb"\r\n[ \t]+")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)", re.DOTALL)

Headers = list[tuple[bytes, bytes]]


class Malformed(ValueError):
    """The body is not a multipart body. The text is a reason for the client."""


class MultipartParser:
    """Calls `part(headers)` at the head of each part, names in lower case, then `data(bytes)` for its content.

    Both may raise. Raises Malformed. `ended`: the closing boundary has been read; what follows it is skipped.
    """

    def __init__(
        self, boundary: bytes, part: Callable[[Headers], None], data: Callable[[bytes], None]
    ) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._part, self._data = part, data
        self._held = b"\r\n"  # not parsed yet; the first boundary has no line break before it
        self._in_head = self._in_part = False
        self._lookalikes = 0
        self._empty = True
        self.ended = False

    def feed(self, data: bytes) -> None:
        self._empty = self._empty and not data
        # Most chunks are passed on as they are: a copy of each would triple the time of a large upload.
        data, at = self._held + data if self._held else data, 0
        self._held = b""
        while not self.ended:
            found = self._head(data, at) if self._in_head else self._content(data, at)
            if found is None:
                return
            at = found

    def close(self) -> None:
        """Call it after the last byte."""
        if not self.ended:
            if self._in_part or self._in_head or self._empty:
                raise Malformed("its last boundary is missing")
            raise Malformed("it does not follow RFC 7578, as its boundary does not occur in it")

    def _content(self, data: bytes, at: int) -> int | None:
        """Up to the next boundary: of a part, or of the preamble. None: more bytes are needed."""
        start, searched = at, at
        while True:
            found = data.find(self._delimiter, searched)
            if found < 0:
                self._hold(data, start, self._possible_delimiter(data, start))
                return None
            after = found + len(self._delimiter)
            rest = data[after : after + PADDING + 2]
            line = rest.lstrip(b" \t")
            if rest.startswith(b"--"):
                self._emit(data[start:found])
                self.ended = True
                return after
            if line.startswith(b"\r\n") and len(rest) - len(line) <= PADDING:
                self._emit(data[start:found])
                self._in_head = True
                return after + len(rest) - len(line)  # at the line break, so that an empty head is found, too
            if line in (b"", b"\r", b"-") and len(rest) < PADDING + 2:
                self._hold(data, start, found)  # the rest of the line is missing
                return None
            self._lookalikes += 1  # a longer word that begins like the boundary: data
            if self._lookalikes > LOOKALIKES:
                raise Malformed("it does not follow RFC 7578, as its boundary occurs in its data")
            searched = after

    def _possible_delimiter(self, data: bytes, start: int) -> int:
        """Where the end of the data may be the beginning of a delimiter; else the end."""
        lowest = max(start, len(data) - len(self._delimiter) + 1)
        at = data.rfind(b"\r", lowest)
        while at >= 0 and not self._delimiter.startswith(data[at:]):
            at = data.rfind(b"\r", lowest, at)
        return at if at >= 0 else len(data)

    def _head(self, data: bytes, at: int) -> int | None:
        end = data.find(b"\r\n\r\n", at, at + HEADER_BYTES)
        if end < 0:
            if len(data) - at >= HEADER_BYTES:
                raise Malformed(f"it does not follow RFC 7578, as a part's head exceeds {HEADER_BYTES} bytes")
            self._hold(data, at, at)
            return None
        lines = _FOLD.sub(b" ", data[at + 2 : end]).split(b"\r\n") if end > at else []
        if len(lines) > HEADER_LINES:
            raise Malformed(f"it does not follow RFC 7578, as a part has more than {HEADER_LINES} headers")
        headers = []
        for line in lines:
            match = _HEADER.fullmatch(line)
            if match is None:
                raise Malformed("it does not follow RFC 7578, as a part has an invalid header")
            headers.append((match[1].lower(), match[2]))
        self._in_head, self._in_part = False, True
        self._part(headers)
        return end + 4

    def _emit(self, data: bytes) -> None:
        if self._in_part and data:
            self._data(data)

    def _hold(self, data: bytes, start: int, end: int) -> None:
        """Passes on data[start:end] and keeps the rest for the next call."""
        self._emit(data[start:end])
        self._held = data[end:]
