"""Changes of several users and the log that happen as a whole: read, decide here, write if nothing moved.

Optimistic concurrency control (Kung and Robinson, "On Optimistic Methods for Concurrency Control", TODS
1981): every user's records carry the number of the change that wrote them last, and the script that writes
refuses where one of them is not what was read. No lock is held, so no process that dies leaves one.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import uuid4

import redis

from foundation.storage.errors import StorageUnavailable
from foundation.storage.redis_client import LONGEST_PAUSE_S
from foundation.storage.redis_failures import storage_errors
from snapshot.tombstones import NEVER, tombstone, user_hash
from state.arrivals import event_digest
from state.event_batch import EventBatch
from state.redis_erasures import SALT, erased_ms_of
from state.redis_keys import RedisKeys
from state.redis_scripts import COMMIT
from state.served_items import ServedItems
from state.settings import StateSettings
from state.storage_names import STATE_NAMES
from state.user_records import IMPRESSIONS, records_of

T = TypeVar("T")

_TRIES = 200
_DAY_S = 86_400


@dataclass(slots=True)
class RedisTransaction:
    """What was read of some users, and what is to be written; a `RecordTransaction`.

    `versions`: user hash → change that wrote the user last, b"" where there is none; `records`: the records
    asked for, by name and user hash; `seen`: digests of event ids known in the window; `erasures`: number of
    the last deletion, b"" where there is none; `erased`: unix milliseconds by user hash, of users that were
    deleted.
    """

    versions: dict[bytes, bytes]
    records: dict[tuple[bytes, bytes], bytes | None]
    seen: dict[bytes, set[bytes]]
    erasures: bytes = b""
    erased: dict[bytes, int] = field(default_factory=dict)
    changed: dict[bytes, dict[bytes, bytes]] = field(default_factory=dict)
    noted: dict[bytes, list[bytes]] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    def get(self, name: bytes, key: bytes) -> bytes | None:
        """See `RecordTransaction.get`."""
        return self.records[name, key]

    def put(self, name: bytes, key: bytes, record: bytes) -> None:
        """See `RecordTransaction.put`."""
        self.records[name, key] = record
        self.changed.setdefault(key, {})[name] = record

    def erased_ms(self, key: bytes) -> int:
        """Unix millisecond up to which everything of a user was deleted, or `NEVER`."""
        return self.erased.get(key, NEVER)

    def is_new(self, key: bytes, event_id: str) -> bool:
        """Whether a user's event was not seen in the window; notes it where it was not."""
        digest = event_digest(event_id)
        seen = self.seen[key]
        if digest in seen:
            return False
        seen.add(digest)
        self.noted.setdefault(key, []).append(digest)
        return True


def needs_of(
    batches: Sequence[EventBatch], served: Sequence[ServedItems]
) -> tuple[dict[bytes, set[bytes]], dict[bytes, list[str]]]:
    """`needed` and `asked` of `RedisTransactions.run` for a group of events and served items."""
    needed: dict[bytes, set[bytes]] = {}
    asked: dict[bytes, list[str]] = {}
    hashes: dict[str, bytes] = {}
    for batch in batches:
        for event in batch.rows:
            key = hashes.get(event.user_id)
            if key is None:
                key = hashes[event.user_id] = user_hash(event.user_id)
            names = needed.setdefault(key, set())
            names.update(records_of(event.event))
            if event.event_id:
                asked.setdefault(key, []).append(event.event_id)
    for note in served:
        needed.setdefault(user_hash(note.user_id), set()).add(IMPRESSIONS)
    return needed, asked


