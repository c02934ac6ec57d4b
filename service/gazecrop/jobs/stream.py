"""The Redis streams of jobs, and how jobs are added.

NAME           jobs, as GAZECROP_WORK_STREAM names it; an entry is deleted when it is done
NAME:results   results, the newest GAZECROP_WORK_RESULTS_LENGTH
NAME:webhooks  messages that wait for the webhook
NAME:dead      what failed too often, with `error`, the newest DEAD_LENGTH
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import NamedTuple, cast

from gazecrop.errors import Overloaded
from gazecrop.store.redis_link import Link

DEAD_LENGTH = 1000
SECONDS = 2.0  # for one call: a job may hold a picture of 20 MB

# KEYS: the stream. ARGV: the number of entries that it may hold, then for each new one the number of its fields and
# values, and these. 0: they do not fit, and none was added.
_ADD = """
local at, entries = 2, {}
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local call = {'XADD', KEYS[1], '*'}
  for place = at + 1, at + count do call[#call + 1] = ARGV[place] end
  entries[#entries + 1] = call
  at = at + count + 1
end
if redis.call('XLEN', KEYS[1]) + #entries > tonumber(ARGV[1]) then return 0 end
for _, call in ipairs(entries) do redis.call(unpack(call)) end
return 1
"""


class Names(NamedTuple):
    """Of the streams, as above."""

    jobs: str
    results: str
    webhooks: str
    dead: str

    @classmethod
    def of(cls, stream: str) -> "Names":
        return cls(stream, f"{stream}:results", f"{stream}:webhooks", f"{stream}:dead")


def flat(fields: Mapping[bytes, bytes]) -> list[bytes]:
    return [each for pair in fields.items() for each in pair]


class Jobs:
    """The stream, for those who add to it. Connects at the first call."""

    def __init__(self, redis_url: str, name: str, limit: int) -> None:
        """`limit`: of the jobs that wait or are worked on. Raises StoreAway when the URL is not usable."""
        self._link = Link(redis_url)
        self._name, self._limit = name, limit

    async def add(self, jobs: Sequence[Mapping[bytes, bytes]]) -> None:
        """All of them or none. Raises StoreAway, and Overloaded when too many wait."""
        arguments: list[bytes | int] = [self._limit]
        for fields in jobs:
            arguments += [2 * len(fields), *flat(fields)]

        def call() -> Awaitable[int]:
            return cast(Awaitable[int], self._link.client.eval(_ADD, 1, self._name, *arguments))

        if not await self._link.run(call, SECONDS):
            raise Overloaded(f"{self._limit:,} jobs wait already; send it again later.", retry_after=30)

    async def close(self) -> None:
        await self._link.close()
