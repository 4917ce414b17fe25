"""Rule: putting an item into the cart or the favourites again and again is one wish, not many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ingest.cleaning.evidence import Evidence
from ingest.cleaning.masks import all_but
from ingest.cleaning.rule import CleaningRule, RuleSettings
from snapshot.event_codes import CART, FAVORITE, PURCHASE

if TYPE_CHECKING:
    import polars as pl


class RepeatedCartSettings(RuleSettings):
    """Adding the same item to cart or favourites again and again."""

    window_seconds: int = Field(
        default=600, ge=1, description="A repeat within this time of the previous one is removed, seconds."
    )


def keep_repeated_carts_out(
    events: pl.DataFrame, settings: RepeatedCartSettings, evidence: Evidence
) -> pl.Series:
    """Remove carts and favourites that repeat the user's previous one of the same item within the window.

    Each is compared with the one directly before it, so a chain of quick repeats collapses to its first.
    A purchase between two carts makes the second a new wish, and it stays.

    Args:
        events: user, item int32, event uint8, ts_ms int64, sorted by user and time.
        settings: the rule's limits.
        evidence: the resolution of the log's times, and the seed.

    Returns:
        bool[e], True for the events to keep.
    """
    import polars as pl

    same_wish = ["user", "item", "event", "purchases"]
    window_ms = settings.window_seconds * 1_000
    repeats = (
        _wishes(events)
        .sort(*same_wish, "row")
        .filter(
            pl.all_horizontal(pl.col(column) == pl.col(column).shift(1) for column in same_wish)
            & (pl.col("ts_ms") - pl.col("ts_ms").shift(1) + evidence.resolution_ms <= window_ms)
        )
        .select("row")
        .collect()
    )
    return all_but(events.height, repeats["row"])


def _wishes(events: pl.DataFrame) -> pl.LazyFrame:
    """Carts and favourites, each with the number of purchases of the same pair before it."""
    import polars as pl

    pair = ["user", "item"]
    rows = events.lazy().select("user", "item", "event", "ts_ms").with_row_index("row")
    wishes = rows.filter(pl.col("event").is_in([CART, FAVORITE]))
    purchases = (
        rows.filter(pl.col("event") == PURCHASE)
        .join(wishes.select(pair).unique(), on=pair, how="semi", maintain_order="left")
        .select(*pair, "row", (pl.int_range(pl.len()).over(pair) + 1).alias("purchases"))
    )
    return wishes.join_asof(
        purchases, on="row", by=pair, strategy="backward", check_sortedness=False
    ).with_columns(pl.col("purchases").fill_null(0))


RULE = CleaningRule(RepeatedCartSettings, keep_repeated_carts_out)
