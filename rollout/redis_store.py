"""Rollouts in a Redis or Valkey server, shared by the replicas of many machines.

Keys, all beginning with `{prefix}:rollout:`: `record:<model>` (hash of `generation`, `record` and `token`,
which names the call that wrote it), `history:<model>` (stream under ids `1-0`, `2-0`, …),
`statistics:<rollout>` (hash of stage, arm and replica → counts) and `lease:<name>` (hash). What reads before
it writes is one script, and each may be sent again without another effect, since an answer can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, cast
from uuid import uuid4

import msgspec
import redis

from foundation.storage.errors import StorageError
from foundation.storage.redis_client import connect
from foundation.storage.redis_failures import storage_errors
from foundation.storage.redis_server import check_server
from foundation.storage.redis_url import redacted
from foundation.storage.settings import RedisSettings
from rollout.errors import RolloutStoreError
from rollout.record import ArmStatisticsRow, HistoryEntry, Lease, ModelRecord
from rollout.storage_names import ROLLOUT_NAMES

T = TypeVar("T")
Encoded: TypeAlias = bytes | bytearray | memoryview | str | int | float

# KEYS: record, history. ARGV: generation before, token, generation, record, history entry.
_SWAP = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[2] then return 1 end
if (redis.call('HGET', KEYS[1], 'generation') or '0') ~= ARGV[1] then return 0 end
local number = redis.call('XLEN', KEYS[2]) + 1
redis.call('XADD', KEYS[2], string.format('%.0f-0', number), 'entry', ARGV[5])
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'generation', ARGV[3], 'record', ARGV[4])
return 1
"""

# KEYS: lease. ARGV: holder, now, expiry (unix seconds).
_HOLD = """
local stored = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'expires_at')
local holder, epoch = stored[1], tonumber(stored[2] or '0')
if holder and holder ~= ARGV[1] and tonumber(stored[3]) > tonumber(ARGV[2]) then return stored end
if holder ~= ARGV[1] then epoch = epoch + 1 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', epoch, 'expires_at', ARGV[3])
return redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'expires_at')
"""

# KEYS: lease. ARGV: holder.
_RELEASE = """
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'holder', '', 'expires_at', '0')
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
end
return 0
"""


class RedisRolloutStore:
    """`RolloutStore` in a server; durable as far as the server's append-only file is."""

    def __init__(self, url: str, settings: RedisSettings) -> None:
        """Uses the server at `url`, which is first called when something is read or written.

        Raises `RolloutStoreError` where the URL is no address.
        """
        self._place = redacted(url)
        self._prefix = f"{{{settings.prefix}}}:rollout"
        try:
            self._client = connect(url, settings, ROLLOUT_NAMES)
        except StorageError as error:
            raise RolloutStoreError(str(error)) from error
        self._swap = self._client.register_script(_SWAP)
        self._hold = self._client.register_script(_HOLD)
        self._release = self._client.register_script(_RELEASE)
        self._checked = False

    def read(self, model: str) -> ModelRecord:
        """See `RolloutStore.read`."""
        stored = self._ask(lambda client: client.hget(self._key("record", model), "record"))
        return ModelRecord(model) if stored is None else self._decode(cast(bytes, stored), ModelRecord)

    def compare_and_swap(self, record: ModelRecord, entry: HistoryEntry) -> bool:
        """See `RolloutStore.compare_and_swap`."""
        keys = [self._key("record", record.model), self._key("history", record.model)]
        arguments: list[Encoded] = [
            record.generation - 1,
            uuid4().hex,
            record.generation,
            msgspec.json.encode(record),
            msgspec.json.encode(entry),
        ]
        return bool(self._ask(lambda _: self._swap(keys=keys, args=arguments)))

    def read_history(self, model: str, after: int = 0, limit: int = 100) -> list[tuple[int, HistoryEntry]]:
        """See `RolloutStore.read_history`."""
        if limit < 1:
            return []
        key = self._key("history", model)
        found = self._ask(lambda client: client.xrange(key, min=f"({after}-0", max="+", count=limit))
        return [
            (int(number.partition(b"-")[0]), self._decode(fields[b"entry"], HistoryEntry))
            for number, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        ]

    def put_arm_statistics(self, rollout: str, rows: Sequence[ArmStatisticsRow]) -> None:
        """See `RolloutStore.put_arm_statistics`."""
        if rows:
            written: dict[Encoded, Encoded] = {
                f"{row.stage}/{row.arm}/{row.replica}": msgspec.msgpack.encode(row) for row in rows
            }
            self._ask(lambda client: client.hset(self._key("statistics", rollout), mapping=written))

    def read_arm_statistics(self, rollout: str) -> list[ArmStatisticsRow]:
        """See `RolloutStore.read_arm_statistics`."""
        found = self._ask(lambda client: client.hgetall(self._key("statistics", rollout)))
        rows = []
        for _, stored in sorted(cast("dict[bytes, bytes]", found).items()):
            try:
                rows.append(msgspec.msgpack.decode(stored, type=ArmStatisticsRow))
            except msgspec.MsgspecError as error:
                raise self._corrupt(error) from error
        return rows

    def drop_arm_statistics(self, rollout: str) -> None:
        """See `RolloutStore.drop_arm_statistics`."""
        self._ask(lambda client: client.delete(self._key("statistics", rollout)))

    def hold_lease(self, name: str, holder: str, now: float, ttl_s: float) -> Lease:
        """See `RolloutStore.hold_lease`."""
        keys = [self._key("lease", name)]
        arguments = [holder, repr(now), repr(now + ttl_s)]
        return self._lease(self._ask(lambda _: self._hold(keys=keys, args=arguments)))

    def read_lease(self, name: str) -> Lease | None:
        """See `RolloutStore.read_lease`."""
        fields = ["holder", "epoch", "expires_at"]
        found = self._ask(lambda client: client.hmget(self._key("lease", name), fields))
        return None if found[0] is None else self._lease(cast("list[bytes]", found))

    def release_lease(self, name: str, holder: str) -> None:
        """See `RolloutStore.release_lease`."""
        self._ask(lambda _: self._release(keys=[self._key("lease", name)], args=[holder]))

    def close(self) -> None:
        """See `RolloutStore.close`."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}:{kind}:{name}"

    def _lease(self, found: Sequence[bytes]) -> Lease:
        try:
            holder, epoch, expires_at = found
            return Lease(holder.decode(), int(epoch), float(expires_at))
        except (TypeError, ValueError) as error:
            raise self._corrupt(error) from error

    def _ask(self, work: Callable[[redis.Redis], T]) -> T:
        try:
            with storage_errors(self._place, ROLLOUT_NAMES):
                if not self._checked:
                    check_server(self._client, self._place, f"{self._prefix}:format", ROLLOUT_NAMES)
                    self._checked = True
                return work(self._client)
        except StorageError as error:
            raise RolloutStoreError(str(error)) from error

    def _decode(self, stored: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(stored, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._corrupt(error) from error

    def _corrupt(self, error: Exception) -> RolloutStoreError:
        return RolloutStoreError(
            f"a record of rollouts under {self._prefix} in {self._place} is corrupt or of another version: "
            f"{error}; with no rollout under way its keys may be removed, and promotions go "
            "with them"
        )
