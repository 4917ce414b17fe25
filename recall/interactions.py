"""What each shopper took, one row per shopper and item: what tables are built from. Offline only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.behaviour_score import behaviour_scores
from recall.channel import BuildSource
from recall.pair_blocks import UserEvents
from snapshot.event_codes import IMPRESSION
from snapshot.log_parts import sums_by
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

    def decayed_scores(
        self, now: int, half_life_days: float, rows: slice | NDArray[np.integer[Any]] = slice(None)
    ) -> NDArray[np.float64]:
        """Each row's score times 2^(−age / half-life), by the age of its latest behaviour; float64[n].

        rows: of which rows; all by default.
        """
        age = (self.ts[rows] - now) / (half_life_days * 86_400)
        return self.score[rows].astype(np.float64) * np.exp2(age)

    def heat(self, now: int, half_life_days: float, length: int) -> NDArray[np.float64]:
        """float64[length]: the sum of each item's `decayed_scores`; length: N + 1."""
        return sums_by(self.item, lambda rows: self.decayed_scores(now, half_life_days, rows), length)


@dataclass(frozen=True)
class Taken:
    """What of a log counts: nothing after `now` (unix seconds), so many latest items of each shopper."""

    now: int
    items_per_user: int | None = None


def interactions_of(source: BuildSource, items_per_user: int | None = None) -> Interactions:
    """Everything shoppers did themselves (no impressions) up to `source.now`.

    items_per_user: only so many of each shopper's items, the latest; None = all.
    """
    taken = Taken(source.now, items_per_user)
    parts = source.work.over_shoppers("interactions", interaction_columns, source.events, taken)
    return Interactions(**joined(parts))


def interaction_columns(events: pl.DataFrame, taken: Taken) -> Columns:
    """The columns of `Interactions` of some shoppers, by all their events (as `BuildSource.events`).

    Returns user int32, item int32, ts int64 (unix seconds) and score float32, all of one length.
    """
    behaviours = events.filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= taken.now))
    pairs = behaviour_scores(behaviours).filter(pl.col("score") > 0).sort("user", "last_ts", "item")
    user = pairs["user"].to_numpy().astype(np.int32)
    kept = np.ones(len(user), np.bool_)
    if taken.items_per_user is not None:
        left = np.searchsorted(user, user, side="right") - np.arange(len(user))
        kept = left <= taken.items_per_user
    return {
        "user": user[kept],
        "item": pairs["item"].to_numpy().astype(np.int32)[kept],
        "ts": pairs["last_ts"].to_numpy().astype(np.int64)[kept],
        "score": pairs["score"].to_numpy().astype(np.float32)[kept],
    }


def impressions_of(source: BuildSource) -> UserEvents:
    """Every impression up to `source.now`, sorted by user and ts."""
    parts = source.work.over_shoppers("impressions", impression_columns, source.events, source.now)
    return UserEvents(**joined(parts))


def impression_columns(events: pl.DataFrame, now: int) -> Columns:
    """The columns of `impressions_of` of some shoppers: user int32, item int32, ts int64 (unix seconds)."""
    shown = events.filter((pl.col("event") == IMPRESSION) & (pl.col("ts") <= now))
    shown = shown.sort("user", "ts", maintain_order=True)
    return {
        "user": shown["user"].to_numpy().astype(np.int32),
        "item": shown["item"].to_numpy().astype(np.int32),
        "ts": shown["ts"].to_numpy().astype(np.int64),
    }
