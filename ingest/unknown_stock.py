"""Items whose stock nobody knows, in a shop that says of others whether they can be bought."""

from __future__ import annotations

import polars as pl


def unknown_out_of_stock(items: pl.DataFrame, ids: pl.Series) -> tuple[pl.DataFrame, int]:
    """Set items without a readable stock, and items that the table lacks, out of stock.

    Args:
        items: has item_id str (unique) and in_stock bool.
        ids: str, all items of the catalogue.

    Returns:
        The table with a row for each of `ids` it lacked, and how many of `ids` had no known stock.
    """
    lacking = ids.filter(~ids.is_in(items["item_id"].implode())).rename("item_id")
    whole = pl.concat([items, pl.DataFrame({"item_id": lacking})], how="diagonal")
    unknown = whole["in_stock"].is_null() & whole["item_id"].is_in(ids.implode())
    return whole.with_columns(pl.col("in_stock").fill_null(False)), int(unknown.sum())
