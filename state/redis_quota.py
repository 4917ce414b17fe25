"""Counts, in Redis, what may happen only so often within some time, on all machines together."""

from __future__ import annotations

from typing import cast
from uuid import uuid4

import redis

from state.redis_keys import RedisKeys

# KEYS: moments. ARGV: most, milliseconds within which they count, a name that nothing else has, seconds after
# which none counts. Time is the server's: machines' clocks differ.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


class RedisQuota:
    """The moments of what was taken lately, a sorted set by name."""

    def __init__(self, client: redis.Redis, keys: RedisKeys) -> None:
        """`keys`: of the shop."""
        self._keys = keys
        self._script = client.register_script(_TAKE)

    def take(self, name: str, most: int, within_ms: int) -> bool:
        """As `StateStore.take`; raises errors of the client."""
        arguments: list[str | int] = [most, within_ms, uuid4().hex, within_ms // 1_000 + 1]
        return cast(int, self._script(keys=[self._keys.taken(name)], args=arguments)) == 1
