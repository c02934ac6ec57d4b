"""What a store keeps and promises. Redis and SQLite speak this; `memory.py` stands in front of either."""

import struct
from dataclasses import dataclass
from typing import Protocol

FOCUS = struct.Struct(">ddQ")


@dataclass(frozen=True, slots=True)
class Record:
    """A map as it is kept: the network that made it, the picture's format, the grid's code (`grid.py`)."""

    model: str
    format: str
    code: bytes

    def pack(self) -> bytes:
        return f"{self.model} {self.format} ".encode() + self.code

    @classmethod
    def unpack(cls, value: bytes) -> "Record":
        """Raises ValueError when the bytes are not a record."""
        model, picture_format, code = value.split(b" ", 2)
        return cls(model.decode(), picture_format.decode(), code)


@dataclass(frozen=True, slots=True)
class Focus:
    """A person's focal point: fractions of the upright picture, 0 to 1. `revision` differs after every change."""

    x: float
    y: float
    revision: int

    def pack(self) -> bytes:
        return FOCUS.pack(self.x, self.y, self.revision)

    @classmethod
    def unpack(cls, value: bytes) -> "Focus":
        return cls(*FOCUS.unpack(value))


@dataclass(frozen=True, slots=True)
class Entry:
    record: Record
    focus: Focus | None


@dataclass(frozen=True, slots=True)
class Condition:
    """The precondition of a focus change (RFC 9110, 13.1). Both None: none.

    `match`: revisions of which the present one must be one (If-Match); an empty tuple stands for `*`: any, but
    there must be one. `absent`: there must be none (If-None-Match: *).
    """

    match: tuple[int, ...] | None = None
    absent: bool = False


class Store(Protocol):
    """Every method raises `errors.StoreAway` when the store cannot be reached in time; nothing else leaks."""

    name: str  # "redis" or "sqlite"

    async def get(self, id: str) -> Entry | None:
        """Map and focus in one round trip; None when the map is gone (a focus may still be kept)."""

    async def put(self, id: str, record: Record) -> Entry:
        """Keeps the map; answers with the focus that a person had set for these bytes before, if any."""

    async def delete(self, id: str) -> None:
        """Forgets map and focus; durable when it returns."""

    async def get_focus(self, id: str) -> Focus | None: ...

    async def set_focus(self, id: str, x: float, y: float, condition: Condition) -> tuple[Focus, bool]:
        """Compare-and-set inside the store, durable when it returns. The bool: it was created, not replaced.

        Raises ImageNotFound (unknown id), PreconditionFailed, StoreFull (over `max_focus`)."""

    async def delete_focus(self, id: str, condition: Condition) -> bool:
        """True when there was one. Raises PreconditionFailed."""

    async def id_key(self) -> bytes:
        """32 random bytes behind the ids: made once, the same for all who share the store."""

    async def ping(self) -> None:
        """Returns when the store answers."""

    async def close(self) -> None: ...
