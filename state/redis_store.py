"""User state and event log in one Redis or Valkey server, shared by routers on many machines.

Records and log entries are the bytes that LMDB holds. Whatever one group of events changes is one script, so
it happens as a whole; what an acknowledgement means is the server's `appendfsync`.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np

from foundation.storage.errors import StorageUnavailable
from foundation.storage.redis_client import connect
from foundation.storage.redis_failures import Availability, storage_errors
from foundation.storage.redis_server import check_server
from foundation.storage.redis_url import client_url, redacted
from snapshot.tombstones import Tombstones, user_hash
from state.arrivals import Arrivals, sort_arrivals
from state.erasure import Compaction, ErasedState
from state.event_batch import EventBatch
from state.event_log import decode_entry, encode_entries
from state.logged_event import LoggedEvent
from state.plan_counts import redis_plan_counts
from state.plan_counts.plan_count import PlanCount
from state.queued_writes import QueuedWrites
from state.records import rows_of
from state.redis_erasures import RedisErasures
from state.redis_keys import RedisKeys
from state.redis_log import RedisLog
from state.redis_pictures import RedisPictures
from state.redis_quota import RedisQuota
from state.redis_reads import RedisReads
from state.redis_rewrite import RedisRewrite
from state.redis_transaction import RedisTransaction, RedisTransactions, needs_of
from state.served_items import ServedItems
from state.settings import StateSettings
from state.storage_names import STATE_NAMES
from state.store import StoreStatus
from state.user_records import PROFILES, RECORDS, UserRecords
from state.user_state import UserState

log = logging.getLogger(__name__)

_TRIM_STEP = 1_000
_MERGE_STEP = 500


class RedisStateStore:
    """A `StateStore` in Redis or Valkey. Not to be used across a fork."""

    def __init__(
        self,
        url: str,
        settings: StateSettings,
        clock: Callable[[], float] = time.time,
        released_while: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Connects to the server at `url`; `clock` gives unix seconds.

        `released_while` is entered while a read is awaited, so that other calls compute meanwhile.

        A server that cannot be reached is no error here: reads and writes fail until it answers.

        Raises:
            StorageError: the URL is no address, the server refuses the credentials, is too old or part of a
                cluster, or holds another format.
        """
        self._place = redacted(url)
        self._settings = settings
        self._clock = clock
        self._keys = RedisKeys(settings.redis.prefix)
        self._availability = Availability(self._place, settings.redis.read_pause_s)
        self._reads = RedisReads(
            client_url(url, STATE_NAMES), self._place, settings.redis, self._availability, released_while
        )
        self._records = UserRecords(settings, self._place)
        self._client = connect(url, settings.redis, STATE_NAMES)
        self.pictures = RedisPictures(self._client, self._place, self._keys, self._check)
        self._checked = False
        self._transactions = RedisTransactions(
            connect(url, settings.redis, STATE_NAMES), self._place, self._keys, settings, _TRIM_STEP
        )
        self._erasures = RedisErasures(self._client, self._keys, rows_of)
        self._quota = RedisQuota(self._client, self._keys)
        self._rewrite = RedisRewrite(self._client, self._place, self._keys, settings.redis.rewrite_wait_s)
        self._log = RedisLog(self._client, self._keys, settings, _TRIM_STEP)
        self._closed = False
        try:
            self._check()
        except StorageUnavailable as error:
            self._availability.write_failed(error)
        self._writes = QueuedWrites(
            self._commit,
            self._clean_up,
            settings,
            min(settings.max_group_events, settings.redis.max_group_events),
        )

    # Reads

    async def read(self, user_id: str) -> UserState:
        """See `StateStore.read`."""
        (state,) = await self.read_many([user_id])
        return state

    async def read_many(self, user_ids: Sequence[str]) -> list[UserState]:
        """See `StateStore.read_many`."""
        if not user_ids:
            return []
        keys = [user_hash(user_id) for user_id in user_ids]
        found = await self._reads.records([self._keys.user(key) for key in keys])
        return [self._records.read(stored, key) for key, stored in zip(keys, found, strict=True)]

    def read_log(self, after_seq: int = 0, limit: int | None = None) -> Iterator[tuple[int, LoggedEvent]]:
        """See `StateStore.read_log`."""
        with storage_errors(self._place, STATE_NAMES):
            yield from self._log.read(after_seq, limit)

    def exchange_plan_counts(
        self, replica: str, own: Mapping[str, PlanCount], plans: Mapping[str, int]
    ) -> dict[str, PlanCount]:
        """See `StateStore.exchange_plan_counts`."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            return redis_plan_counts.exchange(
                self._client, self._keys, replica, own, plans, int(self._clock())
            )

    def marker(self, name: str) -> str | None:
        """See `StateStore.marker`."""
        with storage_errors(self._place, STATE_NAMES):
            value = cast("bytes | None", self._client.hget(self._keys.markers, name))
        return None if value is None else value.decode()

    def status(self) -> StoreStatus:
        """See `StateStore.status`."""
        return self._writes.status(
            failed_reads=self._availability.failed_reads, available=self._availability.available
        )

    # Writes

    async def append(self, events: EventBatch) -> Sequence[int]:
        """See `StateStore.append`."""
        return await self._writes.append(events)

    async def append_impressions(self, user_id: str, keys: np.ndarray, ts: int) -> None:
        """See `StateStore.append_impressions`."""
        self._writes.append_impressions(user_id, keys, ts)

    def put_profiles(self, profiles: Mapping[str, Mapping[str, str]], updated_at: int) -> int:
        """See `StateStore.put_profiles`; stored in steps of 500 users, each as a whole."""
        users = list(profiles)
        stored = 0
        for start in range(0, len(users), _MERGE_STEP):
            step = {user_hash(user_id): profiles[user_id] for user_id in users[start : start + _MERGE_STEP]}

            def work(transaction: RedisTransaction, step: Mapping[bytes, Mapping[str, str]] = step) -> int:
                return sum(
                    self._records.put_profile(transaction, key, profile, updated_at)
                    for key, profile in step.items()
                )

            self._check()
            stored += self._transactions.run(dict.fromkeys(step, (PROFILES,)), {}, self._clock(), work)
        return stored

    def merge(self, states: Sequence[tuple[str, UserState]], profiles_updated_at: int) -> None:
        """See `StateStore.merge`."""
        for start in range(0, len(states), _MERGE_STEP):
            step = [(user_hash(user_id), state) for user_id, state in states[start : start + _MERGE_STEP]]

            def work(transaction: RedisTransaction, step: Sequence[tuple[bytes, UserState]] = step) -> None:
                for key, state in step:
                    self._records.merge(transaction, key, state, profiles_updated_at)

            self._check()
            self._transactions.run({key: RECORDS for key, _ in step}, {}, self._clock(), work)

    def delete_user(self, user_id: str) -> bool:
        """See `StateStore.delete_user`."""
        with storage_errors(self._place, STATE_NAMES):
            return bool(self._client.delete(self._keys.user(user_hash(user_id))))

    def take(self, name: str, most: int, within_s: float) -> bool:
        """See `StateStore.take`."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            return self._quota.take(name, most, int(within_s * 1_000))

    def set_marker(self, name: str, value: str) -> None:
        """See `StateStore.set_marker`."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            self._client.hset(self._keys.markers, name, value)

    def close(self) -> None:
        """See `StateStore.close`."""
        if self._closed:
            return
        self._closed = True
        self._writes.close()
        self._reads.close()
        self._transactions.close()
        self._client.close()
        self._client.connection_pool.disconnect()

    # Deletion of shoppers

    def erase(self, user_id: str) -> ErasedState:
        """See `StateStore.erase`."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            return self._erasures.erase(user_id, int(self._clock() * 1_000))

    def end_erasure(self, user_id: str) -> None:
        """See `StateStore.end_erasure`."""
        with storage_errors(self._place, STATE_NAMES):
            self._erasures.end(user_id)

    def unfinished_erasures(self) -> list[str]:
        """See `StateStore.unfinished_erasures`."""
        with storage_errors(self._place, STATE_NAMES):
            return self._erasures.under_way()

    def tombstones(self) -> Tombstones:
        """See `StateStore.tombstones`."""
        with storage_errors(self._place, STATE_NAMES):
            return self._erasures.tombstones()

    def erasures_revision(self) -> int:
        """See `StateStore.erasures_revision`."""
        with storage_errors(self._place, STATE_NAMES):
            return self._erasures.revision()

    def compaction_due(self) -> bool:
        """See `StateStore.compaction_due`."""
        with storage_errors(self._place, STATE_NAMES):
            return self._erasures.compaction_due()

    def compact(self) -> Compaction:
        """See `StateStore.compact`; other processes' writes wait only while the new log takes its place."""
        self._check()
        with storage_errors(self._place, STATE_NAMES):
            ended = self._erasures.ended()
            compaction = self._rewrite.run()
            if not compaction.pending:
                self._erasures.compacted(ended)
        return compaction

    def logged(self, user_id: str) -> Iterator[tuple[int, LoggedEvent]]:
        """See `StateStore.logged`."""
        with storage_errors(self._place, STATE_NAMES):
            for entries in self._erasures.logged(user_id):
                for id, entry in entries:
                    seq = int(id.partition("-")[0])
                    yield seq, decode_entry(seq, entry)

    # In the writer's thread

    def _check(self) -> None:
        if not self._checked:
            with storage_errors(self._place, STATE_NAMES):
                check_server(self._client, self._place, self._keys.format, STATE_NAMES)
            self._checked = True

    def _commit(self, batches: list[EventBatch], served: list[ServedItems]) -> Arrivals:
        try:
            self._check()
            arrivals = self._commit_group(batches, served)
        except StorageUnavailable as error:
            self._availability.write_failed(error)
            raise
        self._availability.answered()
        return arrivals

    def _commit_group(self, batches: list[EventBatch], served: list[ServedItems]) -> Arrivals:
        """Stores events, then served items."""
        needed, asked = needs_of(batches, served)

        def work(transaction: RedisTransaction) -> Arrivals:
            arrivals = sort_arrivals(batches, transaction.is_new, transaction.erased_ms)
            for batch, rows in zip(batches, arrivals.rows, strict=True):
                transaction.entries += encode_entries(batch.rows[row] for row in rows)
            self._records.add(transaction, arrivals, served, transaction.erased_ms)
            return arrivals

        return self._transactions.run(needed, asked, self._clock(), work)

    def _clean_up(self) -> None:
        with storage_errors(self._place, STATE_NAMES):
            self._log.trim(self._clock())
