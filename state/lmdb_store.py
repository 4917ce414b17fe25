"""User state and event log in one LMDB environment, open in several processes at a time.

Databases: `behaviours`, `purchases`, `impressions`, `profiles`, `feedback`, `surveys`, `seen_items`
(user hash → record), `log` (sequence number → event), `seen` (deduplication), `erased` (deletions of
shoppers), `plan_counts` (exposures under plans), `pictures` and `picture_log` (of items) and `meta` (format,
next sequence number, markers, deletions under way). The user hash is the 16-byte BLAKE2b of the user id.
Whatever one group of events changes is one transaction.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import lmdb
import numpy as np

from foundation.storage.errors import StorageError
from foundation.storage.lmdb_environment import LmdbEnvironment, get
from snapshot.tombstones import Tombstones, user_hash
from state.arrivals import Arrivals, sort_arrivals
from state.deduplication import Deduplication
from state.erasure import Compaction, ErasedState
from state.errors import StateStoreError
from state.event_batch import EventBatch
from state.event_log import decode_entry
from state.lmdb_deletions import LmdbDeletions
from state.lmdb_erasures import ERASED, RENEWAL, LmdbErasures
from state.lmdb_log import LmdbLog
from state.lmdb_pictures import PICTURE_LOG, PICTURES, LmdbPictures
from state.lmdb_quota import LmdbQuota
from state.lmdb_records import LmdbRecords
from state.logged_event import LoggedEvent
from state.plan_counts.lmdb_plan_counts import PLAN_COUNTS, LmdbPlanCounts
from state.plan_counts.plan_count import PlanCount
from state.queued_writes import QueuedWrites
from state.served_items import ServedItems
from state.settings import StateSettings
from state.storage_names import STATE_NAMES
from state.store import StoreStatus
from state.user_records import RECORDS, UserRecords
from state.user_state import UserState

_DATABASES = (*RECORDS, b"log", b"seen", ERASED, PLAN_COUNTS, PICTURES, PICTURE_LOG, b"meta")
_FORMAT_KEY = b"format"
_FORMAT = b"1"
_LOG_CHUNK = 1_000
_TRIM_STEP = 1_000
_MERGE_STEP = 500


class LmdbStateStore:
    """A `StateStore` in an LMDB folder. One per process and folder; not to be used across a fork."""

    def __init__(self, folder: Path, settings: StateSettings, clock: Callable[[], float] = time.time) -> None:
        """Opens or creates the environment in `folder`; `clock` gives unix seconds.

        Raises:
            StorageError: the folder cannot be used, or was written in another format.
        """
        self._settings = settings
        self._clock = clock
        self._environment = LmdbEnvironment(
            folder,
            _DATABASES,
            STATE_NAMES,
            map_initial_bytes=settings.map_initial_bytes,
            map_max_bytes=settings.map_max_bytes,
            max_readers=settings.max_readers,
            sync=settings.sync,
            renewed_by=(b"meta", RENEWAL),
        )
        databases = self._environment.databases
        self._records = UserRecords(settings, str(folder))
        self._log = LmdbLog(databases, max_events=settings.log_max_events, max_days=settings.log_max_days)
        self._seen = Deduplication(databases, days=settings.deduplication_days)
        self._erasures = LmdbErasures(databases)
        self._deletions = LmdbDeletions(
            self._environment, self._records, self._log, self._seen, self._erasures
        )
        self._plan_counts = LmdbPlanCounts(databases)
        self.pictures = LmdbPictures(self._environment)
        self._quota = LmdbQuota(databases)
        self._closed = False
        try:
            self._environment.write(self._check_format)
        except StorageError:
            self._environment.close()
            raise
        self._writes = QueuedWrites(self._commit, self._clean_up, settings, settings.max_group_events)

    # Reads

    async def read(self, user_id: str) -> UserState:
        """See `StateStore.read`; it never waits, so it costs its caller no turn of the event loop."""
        key = user_hash(user_id)
        return self._environment.read(lambda transaction: self._records.read(self._open(transaction), key))

    async def read_many(self, user_ids: Sequence[str]) -> list[UserState]:
        """See `StateStore.read_many`; it never waits."""
        keys = [user_hash(user_id) for user_id in user_ids]

        def work(transaction: lmdb.Transaction) -> list[UserState]:
            records = self._open(transaction)
            return [self._records.read(records, key) for key in keys]

        return self._environment.read(work)

    def read_log(self, after_seq: int = 0, limit: int | None = None) -> Iterator[tuple[int, LoggedEvent]]:
        """See `StateStore.read_log`."""
        left = limit
        while left is None or left > 0:
            size = _LOG_CHUNK if left is None else min(left, _LOG_CHUNK)
            found = self._environment.read(partial(self._log.read, after_seq=after_seq, limit=size))
            yield from found
            if len(found) < size:
                return
            after_seq = found[-1][0]
            if left is not None:
                left -= size

    def exchange_plan_counts(
        self, replica: str, own: Mapping[str, PlanCount], plans: Mapping[str, int]
    ) -> dict[str, PlanCount]:
        """See `StateStore.exchange_plan_counts`; it writes nothing where nothing was counted."""
        now = int(self._clock())

        def work(transaction: lmdb.Transaction) -> dict[str, PlanCount]:
            if own:
                self._plan_counts.put(transaction, replica, own, plans, now)
            return self._plan_counts.totals(transaction, plans)

        return self._environment.write(work) if own else self._environment.read(work)

    def marker(self, name: str) -> str | None:
        """See `StateStore.marker`."""
        key = b"marker:" + name.encode()
        value = self._environment.read(
            lambda transaction: get(transaction, key, self._environment.databases[b"meta"])
        )
        return None if value is None else value.decode()

    def status(self) -> StoreStatus:
        """See `StateStore.status`."""
        return self._writes.status(available=self._environment.is_whole())

    # Writes

    async def append(self, events: EventBatch) -> Sequence[int]:
        """See `StateStore.append`."""
        return await self._writes.append(events)

    async def append_impressions(self, user_id: str, keys: np.ndarray, ts: int) -> None:
        """See `StateStore.append_impressions`."""
        self._writes.append_impressions(user_id, keys, ts)

    def put_profiles(self, profiles: Mapping[str, Mapping[str, str]], updated_at: int) -> int:
        """See `StateStore.put_profiles`."""

        def work(transaction: lmdb.Transaction) -> int:
            records = self._open(transaction)
            return sum(
                self._records.put_profile(records, user_hash(user_id), profile, updated_at)
                for user_id, profile in profiles.items()
            )

        return self._environment.write(work)

    def merge(self, states: Sequence[tuple[str, UserState]], profiles_updated_at: int) -> None:
        """See `StateStore.merge`."""
        for start in range(0, len(states), _MERGE_STEP):
            step = states[start : start + _MERGE_STEP]

            def work(transaction: lmdb.Transaction, step: Sequence[tuple[str, UserState]] = step) -> None:
                records = self._open(transaction)
                for user_id, state in step:
                    self._records.merge(records, user_hash(user_id), state, profiles_updated_at)

            self._environment.write(work)

    def delete_user(self, user_id: str) -> bool:
        """See `StateStore.delete_user`."""
        key = user_hash(user_id)
        return self._environment.write(lambda transaction: self._open(transaction).delete(key))

    def take(self, name: str, most: int, within_s: float) -> bool:
        """See `StateStore.take`."""
        within_ms, now_ms = int(within_s * 1_000), int(self._clock() * 1_000)
        return self._environment.write(
            lambda transaction: self._quota.take(transaction, name, most, within_ms, now_ms)
        )

    def set_marker(self, name: str, value: str) -> None:
        """See `StateStore.set_marker`."""
        key = b"marker:" + name.encode()
        self._environment.write(
            lambda transaction: transaction.put(key, value.encode(), db=self._environment.databases[b"meta"])
        )

    def close(self) -> None:
        """See `StateStore.close`."""
        if self._closed:
            return
        self._closed = True
        self._writes.close()
        self._environment.close()

    # Deletion of shoppers

    def erase(self, user_id: str) -> ErasedState:
        """See `StateStore.erase`."""
        return self._deletions.erase(user_id, int(self._clock() * 1_000))

    def end_erasure(self, user_id: str) -> None:
        """See `StateStore.end_erasure`."""
        self._environment.write(partial(self._erasures.end, user_id=user_id))

    def unfinished_erasures(self) -> list[str]:
        """See `StateStore.unfinished_erasures`."""
        return self._environment.read(self._erasures.under_way)

    def tombstones(self) -> Tombstones:
        """See `StateStore.tombstones`."""
        return self._environment.read(self._erasures.tombstones)

    def erasures_revision(self) -> int:
        """See `StateStore.erasures_revision`."""
        return self._environment.read(self._erasures.revision)

    def compaction_due(self) -> bool:
        """See `StateStore.compaction_due`."""
        return self._environment.read(self._erasures.compaction_due)

    def compact(self) -> Compaction:
        """See `StateStore.compact`."""
        return self._deletions.compact()

    def logged(self, user_id: str) -> Iterator[tuple[int, LoggedEvent]]:
        """See `StateStore.logged`."""
        for found in self._deletions.logged(user_id):
            for seq, entry in found:
                yield seq, decode_entry(seq, entry)

    # Inside a transaction

    def _open(self, transaction: lmdb.Transaction) -> LmdbRecords:
        return LmdbRecords(transaction, self._environment.databases)

    def _check_format(self, transaction: lmdb.Transaction) -> None:
        found = get(transaction, _FORMAT_KEY, self._environment.databases[b"meta"])
        if found is None:
            transaction.put(_FORMAT_KEY, _FORMAT, db=self._environment.databases[b"meta"])
        elif found != _FORMAT:
            raise StateStoreError(
                f"user state in {self._environment.folder} has format {found!r}, this program reads "
                f"{_FORMAT!r}; open it with the program that wrote it, or name another folder in state.url"
            )

    def _commit(self, batches: list[EventBatch], served: list[ServedItems]) -> Arrivals:
        return self._environment.write(lambda transaction: self._commit_group(transaction, batches, served))

    def _commit_group(
        self, transaction: lmdb.Transaction, batches: list[EventBatch], served: list[ServedItems]
    ) -> Arrivals:
        """Stores events, then served items."""
        now = self._clock()
        now_s = int(now)
        erased_ms = self._erasures.erased_ms(transaction)
        arrivals = sort_arrivals(
            batches, lambda key, event_id: self._seen.is_new(transaction, key, event_id, now_s), erased_ms
        )
        for batch, rows in zip(batches, arrivals.rows, strict=True):
            self._log.append(transaction, [batch.rows[row] for row in rows])
        records = self._open(transaction)
        self._records.add(records, arrivals, served, erased_ms)
        self._trim(transaction, now, _TRIM_STEP + 2 * arrivals.stored)
        return arrivals

    def _trim(self, transaction: lmdb.Transaction, now: float, limit: int) -> int:
        return self._log.trim(transaction, int(now * 1000), limit) + self._seen.trim(
            transaction, int(now), limit
        )

    def _clean_up(self) -> None:
        self._environment.check_readers()
        while (
            self._environment.write(lambda transaction: self._trim(transaction, self._clock(), _TRIM_STEP))
            >= _TRIM_STEP
        ):
            pass
