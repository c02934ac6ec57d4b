"""One Redis stream as a queue: a consumer group, whose entries are claimed from workers that have stopped.

An entry is delivered to one worker, which refreshes it while it works and deletes it when it is done. An entry that was
not refreshed for `idle` seconds is given to another worker. Redis counts the deliveries of each.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.exceptions import ResponseError

from gazecrop.errors import StoreAway
from gazecrop.jobs.stream import SECONDS, flat
from gazecrop.store.redis_link import Link

CLAIMED_AT_ONCE = 100

# KEYS: the queue's stream, then one for each output. ARGV: group, entry, then for each output its longest length (0:
# none), the number of its fields and values, and these. The outputs are written only for an entry that is still
# pending, and before it is deleted: they come once, also when two workers had the entry.
_FINISH = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
local at = 3
for number = 2, #KEYS do
  local longest, count = ARGV[at], tonumber(ARGV[at + 1])
  local call = {'XADD', KEYS[number]}
  if longest ~= '0' then
    for _, word in ipairs({'MAXLEN', '~', longest}) do call[#call + 1] = word end
  end
  call[#call + 1] = '*'
  for place = at + 2, at + 1 + count do call[#call + 1] = ARGV[place] end
  redis.call(unpack(call))
  at = at + 2 + count
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
"""

# KEYS: the stream. ARGV: group, consumer, milliseconds that make an entry idle. Gives back the consumer's entries, none
# of which counts as tried, and removes consumers that have none: this one, and those idle for a day.
_LEAVE = """
local mine = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
for _, entry in ipairs(mine) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1],
    'IDLE', ARGV[3], 'RETRYCOUNT', math.max(0, entry[4] - 1), 'JUSTID')
end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local is = {}
  for place = 1, #consumer, 2 do is[consumer[place]] = consumer[place + 1] end
  if is.pending == 0 and (is.name == ARGV[2] or is.idle > 86400000) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name)
  end
end
return #mine
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """`deliveries`: how often it was given to a worker, this time included."""

    id: str
    fields: dict[bytes, bytes]
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class Output:
    """An entry to be added to another stream. `longest`: about the entries that this keeps; 0: all."""

    stream: str
    fields: dict[bytes, bytes] = field(repr=False)
    longest: int = 0


class Queue:
    """Raises StoreAway from every method while Redis does not answer."""

    def __init__(self, link: Link, stream: str, group: str, consumer: str, idle: float) -> None:
        """`consumer`: the name of this worker in the group. `idle`: seconds after which an entry is claimed."""
        self.stream = stream
        self._link, self._group, self._consumer = link, group, consumer
        self.idle = idle
        self._cursor = "0-0"  # where the next search for abandoned entries begins

    async def read(self, count: int, seconds: float) -> list[Entry]:
        """At most `count` new entries; waits `seconds` for the first. Makes the group where there is none: at the first
        start, and after a Redis without persistence has restarted."""
        client, block = self._link.client, max(1, round(seconds * 1000))
        streams: dict[Any, Any] = {self.stream: ">"}

        def call() -> Awaitable[Any]:
            return cast(
                Awaitable[Any],
                client.xreadgroup(self._group, self._consumer, streams, count=count, block=block),
            )

        found = await self._with_group(call, seconds + SECONDS)
        return [Entry(_id(id), fields) for _, entries in found or () for id, fields in entries]

    async def claim(self, count: int) -> list[Entry]:
        """Entries that were not refreshed for long enough."""
        client = self._link.client

        async def call() -> tuple[Any, list[int]]:
            found = await client.xautoclaim(
                self.stream, self._group, self._consumer, round(self.idle * 1000), self._cursor, count=count
            )
            pipe = client.pipeline(transaction=False)
            for id, _ in found[1]:
                pipe.xpending_range(self.stream, self._group, id, id, 1)
            states = await pipe.execute() if found[1] else []
            return found, [state[0]["times_delivered"] if state else 1 for state in states]

        found, deliveries = await self._with_group(call, SECONDS)
        self._cursor = _id(found[0])
        entries = zip(found[1], deliveries, strict=True)
        return [Entry(_id(id), fields, times) for (id, fields), times in entries if fields]

    async def refresh(self, ids: Sequence[str]) -> None:
        """A sign of life: another worker claims these only after `idle` seconds from now."""
        await self._claim_own(ids, idle=0)

    async def put_off(self, id: str, seconds: float) -> None:
        """Gives an entry back, to be claimed by any worker after these seconds, at most `idle`."""
        await self._claim_own([id], idle=round(1000 * max(0.0, self.idle - seconds)))

    async def _claim_own(self, ids: Sequence[str], idle: int) -> None:
        client = self._link.client
        await self._with_group(
            lambda: client.xclaim(
                self.stream, self._group, self._consumer, 0, list(ids), idle=idle, justid=True
            ),
            SECONDS,
        )

    async def finish(self, id: str, outputs: Sequence[Output]) -> bool:
        """Deletes an entry and adds the outputs, at once. False, and nothing is added, where another worker was first
        or the entry is lost."""
        keys = [self.stream, *(output.stream for output in outputs)]
        arguments: list[str | bytes | int] = [self._group, id]
        for output in outputs:
            arguments += [output.longest, 2 * len(output.fields), *flat(output.fields)]
        return bool(await self._with_group(lambda: self._eval(_FINISH, keys, *arguments), SECONDS))

    async def leave(self) -> int:
        """Gives back all entries of this worker, at once to others, and leaves the group. The number of entries."""
        left = await self._with_group(
            lambda: self._eval(
                _LEAVE, [self.stream], self._group, self._consumer, round(self.idle * 1000) + 1
            ),
            SECONDS,
        )
        return int(left)

    async def length(self) -> int:
        """Entries that wait or are worked on."""
        return int(await self._link.run(lambda: self._link.client.xlen(self.stream), SECONDS))

    def _eval(self, script: str, keys: Sequence[str], *arguments: str | bytes | int) -> Awaitable[Any]:
        return self._link.client.eval(script, len(keys), *keys, *arguments)

    async def _with_group(self, call: Any, seconds: float) -> Any:
        try:
            return await self._link.run(call, seconds)
        except StoreAway as error:
            if "NOGROUP" not in str(error.__cause__):
                raise
        try:
            await self._link.run(
                lambda: self._link.client.xgroup_create(self.stream, self._group, "0", mkstream=True), SECONDS
            )
        except StoreAway as error:
            if not (isinstance(error.__cause__, ResponseError) and "BUSYGROUP" in str(error.__cause__)):
                raise
        return await self._link.run(call, seconds)


def _id(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