class RedisTransactions:
    """Runs functions inside transactions, one at a time; a commit is durable as the server's settings say."""

    def __init__(
        self, client: redis.Redis, place: str, keys: RedisKeys, settings: StateSettings, trim_step: int
    ) -> None:
        """`client` keeps one connection and sends again what went unanswered."""
        self._client = client
        self._place = place
        self._keys = keys
        self._settings = settings
        self._trim_step = trim_step
        self._writer = keys.writer(uuid4().hex)
        self._group = 0
        self._lock = threading.Lock()
        self._salt: bytes | None = None
        self._commit_script = client.register_script(COMMIT)
        redis_settings = settings.redis
        # After it no caller waits for the answer any more, so the server must not act on a late request.
        self._patience_ms = int(
            1_000 * redis_settings.write_tries * (redis_settings.write_timeout_s + LONGEST_PAUSE_S)
        )

    def run(
        self,
        needed: Mapping[bytes, Collection[bytes]],
        asked: Mapping[bytes, Sequence[str]],
        now: float,
        work: Callable[[RedisTransaction], T],
    ) -> T:
        """Result of `work` once what it changed is stored; where it raises, nothing is changed.

        `needed`: names of the records that `work` reads, by user hash; `asked`: event ids that it must know
        to be new or not, by user hash, all of them among `needed`; `now`: unix seconds. `work` runs again
        where another process changed one of the users meanwhile, so it may only change the transaction.

        Raises:
            StorageUnavailable: the server did not confirm; what `work` changed is stored as a whole or not at
                all.
            StorageError: what `work` raised, or a key holds another kind of value.
        """
        with self._lock, storage_errors(self._place, STATE_NAMES):
            for attempt in range(_TRIES):
                transaction, server_ms = self._read(needed, asked, int(now))
                result = work(transaction)
                if not transaction.changed and not transaction.entries:
                    return result
                outcome = self._write(transaction, now, server_ms + self._patience_ms)
                if outcome == b"done":
                    return result
                if outcome != b"conflict":
                    raise StorageUnavailable(
                        f"{self._place} received a write too late to act on it; nothing was stored"
                    )
                time.sleep(0.0005 * min(attempt, 20))
        raise StorageUnavailable(
            f"{self._place}: other processes changed the same users during each of {_TRIES} tries; nothing "
            "was stored"
        )

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _read(
        self, needed: Mapping[bytes, Collection[bytes]], asked: Mapping[bytes, Sequence[str]], now_s: int
    ) -> tuple[RedisTransaction, int]:
        names = {key: sorted(names) for key, names in needed.items()}
        digests = {key: [event_digest(event_id) for event_id in ids] for key, ids in asked.items()}
        pipeline = self._client.pipeline(transaction=False)
        pipeline.time()
        pipeline.get(self._keys.erasures)
        for key, of_user in names.items():
            pipeline.hmget(self._keys.user(key), [b"version", *of_user])
        for key, of_user in digests.items():
            pipeline.execute_command("ZMSCORE", self._keys.seen(key), *of_user)
        (seconds, microseconds), erasures, *answers = pipeline.execute()
        first_day = now_s // _DAY_S - self._settings.deduplication_days
        transaction = RedisTransaction({}, {}, {key: set() for key in needed}, erasures or b"")
        if erasures:
            transaction.erased = self._erased(list(needed))
        for (key, of_user), (version, *values) in zip(names.items(), answers[: len(names)], strict=True):
            transaction.versions[key] = version or b""
            for name, value in zip(of_user, values, strict=True):
                transaction.records[name, key] = value
        for (key, of_user), days in zip(digests.items(), answers[len(names) :], strict=True):
            transaction.seen[key] = {
                digest
                for digest, day in zip(of_user, days, strict=True)
                if day is not None and day >= first_day
            }
        return transaction, 1_000 * seconds + microseconds // 1_000

    def _erased(self, users: Sequence[bytes]) -> dict[bytes, int]:
        """Unix milliseconds of the last deletion of those of the users that were deleted."""
        if self._salt is None:
            self._salt = cast("bytes | None", self._client.hget(self._keys.erased, SALT)) or b""
        stones = self._client.hmget(self._keys.erased, [tombstone(self._salt, user) for user in users])
        return {
            user: erased_ms_of(stone)
            for user, stone in zip(users, cast("list[bytes | None]", stones), strict=True)
            if stone is not None
        }

    def _write(self, transaction: RedisTransaction, now: float, deadline_ms: int) -> bytes:
        settings = self._settings
        today = int(now) // _DAY_S
        self._group += 1
        # Also those whose events change no record: their ids are kept.
        users = list(transaction.changed | transaction.noted)
        keys = [self._keys.log, self._keys.commits, self._writer, self._keys.erasures]
        arguments: list[Any] = [
            self._group,
            deadline_ms,
            len(users),
            len(transaction.entries),
            settings.log_max_events,
            int(now * 1_000) - int(settings.log_max_days * _DAY_S * 1_000),
            self._trim_step + 2 * len(transaction.entries),
            today,
            max(today - settings.deduplication_days, 0),
            (settings.deduplication_days + 1) * _DAY_S,
            transaction.erasures,
            *(transaction.versions[user] for user in users),
        ]
        for user in users:
            keys += [self._keys.user(user), self._keys.seen(user)]
            records = transaction.changed.get(user, {})
            arguments.append(len(records))
            for name, record in records.items():
                arguments += [name, record]
            noted = transaction.noted.get(user, [])
            arguments += [len(noted), *noted]
        arguments += transaction.entries
        try:
            return self._send(keys, arguments)
        except redis.exceptions.NoScriptError:
            self._client.script_load(COMMIT)
            return self._send(keys, arguments)

    def _send(self, keys: Sequence[str], arguments: Sequence[Any]) -> bytes:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.evalsha(self._commit_script.sha, len(keys), *keys, *arguments)
        wanted = self._settings.redis.replicas
        if wanted:
            pipeline.wait(wanted, int(self._settings.redis.write_timeout_s * 500))
        outcome, *reached = pipeline.execute()
        if outcome == b"done" and reached and reached[0] < wanted:
            raise StorageUnavailable(
                f"{self._place} stored the events, but only {reached[0]} of {wanted} replicas "
                "(state.redis.replicas) confirmed them in time"
            )
        return bytes(outcome)
