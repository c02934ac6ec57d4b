"""The Lua scripts of the Redis store: each changes several keys at once. redis.py describes the keys."""

from gazecrop.store.base import RESTORE_SECONDS

# An id has 32 characters, with a profile 42. Longer ones, which a client may invent, get no tombstone: no replica holds
# a map of them.
TOMBSTONE_SECONDS = round(RESTORE_SECONDS) + 60

# KEYS: map, focus, focuses, gone, then every focus of the picture, which is known while it has a map or a focus. ARGV:
# the focus's member of focuses, the new focus or "" to delete it, the limit, then the condition: "absent"
# or "", the number of revisions in `match` ("": no condition, "0": any), these revisions, then those of `other`, 8
# bytes each. The checks are in the order 404, 412 (RFC 9110, 13.2.1), 507. A focus that is not a string of 24 bytes is
# foreign and counts as absent.
CHANGE_FOCUS = """
local present = redis.pcall('GET', KEYS[2])
if type(present) ~= 'string' or #present ~= 24 then present = false end
if ARGV[2] ~= '' and not present and redis.call('EXISTS', KEYS[1], unpack(KEYS, 5)) == 0 then return 'unknown' end
if ARGV[4] == 'absent' and present then return 'precondition' end
local matching = tonumber(ARGV[5])
local matches = matching == nil or (present and matching == 0)
for i = 6, #ARGV do
  if present and string.sub(present, 17) == ARGV[i] then
    if i > 5 + (matching or 0) then return 'precondition' end
    matches = true
  end
end
if not matches then return 'precondition' end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('SREM', KEYS[3], ARGV[1])
  if #ARGV[1] <= 64 then redis.call('SET', KEYS[4], 'focus', 'EX', TOMBSTONE, 'NX') end
  return present and 'deleted' or 'absent'
end
if not present and redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 0
    and redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[4]) == 'focus' then redis.call('DEL', KEYS[4]) end
return present and 'replaced' or 'created'
""".replace("TOMBSTONE", str(TOMBSTONE_SECONDS))

# KEYS: map, focuses, the pictures of reports about the id, the size of all reports, gone, then every focus of the
# picture. ARGV: the id, then the other members of focuses.
# A script, not MULTI: a Redis out of memory refuses everything inside MULTI, deletions too.
FORGET = """
redis.call('DEL', KEYS[1], unpack(KEYS, 6))
redis.call('SREM', KEYS[2], unpack(ARGV))
if #ARGV[1] <= 64 then redis.call('SET', KEYS[5], 'all', 'EX', TOMBSTONE) end
if redis.call('TYPE', KEYS[3]).ok == 'hash' then
  local size = 0
  for _, name in ipairs(redis.call('HKEYS', KEYS[3])) do
    size = size + redis.call('HSTRLEN', KEYS[3], name)
  end
  redis.call('DEL', KEYS[3])
  redis.call('DECRBY', KEYS[4], size)
end
return 'deleted'
""".replace("TOMBSTONE", str(TOMBSTONE_SECONDS))

# KEYS: map, gone, focuses, then every focus of the picture, then as many tombstones. ARGV: the map, its time to live in
# seconds, the limit, then the member of focuses and the value or "" of each focus.
RESTORE = """
if redis.call('GET', KEYS[2]) == 'all' then return nil end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2], 'NX')
local count = (#KEYS - 3) / 2
for i = 1, count do
  local key, member, value = KEYS[3 + i], ARGV[2 + 2 * i], ARGV[3 + 2 * i]
  if value ~= '' and not redis.call('GET', KEYS[3 + count + i]) and redis.call('EXISTS', key) == 0
      and redis.call('SCARD', KEYS[3]) < tonumber(ARGV[3]) then
    redis.call('SET', key, value)
    redis.call('SADD', KEYS[3], member)
  end
end
return redis.call('MGET', KEYS[1], unpack(KEYS, 4, 3 + count))
"""
