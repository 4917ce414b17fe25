"""Rule: users with very many events are downsampled, lest they dominate every statistic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ingest.cleaning.evidence import Evidence
from ingest.cleaning.masks import all_but
from ingest.cleaning.rule import CleaningRule, RuleSettings
from snapshot.event_codes import PURCHASE

if TYPE_CHECKING:
    import polars as pl


class HyperactiveUserSettings(RuleSettings):
    """Users with so many events that they would dominate every statistic; they are downsampled."""

    max_events: int = Field(
        default=10_000, ge=1, description="Events kept per user, purchases first, events."
    )
    keep: Literal["sample", "recent"] = Field(
        default="sample",
        description="Which of the events beyond purchases stay: 'sample' a seeded even sample over the "
        "user's time, 'recent' the newest.",
    )


def keep_hyperactive_users_down(
    events: pl.DataFrame, settings: HyperactiveUserSettings, evidence: Evidence
) -> pl.Series:
    """Keep at most `max_events` events per user: purchases before all others, then a sample or the newest.

    The sample is drawn without regard to time, so that it keeps the shape of the user's activity.

    Args:
        events: user int32, event uint8, sorted by user and time.
        settings: the rule's limits.
        evidence: the resolution of the log's times, and the seed.

    Returns:
        bool[e], True for the events to keep.
    """
    import polars as pl

    busy = (
        events.lazy()
        .select("user", "event")
        .with_row_index("row")
        .join(
            events.lazy().group_by("user").len().filter(pl.col("len") > settings.max_events),
            on="user",
            how="semi",
            maintain_order="left",
        )
        .collect()
    )
    if settings.keep == "recent":
        order = -busy["row"].cast(pl.Int64)
    else:
        order = pl.Series(np.random.default_rng(evidence.seed).permutation(busy.height))
    surplus = (
        busy.lazy()
        .with_columns(order.alias("order"), (pl.col("event") != PURCHASE).alias("no_purchase"))
        .sort("user", "no_purchase", "order")
        .filter(pl.int_range(pl.len()).over("user") >= settings.max_events)
        .select("row")
        .collect()
    )
    return all_but(events.height, surplus["row"])


RULE = CleaningRule(HyperactiveUserSettings, keep_hyperactive_users_down)
