"""Rule: users with very many events are downsampled, lest they dominate every statistic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
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

    The sample is drawn without regard to time, so that it keeps the shape of the user's activity, and for
    each user by itself.

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
        position = busy.select(pl.int_range(pl.len()).over("user")).to_series()
        order = pl.Series(_draws(busy["user"].to_numpy(), position.to_numpy(), evidence.seed))
    surplus = (
        busy.lazy()
        .with_columns(order.alias("order"), (pl.col("event") != PURCHASE).alias("no_purchase"))
        .sort("user", "no_purchase", "order")
        .filter(pl.int_range(pl.len()).over("user") >= settings.max_events)
        .select("row")
        .collect()
    )
    return all_but(events.height, surplus["row"])


def _draws(user: NDArray[np.int32], position: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """uint64[e]: a number for each event that looks random, from its user, its place among them and the seed.

    The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), twice.
    """
    draws = (user.astype(np.uint64) << np.uint64(32)) ^ position.astype(np.uint64)
    draws ^= np.random.default_rng(seed).integers(0, 2**63, dtype=np.uint64)
    for _ in range(2):
        draws += np.uint64(0x9E3779B97F4A7C15)
        draws = (draws ^ (draws >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        draws = (draws ^ (draws >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        draws ^= draws >> np.uint64(31)
    return draws


RULE = CleaningRule(HyperactiveUserSettings, keep_hyperactive_users_down)
