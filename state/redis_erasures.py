"""Deletions of users in Redis: what `state.lmdb_erasures` is for LMDB, each change one script."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import cast

import redis

from snapshot.tombstones import NO_TOMBSTONES, SALT_BYTES, Tombstones, tombstone, user_hash
from state.erasure import ErasedState
from state.event_log import EntriesOf
from state.redis_keys import RedisKeys
from state.user_records import RECORDS

SALT = "salt"
"""Field of the hash of deletions beside the tombstones, which have 16 bytes."""

_CHUNK = 1_000

# KEYS: erasures, erased, erasing, then `user` and `seen` of the user. ARGV: tombstone, unix ms, user id.
_BEGIN = """
local revision = redis.call('INCR', KEYS[1])
local earlier = redis.call('HGET', KEYS[2], ARGV[1])
local erased_ms = ARGV[2]
if earlier then
  local before = string.match(earlier, ':(%d+)$')
  if tonumber(before) > tonumber(erased_ms) then erased_ms = before end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', revision) .. ':' .. erased_ms)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
local event_ids = redis.call('ZCARD', KEYS[5])
redis.call('DEL', KEYS[4], KEYS[5])
return event_ids
"""


def erased_ms_of(stone: bytes) -> int:
    """Unix milliseconds of the deletion, of what is stored under a tombstone."""
    return int(stone.rpartition(b":")[2])


class RedisErasures:
    """Deletes users; raises what the client raises."""

    def __init__(self, client: redis.Redis, keys: RedisKeys, rows_of: Callable[[bytes], int]) -> None:
        """`rows_of`: the number of rows of a record."""
        self._client = client
        self._keys = keys
        self._rows_of = rows_of
        self._begin = client.register_script(_BEGIN)

    def erase(self, user_id: str, now_ms: int) -> ErasedState:
        """See `StateStore.erase`."""
        hashed = user_hash(user_id)
        self._client.hsetnx(self._keys.erased, SALT, secrets.token_bytes(SALT_BYTES))
        salt = cast(bytes, self._client.hget(self._keys.erased, SALT))
        user = self._keys.user(hashed)
        stored = cast("list[bytes | None]", self._client.hmget(user, list(RECORDS)))
        event_ids = cast(
            int,
            self._begin(
                keys=[
                    self._keys.erasures,
                    self._keys.erased,
                    self._keys.erasing,
                    user,
                    self._keys.seen(hashed),
                ],
                args=[tombstone(salt, hashed), now_ms, user_id],
            ),
        )
        removed = 0
        for entries in self.logged(user_id):
            removed += self._client.xdel(self._keys.log, *(id for id, _ in entries))
        records = {
            name.decode(): self._rows_of(record)
            for name, record in zip(RECORDS, stored, strict=True)
            if record is not None
        }
        return ErasedState(records, removed, event_ids)

    def end(self, user_id: str) -> None:
        """See `StateStore.end_erasure`."""
        salt = cast("bytes | None", self._client.hget(self._keys.erased, SALT))
        pipeline = self._client.pipeline(transaction=True)
        if salt is not None:
            pipeline.hdel(self._keys.erasing, tombstone(salt, user_hash(user_id)))
        pipeline.hincrby(self._keys.compaction, "ended", 1)
        pipeline.execute()

    def under_way(self) -> list[str]:
        """See `StateStore.unfinished_erasures`."""
        return [user.decode() for user in cast("list[bytes]", self._client.hvals(self._keys.erasing))]

    def tombstones(self) -> Tombstones:
        """See `StateStore.tombstones`."""
        stored = cast("dict[bytes, bytes]", self._client.hgetall(self._keys.erased))
        salt = stored.pop(SALT.encode(), b"")
        if not stored:
            return NO_TOMBSTONES
        return Tombstones(
            salt, {mark: erased_ms_of(stone) for mark, stone in stored.items()}, self.revision()
        )

    def revision(self) -> int:
        """See `StateStore.erasures_revision`."""
        return int(cast("bytes | None", self._client.get(self._keys.erasures)) or 0)

    def ended(self) -> int:
        """Number of deletions that have ended."""
        return int(cast("bytes | None", self._client.hget(self._keys.compaction, "ended")) or 0)

    def compacted(self, ended: int) -> None:
        """Notes that no bytes are left of the first `ended` deletions."""
        self._client.hset(self._keys.compaction, "compacted", str(ended))

    def compaction_due(self) -> bool:
        """See `StateStore.compaction_due`."""
        done = int(cast("bytes | None", self._client.hget(self._keys.compaction, "compacted")) or 0)
        return done < self.ended()

    def logged(self, user_id: str) -> Iterator[list[tuple[str, bytes]]]:
        """A user's entries of the log by stream id, a part of the log at a time."""
        is_wanted, after = EntriesOf(user_id), "-"
        while True:
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                self._client.xrange(self._keys.log, min=after, max="+", count=_CHUNK),
            )
            wanted = [
                (id.decode(), fields[b"event"])
                for id, fields in found
                if is_wanted(fields.get(b"event", b""))
            ]
            if wanted:
                yield wanted
            if len(found) < _CHUNK:
                return
            after = f"({found[-1][0].decode()}"
