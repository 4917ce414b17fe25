"""Tiny logs for the tests of peers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.peers.past_events import DAY, PastEvents

NOW = 1000 * DAY


def past_of(rows: Sequence[tuple[int, int, int]], items: int, users: int | None = None) -> PastEvents:
    """Events (user, item, whole days before the cut), at noon of the day."""
    ordered = sorted(rows, key=lambda row: (row[0], -row[2]))
    user = np.array([row[0] for row in ordered], np.int32)
    count = users if users is not None else int(user.max(initial=0))
    return PastEvents(
        user=user,
        item=np.array([row[1] for row in ordered], np.int32),
        ts=np.array([NOW - row[2] * DAY + DAY // 2 for row in ordered], np.int64),
        offsets=np.searchsorted(user, np.arange(count + 2)),
        items=items,
        now=NOW,
    )
