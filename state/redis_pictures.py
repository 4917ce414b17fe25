"""Changes of pictures in Redis: a hash per item, and a sorted set of what changed by revision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import redis

from foundation.storage.redis_failures import storage_errors
from state.picture_changes import CONTENT_BYTES, MAKER_BYTES, Outcome, PictureChange, decoded
from state.redis_keys import RedisKeys
from state.storage_names import STATE_NAMES

_CHUNK = 500

# KEYS: revision, log, the item's hash. ARGV: item key, content, "put" or "delete", record, most pictures of
# an item, length of what names the maker, length of a content.
_CHANGE = """
local revision, log, item = KEYS[1], KEYS[2], KEYS[3]
local name, content, record, maker = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[6])
local all = string.rep('\\0', tonumber(ARGV[7]))
local function is_put(stored) return stored and string.sub(stored, 1, 1) == 'p' end
local present = redis.call('HGET', item, content)
if ARGV[3] == 'put' then
  if is_put(present) and string.sub(present, 10, 9 + maker) == string.sub(record, 1, maker) then
    return 'unchanged'
  end
  if not is_put(present) then
    local puts = 0
    for _, stored in ipairs(redis.call('HVALS', item)) do
      if is_put(stored) then puts = puts + 1 end
    end
    if puts >= tonumber(ARGV[5]) then return 'too_many' end
  end
elseif content == all then
  local fields = redis.call('HKEYS', item)
  if #fields == 1 and fields[1] == all then return 'unchanged' end
  for _, field in ipairs(fields) do redis.call('ZREM', log, name .. field) end
  redis.call('DEL', item)
elseif present then
  if not is_put(present) then return 'unchanged' end
elseif redis.call('HEXISTS', item, all) == 1 then
  return 'unchanged'
end
local number = redis.call('INCR', revision)
local kind = 'd'
if ARGV[3] == 'put' then kind = 'p' end
redis.call('HSET', item, content, kind .. struct.pack('>I8', number) .. record)
redis.call('ZADD', log, string.format('%.0f', number), name .. content)
if kind == 'p' then return 'stored' end
return 'deleted'
"""


class RedisPictures:
    """`state.picture_changes.PictureChanges` in a Redis server; each change is one script."""

    def __init__(self, client: redis.Redis, place: str, keys: RedisKeys, check: Callable[[], None]) -> None:
        """`place`: the URL without its password, for messages; `check`: called before anything is written."""
        self._client = client
        self._place = place
        self._keys = keys
        self._check = check
        self._change = client.register_script(_CHANGE)

    def change(self, changes: Sequence[PictureChange], most_per_item: int) -> list[Outcome]:
        """See `PictureChanges.change`."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            outcomes = [
                self._change(
                    keys=[
                        self._keys.pictures_revision,
                        self._keys.picture_log,
                        self._keys.pictures(each.item),
                    ],
                    args=[
                        each.key[:8],
                        each.content,
                        "delete" if each.record is None else "put",
                        each.record or b"",
                        most_per_item,
                        MAKER_BYTES,
                        CONTENT_BYTES,
                    ],
                )
                for each in changes
            ]
        return [cast(Outcome, cast(bytes, outcome).decode()) for outcome in outcomes]

    def since(self, revision: int) -> Iterator[PictureChange]:
        """See `PictureChanges.since`."""
        while True:
            with storage_errors(self._place, STATE_NAMES):
                found = cast(
                    "list[tuple[bytes, float]]",
                    self._client.zrange(
                        self._keys.picture_log,
                        f"({revision}",
                        "+inf",
                        byscore=True,
                        offset=0,
                        num=_CHUNK,
                        withscores=True,
                    ),
                )
                pipeline = self._client.pipeline(transaction=False)
                for key, _ in found:
                    pipeline.hget(self._keys.pictures(int.from_bytes(key[:8], "big")), key[8:])
                values = cast("list[bytes | None]", pipeline.execute())
            for (key, score), stored in zip(found, values, strict=True):
                # One that was changed again meanwhile is in the log under a later revision.
                if stored is not None and (change := decoded(key, stored)).revision == int(score):
                    yield change
            if len(found) < _CHUNK:
                return
            revision = int(found[-1][1])

    def revision(self) -> int:
        """See `PictureChanges.revision`."""
        with storage_errors(self._place, STATE_NAMES):
            return int(cast("bytes | None", self._client.get(self._keys.pictures_revision)) or 0)
