"""The interface of user state and event log, whatever holds them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from snapshot.tombstones import Tombstones
from state.erasure import Compaction, ErasedState
from state.event_batch import EventBatch
from state.logged_event import LoggedEvent
from state.picture_changes import PictureChanges
from state.plan_counts.plan_count import PlanCount
from state.user_state import UserState


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Counts and queue depths of the store, for metrics and health.

    `queued_events` and `queued_impressions` wait to be written; the others count since the store was
    opened by this process: `dropped_impressions` by overload or a failed write, `repeated_events` by a
    known event_id, `write_groups` the transactions that carried events or impressions, `failed_reads` the
    reads that the store did not answer in time. `available` is whether its last answer was in time; a store
    on this machine's disk is unless its files were removed, replaced or shortened.
    """

    queued_events: int
    queued_impressions: int
    dropped_impressions: int
    repeated_events: int
    write_groups: int
    failed_reads: int = 0
    available: bool = True


class StateStore(Protocol):
    """User state and the event log.

    What a request needs (`read`, `append`, `append_impressions`) is awaited and never blocks the event loop
    on a network; what other programs need (profiles, merging, the log, markers) is synchronous and may.

    Per user it keeps the newest behaviours, purchases and impressions by time of the event (of events at the
    same second, the later arrival counts as newer), each up to its bound. A read after an awaited `append`
    sees what was appended.
    """

    @property
    def pictures(self) -> PictureChanges:
        """Pictures of items that arrived while the shop was open."""
        ...

    async def read(self, user_id: str) -> UserState:
        """State of one user, empty where the user is unknown.

        Raises:
            StorageError: a record of the user is corrupt.
            StorageUnavailable: the store did not answer in time (a StorageError).
        """
        ...

    async def read_many(self, user_ids: Sequence[str]) -> list[UserState]:
        """States of several users as of one moment, in the order of `user_ids`; errors as in `read`."""
        ...

    async def append(self, events: EventBatch) -> Sequence[int]:
        """Adds events to their users' state and to the log; returns when they are durable.

        An event whose (user_id, event_id) was stored within the deduplication window, by whichever process,
        is skipped; an empty event_id is never taken for a repeat. Returns the positions in the batch of the
        events that were not skipped, ascending. Either all events of the batch are stored or none.
        A cancelled call may or may not have stored them: send again with event ids.

        Raises:
            StateOverloaded: the queue of writes is full; nothing was stored.
            StorageError: a user's record is corrupt, or the store cannot take more; nothing was stored.
            StorageUnavailable: the store did not confirm in time (a StorageError); nothing was acknowledged,
                and sending the events again with the same event ids stores each of them once.
        """
        ...

    async def append_impressions(self, user_id: str, keys: np.ndarray, ts: int) -> None:
        """Notes that item keys uint64[n] were served to a user at unix second `ts`.

        Returns before they are written; they may be lost in a crash, and are dropped and counted where
        their queue is full. They do not enter the log.
        """
        ...

    def put_profiles(self, profiles: Mapping[str, Mapping[str, str]], updated_at: int) -> int:
        """Replaces profiles, user id → field → value, known at unix second `updated_at`; durable on return.

        A stored profile with a later `updated_at` stays. Returns how many were stored.
        """
        ...

    def merge(self, states: Sequence[tuple[str, UserState]], profiles_updated_at: int) -> None:
        """Merges past states of users into what is stored; durable on return, and repeatable.

        A row equal to a stored one (item, event and second) is the same event and is not added. Profiles
        are put as by `put_profiles` where they are not empty. Nothing enters the log.
        """
        ...

    def delete_user(self, user_id: str) -> bool:
        """Removes the records of one user, corrupt ones included; durable on return.

        The log keeps the user's events: for a shopper's right to be forgotten there is `erase`. Returns
        whether there was any record.
        """
        ...

    def erase(self, user_id: str) -> ErasedState:
        """Deletes everything of one user: records, events in the log, ids of events; durable on return.

        Before anything goes, the deletion is noted, durably: events of the user with a time up to now and
        items served up to now are taken for repeats from then on, whenever they arrive, and `tombstones` has
        the user. Killed half way, the deletion is in `unfinished_erasures` until it is called again and
        `end_erasure` is. Repeatable; a user of whom nothing is known is deleted like any other.
        """
        ...

    def end_erasure(self, user_id: str) -> None:
        """Forgets the id of a user whose deletion was under way; what was deleted is due for `compact`."""
        ...

    def unfinished_erasures(self) -> list[str]:
        """Ids of the users whose deletion has begun and not ended."""
        ...

    def tombstones(self) -> Tombstones:
        """Who was deleted."""
        ...

    def erasures_revision(self) -> int:
        """Number of the last deletion, 0 where there is none: cheap, to see whether `tombstones` changed."""
        ...

    def compact(self) -> Compaction:
        """Takes the bytes of deleted entries out of the store's files, while other processes go on.

        This process reads and writes nothing meanwhile, so call it in one that does not serve.
        """
        ...

    def compaction_due(self) -> bool:
        """Whether the files may contain bytes of deleted users."""
        ...

    def logged(self, user_id: str) -> Iterator[tuple[int, LoggedEvent]]:
        """One user's events in the log with their sequence numbers, oldest first; reads through the log."""
        ...

    def read_log(self, after_seq: int = 0, limit: int | None = None) -> Iterator[tuple[int, LoggedEvent]]:
        """Logged events with sequence numbers above `after_seq`, oldest first, at most `limit`.

        Sequence numbers rise by one per event and are never used twice; events older than the retention are
        gone. Events stored while the iterator is used may appear at its end.

        Raises:
            StorageError: an entry is corrupt.
        """
        ...

    def exchange_plan_counts(
        self, replica: str, own: Mapping[str, PlanCount], plans: Mapping[str, int]
    ) -> dict[str, PlanCount]:
        """Replaces what `replica` has counted of exposure plans, and returns the sums over all replicas.

        own: id → its count from its start on, each a key of `plans`; durable on return. plans: id → unix
        second of the plan's end, whose sums are wanted. One transaction; repeating it changes nothing.
        """
        ...

    def take(self, name: str, most: int, within_s: float) -> bool:
        """Counts what may happen `most` times within any `within_s` seconds; False, uncounted, else.

        Holds for all processes of the store together, and after restarts; by the store's own clock. Errors as
        in `append`.
        """
        ...

    def marker(self, name: str) -> str | None:
        """Text kept under a name next to the state; None where there is none."""
        ...

    def set_marker(self, name: str, value: str) -> None:
        """Keeps a text under a name; durable on return."""
        ...

    def status(self) -> StoreStatus:
        """Queues and counts of this process."""
        ...

    def close(self) -> None:
        """Writes what is queued and closes; calling it again does nothing."""
        ...
