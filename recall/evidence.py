"""What of a shopper's history is compared with others': the latest distinct items, and how each counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from features.reference_time import reference_time
from recall.query import Query
from snapshot.event_codes import IMPRESSION


class EvidenceSettings(BaseModel):
    """How many of the shopper's items count, and how fast they count less."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    history_items: int = Field(
        default=50, ge=1, le=200, description="Latest distinct items of the shopper that count."
    )
    step_scale: float = Field(
        default=2.0,
        gt=0,
        description="σ in an item's weight exp(−steps / σ): steps are the distinct moments at which the "
        "shopper did something after it last, so items of one receipt count alike.",
    )
    half_life_days: float = Field(
        default=365.0, gt=0, description="Age in days at which an item's weight is halved besides."
    )


def evidence_of(query: Query, settings: EvidenceSettings) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The items that the answer is based on, and their weights; a page about anchors has these alone.

    weight(i) = exp(−steps(i) / σ) · 2^(−age(i) / half-life), by the latest behaviour with the item. Ages are
    counted from `features.reference_time`. Impressions and unknown items (0) do not count.

    Returns:
        items int32[n], distinct, latest first (anchors: as given), n at most `history_items`;
        weights float32[n], positive.
    """
    if query.anchors.size:
        kept = slice(settings.history_items)
        return query.anchors[kept], query.anchor_weights[kept]
    done = np.flatnonzero((query.history_events != IMPRESSION) & (query.history_items > 0))
    items, ts = query.history_items[done], query.history_ts[done]
    latest = np.unique(items, return_index=True)[1]
    latest.sort()
    latest = latest[: settings.history_items]
    steps = np.cumsum(np.diff(ts, prepend=ts[:1]) != 0)[latest]
    now = reference_time(query.now, ts.max(initial=0))
    age_days = np.maximum(now - ts[latest], 0) / 86_400
    weights = np.exp(-steps / settings.step_scale) * np.exp2(-age_days / settings.half_life_days)
    # A weight of 0, far down a long history, would be no weight.
    counting = weights > np.finfo(np.float32).tiny
    return items[latest[counting]].astype(np.int32), weights[counting].astype(np.float32)
