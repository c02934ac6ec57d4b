"""A cache of decoded maps in front of either store. The pipeline reads and writes through it.

A map never changes, but another replica may set its focus or delete it, so an entry older than one second is read from
the store again. While the store does not answer, entries still do, marked as degraded; a new map is kept in memory and
written back when the store answers again. After a reconnect an entry may be missing because the store has lost its data
(a restart, a fail-over): then it still answers, and is written back unless it was deleted. Used from the event loop
only; the only locks keep the changes of one id in order.
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

from gazecrop.crop.focus import Focus, Profiles, of_profile, with_profile
from gazecrop.errors import GazecropError, ImageNotFound, PreconditionFailed, StoreAway
from gazecrop.store.base import RESTORE_SECONDS, Condition, Entry, Record, Store

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
# Of an entry beside its decoded map: record, slot, two dictionary entries and the key.
OVERHEAD_BYTES = 1000
# Between two attempts to write back, so that a store that answers reads but no writes (a Redis out of memory) is not
# sent a write at every read.
WRITE_BACK_PAUSE = 1.0
PING_SECONDS = 2.0  # between two questions whether the store answers: 0.1 ms each
WARNING_PAUSE = 10.0  # between two log lines about a store that does not answer


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """`degraded`: the store did not answer, or does not hold this map yet."""

    record: Record
    map: T
    focus: Focus | None
    degraded: bool = False
    profiles: Profiles = ()


@dataclass(slots=True)
class _Slot(Generic[T]):
    found: Found[T]
    checked: float  # when it was requested from the store, by the clock
    unsaved: bool
    outdated: bool = False  # to be read again, however fresh


def _ignore(tier: str, result: str) -> None: ...


class MapCache(Generic[T]):
    """`store_up`: whether the store answered the last call. `unsaved`: the number of maps to be written back."""

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
        """`decode` makes the cached value, of `map_bytes`, from a record (ValueError: not a map, counts as a miss).

        `count(tier, result)` is called for every lookup with "memory" or "store" and "hit", "miss" or "error"; an entry
        that must be read again is a miss of the memory.
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

    # Reads.

    def peek(self, id: str) -> Found[T] | None:
        """The entry if it is fresh enough to answer without the store. None: the map may still be in the store."""
        slot = self._slots.get(id)
        if slot is None or slot.outdated or self._clock() - slot.checked > FRESH_SECONDS:
            return None
        self._slots.move_to_end(id)
        self._count("memory", "hit")
        return slot.found

    async def get(self, id: str) -> Found[T] | None:
        """The map and its focus; None when there is none. Raises StoreAway when the store does not answer."""
        found = self.peek(id)
        if found is not None:
            return found
        self._count("memory", "miss")
        load = self._loads.get(id)
        if load is None:
            load = self._loads[id] = asyncio.create_task(self._load(id))
            load.add_done_callback(lambda done: self._loaded(id, done))
        return await asyncio.shield(load)  # other requests may wait for it after this client has left

    async def get_focus(self, id: str, profile: str = "") -> tuple[Focus | None, bool]:
        """The focus, with or without a map, and whether the answer is degraded. Raises StoreAway."""
        found = self.peek(id)
        if found is not None:
            return of_profile(found.focus, found.profiles, profile), found.degraded
        try:
            focus = await self._call(self.store.get_focus(id, profile))
            if focus is None and self._may_be_lost(id):
                if (found := await self.get(id)) is None:
                    return None, False
                return of_profile(found.focus, found.profiles, profile), found.degraded
            return focus, False
        except StoreAway:
            slot = self._slots.get(id)
            if slot is None:
                raise
            return of_profile(slot.found.focus, slot.found.profiles, profile), True

    # Changes.

    async def put(self, id: str, record: Record) -> Found[T]:
        """Stores the map. When the store does not answer, the map is kept in memory and marked as degraded."""
        async with self._change(id):
            requested = self._clock()
            try:
                entry = await self._call(self.store.put(id, record))
            except StoreAway:
                slot = self._slots.get(id)
                entry = Entry(record, slot.found.focus, slot.found.profiles) if slot else Entry(record, None)
                return self._keep(id, entry, requested, unsaved=True)
            return self._keep(id, entry, requested)

    async def delete(self, id: str) -> None:
        """Deletes map and focus. Raises StoreAway; they are removed from memory in any case."""
        self._drop(id)
        async with self._change(id):
            try:
                await self._call(self.store.delete(id))
            finally:
                self._drop(id)  # also an entry that was read during the deletion

    async def set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str = ""
    ) -> tuple[Focus, bool]:
        """As `Store.set_focus`."""
        try:
            return await self._set_focus(id, x, y, condition, profile)
        except (ImageNotFound, PreconditionFailed):
            if not self._may_be_lost(id) or await self._restore(id) is None:
                raise
        return await self._set_focus(id, x, y, condition, profile)

    async def _set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str
    ) -> tuple[Focus, bool]:
        async with self._change(id):
            slot = self._slots.get(id)
            with self._reread_on_error(id):
                if slot is not None and slot.unsaved:
                    await self._save(id, slot)  # the store needs the id before its focus
                focus, created = await self._call(self.store.set_focus(id, x, y, condition, profile))
            self._refocus(id, focus, profile)
            return focus, created

    async def delete_focus(self, id: str, condition: Condition, profile: str = "") -> bool:
        """As `Store.delete_focus`."""
        async with self._change(id):
            with self._reread_on_error(id):
                existed = await self._call(self.store.delete_focus(id, condition, profile))
            self._refocus(id, None, profile)
            return existed

    async def ping(self) -> None:
        await self._call(self.store.ping())

    async def watch(self, every: float = PING_SECONDS) -> None:
        """Asks the store every few seconds until cancelled, so that `store_up` is right while no request asks it."""
        while True:
            with contextlib.suppress(StoreAway):
                await self.ping()
            await asyncio.sleep(every)

    async def close(self) -> None:
        """Writes unsaved maps back if the store answers, then closes the store."""
        tasks = [*self._loads.values(), *([self._writing_back] if self._writing_back else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._write_back()
        await self.store.close()

    # Internals.

    async def _call(self, call: Awaitable[R]) -> R:
        """Records whether the store answers, and starts the write-back when it does again."""
        try:
            answer = await call
        except StoreAway as error:
            self.store_up = False
            if self._clock() >= self._next_warning:
                self._next_warning = self._clock() + WARNING_PAUSE
                log.warning("The store does not answer: %s", error)
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
        """Writes one unsaved map back; None when it was deleted in the meantime."""
        async with self._change(id):
            slot = self._slots.get(id)
            if slot is None:
                return None
            if slot.unsaved:
                with contextlib.suppress(StoreAway):
                    return await self._save(id, slot)
            return slot.found

    async def _save(self, id: str, slot: _Slot[T]) -> Found[T]:
        requested = self._clock()
        return self._keep(id, await self._call(self.store.put(id, slot.found.record)), requested)

    async def _load(self, id: str) -> Found[T] | None:
        slot = self._slots.get(id)
        if slot is not None and slot.unsaved:
            return await self._save_alone(id)
        requested = self._clock()
        try:
            entry = await self._call(self.store.get(id))
        except StoreAway:
            self._count("store", "error")
            slot = self._slots.get(id)
            if slot is None:
                raise
            return replace(slot.found, degraded=True)
        self._count("store", "miss" if entry is None else "hit")
        if self._loads.get(id) is not asyncio.current_task():
            return await self.get(id)  # the id was changed during the read: the entry may be old
        if entry is None and self._may_be_lost(id):
            return await self._restore(id)
        if entry is not None:
            with contextlib.suppress(ValueError):
                return self._keep(id, entry, requested)
        self._drop(id)
        return None

    def _may_be_lost(self, id: str) -> bool:
        """Whether the store, where this entry is missing, may have lost it since it was read there."""
        slot = self._slots.get(id)
        if slot is None or slot.checked >= self.store.reconnected_at:
            return False
        return self._clock() - slot.checked < RESTORE_SECONDS

    async def _restore(self, id: str) -> Found[T] | None:
        """Writes an entry back that the store may have lost; None, and it is dropped, when it was deleted."""
        async with self._change(id):
            slot = self._slots.get(id)
            if slot is None or not self._may_be_lost(id):
                return None if slot is None else slot.found  # changed in the meantime
            requested, held = self._clock(), slot.found
            try:
                entry = await self._call(
                    self.store.restore(id, Entry(held.record, held.focus, held.profiles))
                )
            except StoreAway:
                return replace(slot.found, degraded=True)
            if entry is not None:
                with contextlib.suppress(ValueError):
                    return self._keep(id, entry, requested)
            self._drop(id)
            return None

    def _loaded(self, id: str, load: asyncio.Task[Found[T] | None]) -> None:
        if self._loads.get(id) is load:
            del self._loads[id]
        if not load.cancelled():
            load.exception()  # retrieved, else asyncio logs it when every client has left

    @contextlib.asynccontextmanager
    async def _change(self, id: str) -> AsyncIterator[None]:
        """One change of an id at a time, so that a write-back cannot follow a deletion. Invalidates reads that began
        before the change ended."""
        lock = self._locks.setdefault(id, asyncio.Lock())
        async with lock:
            try:
                yield
            finally:
                self._loads.pop(id, None)

    @contextlib.contextmanager
    def _reread_on_error(self, id: str) -> Iterator[None]:
        """After a focus change that failed, or whose answer was lost, the entry must be read again."""
        try:
            yield
        except BaseException:
            if (slot := self._slots.get(id)) is not None and not slot.unsaved:
                slot.outdated = True
            raise

    def _keep(self, id: str, entry: Entry, requested: float, *, unsaved: bool = False) -> Found[T]:
        """Raises ValueError when the record does not decode."""
        old = self._slots.get(id)
        value = old.found.map if old and old.found.record == entry.record else self._decode(entry.record)
        self._drop(id)
        found = Found(entry.record, value, entry.focus, unsaved, entry.profiles)
        self._slots[id] = _Slot(found, requested, unsaved)
        self.bytes += self._bytes(entry.record)
        self.unsaved += unsaved
        while self.bytes > self._limit:
            self._drop(next(iter(self._slots)))
        return found

    def _bytes(self, record: Record) -> int:
        return self._map_bytes + len(record.code) + OVERHEAD_BYTES

    def _refocus(self, id: str, focus: Focus | None, profile: str) -> None:
        if (slot := self._slots.get(id)) is None:
            return
        if profile:
            slot.found = replace(slot.found, profiles=with_profile(slot.found.profiles, profile, focus))
        else:
            slot.found = replace(slot.found, focus=focus)

    def _drop(self, id: str) -> None:
        if (slot := self._slots.pop(id, None)) is not None:
            self.bytes -= self._bytes(slot.found.record)
            self.unsaved -= slot.unsaved
