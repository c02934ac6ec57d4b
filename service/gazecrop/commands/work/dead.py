"""Puts dead letters back into the streams that they came from."""

from gazecrop.jobs.stream import SECONDS, Names
from gazecrop.settings import Settings
from gazecrop.store.redis_link import Link

# KEYS: the dead letters, the jobs, the webhook's messages. Moves the oldest one, without what was added when it was
# given up. A result that a webhook did not take has a document, which a job does not have. 0: there is none.
_MOVE = """
local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not entry then return 0 end
local target, fields = KEYS[2], {}
for place = 1, #entry[2], 2 do
  local name, value = entry[2][place], entry[2][place + 1]
  if name == 'document' then target = KEYS[3] end
  if name ~= 'error' and name ~= 'tries' and name ~= 'entry' then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
if #fields > 0 then redis.call('XADD', target, '*', unpack(fields)) end
redis.call('XDEL', KEYS[1], entry[1])
return 1
"""


async def retry_dead(settings: Settings) -> int:
    """How many were moved: those that are there now. Raises StoreAway."""
    assert settings.redis_url
    names, link = Names.of(settings.work_stream), Link(settings.redis_url)
    keys = names.dead, names.jobs, names.webhooks
    try:
        moved = 0
        # Not until there are none: a webhook that has gone makes the same one a dead letter again at once.
        for _ in range(int(await link.run(lambda: link.client.xlen(keys[0]), SECONDS))):
            moved += int(await link.run(lambda: link.client.eval(_MOVE, 3, *keys), SECONDS))
        return moved
    finally:
        await link.close()
