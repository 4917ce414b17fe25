"""What runs inside the Redis server, each script as a whole or not at all.

A script that fails at its first write has changed nothing; the kinds of all keys are checked before it, and
memory is checked by the server before the script starts, so no later command fails.
"""

_TRIM = """
-- Removes at most `limit` of the oldest events beyond the retention, as the entries state their arrival.
local function trim(log, max_events, oldest_ms, limit)
  local surplus = redis.call('XLEN', log) - max_events
  local removed, count = 0, 1
  while true do
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', count)
    if #oldest == 0 then return removed end
    for _, entry in ipairs(oldest) do
      local event = entry[2][2]
      local expired = #event < 12 or struct.unpack('<i8', event) < oldest_ms
      if removed == limit or (removed >= surplus and not expired) then
        redis.call('XTRIM', log, 'MINID', '=', entry[1])
        return removed
      end
      removed = removed + 1
    end
    local last = tonumber(string.match(oldest[#oldest][1], '^%d+'))
    redis.call('XTRIM', log, 'MINID', '=', string.format('%.0f-0', last + 1))
    count = 100
  end
end
"""

# KEYS: log, commits, writer, erasures, then `user` and `seen` of each user. ARGV: group number, deadline
# (server's unix ms), users, log entries, most events of the log, oldest arrival kept (unix ms), most events
# to trim, day of arrival, first day of the window, seconds an id is kept, number of the last deletion that
# was read; the version each user was read at; then of each user the number of records, their names and
# bytes, the number of digests and the digests; then the log entries.
COMMIT = (
    _TRIM
    + """
local log, commits, writer, erasures = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, deadline = tonumber(ARGV[1]), tonumber(ARGV[2])
local users, entries = tonumber(ARGV[3]), tonumber(ARGV[4])
local today, first_day, kept_s = ARGV[8], ARGV[9], ARGV[10]

local last = tonumber(redis.call('GET', writer) or '0')
if last == group then
  -- Sent again because the answer was lost. The write makes a WAIT behind it cover the first time.
  redis.call('EXPIRE', writer, 3600)
  return 'done'
end
local time = redis.call('TIME')
if last > group or time[1] * 1000 + math.floor(time[2] / 1000) > deadline then return 'late' end

if (redis.call('GET', erasures) or '') ~= ARGV[11] then return 'conflict' end
for user = 1, users do
  if (redis.call('HGET', KEYS[3 + 2 * user], 'version') or '') ~= ARGV[11 + user] then return 'conflict' end
  redis.call('ZCARD', KEYS[4 + 2 * user])
end
local seq = 0
if redis.call('XLEN', log) > 0 or redis.call('EXISTS', log) == 1 then
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then seq = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end

local version = redis.call('INCR', commits)
local at = 12 + users
for user = 1, users do
  local key, seen = KEYS[3 + 2 * user], KEYS[4 + 2 * user]
  local records = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, records do
    redis.call('HSET', key, ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  redis.call('HSET', key, 'version', version)
  local digests = tonumber(ARGV[at])
  at = at + 1
  if digests > 0 then
    redis.call('ZREMRANGEBYSCORE', seen, '-inf', '(' .. first_day)
    for _ = 1, digests do
      redis.call('ZADD', seen, 'NX', today, ARGV[at])
      at = at + 1
    end
    redis.call('EXPIRE', seen, kept_s)
  end
end
for entry = 0, entries - 1 do
  redis.call('XADD', log, string.format('%.0f-0', seq + 1 + entry), 'event', ARGV[at + entry])
end
trim(log, tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
redis.call('SET', writer, group, 'EX', 3600)
return 'done'
"""
)

# KEYS: log. ARGV: most events of the log, oldest arrival kept (unix ms), most events to trim.
TRIM = (
    _TRIM
    + """
return trim(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
"""
)
