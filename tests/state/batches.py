"""Batches of events for tests."""

import time
from collections.abc import Sequence

from state import EventBatch

NOW_MS = 1_700_000_000_000


def batch(
    *rows: tuple[str, str, int, int], event_ids: Sequence[str] | None = None, arrived_ms: int | None = None
) -> EventBatch:
    """A batch of (user, item, event code, unix seconds), arrived now unless told otherwise."""
    return EventBatch.build(
        user_ids=[row[0] for row in rows],
        item_ids=[row[1] for row in rows],
        events=[row[2] for row in rows],
        timestamps_ms=[row[3] * 1000 for row in rows],
        arrived_ms=int(time.time() * 1000) if arrived_ms is None else arrived_ms,
        event_ids=event_ids,
    )
