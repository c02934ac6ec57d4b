"""A focal point set by a person, for one profile or for all, and its bytes in a store."""

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


# The focal points of single profiles, by name: at most one for each of PROFILES in ratios.py.
Profiles = tuple[tuple[str, Focus], ...]


def with_profile(profiles: Profiles, name: str, focus: Focus | None) -> Profiles:
    """The same with another focus of one profile, or without it."""
    others = {other: each for other, each in profiles if other != name}
    return tuple(sorted(others.items() if focus is None else [*others.items(), (name, focus)]))


def of_profile(general: Focus | None, profiles: Profiles, name: str) -> Focus | None:
    """Exactly the focus that was set for this profile; `name` empty: the general one."""
    return next((each for other, each in profiles if other == name), None) if name else general
