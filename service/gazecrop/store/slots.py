"""What the memory holds: the records of many pictures, as stored, and the decoded maps of a few of them."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gazecrop.crop.focus import Focus, Profiles, with_profile
from gazecrop.store.base import Entry, Record
from gazecrop.store.watch import NEVER

T = TypeVar("T")

# Of a record beside its code, measured for 100,000 of them: key, slot, record, time, two tables' entries.
OVERHEAD_BYTES = 450
# The share of the memory that decoded maps take. 32 MB are 17,000 records and 1,100 to 2,000 maps.
MAPS_SHARE = 5 / 8
# A map grows while it is used, when a query needs sums that were not needed before: it is measured again so many uses
# of maps after it was handed out, which bounds what is not counted.
MEASURED_AFTER = 64


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """`degraded`: the store did not answer, or does not hold this map yet."""

    record: Record
    map: T
    focus: Focus | None
    degraded: bool = False
    profiles: Profiles = ()


@dataclass(slots=True)
class Slot:
    """`checked`: when it was requested from the store. `epoch`: of that time (watch.py), NEVER if it must be read again
    after a second. `unsaved`: the store does not hold it yet. `outdated`: to be read again, however fresh."""

    record: Record
    focus: Focus | None
    checked: float
    epoch: int = NEVER
    unsaved: bool = False
    profiles: Profiles = ()
    outdated: bool = False


class Slots(Generic[T]):
    """Bounded in bytes; the least recently used are dropped first. `unsaved`: the number of unsaved ones."""

    def __init__(
        self, decode: Callable[[Record], T], *, megabytes: float, map_bytes: Callable[[T], int]
    ) -> None:
        """`map_bytes`: of memory, of a decoded map at present."""
        self.unsaved = 0
        self._decode, self._map_bytes = decode, map_bytes
        limit = round(megabytes * 1_000_000)
        self._maps_limit = round(limit * MAPS_SHARE)
        self._limit = limit - self._maps_limit
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self._maps: OrderedDict[str, Found[T]] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of the maps, when last measured
        self._records_bytes = self._maps_bytes = 0
        self._uses = 0  # of maps
        self._used: dict[
            str, int
        ] = {}  # ids of maps to be measured, and the numbers of these uses, ascending

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def bytes(self) -> int:
        """Of records and decoded maps."""
        return self._records_bytes + self._maps_bytes

    def get(self, id: str) -> Slot | None:
        return self._slots.get(id)

    def unsaved_ids(self) -> list[str]:
        return [id for id, slot in self._slots.items() if slot.unsaved] if self.unsaved else []

    def found(self, id: str, slot: Slot) -> Found[T]:
        """The slot's content with its map, which is decoded if it is not held. Marks it as used."""
        found = self._maps.get(id)
        if found is None:
            found = Found(slot.record, self._decode(slot.record), slot.focus, slot.unsaved, slot.profiles)
            self._hold(id, found)
        else:
            self._maps.move_to_end(id)
            self._handed_out(id)
        self._slots.move_to_end(id)
        return found

    def keep(
        self, id: str, entry: Entry, checked: float, epoch: int = NEVER, *, unsaved: bool = False
    ) -> Found[T]:
        """Raises ValueError, and changes nothing, when the record does not decode."""
        old = self._maps.get(id)
        record = entry.record
        if old is not None and old.record == record:
            record = old.record
            value = old.map
        else:
            value = self._decode(record)
        found = Found(record, value, entry.focus, unsaved, entry.profiles)
        self.drop(id)
        self._slots[id] = Slot(record, entry.focus, checked, epoch, unsaved, entry.profiles)
        self._records_bytes += OVERHEAD_BYTES + len(record.code)
        self.unsaved += unsaved
        self._hold(id, found)
        while self._records_bytes > self._limit:
            self.drop(next(iter(self._slots)))
        return found

    def refocus(self, id: str, focus: Focus | None, profile: str) -> None:
        """The focus was changed by this process. Another change may have followed it, so that it is not covered."""
        if (slot := self._slots.get(id)) is None:
            return
        slot.epoch = NEVER
        if profile:
            slot.profiles = with_profile(slot.profiles, profile, focus)
        else:
            slot.focus = focus
        if (found := self._maps.get(id)) is not None:
            self._maps[id] = replace(found, focus=slot.focus, profiles=slot.profiles)

    def drop(self, id: str) -> None:
        self._maps.pop(id, None)
        self._maps_bytes -= self._sizes.pop(id, 0)
        if (slot := self._slots.pop(id, None)) is not None:
            self._records_bytes -= OVERHEAD_BYTES + len(slot.record.code)
            self.unsaved -= slot.unsaved

    def _hold(self, id: str, found: Found[T]) -> None:
        self._maps[id] = found
        self._measure(id)
        self._handed_out(id)

    def _handed_out(self, id: str) -> None:
        self._uses += 1
        self._used.setdefault(id, self._uses)
        first = next(iter(self._used))
        if self._uses - self._used[first] >= MEASURED_AFTER:
            del self._used[first]
            self._measure(first)

    def _measure(self, id: str) -> None:
        if (found := self._maps.get(id)) is None:
            return
        size = self._map_bytes(found.map)
        self._maps_bytes += size - self._sizes.get(id, 0)
        self._sizes[id] = size
        while self._maps_bytes > self._maps_limit:
            oldest, _ = self._maps.popitem(last=False)
            self._maps_bytes -= self._sizes.pop(oldest)
