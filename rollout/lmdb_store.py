"""Rollouts in an LMDB environment of their own, shared by the replicas of one machine.

Databases: `records` (model → record), `history` (model, number → entry), `statistics` (rollout, stage, arm,
replica → counts) and `leases`. LMDB's lock lets one process write at a time and the kernel releases it when
its holder dies; a commit is flushed before it returns.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import lmdb
import msgspec

from foundation.storage.errors import StorageError
from foundation.storage.lmdb_environment import LmdbEnvironment, get
from rollout.errors import RolloutStoreError
from rollout.record import ArmStatisticsRow, HistoryEntry, Lease, ModelRecord
from rollout.storage_names import ROLLOUT_NAMES

_MIB = 1 << 20
_DATABASES = (b"records", b"history", b"statistics", b"leases")
_NUMBER = struct.Struct(">Q")
_SEPARATOR = b"\x00"

T = TypeVar("T")


class LmdbRolloutStore:
    """`RolloutStore` in a folder. One per process and folder; not to be used across a fork."""

    def __init__(self, folder: Path, *, max_bytes: int = 256 * _MIB) -> None:
        """Opens or creates the environment in `folder`, which grows to `max_bytes` at most.

        Raises `RolloutStoreError` where the folder cannot be used.
        """
        self._folder = folder
        try:
            self._environment = LmdbEnvironment(
                folder,
                _DATABASES,
                ROLLOUT_NAMES,
                map_initial_bytes=4 * _MIB,
                map_max_bytes=max_bytes,
                max_readers=126,
                sync=True,
            )
        except StorageError as error:
            raise RolloutStoreError(str(error)) from error
        databases = self._environment.databases
        self._records, self._history = databases[b"records"], databases[b"history"]
        self._statistics, self._leases = databases[b"statistics"], databases[b"leases"]

    def read(self, model: str) -> ModelRecord:
        """See `RolloutStore.read`."""

        def work(transaction: lmdb.Transaction) -> ModelRecord:
            return self._record(transaction, model)

        return self._reading(work)

    def compare_and_swap(self, record: ModelRecord, entry: HistoryEntry) -> bool:
        """See `RolloutStore.compare_and_swap`."""

        def work(transaction: lmdb.Transaction) -> bool:
            if self._record(transaction, record.model).generation != record.generation - 1:
                return False
            transaction.put(_key(record.model), msgspec.json.encode(record), db=self._records)
            number = self._last_number(transaction, record.model) + 1
            key = _history_key(record.model, number)
            # An existing entry is never overwritten: the history only grows.
            if not transaction.put(key, msgspec.json.encode(entry), db=self._history, overwrite=False):
                raise RolloutStoreError(f"entry {number} of the history in {self._folder} exists already")
            return True

        return self._writing(work)

    def read_history(self, model: str, after: int = 0, limit: int = 100) -> list[tuple[int, HistoryEntry]]:
        """See `RolloutStore.read_history`."""

        def work(transaction: lmdb.Transaction) -> list[tuple[int, HistoryEntry]]:
            found: list[tuple[int, HistoryEntry]] = []
            prefix = _prefix(model)
            with transaction.cursor(db=self._history) as cursor:
                there = limit > 0 and cursor.set_range(_history_key(model, after + 1))
                while there and len(found) < limit and (key := bytes(cursor.key())).startswith(prefix):
                    number = _NUMBER.unpack(key[len(prefix) :])[0]
                    found.append((number, self._decode(bytes(cursor.value()), HistoryEntry)))
                    there = cursor.next()
            return found

        return self._reading(work)

    def put_arm_statistics(self, rollout: str, rows: Sequence[ArmStatisticsRow]) -> None:
        """See `RolloutStore.put_arm_statistics`."""

        def work(transaction: lmdb.Transaction) -> None:
            for row in rows:
                key = _prefix(rollout) + f"{row.stage}/{row.arm}/{row.replica}".encode()
                transaction.put(key, msgspec.msgpack.encode(row), db=self._statistics)

        self._writing(work)

    def read_arm_statistics(self, rollout: str) -> list[ArmStatisticsRow]:
        """See `RolloutStore.read_arm_statistics`."""

        def work(transaction: lmdb.Transaction) -> list[ArmStatisticsRow]:
            found = []
            prefix = _prefix(rollout)
            with transaction.cursor(db=self._statistics) as cursor:
                there = cursor.set_range(prefix)
                while there and bytes(cursor.key()).startswith(prefix):
                    try:
                        found.append(msgspec.msgpack.decode(cursor.value(), type=ArmStatisticsRow))
                    except msgspec.MsgspecError as error:
                        raise self._corrupt(error) from error
                    there = cursor.next()
            return found

        return self._reading(work)

    def drop_arm_statistics(self, rollout: str) -> None:
        """See `RolloutStore.drop_arm_statistics`."""

        def work(transaction: lmdb.Transaction) -> None:
            prefix = _prefix(rollout)
            with transaction.cursor(db=self._statistics) as cursor:
                there = cursor.set_range(prefix)
                while there and bytes(cursor.key()).startswith(prefix):
                    there = cursor.delete()

        self._writing(work)

    def hold_lease(self, name: str, holder: str, now: float, ttl_s: float) -> Lease:
        """See `RolloutStore.hold_lease`."""

        def work(transaction: lmdb.Transaction) -> Lease:
            stored = self._lease(transaction, name)
            if stored is not None and stored.holder != holder and stored.expires_at > now:
                return stored
            epoch = 1 if stored is None else stored.epoch + (stored.holder != holder)
            lease = Lease(holder, epoch, now + ttl_s)
            transaction.put(_key(name), msgspec.json.encode(lease), db=self._leases)
            return lease

        return self._writing(work)

    def read_lease(self, name: str) -> Lease | None:
        """See `RolloutStore.read_lease`."""

        def work(transaction: lmdb.Transaction) -> Lease | None:
            return self._lease(transaction, name)

        return self._reading(work)

    def release_lease(self, name: str, holder: str) -> None:
        """See `RolloutStore.release_lease`."""

        def work(transaction: lmdb.Transaction) -> None:
            stored = self._lease(transaction, name)
            if stored is not None and stored.holder == holder:
                released = Lease("", stored.epoch + 1, 0.0)
                transaction.put(_key(name), msgspec.json.encode(released), db=self._leases)

        self._writing(work)

    def close(self) -> None:
        """See `RolloutStore.close`."""
        self._environment.close()

    def _record(self, transaction: lmdb.Transaction, model: str) -> ModelRecord:
        stored = get(transaction, _key(model), self._records)
        return ModelRecord(model) if stored is None else self._decode(stored, ModelRecord)

    def _lease(self, transaction: lmdb.Transaction, name: str) -> Lease | None:
        stored = get(transaction, _key(name), self._leases)
        return None if stored is None else self._decode(stored, Lease)

    def _last_number(self, transaction: lmdb.Transaction, model: str) -> int:
        prefix = _prefix(model)
        with transaction.cursor(db=self._history) as cursor:
            beyond = cursor.set_range(_key(model) + b"\x01")
            found = cursor.prev() if beyond else cursor.last()
            key = bytes(cursor.key())
            if not found or not key.startswith(prefix):
                return 0
            return int(_NUMBER.unpack(key[len(prefix) :])[0])

    def _decode(self, stored: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(stored, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._corrupt(error) from error

    def _corrupt(self, error: Exception) -> RolloutStoreError:
        return RolloutStoreError(
            f"a record of rollouts in {self._folder} is corrupt or of another version: {error}; with no "
            "rollout under way the folder may be removed, and promotions are forgotten with it"
        )

    def _reading(self, work: Callable[[lmdb.Transaction], T]) -> T:
        try:
            return self._environment.read(work)
        except StorageError as error:
            raise RolloutStoreError(str(error)) from error

    def _writing(self, work: Callable[[lmdb.Transaction], T]) -> T:
        try:
            return self._environment.write(work)
        except StorageError as error:
            raise RolloutStoreError(str(error)) from error


def _key(name: str) -> bytes:
    return name.encode()


def _prefix(name: str) -> bytes:
    return name.encode() + _SEPARATOR


def _history_key(model: str, number: int) -> bytes:
    return _prefix(model) + _NUMBER.pack(number)
