"""Rule: what a shopper took out of the cart again was no take, up to the removal."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import IMPRESSION, PURCHASE
from snapshot.kept_in_cart import kept_in_cart


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

    Of a removal of some of the pieces in the cart, a mean of both by pieces. What a purchase of the item came
    after, and purchases themselves, count as they are.
    """
    import polars as pl

    changes = log.cart_changes
    if changes is None or changes.filter(pl.col("pieces") <= 0).is_empty():
        return Weighed.silent(log, "the log has no removals from the cart")
    columns = ["user", "item", "ts"]
    rows = (
        log.window.select(*columns, "event")
        .with_row_index("row")
        .filter(~pl.col("event").is_in([IMPRESSION, PURCHASE]))
    )
    purchases = pl.concat(
        part.filter(pl.col("event") == PURCHASE).select(columns) for part in (log.past, log.window)
    )
    kept = kept_in_cart(rows.select(columns), changes, purchases, int(settings.hours * 3_600))
    counts = pl.repeat(1.0, log.window.height, dtype=pl.Float64, eager=True)
    return Weighed(counts.scatter(rows["row"], settings.weight + (1 - settings.weight) * kept))


RULE = SampleRule(CartRemovalSettings, weigh)
