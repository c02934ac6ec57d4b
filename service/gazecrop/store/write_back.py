"""Writes back what the store does not hold: maps made while it did not answer, and entries that it may have lost.

After a reconnect an entry may be missing because the store has lost its data (a restart, a fail-over). An entry that
was read within RESTORE_SECONDS is then written back unless the store holds its tombstone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from gazecrop.errors import StoreAway
from gazecrop.store.base import RESTORE_SECONDS, Entry, Store
from gazecrop.store.calls import Calls
from gazecrop.store.slots import Found, Slot, Slots

T = TypeVar("T")

# Between two attempts to write back, so that a store that answers reads but no writes (a Redis out of memory) is not
# sent a write at every read.
PAUSE = 1.0


class Changes:
    """One change of an id at a time, so that a write-back cannot follow a deletion. `ended(id)` is called at the end of
    each: reads that began before it are no longer valid."""

    def __init__(self, ended: Callable[[str], object]) -> None:
        self._ended = ended
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, id: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(id, asyncio.Lock())
        async with lock:
            try:
                yield
            finally:
                self._ended(id)


class WriteBack(Generic[T]):
    """`task`: the last one that wrote unsaved maps back."""

    def __init__(
        self,
        store: Store,
        slots: Slots[T],
        changes: Changes,
        clock: Callable[[], float],
    ) -> None:
        self.calls = Calls(clock, self._answered)
        self.task: asyncio.Task[None] | None = None
        self._store, self._slots, self._changes, self._clock = store, slots, changes, clock
        self._next = float("-inf")

    def _answered(self) -> None:
        """The store answers again."""
        if self._slots.unsaved and self._clock() >= self._next:
            self._next = self._clock() + PAUSE
            if self.task is None or self.task.done():
                self.task = asyncio.create_task(self.save_all())

    async def save_all(self) -> None:
        for id in self._slots.unsaved_ids():
            found = await self.save_one(id)
            if found is not None and found.degraded:
                return

    async def save_one(self, id: str) -> Found[T] | None:
        """Writes one unsaved map back; None when it was deleted in the meantime."""
        async with self._changes.of(id):
            slot = self._slots.get(id)
            if slot is None:
                return None
            if slot.unsaved:
                with contextlib.suppress(StoreAway):
                    return await self.save(id, slot)
            return self._slots.found(id, slot)

    async def save(self, id: str, slot: Slot) -> Found[T]:
        """To be called during a change of this id. Raises StoreAway."""
        requested = self._clock()
        return self._slots.keep(id, await self.calls.run(self._store.put(id, slot.record)), requested)

    def may_be_lost(self, id: str) -> bool:
        """Whether the store, where this entry is missing, may have lost it since it was read there."""
        slot = self._slots.get(id)
        if slot is None or slot.checked >= self._store.reconnected_at:
            return False
        return self._clock() - slot.checked < RESTORE_SECONDS

    async def restore(self, id: str) -> Found[T] | None:
        """Writes an entry back that the store may have lost; None, and it is dropped, when it was deleted."""
        async with self._changes.of(id):
            slot = self._slots.get(id)
            if slot is None or not self.may_be_lost(id):
                return None if slot is None else self._slots.found(id, slot)  # changed in the meantime
            requested = self._clock()
            try:
                entry = await self.calls.run(
                    self._store.restore(id, Entry(slot.record, slot.focus, slot.profiles))
                )
            except StoreAway:
                return replace(self._slots.found(id, slot), degraded=True)
            if entry is not None:
                with contextlib.suppress(ValueError):
                    return self._slots.keep(id, entry, requested)
            self._slots.drop(id)
            return None
