"""A shop's file of categories: which standard category, and which group, each leaf category belongs to."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ingest.column_types import with_plain_types
from ingest.findings import Findings
from ingest.importers.generic_columns import require, with_our_names
from ingest.placeholders import without_placeholders
from ingest.shop_tables import IngestError

KNOWN_CATEGORIES = ("category", "standard_category", "group")
_BETWEEN = " > "


def with_standard_categories(
    items: pl.DataFrame, raw: pl.DataFrame, path: Path, findings: Findings
) -> pl.DataFrame:
    """The items, each without a standard category with that of its category: `group > standard category`.

    Args:
        items: with a column `category`, which may have nulls; what has a `standard_category` keeps it.
        raw: the file: category, standard_category (or std_category), and optionally group.
        path: file to name.
        findings: gains an alarm where no item has a category of the file.

    Raises:
        IngestError: a column is missing, or one category belongs to two standard categories.
    """
    table = with_plain_types(with_our_names(raw, {}, KNOWN_CATEGORIES, path), KNOWN_CATEGORIES, path)
    require(table, ["category", "standard_category"], raw, path, "categories")
    names = [name for name in KNOWN_CATEGORIES if name in table.columns]
    table = table.select(
        without_placeholders(table[name].cast(pl.String).str.strip_chars()).alias(name) for name in names
    )
    parts = [pl.col(name) for name in ("group", "standard_category") if name in names]
    named = (
        table.drop_nulls(["category", "standard_category"])
        .select("category", pl.concat_str(parts, separator=_BETWEEN, ignore_nulls=True).alias("standard"))
        .unique(maintain_order=True)
    )
    twice = named.filter(pl.col("category").is_duplicated())
    if twice.height:
        raise IngestError(
            f"{path}: the category {twice['category'][0]!r} belongs to "
            f"{' and to '.join(map(repr, twice['standard'][:2]))}; leave one row of it"
        )
    if "category" not in items.columns:
        return items
    joined = items.with_columns(pl.col("category").cast(pl.String)).join(
        named, on="category", how="left", maintain_order="left"
    )
    if named.height and joined["standard"].null_count() == joined.height:
        findings.alarm(f"{path.name}: no item has a category of this file, so it names nothing")
    own = [pl.col("standard_category").cast(pl.String)] if "standard_category" in items.columns else []
    return joined.with_columns(pl.coalesce(*own, "standard").alias("standard_category")).drop("standard")
