"""Decoded maps in memory, in front of either store: what the pipeline reads and writes.

A map never changes, but a person's focus or a deletion may come through another replica: so an entry older
than one second is read from the store again. While the store is away entries still answer, marked as
degraded; a new map is kept here alone and written back when the store has returned. Used from the event loop
only: no locks but those that keep the changes of one id in order.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from gazecrop.crop.focus import Focus
from gazecrop.errors import GazecropError, StoreAway
from gazecrop.store.base import Condition, Entry, Record, Store

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
# Record, slot, two dictionary entries and the key, beside the decoded map itself.
OVERHEAD_BYTES = 1000
# Between two attempts to write back what could not be saved, so that a store that can be read and not written
# (a Redis out of memory) is not asked at every read.
WRITE_BACK_PAUSE = 1.0
WARNING_PAUSE = 10.0  # between two log lines about a store that is away


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """`degraded`: the store could not be asked just now, or does not hold this map yet."""

    record: Record
    map: T
    focus: Focus | None
    degraded: bool = False


@dataclass(slots=True)
class _Slot(Generic[T]):
    found: Found[T]
    checked: float  # when the store was asked for it, by the clock
    unsaved: bool


def _ignore(tier: str, result: str) -> None: ...


class MapCache(Generic[T]):
    """`store_up`: whether the store's last answer came. `unsaved`: how many maps wait to be written back."""

    def __init__(
        self,
        store: Store,
        decode: Callable[[Record], T],
        *,
        megabytes: float,
        map_bytes: int,
        count: Callable[[str, str], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`decode` builds what is kept (ValueError: not a map, a miss), which takes `map_bytes`.

        `count(tier, result)` is called for every lookup with "memory" or "store" and "hit", "miss" or
        "error"; an entry that must be read again is a miss of the memory.
        """
        self.store = store
        self.store_up = True
        self.unsaved = 0
        self.bytes = 0
        self._decode, self._count, self._clock = decode, count, clock
        self._limit, self._map_bytes = round(megabytes * 1_000_000), map_bytes
        self._slots: OrderedDict[str, _Slot[T]] = OrderedDict()
        self._loads: dict[str, asyncio.Task[Found[T] | None]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._writing_back: asyncio.Task[None] | None = None
        self._next_write_back = self._next_warning = float("-inf")

    def __len__(self) -> int:
        return len(self._slots)

    # What is read.

    def peek(self, id: str) -> Found[T] | None:
        """The entry if it may answer without the store; None says nothing about whether the map exists."""
        slot = self._slots.get(id)
        if slot is None or self._clock() - slot.checked > FRESH_SECONDS:
            return None
        self._slots.move_to_end(id)
        self._count("memory", "hit")
        return slot.found

    async def get(self, id: str) -> Found[T] | None:
        """The map and its focus, None when it is gone. Raises StoreAway when that cannot be known."""
        found = self.peek(id)
        if found is not None:
            return found
        self._count("memory", "miss")
        load = self._loads.get(id)
        if load is None:
            load = self._loads[id] = asyncio.create_task(self._load(id))
            load.add_done_callback(lambda done: self._loaded(id, done))
        return await asyncio.shield(load)  # the others still wait for it when this client leaves

    async def get_focus(self, id: str) -> tuple[Focus | None, bool]:
        """The focus, kept or not the map, and whether this is degraded. Raises StoreAway."""
        found = self.peek(id)
        if found is not None:
            return found.focus, found.degraded
        try:
            return await self._ask(self.store.get_focus(id)), False
        except StoreAway:
            slot = self._slots.get(id)
            if slot is None:
                raise
            return slot.found.focus, True

    # What is changed.

    async def put(self, id: str, record: Record) -> Found[T]:
        """Never fails for the store's sake: then the map is kept here alone, and the answer says degraded."""
        async with self._change(id):
            asked = self._clock()
            try:
                entry = await self._ask(self.store.put(id, record))
            except StoreAway:
                slot = self._slots.get(id)
                entry = Entry(record, slot.found.focus if slot else None)
                return self._keep(id, entry, asked, unsaved=True)
            return self._keep(id, entry, asked)

    async def delete(self, id: str) -> None:
        """Forgets map and focus. Raises StoreAway; the memory has forgotten them all the same."""
        self._drop(id)
        async with self._change(id):
            try:
                await self._ask(self.store.delete(id))
            finally:
                self._drop(id)  # also what was read while it was being deleted

    async def set_focus(self, id: str, x: float, y: float, condition: Condition) -> tuple[Focus, bool]:
        """As `Store.set_focus`."""
        async with self._change(id):
            slot = self._slots.get(id)
            with self._doubted(id):
                if slot is not None and slot.unsaved:
                    await self._save(id, slot)  # else the store would not know the id
                focus, created = await self._ask(self.store.set_focus(id, x, y, condition))
            self._refocus(id, focus)
            return focus, created

    async def delete_focus(self, id: str, condition: Condition) -> bool:
        """As `Store.delete_focus`."""
        async with self._change(id):
            with self._doubted(id):
                existed = await self._ask(self.store.delete_focus(id, condition))
            self._refocus(id, None)
            return existed

    async def ping(self) -> None:
        await self._ask(self.store.ping())

    async def close(self) -> None:
        """Writes back what it can, then closes the store."""
        tasks = [*self._loads.values(), *([self._writing_back] if self._writing_back else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._write_back()
        await self.store.close()

    # Inside.

    async def _ask(self, call: Awaitable[R]) -> R:
        """Notes whether the store answers, and has what is unsaved written back once it does again."""
        try:
            answer = await call
        except StoreAway as error:
            self.store_up = False
            if self._clock() >= self._next_warning:
                self._next_warning = self._clock() + WARNING_PAUSE
                log.warning("store away: %s", error)
            raise
        except GazecropError:
            self._answered()
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        self.store_up = True
        if self.unsaved and self._clock() >= self._next_write_back:
            self._next_write_back = self._clock() + WRITE_BACK_PAUSE
            if self._writing_back is None or self._writing_back.done():
                self._writing_back = asyncio.create_task(self._write_back())

    async def _write_back(self) -> None:
        for id in [id for id, slot in self._slots.items() if slot.unsaved]:
            found = await self._save_alone(id)
            if found is not None and found.degraded:
                return

    async def _save_alone(self, id: str) -> Found[T] | None:
        """Writes one unsaved map back; None when it was deleted meanwhile."""
        async with self._change(id):
            slot = self._slots.get(id)
            if slot is None:
                return None
            if slot.unsaved:
                with contextlib.suppress(StoreAway):
                    return await self._save(id, slot)
            return slot.found

    async def _save(self, id: str, slot: _Slot[T]) -> Found[T]:
        asked = self._clock()
        return self._keep(id, await self._ask(self.store.put(id, slot.found.record)), asked)

    async def _load(self, id: str) -> Found[T] | None:
        slot = self._slots.get(id)
        if slot is not None and slot.unsaved:
            return await self._save_alone(id)
        asked = self._clock()
        try:
            entry = await self._ask(self.store.get(id))
        except StoreAway:
            self._count("store", "error")
            slot = self._slots.get(id)
            if slot is None:
                raise
            return replace(slot.found, degraded=True)
        self._count("store", "miss" if entry is None else "hit")
        if self._loads.get(id) is not asyncio.current_task():
            return await self.get(id)  # it was changed meanwhile: what was read may be old
        if entry is not None:
            with contextlib.suppress(ValueError):
                return self._keep(id, entry, asked)
        self._drop(id)
        return None

    def _loaded(self, id: str, load: asyncio.Task[Found[T] | None]) -> None:
        if self._loads.get(id) is load:
            del self._loads[id]
        if not load.cancelled():
            load.exception()  # looked at, even if every client has left

    @contextlib.asynccontextmanager
    async def _change(self, id: str) -> AsyncIterator[None]:
        """One change of an id at a time, so that no write-back lands behind a deletion.

        After it, what was being read meanwhile no longer counts.
        """
        lock = self._locks.setdefault(id, asyncio.Lock())
        async with lock:
            try:
                yield
            finally:
                self._loads.pop(id, None)

    @contextlib.contextmanager
    def _doubted(self, id: str) -> Iterator[None]:
        """A change of the focus that failed, or whose answer was lost: the entry must be read again."""
        try:
            yield
        except BaseException:
            if (slot := self._slots.get(id)) is not None and not slot.unsaved:
                slot.checked = float("-inf")
            raise

    def _keep(self, id: str, entry: Entry, asked: float, *, unsaved: bool = False) -> Found[T]:
        """Raises ValueError when the record does not decode."""
        old = self._slots.get(id)
        value = old.found.map if old and old.found.record == entry.record else self._decode(entry.record)
        self._drop(id)
        found = Found(entry.record, value, entry.focus, degraded=unsaved)
        self._slots[id] = _Slot(found, asked, unsaved)
        self.bytes += self._bytes(entry.record)
        self.unsaved += unsaved
        while self.bytes > self._limit:
            self._drop(next(iter(self._slots)))
        return found

    def _bytes(self, record: Record) -> int:
        return self._map_bytes + len(record.code) + OVERHEAD_BYTES

    def _refocus(self, id: str, focus: Focus | None) -> None:
        if (slot := self._slots.get(id)) is not None:
            slot.found = replace(slot.found, focus=focus)

    def _drop(self, id: str) -> None:
        if (slot := self._slots.pop(id, None)) is not None:
            self.bytes -= self._bytes(slot.found.record)
            self.unsaved -= slot.unsaved
