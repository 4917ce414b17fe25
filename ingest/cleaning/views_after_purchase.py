"""Rule: looking at what one has just bought is checking an order, not interest in buying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ingest.cleaning.evidence import Evidence
from ingest.cleaning.masks import all_but
from ingest.cleaning.rule import CleaningRule, RuleSettings
from snapshot.event_codes import PURCHASE, VIEW

if TYPE_CHECKING:
    import polars as pl


class ViewAfterPurchaseSettings(RuleSettings):
    """Views of an item by a user who has just bought it (order pages, not interest)."""

    window_seconds: int = Field(
        default=3_600, ge=1, description="How long after buying an item a view of it does not count, seconds."
    )


def keep_views_after_purchase_out(
    events: pl.DataFrame, settings: ViewAfterPurchaseSettings, evidence: Evidence
) -> pl.Series:
    """Remove views of an item that come after the same user's purchase of it and within the window.

    "After" is decided by the order of the events, so a view at the very time of the purchase goes only where
    the log lists it behind the purchase; "within" must be certain.

    Args:
        events: user, item int32, event uint8, ts_ms int64, sorted by user and time.
        settings: the rule's limits.
        evidence: the resolution of the log's times, and the seed.

    Returns:
        bool[e], True for the events to keep.
    """
    import polars as pl

    pair = ["user", "item"]
    rows = events.lazy().select("user", "item", "event", "ts_ms").with_row_index("row")
    purchases = rows.filter(pl.col("event") == PURCHASE).select(
        *pair, "row", pl.col("ts_ms").alias("bought_ms")
    )
    views = (
        rows.filter(pl.col("event") == VIEW)
        .join(purchases.select(pair).unique(), on=pair, how="semi", maintain_order="left")
        .select(*pair, "row", "ts_ms")
    )
    after = (
        views.sort("row")
        .join_asof(purchases.sort("row"), on="row", by=pair, strategy="backward", check_sortedness=False)
        .filter(
            pl.col("ts_ms") - pl.col("bought_ms") + evidence.resolution_ms <= settings.window_seconds * 1_000
        )
        .select("row")
        .collect()
    )
    return all_but(events.height, after["row"])


RULE = CleaningRule(ViewAfterPurchaseSettings, keep_views_after_purchase_out)
