"""A focal point set by a person, and its bytes in a store."""

import secrets
import struct
from dataclasses import dataclass

_STRUCT = struct.Struct(">ddQ")  # x, y, revision


@dataclass(frozen=True, slots=True)
class Focus:
    """A focal point set by a person: fractions of the upright picture, 0 to 1. Each change has a new `revision`."""

    x: float
    y: float
    revision: int

    def pack(self) -> bytes:
        return _STRUCT.pack(self.x, self.y, self.revision)

    @classmethod
    def unpack(cls, value: bytes) -> "Focus":
        """Raises ValueError when the bytes are not a focus."""
        if len(value) != _STRUCT.size:
            raise ValueError(f"a focus has {_STRUCT.size} bytes, this has {len(value)}")
        x, y, revision = _STRUCT.unpack(value)
        if not (0 <= x <= 1 and 0 <= y <= 1):  # NaN fails here too
            raise ValueError("a focus is inside the picture")
        return cls(x, y, revision)

    @classmethod
    def new(cls, x: float, y: float) -> "Focus":
        """The revision is random: a counter would restart after a deletion, and an old ETag would match again."""
        return cls(x, y, secrets.randbits(63))  # 63: SQLite's integers are signed
