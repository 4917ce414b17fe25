"""Sets corrections apart from the events, as they are no interest; removals from the cart get a file."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ingest.dense_ids import DenseIds
from ingest.shop_tables import ShopTables
from snapshot.event_codes import CORRECTION_CODES

_MOST_PIECES = 1_000_000
"""As for reported events."""
UNKNOWN = "cart removals of shoppers or items that have no other event"


def without_corrections(tables: ShopTables) -> tuple[ShopTables, pl.DataFrame]:
    """The tables with the events that are no corrections, and the rows of the corrections."""
    correction = pl.col("event").is_in(CORRECTION_CODES)
    corrections = tables.events.filter(correction)
    if corrections.is_empty():
        return tables, corrections
    return replace(tables, events=tables.events.filter(~correction)), corrections


def numbered_removals(removals: pl.DataFrame, users: DenseIds, items: DenseIds) -> pl.DataFrame:
    """Removals from the cart by dense index, those of unknown shoppers and items left out.

    Args:
        removals: user_id, item_id (str or integer), ts_ms int64, optional quantity (numeric).
        users: of the data set.
        items: of the data set.

    Returns:
        The columns of `Dataset.cart_removals`, sorted by user and time.
    """
    pieces = pl.col("quantity") if "quantity" in removals.columns else pl.lit(None, pl.Float64)
    return (
        removals.lazy()
        .select(
            pl.col("user_id").cast(pl.String),
            pl.col("item_id").cast(pl.String),
            (pl.col("ts_ms") // 1_000).alias("ts"),
            # Some shops write the change of the cart, −2, and others the pieces that were taken out, 2. A
            # part of a piece counts as one, as where it was put in: 0 would take out all.
            pieces.cast(pl.Float64)
            .fill_nan(None)
            .fill_null(0)
            .abs()
            .clip(0, _MOST_PIECES)
            .ceil()
            .cast(pl.Int32)
            .alias("pieces"),
        )
        .join(_index(users, "user"), on="user_id", how="inner")
        .join(_index(items, "item"), on="item_id", how="inner")
        .select("user", "item", "ts", "pieces")
        .sort("user", "ts", maintain_order=True)
        .collect()
    )


def _index(ids: DenseIds, name: str) -> pl.LazyFrame:
    dense = pl.Series(name, range(1, len(ids) + 1), dtype=pl.Int32)
    return pl.LazyFrame([ids.ids.rename(f"{name}_id"), dense])
