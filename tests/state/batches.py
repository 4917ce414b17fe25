"""Batches of events for tests."""

import time
from collections.abc import Sequence

from state import EventBatch, LoggedEvent

NOW_MS = 1_700_000_000_000


def batch(
    *rows: tuple[str, str, int, int], event_ids: Sequence[str] | None = None, arrived_ms: int | None = None
) -> EventBatch:
    """A batch of (user, item, event code, unix seconds), arrived now unless `arrived_ms` is given."""
    arrived = int(time.time() * 1000) if arrived_ms is None else arrived_ms
    ids = event_ids or [""] * len(rows)
    return EventBatch.of(
        [
            LoggedEvent(user, item, event, seconds * 1000, arrived, event_id=event_id)
            for (user, item, event, seconds), event_id in zip(rows, ids, strict=True)
        ]
    )
