"""What every store does with events and served items until one of its transactions carries them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from state.arrivals import Arrivals
from state.errors import QueueFull, StateOverloaded
from state.event_batch import EventBatch
from state.group_commit import GroupCommit
from state.served_items import ServedItems
from state.settings import StateSettings
from state.store import StoreStatus


class QueuedWrites:
    """The queues of one store, and its writer thread, which calls `commit` and `clean_up`.

    `commit(batches, served)` stores a group as a whole and returns what was new in it, or raises; see
    `GroupCommit` for both.
    """

    def __init__(
        self,
        commit: Callable[[list[EventBatch], list[ServedItems]], Arrivals],
        clean_up: Callable[[], None],
        settings: StateSettings,
        max_group: int,
    ) -> None:
        """`max_group`: events of one transaction at most."""
        self._commit = commit
        self._settings = settings
        self._repeated = 0
        self._writer: GroupCommit[EventBatch, ServedItems, Sequence[int]] = GroupCommit(
            self._commit_counted,
            clean_up,
            max_queued=settings.max_queued_events,
            max_group=max_group,
            max_notes=settings.max_queued_impressions,
            notes_wait_s=settings.impressions_flush_s,
        )

    async def append(self, events: EventBatch) -> Sequence[int]:
        """See `StateStore.append`."""
        if not len(events):
            return ()
        try:
            return await self._writer.submit(events, len(events))
        except QueueFull as full:
            raise StateOverloaded(
                full.queued, self._settings.max_queued_events, self._settings.retry_after_s
            ) from None

    def append_impressions(self, user_id: str, keys: np.ndarray, ts: int) -> None:
        """See `StateStore.append_impressions`."""
        if len(keys):
            self._writer.note(ServedItems(user_id, keys, ts), len(keys))

    def status(self, *, failed_reads: int = 0, available: bool = True) -> StoreStatus:
        """See `StateStore.status`; of reads the store itself knows."""
        return StoreStatus(
            queued_events=self._writer.queued,
            queued_impressions=self._writer.queued_notes,
            dropped_impressions=self._writer.dropped_notes,
            repeated_events=self._repeated,
            write_groups=self._writer.groups,
            failed_reads=failed_reads,
            available=available,
        )

    def close(self) -> None:
        """Commits what is queued and ends the thread."""
        self._writer.close()

    def _commit_counted(
        self, batches: list[EventBatch], served: list[ServedItems]
    ) -> Sequence[Sequence[int]]:
        arrivals = self._commit(batches, served)
        self._repeated += arrivals.repeated
        return arrivals.rows
