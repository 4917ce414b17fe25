"""Importer: Amazon Beauty (McAuley 2014) as sequences of items with gaps, and anonymous item attributes.

What the files leave open is decided here, the same way every time:

- Only the time since a shopper's previous review is known. Each shopper's last review is put on a day of the
  period's last year, spread evenly by the shopper's number (multiples of the golden ratio), and the others
  before it by their gaps. Order and gaps of one shopper are real; how shoppers lie to each other is not, so
  this data set shows no change of popularity over time.
- Attributes are numbers without names, in the order of S3-Rec's preparation (Zhou et al. 2020,
  arXiv:2008.07873): the brand, where known, then categories from coarse to fine. An attribute that stands
  first wherever it occurs is a brand; of the rest the first is the standard category, the last the category.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.attributes import item_attributes
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import read_table
from ingest.usable_events import keep_usable

_SEQUENCES = "beauty_sequences.parquet"
_ATTRIBUTES = "beauty_item_attributes.parquet"
_COLUMNS = {_SEQUENCES: ("user", "items", "gap_sec"), _ATTRIBUTES: ("item", "attributes")}

_END_S = 1_406_073_600  # 2014-07-23, the day after the last review of the published data
_DAY_S = 86_400
_SPREAD_DAYS = 365
_GOLDEN = (5**0.5 - 1) / 2


def matches(folder: Path) -> bool:
    """Whether the folder holds both files."""
    return all((folder / name).is_file() for name in _COLUMNS)


def read(folder: Path, now: datetime) -> ShopTables:
    """Read the sequences, each review as a purchase, and the items' brand and categories.

    Raises:
        IngestError: a column is missing, a shopper has not one gap per item, or no row is usable.
        UnreadableFile: a file is broken; named with row and column.
    """
    sequences = _read(folder, _SEQUENCES)
    uneven = sequences.filter(pl.col("items").list.len() != pl.col("gap_sec").list.len())
    if uneven.height:
        raise IngestError(
            f"{folder / _SEQUENCES}: user {uneven['user'][0]} has {len(uneven['items'][0])} items but "
            f"{len(uneven['gap_sec'][0])} gaps; bring the file as it was published"
        )
    events, removed = keep_usable(
        _reviews(sequences), {"review": "purchase"}, int(now.timestamp() * 1_000), _SEQUENCES
    )
    items, faults = item_attributes(_named_attributes(_read(folder, _ATTRIBUTES)), _ATTRIBUTES)
    return ShopTables(
        source=f"Amazon Beauty ({folder / _SEQUENCES})", events=events, items=items, removed=removed | faults
    )


def _read(folder: Path, name: str) -> pl.DataFrame:
    try:
        return read_table(folder / name).select(_COLUMNS[name])
    except pl.exceptions.ColumnNotFoundError as error:
        raise IngestError(
            f"{folder / name}: lacks a column of {', '.join(_COLUMNS[name])} ({error}); "
            "bring the file as it was published"
        ) from error


def _reviews(sequences: pl.DataFrame) -> pl.DataFrame:
    """One row per review: user_id, item_id, event, ts_ms."""
    fraction = pl.col("user").cast(pl.Float64) * _GOLDEN % 1
    last = _END_S - (fraction * _SPREAD_DAYS).floor().cast(pl.Int64) * _DAY_S
    passed = pl.col("gap_sec").cum_sum().over("user")
    return (
        sequences.with_columns(last.alias("last"))
        .explode("items", "gap_sec")
        .select(
            pl.col("user").alias("user_id"),
            pl.col("items").alias("item_id"),
            pl.lit("review").alias("event"),
            ((pl.col("last") + passed - passed.last().over("user")) * 1_000).alias("ts_ms"),
        )
    )


def _named_attributes(table: pl.DataFrame) -> pl.DataFrame:
    """item_id, brand, standard_category, category."""
    placed = table.with_columns(pl.int_ranges(pl.col("attributes").list.len()).alias("place")).explode(
        "attributes", "place"
    )
    always_first = (pl.col("place") == 0).all().over("attributes")
    split = placed.with_columns(always_first.alias("is_brand"))
    category = pl.col("attributes").filter(~pl.col("is_brand"))
    return (
        split.group_by("item", maintain_order=True)
        .agg(
            pl.col("attributes").filter("is_brand").first().alias("brand"),
            category.first().alias("standard_category"),
            category.last().alias("category"),
        )
        .rename({"item": "item_id"})
    )
