"""The memory in front of either store. The pipeline reads and writes through it.

A map never changes, but another replica may set its focus or delete it, so an entry older than one second is read from
the store again, unless the store has said that nothing else was changed (watch.py). While the store does not answer,
entries still do, marked as degraded; a new map is kept in memory and written back when the store answers again
(write_back.py). Used from the event loop only; the only locks keep the changes of one id in order.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from gazecrop.crop.focus import Focus, of_profile
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreAway
from gazecrop.store.base import Condition, Entry, Record, Store
from gazecrop.store.slots import Found, Slots
from gazecrop.store.watch import FRESH_SECONDS, NEVER
from gazecrop.store.write_back import Changes, WriteBack

T = TypeVar("T")

# An entry in use is read again after this, although nothing changed: the stores evict what was not read for long.
REREAD_SECONDS = 300.0
PING_SECONDS = 2.0  # between two questions whether the store answers: 0.1 ms each


def _ignore(tier: str, result: str) -> None: ...


class MapCache(Generic[T]):
    """The records and the decoded maps in memory (slots.py), and the store."""

    def __init__(
        self,
        store: Store,
        decode: Callable[[Record], T],
        *,
        megabytes: float,
        map_bytes: Callable[[T], int],
        count: Callable[[str, str], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`decode` makes the map from a record (ValueError: not a map, counts as a miss). `map_bytes`: what a map takes
        of memory at present.

        `count(tier, result)` is called for every lookup with "memory" or "store" and "hit", "miss" or "error"; an entry
        that must be read again is a miss of the memory.
        """
        self.store = store
        self._count, self._clock = count, clock
        self._slots = Slots(decode, megabytes=megabytes, map_bytes=map_bytes)
        self._loads: dict[str, asyncio.Task[Found[T] | None]] = {}
        self._epochs: dict[str, int] = {}  # of the beginning of each load
        self._changes = Changes(lambda id: self._loads.pop(id, None))
        self._back = WriteBack(store, self._slots, self._changes, clock)
        self._calls = self._back.calls
        self._watch = store.watch
        self._watch.changed = self._changed_elsewhere

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def bytes(self) -> int:
        return self._slots.bytes

    @property
    def store_up(self) -> bool:
        """Whether the store answered the last call."""
        return self._calls.up

    @property
    def unsaved(self) -> int:
        """The number of maps to be written back."""
        return self._slots.unsaved

    # Reads.

    def peek(self, id: str) -> Found[T] | None:
        """The entry if it is fresh enough to answer without the store. None: the map may still be in the store."""
        slot = self._slots.get(id)
        if slot is None or slot.outdated:
            return None
        now = self._clock()
        age = now - slot.checked
        if age > FRESH_SECONDS and (age > REREAD_SECONDS or not self._watch.covers(slot.epoch, now)):
            return None
        self._count("memory", "hit")
        return self._slots.found(id, slot)

    async def get(self, id: str) -> Found[T] | None:
        """The map and its focus; None when there is none. Raises StoreAway when the store does not answer."""
        found = self.peek(id)
        if found is not None:
            return found
        self._count("memory", "miss")
        load = self._loads.get(id)
        if load is None:
            slot = self._slots.get(id)
            if self.store.quick and not (slot and slot.unsaved):
                return self._look(id)
            load = self._loads[id] = asyncio.create_task(self._load(id))
            self._epochs[id] = self._watch.epoch
            load.add_done_callback(lambda done: self._loaded(id, done))
        return await asyncio.shield(load)  # other requests may wait for it after this client has left

    async def get_focus(self, id: str, profile: str = "") -> tuple[Focus | None, bool]:
        """The focus, with or without a map, and whether the answer is degraded. Raises StoreAway."""
        found = self.peek(id)
        if found is not None:
            return of_profile(found.focus, found.profiles, profile), found.degraded
        try:
            focus = await self._calls.run(self.store.get_focus(id, profile))
            if focus is None and self._back.may_be_lost(id):
                if (found := await self.get(id)) is None:
                    return None, False
                return of_profile(found.focus, found.profiles, profile), found.degraded
            return focus, False
        except StoreAway:
            slot = self._slots.get(id)
            if slot is None:
                raise
            return of_profile(slot.focus, slot.profiles, profile), True

    # Changes.

    async def put(self, id: str, record: Record) -> Found[T]:
        """Stores the map. When the store does not answer, the map is kept in memory and marked as degraded."""
        async with self._changes.of(id):
            requested = self._clock()
            try:
                entry = await self._calls.run(self.store.put(id, record))
            except StoreAway:
                slot = self._slots.get(id)
                entry = Entry(record, slot.focus, slot.profiles) if slot else Entry(record, None)
                return self._slots.keep(id, entry, requested, unsaved=True)
            return self._slots.keep(id, entry, requested)

    async def delete(self, id: str) -> None:
        """Deletes map and focus. Raises StoreAway; they are removed from memory in any case."""
        self._slots.drop(id)
        async with self._changes.of(id):
            try:
                await self._calls.run(self.store.delete(id))
            finally:
                self._slots.drop(id)  # also an entry that was read during the deletion

    async def set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str = ""
    ) -> tuple[Focus, bool]:
        """As `Store.set_focus`."""
        try:
            return await self._set_focus(id, x, y, condition, profile)
        except (ImageNotFound, PreconditionFailed):
            if not self._back.may_be_lost(id) or await self._back.restore(id) is None:
                raise
        return await self._set_focus(id, x, y, condition, profile)

    async def _set_focus(
        self, id: str, x: float, y: float, condition: Condition, profile: str
    ) -> tuple[Focus, bool]:
        async with self._changes.of(id):
            slot = self._slots.get(id)
            with self._reread_on_error(id):
                if slot is not None and slot.unsaved:
                    await self._back.save(id, slot)  # the store needs the id before its focus
                focus, created = await self._calls.run(self.store.set_focus(id, x, y, condition, profile))
            self._slots.refocus(id, focus, profile)
            return focus, created

    async def delete_focus(self, id: str, condition: Condition, profile: str = "") -> bool:
        """As `Store.delete_focus`."""
        async with self._changes.of(id):
            with self._reread_on_error(id):
                existed = await self._calls.run(self.store.delete_focus(id, condition, profile))
            self._slots.refocus(id, None, profile)
            return existed

    async def ping(self) -> None:
        await self._calls.run(self.store.ping())

    async def watch(self, every: float = PING_SECONDS) -> None:
        """Asks the store every few seconds until cancelled, so that `store_up` is right while no request asks it."""
        while True:
            with contextlib.suppress(StoreAway):
                await self.ping()
            await asyncio.sleep(every)

    async def close(self) -> None:
        """Writes unsaved maps back if the store answers, then closes the store."""
        tasks = [*self._loads.values(), *([self._back.task] if self._back.task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._back.save_all()
        await self.store.close()

    # Internals.

    def _look(self, id: str) -> Found[T] | None:
        """Reads from a store that takes microseconds: a task would take longer."""
        requested, epoch = self._clock(), self._watch.epoch
        try:
            entry = self._calls.at_once(lambda: self.store.look(id))
        except StoreAway as away:
            return self._without_the_store(id, away)
        self._count("store", "miss" if entry is None else "hit")
        return self._take(id, entry, requested, epoch)

    async def _load(self, id: str) -> Found[T] | None:
        slot = self._slots.get(id)
        if slot is not None and slot.unsaved:
            return await self._back.save_one(id)
        requested = self._clock()
        try:
            entry = await self._calls.run(self.store.get(id))
        except StoreAway as away:
            return self._without_the_store(id, away)
        self._count("store", "miss" if entry is None else "hit")
        if self._loads.get(id) is not asyncio.current_task():
            return await self.get(id)  # the id was changed during the read: the entry may be old
        if entry is None and self._back.may_be_lost(id):
            return await self._back.restore(id)
        return self._take(id, entry, requested, self._epochs.get(id, NEVER))

    def _take(self, id: str, entry: Entry | None, requested: float, epoch: int) -> Found[T] | None:
        if entry is not None:
            with contextlib.suppress(ValueError):
                return self._slots.keep(id, entry, requested, epoch)
        self._slots.drop(id)
        return None

    def _without_the_store(self, id: str, away: StoreAway) -> Found[T]:
        self._count("store", "error")
        slot = self._slots.get(id)
        if slot is None:
            raise away
        return replace(self._slots.found(id, slot), degraded=True)

    def _loaded(self, id: str, load: asyncio.Task[Found[T] | None]) -> None:
        if self._loads.get(id) is load:
            del self._loads[id]
        if id not in self._loads:
            self._epochs.pop(id, None)
        if not load.cancelled():
            load.exception()  # retrieved, else asyncio logs it when every client has left

    def _changed_elsewhere(self, id: str) -> None:
        """The store reports a change, perhaps this process's own: entries read before it must be read again."""
        if (slot := self._slots.get(id)) is not None:
            slot.epoch = NEVER
        if id in self._epochs:  # the report may overtake the answer of a read
            self._epochs[id] = NEVER

    @contextlib.contextmanager
    def _reread_on_error(self, id: str) -> Iterator[None]:
        """After a focus change that failed, or whose answer was lost, the entry must be read again."""
        try:
            yield
        except BaseException:
            if (slot := self._slots.get(id)) is not None and not slot.unsaved:
                slot.outdated = True
            raise
