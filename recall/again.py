"""Again: the shopper's own past items, for shops where people buy the same again (groceries).

score(i) = Σ over the shopper's past behaviours of i of strength × decay(age)   ×   repeat_rate(i)^γ

The repeat rate is the share of an item's shoppers who came back to it on another day, smoothed towards that
of its category and the category's towards everybody's (Anderson et al., "The dynamics of repeat
consumption", WWW 2014, for recency and frequency as the drivers of re-consumption). Ages are counted from
`features.reference_time`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.reference_time import reference_time
from recall.channel import BuildSource, ChannelKind, ChannelSettings, Recalled, Services
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.event_codes import EVENT_STRENGTH, PURCHASE

NAME = "again"
REPEAT_RATE = "repeat_rate"


class AgainSettings(ChannelSettings):
    """The shopper's own past items, by recency, frequency and how often people come back to them."""

    time_scale_hours: float = Field(
        default=168.0, gt=0, description="τ in a past behaviour's weight (1 + age / τ)^−δ, hours."
    )
    age_exponent: float = Field(
        default=0.7, ge=0, le=5, description="δ in a past behaviour's weight (1 + age / τ)^−δ."
    )
    rate_prior: float = Field(
        default=10.0,
        gt=0,
        description="Shoppers' worth of the category's repeat rate mixed into an item's own.",
    )
    rate_exponent: float = Field(
        default=1.0, ge=0, le=2, description="Power of the repeat rate in the score."
    )


class Again:
    """Ranks the items of the query's history and purchases."""

    name = NAME

    def __init__(
        self, repeat_rate: NDArray[np.float32], catalogue: Catalogue, settings: AgainSettings
    ) -> None:
        """Repeat rate by item, float32[N + 1]."""
        # An item out of stock cannot be taken again; a factor of 0 leaves it out.
        self._factor = np.where(catalogue.in_stock, repeat_rate**settings.rate_exponent, 0).astype(np.float32)
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The shopper's k most likely repeats; each is its own trigger. Empty without a history."""
        items, events, ts = past_behaviours(query)
        factor = self._factor[items]
        age_hours = np.maximum(reference_time(query.now, ts.max(initial=0)) - ts, 0) / 3600
        decay = (1 + age_hours / self._settings.time_scale_hours) ** -self._settings.age_exponent
        scores = EVENT_STRENGTH[events] * decay * factor
        due = np.flatnonzero(scores > 0)
        return merge_by_item(items[due], scores[due].astype(np.float32), items[due], k, "sum")


def past_behaviours(query: Query) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64]]:
    """The history and the purchases too old for it: items int32, events uint8, ts int64, each [n]."""
    oldest = query.history_ts.min(initial=np.iinfo(np.int64).max)
    older = query.purchased_ts < oldest
    return (
        np.concatenate((query.history_items, query.purchased_items[older])),
        np.concatenate((query.history_events, np.full(np.count_nonzero(older), PURCHASE, np.uint8))),
        np.concatenate((query.history_ts, query.purchased_ts[older])),
    )


def build(source: BuildSource, folder: Path, settings: AgainSettings) -> dict[str, int]:
    """Write `repeat_rate.npy` into `folder`; returns how many items anybody came back to."""
    from recall.again_build import repeat_rates

    rates, repeated = repeat_rates(source, settings.rate_prior)
    save_column(folder, REPEAT_RATE, rates)
    return {"items": len(rates) - 1, "repeated": repeated}


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: AgainSettings) -> Again:
    """Memory-map the rates of `build`. Raises SnapshotError where they are torn or do not fit."""
    rates = load_column(folder, REPEAT_RATE, np.dtype(np.float32), catalogue.size + 1)
    return Again(rates, catalogue, settings)


CHANNEL = ChannelKind(settings=AgainSettings, build=build, open=open_channel, waits=False)
