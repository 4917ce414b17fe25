"""How much of what shoppers put into the cart they left in it, by the removals of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshot.event_codes import CART_CODES

if TYPE_CHECKING:
    import polars as pl

_KEYS = ("user", "item")
_MOST_PIECES = 1_000_000
_ALL = -(1 << 40)
"""Pieces that a purchase, and a removal without a number, take out: more than a cart can have."""
_ROW, _PUT, _PURCHASE, _REMOVAL = range(4)
"""In their order at equal seconds: what is bought at the second at which it was put in leaves the cart."""


def cart_changes(events: pl.LazyFrame, removals: pl.DataFrame) -> pl.DataFrame:
    """What was put into carts and taken out of them, sorted by user and time.

    At equal seconds removals come last: the files do not say which was first.

    Args:
        events: user, item int32, event uint8, ts int64 (unix seconds), and quantity where it is known.
        removals: as of `Dataset.cart_removals`.

    Returns:
        user int32, item int32, ts int64, pieces int32: above 0 put in, below 0 taken out, 0 = all taken out.
    """
    import polars as pl

    pieces = pl.lit(1.0)
    if "quantity" in events.collect_schema():
        quantity = pl.col("quantity").cast(pl.Float64).fill_nan(None).fill_null(1.0)
        pieces = quantity.clip(1.0, _MOST_PIECES)
    put = (
        events.filter(pl.col("event").is_in(CART_CODES))
        .select("user", "item", "ts", pieces.cast(pl.Int32).alias("pieces"))
        .collect()
    )
    removed = removals.select("user", "item", "ts", -pl.col("pieces"))
    return pl.concat([put, removed]).sort("user", "ts", maintain_order=True)


def kept_in_cart(
    rows: pl.DataFrame, changes: pl.DataFrame, purchases: pl.DataFrame, within_s: int | None = None
) -> pl.Series:
    """The part of an item's pieces that removals after each row left in the cart.

    Of three pieces, of which one is taken out and then another, 2/3 · 1/2 is left. A removal that names no
    pieces, or more than the cart is known to have, leaves none. One after the item's next purchase says
    nothing of what came before it.

    Args:
        rows: user, item int32, ts int64; in any order.
        changes: as of `cart_changes`.
        purchases: user, item, ts of purchases.
        within_s: seconds within which a removal counts; None = however late.

    Returns:
        float64[n], 0…1, in the order of the rows; 1 where nothing was taken out.
    """
    import polars as pl

    log = _log_of_removed(rows, changes, purchases)
    before = pl.col("pieces").shift(1).over(_KEYS).fill_null(0)
    left = pl.when(before > 0).then(pl.col("pieces") / before).otherwise(0.0).alias("left")
    since = [*_KEYS, "bought"]
    removals = log.with_columns(left).filter(pl.col("kind") == _REMOVAL)
    told = (
        log.filter(pl.col("kind") == _ROW)
        .select(*since, "row", "ts")
        .join(removals.select(*since, "left", pl.col("ts").alias("out_ts")), on=since)
        .filter(pl.col("out_ts") >= pl.col("ts"))
    )
    if within_s is not None:
        told = told.filter(pl.col("out_ts") - pl.col("ts") <= within_s)
    kept = told.group_by("row").agg(pl.col("left").product())
    result = pl.repeat(1.0, rows.height, dtype=pl.Float64, eager=True)
    return result.scatter(kept["row"], kept["left"])


def _log_of_removed(rows: pl.DataFrame, changes: pl.DataFrame, purchases: pl.DataFrame) -> pl.DataFrame:
    """Rows, cart changes and purchases of the items that a shopper ever took out of the cart, in their order.

    Takes tables as of `kept_in_cart`.

    Returns:
        Sorted by user, item, ts and kind: user, item, ts; kind int8 (`_ROW` …); row uint32, null where it is
        none of `rows`; pieces int64, those in the cart after it; bought, purchases of the item until then.
    """
    import polars as pl

    removed = changes.filter(pl.col("pieces") <= 0).select(_KEYS).unique()
    change = pl.col("pieces").cast(pl.Int64)
    parts = [
        (rows.with_row_index("row"), pl.lit(_ROW), pl.lit(0), pl.col("row")),
        (changes, pl.lit(_PUT), change, None),
        (purchases, pl.lit(_PURCHASE), pl.lit(_ALL), None),
    ]
    nothing = pl.lit(None, pl.UInt32)
    log = pl.concat(
        part.join(removed, on=_KEYS, how="semi").select(
            *_KEYS,
            "ts",
            kind.cast(pl.Int8).alias("kind"),
            amount.cast(pl.Int64).alias("change"),
            (nothing if row is None else row).cast(pl.UInt32).alias("row"),
        )
        for part, kind, amount, row in parts
    )
    taken_out = (pl.col("kind") == _PUT) & (pl.col("change") <= 0)
    log = log.with_columns(
        kind=pl.when(taken_out).then(pl.lit(_REMOVAL, pl.Int8)).otherwise("kind"),
        change=pl.when(taken_out & (pl.col("change") == 0)).then(_ALL).otherwise("change"),
    ).sort(*_KEYS, "ts", "kind", maintain_order=True)
    # Pieces in the cart, never below 0, are a sum of changes less its lowest point so far.
    return log.with_columns(pl.col("change").cum_sum().over(_KEYS).alias("sum")).with_columns(
        (pl.col("sum") - pl.min_horizontal(pl.col("sum").cum_min().over(_KEYS), 0)).alias("pieces"),
        (pl.col("kind") == _PURCHASE).cum_sum().over(_KEYS).alias("bought"),
    )
