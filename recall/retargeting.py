"""Retargeting: what the shopper viewed, marked as favourite or put into the cart, and did not keep or buy.

    score(i) = Σ over the shopper's views, favourites and carts of i  strength · 2^(−age / half-life)

of items that the shopper has neither bought nor taken out of the cart after these. Never more than `limit`
items, whatever is asked for: a page of what was looked at already shows nothing new. `again` recalls what was
bought too, without a limit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from features.reference_time import reference_time
from recall.channel import (
    BuildSource,
    ChannelKind,
    NothingToRecall,
    OptionalChannelSettings,
    Recalled,
    Services,
)
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.event_codes import CONSIDERATION_CODES, EVENT_STRENGTH, IS_CONSIDERATION, PURCHASE

NAME = "retargeting"
SHOWABLE = "showable"
_DAY_S = 86_400


class RetargetingSettings(OptionalChannelSettings):
    """Items that the shopper showed interest in and did not buy."""

    limit: int = Field(default=20, ge=1, le=1_000, description="Most items of an answer.")
    window_days: float = Field(
        default=30.0, gt=0, description="Days before the request within which interest counts."
    )
    half_life_days: float = Field(default=3.0, gt=0, description="Age in days at which interest is halved.")


class Retargeting:
    """Sums the interest in each item of the query's history that was not bought or put back since."""

    name = NAME

    def __init__(self, showable: np.ndarray, settings: RetargetingSettings) -> None:
        """`showable`: bool[N + 1], the items in stock."""
        self._showable = showable
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """At most min(k, limit) items, each its own trigger. Empty without views, favourites or carts."""
        items, events, ts = query.history_items, query.history_events, query.history_ts
        now = reference_time(query.now, ts.max(initial=0))
        age_days = np.maximum(now - ts, 0) / _DAY_S
        interest = IS_CONSIDERATION[events] & self._showable[items] & (age_days <= self._settings.window_days)
        at = np.flatnonzero(interest & (ts > _last_settled(query)))
        scores = EVENT_STRENGTH[events[at]] * np.exp2(-age_days[at] / self._settings.half_life_days)
        limit = min(k, self._settings.limit)
        return merge_by_item(items[at], scores.astype(np.float32), items[at], limit, "sum")


def _last_settled(query: Query) -> np.ndarray:
    """int64[h]: when the item of each behaviour was bought or taken out of the cart last.

    The smallest number where it never was.
    """
    never = np.iinfo(np.int64).min
    bought = query.history_events == PURCHASE
    items = np.concatenate((query.history_items[bought], query.purchased_items, query.removed_items))
    if not items.size:
        return np.full(len(query.history_items), never)
    distinct, number = np.unique(items, return_inverse=True)
    last = np.full(len(distinct), never)
    np.maximum.at(
        last, number, np.concatenate((query.history_ts[bought], query.purchased_ts, query.removed_ts))
    )
    at = np.minimum(np.searchsorted(distinct, query.history_items), len(distinct) - 1)
    return np.where(distinct[at] == query.history_items, last[at], never)


def build(source: BuildSource, folder: Path, settings: RetargetingSettings) -> dict[str, int]:
    """Write which items may be shown; returns how many.

    Raises NothingToRecall where the log has no views, favourites or carts.
    """
    if not source.events["event"].is_in(CONSIDERATION_CODES).any():
        raise NothingToRecall("the log has no views, favourites or carts")
    showable = np.array(source.catalogue.in_stock)
    showable[0] = False
    save_column(folder, SHOWABLE, showable)
    return {SHOWABLE: int(showable.sum())}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: RetargetingSettings
) -> Retargeting:
    """Memory-map what `build` wrote. Raises SnapshotError where it is torn or does not fit."""
    return Retargeting(load_column(folder, SHOWABLE, np.dtype(np.bool_), catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=RetargetingSettings, build=build, open=open_channel, waits=False)
