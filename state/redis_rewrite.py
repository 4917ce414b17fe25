"""Takes deleted entries out of the event log's stream in Redis, and out of the server's files.

A stream keeps up to a hundred entries in a node, and XDEL only marks them in it: their bytes go into every
dump and, with `aof-use-rdb-preamble`, into every append-only file. So the stream is copied, entry by entry,
into a new one that takes its place together with its consumer groups; then the files are rewritten.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, cast

import redis

from state.erasure import Compaction
from state.redis_keys import RedisKeys

_CHUNK = 1_000
_HELD_S = 60
_TRIES = 5

# KEYS: log, rewritten, rewriting. ARGV: token, id of the last entry that was copied. Whatever the log has
# gained is copied, what it has lost is dropped, groups go along with what each has pending.
_REPLACE = """
local log, new = KEYS[1], KEYS[2]
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 'lost' end
if redis.call('EXISTS', log) == 0 then redis.call('DEL', new) return 'done' end
for _, entry in ipairs(redis.call('XRANGE', log, '(' .. ARGV[2], '+')) do
  redis.call('XADD', new, entry[1], unpack(entry[2]))
end
if redis.call('EXISTS', new) == 0 then
  redis.call('XGROUP', 'CREATE', new, 'empty', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', new, 'empty')
end
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)
if #oldest == 0 then
  redis.call('XTRIM', new, 'MAXLEN', '=', 0)
else
  redis.call('XTRIM', new, 'MINID', '=', oldest[1][1])
end
if redis.call('XLEN', new) ~= redis.call('XLEN', log) then return 'changed' end
local function fields(reply)
  local found = {}
  for i = 1, #reply, 2 do found[reply[i]] = reply[i + 1] end
  return found
end
redis.call('XSETID', new, fields(redis.call('XINFO', 'STREAM', log))['last-generated-id'])
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  local group = fields(reply)
  redis.call('XGROUP', 'CREATE', new, group['name'], group['last-delivered-id'])
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', log, group['name'])) do
    redis.call('XGROUP', 'CREATECONSUMER', new, group['name'], fields(consumer)['name'])
  end
  for _, pending in ipairs(redis.call('XPENDING', log, group['name'], '-', '+', group['pending'] + 1)) do
    redis.call('XCLAIM', new, group['name'], pending[2], 0, pending[1], 'IDLE', pending[3],
      'RETRYCOUNT', pending[4], 'FORCE', 'JUSTID')
  end
end
redis.call('RENAME', new, log)
return 'done'
"""

# KEYS: rewriting. ARGV: token, seconds.
_HOLD = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class RedisRewrite:
    """Rewrites the log of one shop and the files of its server; raises what the client raises."""

    def __init__(
        self,
        client: redis.Redis,
        place: str,
        keys: RedisKeys,
        wait_s: float,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`place`: the server, for messages; `wait_s`: seconds in which it must have rewritten its files."""
        self._client = client
        self._place = place
        self._keys = keys
        self._wait_s = wait_s
        self._pause = pause
        self._clock = clock
        self._hold = client.register_script(_HOLD)
        self._replace = client.register_script(_REPLACE)

    def run(self) -> Compaction:
        """Rewrites the stream, then the files."""
        done, pending = [], []
        for said, fault in (self._stream(), self._files("aof"), self._files("rdb")):
            if said:
                done.append(said)
            if fault:
                pending.append(fault)
                break
        return Compaction(tuple(done), tuple(pending))

    def _stream(self) -> tuple[str, str]:
        token = secrets.token_hex(8)
        if not self._client.set(self._keys.rewriting, token, nx=True, ex=_HELD_S):
            return "", f"{self._place}: another process rewrites the event log; call again"
        try:
            for _ in range(_TRIES):
                last = self._copy(token)
                outcome = cast(
                    bytes,
                    self._replace(
                        keys=[self._keys.log, self._keys.rewritten, self._keys.rewriting], args=[token, last]
                    ),
                )
                if outcome == b"done":
                    return f"{self._place}: the event log was rewritten", ""
        finally:
            if self._client.get(self._keys.rewriting) == token.encode():
                self._client.delete(self._keys.rewriting, self._keys.rewritten)
        return "", f"{self._place}: the event log changed while it was rewritten; call again"

    def _copy(self, token: str) -> str:
        """Copies what the log contains; returns the id of the last entry."""
        self._client.delete(self._keys.rewritten)
        last = "0-0"
        while True:
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                self._client.xrange(self._keys.log, min=f"({last}", max="+", count=_CHUNK),
            )
            pipeline = self._client.pipeline(transaction=False)
            for id, fields in found:
                pipeline.xadd(self._keys.rewritten, cast(Any, fields), id=id.decode())
            pipeline.execute()
            if found:
                last = found[-1][0].decode()
            if len(found) < _CHUNK or not self._hold(keys=[self._keys.rewriting], args=[token, _HELD_S]):
                return last

    def _files(self, kind: str) -> tuple[str, str]:
        command, progress, status, name = {
            "aof": (
                "BGREWRITEAOF",
                "aof_rewrite_in_progress",
                "aof_last_bgrewrite_status",
                "append-only file",
            ),
            "rdb": ("BGSAVE", "rdb_bgsave_in_progress", "rdb_last_bgsave_status", "dump"),
        }[kind]
        fault = f"{self._place}: its {name} may contain bytes of what was deleted; run {command}"
        try:
            if not self._keeps(kind):
                return "", ""
            until = self._clock() + self._wait_s
            # One that is under way may have begun before.
            self._await_end(until)
            self._client.execute_command(command)
            self._await_end(until)
        except redis.ResponseError as error:
            return "", f"{fault} (it was refused: {error})"
        except TimeoutError:
            return "", f"{fault} again (it has not ended in {self._wait_s:g} s)"
        ended = self._client.info("persistence")
        if ended[status] != "ok" or ended[progress]:
            return "", f"{fault} again (it failed)"
        return f"{self._place}: its {name} was rewritten", ""

    def _keeps(self, kind: str) -> bool:
        if kind == "aof":
            return bool(self._client.info("persistence")["aof_enabled"])
        # A dump of earlier, or one at the end, would contain what was deleted until then.
        return (
            bool(self._client.config_get("save")["save"]) or self._client.info("persistence")["rdb_saves"] > 0
        )

    def _await_end(self, until: float) -> None:
        while True:
            found = self._client.info("persistence")
            busy = (
                "aof_rewrite_in_progress",
                "aof_rewrite_scheduled",
                "rdb_bgsave_in_progress",
            )
            if not any(found[name] for name in busy):
                return
            if self._clock() > until:
                raise TimeoutError
            self._pause(0.05)
