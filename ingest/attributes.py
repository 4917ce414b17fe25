"""Item attributes and user profiles in the types the catalogue and the users table expect."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.profile import PROFILE_FIELDS
from ingest.timestamps import to_unix_ms
from ingest.usable_events import id_column
from snapshot.item_columns import ITEM_COLUMNS, ItemColumn

_TRUE = ("1", "1.0", "true", "t", "yes", "y")
_FALSE = ("0", "0.0", "false", "f", "no", "n")


def item_attributes(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Brings an items table to the types of `ShopTables.items`.

    Values that cannot be read become unknown; rows without an id, and all but the last row of a repeated id,
    are left out. All are counted.

    Args:
        table: item_id and any of the registered item columns, in any type; further columns are kept.
        source: file to name in the counts.

    Returns:
        The table, and counts by reason.
    """
    table, removed = _one_row_per_id(table, "item_id", source)
    converted = [
        _typed(table[name], column)
        for name, column in ITEM_COLUMNS.items()
        if column.from_items and name in table.columns
    ]
    for values in converted:
        lost = int((_present(table[values.name]) & values.is_null()).sum())
        if lost:
            removed[f"{source}: {values.name} cannot be read (counts as unknown)"] = lost
    return table.with_columns(converted), removed


def user_profiles(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Brings a users table to the types of `ShopTables.users`; rows are left out and counted as for items.

    Args:
        table: user_id and any of the profile fields, in any type; further columns are kept.
        source: file to name in the counts.

    Returns:
        The table, and counts by reason.
    """
    table, removed = _one_row_per_id(table, "user_id", source)
    return table.with_columns(
        _text(table[field]) for field in PROFILE_FIELDS if field in table.columns
    ), removed


def _one_row_per_id(table: pl.DataFrame, column: str, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
    table = table.with_columns(id_column(table[column]).cast(pl.String))
    named = table.filter(pl.col(column).is_not_null())
    unique = named.unique(column, keep="last", maintain_order=True)
    removed = {
        f"{source}: no {column}": table.height - named.height,
        f"{source}: repeated {column} (the last row counts)": named.height - unique.height,
    }
    return unique, {reason: count for reason, count in removed.items() if count}


def _present(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.is_not_null() & (values.str.strip_chars() != "")
    return values.is_not_null()


def _typed(values: pl.Series, column: ItemColumn) -> pl.Series:
    """Values of the items file in the column's own terms, null where unknown; names stay names."""
    if column.kind in ("group", "text"):
        return _text(values)
    if column.kind == "flag":
        return _flag(values)
    if column.kind == "time":
        return to_unix_ms(values) // 1_000
    return _number(values, column)


def _number(values: pl.Series, column: ItemColumn) -> pl.Series:
    """Float64, or the column's integers; null where its type cannot contain a value or it is too small."""
    numbers = values.cast(pl.Float64, strict=False).fill_nan(None)
    if column.minimum is not None:
        numbers = numbers.set(numbers < column.minimum, None)
    if column.dtype.kind == "f":
        return numbers.set(numbers.abs() > float(np.finfo(column.dtype).max), None)
    integers = numbers.set(numbers % 1 != 0, None).cast(pl.Int64, strict=False)
    if not values.dtype.is_float():
        # Large integers do not fit a float's 53 bits.
        integers = values.cast(pl.Int64, strict=False).fill_null(integers).set(numbers.is_null(), None)
    return integers.cast(pl.Int32 if column.dtype == np.int32 else pl.Int64, strict=False)


def _text(values: pl.Series) -> pl.Series:
    texts = id_column(values).cast(pl.String).str.strip_chars()
    return texts.set(texts == "", None)


def _flag(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    texts = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    return texts.replace_strict(
        [*_TRUE, *_FALSE],
        [True] * len(_TRUE) + [False] * len(_FALSE),
        default=None,
        return_dtype=pl.Boolean,
    )
