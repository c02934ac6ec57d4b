"""The interface of the stores. Redis and SQLite implement it; `memory.py` is the cache in front of either."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from sys import intern
from typing import Any, Literal, Protocol

from gazecrop.crop.focus import Focus, Profiles
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreFull
from gazecrop.store.watch import Watch

# An entry that a replica holds in memory and read from the store within this time may be written back after the store
# has lost it. A deletion leaves a tombstone that lasts longer, so that what was deleted is never written back.
RESTORE_SECONDS = 3600.0
# The outcome of a focus change, as the stores' transactions return it.
Outcome = Literal["created", "replaced", "deleted", "absent", "unknown", "precondition", "full"]


@dataclass(frozen=True, slots=True)
class Record:
    """A map as stored: the network that made it, the picture's format, the encoded grid (`grid.py`), the EXIF
    orientation of the file (1 to 8), the number of frames.

    Records of release 0.1 have no orientation. It reads as 1 then, although the grid may say that it is another. The
    number of frames is packed with the format, as "gif:24", so that release 0.2 reads the record, too.
    """

    model: str
    format: str
    code: bytes
    orientation: int = 1
    frames: int = 1

    def pack(self) -> bytes:
        turned = "" if self.orientation == 1 else f"/{self.orientation}"
        frames = "" if self.frames == 1 else f":{self.frames}"
        return f"{self.model} {self.format}{frames}{turned} ".encode() + self.code

    @classmethod
    def unpack(cls, value: bytes) -> "Record":
        """Raises ValueError when the bytes are not a record."""
        model, picture_format, code = value.split(b" ", 2)
        name, _, orientation = picture_format.decode().partition("/")
        name, _, frames = name.partition(":")
        # Few models and formats are in tens of thousands of records: interned, these share them.
        return cls(intern(model.decode()), intern(name), code, int(orientation or 1), int(frames or 1))


@dataclass(frozen=True, slots=True)
class Entry:
    """`focus`: for all profiles. `profiles`: of single ones, which outrank it."""

    record: Record
    focus: Focus | None
    profiles: Profiles = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A person's report about a crop, as stored.

    `document`: its JSON members; "id" is the picture's. A report that came with the picture has "picture", a file name
    for it. `picture`: the bytes of that picture; None without one, and after the picture's id was deleted.
    """

    document: dict[str, Any]
    picture: bytes | None


def focus_key(id: str, profile: str) -> str:
    """Under which the stores keep a focus: the id alone, as release 0.2 did, for that of all profiles."""
    return f"{id}/{profile}" if profile else id


def reports_full(limit: int) -> StoreFull:
    """`limit`: of all reports and their pictures, in bytes."""
    return StoreFull("The inbox for reports is full; please inform the operator of this server.", limit=limit)


def no_space(log: str) -> StoreFull:
    """For a report that the store has no space for: its disk or its memory is full."""
    return StoreFull(
        "The store has no space for reports; please inform the operator of this server.", log=log
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """The precondition of a focus change (RFC 9110, 13.1). All three parts must hold.

    `match` (If-Match): the current revision is one of these; an empty tuple is `*`, any revision, but a focus must
    exist; None: no condition. `absent` (If-None-Match: *): no focus exists. `other` (If-None-Match): the current
    revision is none of these.
    """

    match: tuple[int, ...] | None = None
    absent: bool = False
    other: tuple[int, ...] = ()

    def holds(self, revision: int | None) -> bool:
        """Whether the change is allowed at this current revision (None: there is no focus)."""
        if revision is None:
            return self.match is None
        if self.absent or revision in self.other:
            return False
        return not self.match or revision in self.match


def settle(outcome: Outcome, max_focus: int) -> bool:
    """True when a focus was created or deleted, False when it was replaced or there was none; else raises."""
    match outcome:
        case "unknown":
            raise ImageNotFound("No map is stored for this id; upload the picture again.")
        case "precondition":
            raise PreconditionFailed("The focus does not meet If-Match or If-None-Match; read it again.")
        case "full":
            raise StoreFull(f"This server stores at most {max_focus} focal points.", limit=max_focus)
    return outcome in ("created", "deleted")


class Store(Protocol):
    """Every method raises `errors.StoreAway` when the store does not answer in time, and no other store error."""

    name: str  # "redis" or "sqlite"
    watch: Watch  # what it says of changes made elsewhere

    @property
    def reconnected_at(self) -> float:
        """When a connection was last opened anew, by `time.monotonic()`; -inf if never. What was read before may since
        have been lost, by a restart without the data or a fail-over."""

    async def get(self, id: str) -> Entry | None:
        """Map and focal points in one round trip; None without a map (a focus may still exist)."""

    @property
    def quick(self) -> bool:
        """Whether reads take microseconds at present, so that `look` may be called."""

    def look(self, id: str) -> Entry | None:
        """As `get`, without waiting: on the event loop."""

    async def put(self, id: str, record: Record) -> Entry:
        """Stores the map. Returns it with the focal points that were set for these bytes earlier, if any."""

    async def restore(self, id: str, entry: Entry) -> Entry | None:
        """Stores what the store has lost of an entry, its focal points included, and returns what it holds then.

        None, and no change, when the entry was deleted and not lost."""

    async def delete(self, id: str) -> None:
        """Deletes the map, all focal points and the pictures attached to reports about the id; durable when it returns.

        The reports' texts stay."""

    # `profile`: a name of PROFILES in crop/ratios.py; empty: the focus for all profiles.
    async def get_focus(self, id: str, profile: str = "") -> Focus | None: ...

    async def set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str = ""
    ) -> tuple[Focus, bool]:
        """Compare-and-set inside the store, durable when it returns. The bool: created, not replaced.

        Raises ImageNotFound (unknown id), PreconditionFailed, StoreFull (over `max_focus`)."""

    async def delete_focus(self, id: str, condition: Condition, profile: str = "") -> bool:
        """True when there was one. Raises PreconditionFailed."""

    async def add_report(self, report: Report) -> None:
        """Stores a report; durable when it returns. Raises StoreFull (over `reports_megabytes`)."""

    def reports(self) -> AsyncGenerator[Report, None]:
        """All reports, the oldest first. For the command line: it may block."""

    async def id_key(self) -> bytes:
        """The 32 random bytes that key the ids: made once, the same for all replicas on this store."""

    async def ping(self) -> None:
        """Returns when the store answers."""

    async def check(self) -> list[str]:
        """Problems that an operator should fix, one sentence each; empty when there are none."""

    async def close(self) -> None: ...
