"""Rule: what a shopper took out of the cart again was no take, up to the removal."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import IMPRESSION, PURCHASE


class CartRemovalSettings(GeneralRuleSettings):
    """What counts of an item that was taken out of the cart."""

    weight: float = Field(
        default=0.0, ge=0, le=1, description="Weight of what was done with the item before it was taken out."
    )
    hours: float = Field(
        default=24.0,
        gt=0,
        le=8_760,
        description="Hours before the removal in which what was done with the item counts so.",
    )


def weigh(log: SampleLog, settings: CartRemovalSettings) -> Weighed:
    """`weight` of views, favourites and carts of an item up to `hours` before its removal, 1 of all else.

    Purchases count as they are.
    """
    import polars as pl

    if log.removals is None or log.removals.is_empty():
        return Weighed.silent(log, "the log has no removals from the cart")
    rows = (
        log.window.select("user", "item", "event", "ts")
        .with_row_index("row")
        .filter(~pl.col("event").is_in([IMPRESSION, PURCHASE]))
        .sort("ts")
    )
    removals = log.removals.select("user", "item", "ts", pl.lit(True).alias("removed")).sort("ts")
    regretted = rows.join_asof(
        removals,
        on="ts",
        by=["user", "item"],
        strategy="forward",
        tolerance=int(settings.hours * 3_600),
        check_sortedness=False,
    ).drop_nulls("removed")["row"]
    counts = pl.repeat(1.0, log.window.height, dtype=pl.Float64, eager=True)
    return Weighed(counts.scatter(regretted, settings.weight))


RULE = SampleRule(CartRemovalSettings, weigh)
