"""Item attributes and user profiles in the types the catalogue and the users table expect."""

from __future__ import annotations

import polars as pl

from features.profile import PROFILE_FIELDS
from ingest.timestamps import to_unix_ms
from ingest.usable_events import id_column

_TEXTS = ("category", "standard_category", "brand", "shop", "title")
_FLAGS = ("in_stock", "adult")
_TRUE = ("1", "1.0", "true", "t", "yes", "y")
_FALSE = ("0", "0.0", "false", "f", "no", "n")


def item_attributes(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Bring an items table to the types of `ShopTables.items`.

    Values that cannot be read become unknown; rows without an id, and all but the last row of a repeated id,
    are left out. All are counted.

    Args:
        table: item_id and any of the known attributes, in any type; further columns are kept.
        source: file to name in the counts.

    Returns:
        The table, and counts by reason.
    """
    table, removed = _one_row_per_id(table, "item_id", source)
    converted = [_text(table[name]) for name in _TEXTS if name in table.columns]
    if "price" in table.columns:
        price = table["price"].cast(pl.Float64, strict=False).fill_nan(None)
        converted.append(price.set(price < 0, None))
    converted += [_flag(table[name]) for name in _FLAGS if name in table.columns]
    if "created_at" in table.columns:
        converted.append(to_unix_ms(table["created_at"]) // 1_000)
    for column in converted:
        lost = int((_present(table[column.name]) & column.is_null()).sum())
        if lost:
            removed[f"{source}: {column.name} cannot be read (counts as unknown)"] = lost
    return table.with_columns(converted), removed


def user_profiles(table: pl.DataFrame, source: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Bring a users table to the types of `ShopTables.users`; rows are left out and counted as for items.

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
