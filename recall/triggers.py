"""Which items of a history cause recall, and how strongly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from features.reference_time import reference_time
from snapshot.event_codes import EVENT_STRENGTH


class TriggerSettings(BaseModel):
    """Which items of a history cause recall, and how strongly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=100, ge=1, le=200, description="Distinct items at most.")
    time_scale_hours: float = Field(
        default=720.0, gt=0, description="Age in hours at which an item counts half: 1 / (1 + age / scale)."
    )


def select_triggers(
    history_items: NDArray[np.int32],
    history_events: NDArray[np.uint8],
    history_ts: NDArray[np.int64],
    now: int,
    limit: int | None = None,
    settings: TriggerSettings = TriggerSettings(),
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The distinct items of a history that weigh most, heaviest first.

    An item's weight is the sum over its behaviours of strength / (1 + age / time_scale): what was done, how
    often and how long ago. The heavy tail of 1 / (1 + x) suits shops visited hourly and shops visited weekly
    alike. Ages are counted from `features.reference_time`. Impressions and unknown items (0) cause nothing.

    Args:
        history_items: int32[h], any order.
        history_events: uint8[h], event codes.
        history_ts: int64[h], unix seconds; a time after `now` counts as `now`.
        now: unix seconds.
        limit: at most so many; by default `settings.limit`.
        settings: the time scale.

    Returns:
        items int32[t], distinct, 1…N; weights float32[t] in (0, 1], the heaviest 1.
    """
    if len(history_ts) == 0:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    age_hours = np.maximum(reference_time(now, history_ts.max()) - history_ts, 0) / 3600
    strength = EVENT_STRENGTH[history_events] / (1 + age_hours / settings.time_scale_hours)
    causing = np.flatnonzero((strength > 0) & (history_items > 0))
    if len(causing) == 0:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    items, member = np.unique(history_items[causing], return_inverse=True)
    weights = np.bincount(member, weights=strength[causing])
    heaviest = np.lexsort((items, -weights))[: settings.limit if limit is None else limit]
    return items[heaviest].astype(np.int32), (weights[heaviest] / weights.max()).astype(np.float32)
