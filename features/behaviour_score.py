"""Behaviour scores: an estimate of a user's interest in an item from the kind and number of events."""

from __future__ import annotations

import polars as pl

from snapshot.event_codes import IMPRESSION
from snapshot.event_kinds import EVENT_KINDS


def behaviour_scores(events: pl.DataFrame) -> pl.DataFrame:
    """Score every user–item pair by the strongest thing the user did with the item.

    Each kind of event is scored by its count (`EventKind.scores`: one view 2.52, two 2.9, …, three or more
    purchases 5.0); the pair's score is the maximum over its kinds. Pairs with impressions alone score 0.

    Args:
        events: user and item (integer), event uint8 (`snapshot.event_codes`), ts int64 (unix seconds).

    Returns:
        user, item (types as given), score float32 and last_ts int64, the time of the pair's latest behaviour
        (of its latest impression where there is no behaviour); one row per pair, sorted by user and item.
    """
    tables = {kind.code: kind.scores for kind in EVENT_KINDS.values() if kind.scores}
    behaviour = pl.col("event") != IMPRESSION
    counts = [(pl.col("event") == code).sum().alias(f"count_{code}") for code in tables]
    scores = []
    for code, table in tables.items():
        count = pl.col(f"count_{code}")
        score = pl.lit(0.0, dtype=pl.Float32)
        for threshold, value in table.items():
            score = pl.when(count >= threshold).then(pl.lit(value, dtype=pl.Float32)).otherwise(score)
        scores.append(score)
    return (
        events.lazy()
        .group_by("user", "item")
        .agg(
            *counts,
            pl.coalesce(pl.col("ts").filter(behaviour).max(), pl.col("ts").max()).alias("last_ts"),
        )
        .select("user", "item", pl.max_horizontal(scores).alias("score"), "last_ts")
        .sort("user", "item")
        .collect()
    )
