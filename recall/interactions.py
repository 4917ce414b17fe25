"""What each shopper took, one row per shopper and item: what tables are built from. Offline only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.behaviour_score import behaviour_scores
from recall.channel import BuildSource
from recall.pair_blocks import UserEvents
from snapshot.event_codes import IMPRESSION
from snapshot.partition_work import Columns, joined


@dataclass(frozen=True)
class Interactions:
    """Distinct (shopper, item) pairs as columns of equal length, sorted by user, ts and item."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    ts: NDArray[np.int64]
    """int64, the latest behaviour of the pair, unix seconds."""
    score: NDArray[np.float32]
    """float32, `features.behaviour_score` of the pair, above 0."""

    @cached_property
    def events(self) -> UserEvents:
        """The same rows without their scores."""
        return UserEvents(self.user, self.item, self.ts)

    def latest_of_each_user(self, limit: int) -> Interactions:
        """Only the `limit` latest items of each shopper."""
        ends = np.searchsorted(self.user, self.user, side="right")
        kept = ends - np.arange(len(self.user)) <= limit
        return Interactions(self.user[kept], self.item[kept], self.ts[kept], self.score[kept])

    def decayed_scores(self, now: int, half_life_days: float) -> NDArray[np.float64]:
        """Each row's score times 2^(−age / half-life), by the age of its latest behaviour; float64[n]."""
        return self.score.astype(np.float64) * np.exp2((self.ts - now) / (half_life_days * 86_400))


def interactions_of(source: BuildSource) -> Interactions:
    """Everything shoppers did themselves (no impressions) up to `source.now`."""
    parts = source.work.over_shoppers("interactions", interaction_columns, source.events, source.now)
    return Interactions(**joined(parts))


def interaction_columns(events: pl.DataFrame, now: int) -> Columns:
    """The columns of `Interactions` of some shoppers, by all their events; nothing after `now` is used."""
    behaviours = events.filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= now))
    pairs = behaviour_scores(behaviours).filter(pl.col("score") > 0).sort("user", "last_ts", "item")
    return {
        "user": pairs["user"].to_numpy().astype(np.int32),
        "item": pairs["item"].to_numpy().astype(np.int32),
        "ts": pairs["last_ts"].to_numpy().astype(np.int64),
        "score": pairs["score"].to_numpy().astype(np.float32),
    }


def impressions_of(source: BuildSource) -> UserEvents:
    """Every impression up to `source.now`, sorted by user and ts."""
    parts = source.work.over_shoppers("impressions", impression_columns, source.events, source.now)
    return UserEvents(**joined(parts))


def impression_columns(events: pl.DataFrame, now: int) -> Columns:
    """The columns of `impressions_of` of some shoppers."""
    shown = events.filter((pl.col("event") == IMPRESSION) & (pl.col("ts") <= now))
    shown = shown.sort("user", "ts", maintain_order=True)
    return {
        "user": shown["user"].to_numpy().astype(np.int32),
        "item": shown["item"].to_numpy().astype(np.int32),
        "ts": shown["ts"].to_numpy().astype(np.int64),
    }
