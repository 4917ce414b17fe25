"""The few column types that the rest of ingest reads, from whatever a Parquet file or workbook holds."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from ingest.shop_tables import IngestError
from snapshot.item_columns import ITEM_COLUMNS

FROM_EVENTS = "from_events."
"""Prefix of columns that hold what an item's or user's attribute is taken from."""


def with_plain_types(table: pl.DataFrame, names: Collection[str], path: Path) -> pl.DataFrame:
    """Bring columns to int64, uint64, float64, bool, str, date or datetime; lists of values become texts a|b.

    Args:
        table: under our names.
        names: columns to bring to plain types; those the table lacks are passed over.
        path: file to name.

    Raises:
        IngestError: a column holds bytes that are no text, durations, times of day, or nested values.
    """
    return table.with_columns(_plain(table[name], name, path) for name in names if name in table.columns)


def _plain(values: pl.Series, name: str, path: Path) -> pl.Series:
    dtype = values.dtype
    column = ITEM_COLUMNS.get(name)
    is_time = name == "timestamp" or (column is not None and column.kind == "time")
    takes_lists = name.startswith(FROM_EVENTS) or (column is not None and column.kind in ("group", "text"))
    if is_time and dtype == pl.Boolean:
        raise _refused(dtype, name, path)
    if dtype == pl.Null:
        return values.cast(pl.String)
    if dtype in (pl.String, pl.Boolean, pl.Date, pl.UInt64) or isinstance(dtype, pl.Datetime):
        return values
    if dtype in (pl.Int128, pl.UInt128):
        return values.cast(pl.String)
    if dtype.is_integer():
        return values.cast(pl.Int64)
    if dtype.is_numeric():
        return values.cast(pl.Float64)
    try:
        if dtype == pl.Binary:
            return values.cast(pl.String)
        if isinstance(dtype, pl.List | pl.Array) and takes_lists:
            return values.cast(pl.List(pl.String)).list.join("|", ignore_nulls=True)
    except pl.exceptions.PolarsError as error:
        raise _refused(dtype, name, path) from error
    raise _refused(dtype, name, path)


def _refused(dtype: pl.DataType, name: str, path: Path) -> IngestError:
    return IngestError(
        f"{path}: column {name!r} is of type {dtype.base_type().__name__}, which has no meaning here; write "
        "it as text, number or date, or map another column"
    )
