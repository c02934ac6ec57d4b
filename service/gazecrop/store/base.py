"""What a store keeps and promises. Redis and SQLite speak this; `memory.py` stands in front of either."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gazecrop.crop.focus import Focus
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreFull

# What became of a focus change, in the words that the stores' own transactions answer with.
Outcome = Literal["created", "replaced", "deleted", "absent", "unknown", "precondition", "full"]


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
class Entry:
    record: Record
    focus: Focus | None


@dataclass(frozen=True, slots=True)
class Condition:
    """The precondition of a focus change (RFC 9110, 13.1); all that is said must hold.

    `match`: revisions of which the present one must be one (If-Match); an empty tuple stands for `*`: any,
    but there must be one. `absent`: there must be none (If-None-Match: *). `other`: revisions of which the
    present one must be none (If-None-Match).
    """

    match: tuple[int, ...] | None = None
    absent: bool = False
    other: tuple[int, ...] = ()

    def holds(self, revision: int | None) -> bool:
        """Whether a change may go on, given the present revision (None: there is no focus)."""
        if revision is None:
            return self.match is None
        if self.absent or revision in self.other:
            return False
        return not self.match or revision in self.match


def settle(outcome: Outcome, max_focus: int) -> bool:
    """True when a focus was created or deleted, False when it was replaced or there was none; else raises."""
    match outcome:
        case "unknown":
            raise ImageNotFound("No map is kept for this id; upload the picture again.")
        case "precondition":
            raise PreconditionFailed("The focus is not as If-Match or If-None-Match says; read it again.")
        case "full":
            raise StoreFull(f"At most {max_focus} focal points are kept here.", limit=max_focus)
    return outcome in ("created", "deleted")


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

    async def check(self) -> list[str]:
        """What an operator should mend before trusting it, in sentences; empty when all is well."""

    async def close(self) -> None: ...
