"""The titles that a shop tagged: tagged_titles.csv, .parquet or another kind of table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from features.title_tags import tag_fault
from ingest.findings import Findings
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import TABLE_SUFFIXES, read_table

_STEM, _COLUMNS, _SPLIT = "tagged_titles", ("tokens", "tags"), "split"
_HELD_OUT = {"train": False, "dev": True, "valid": True, "test": True}
MOST_TOKENS = 1_000
FEWEST = 50
"""Usable titles from which a tagger is trained."""
HELD_OUT = "held_out"


def with_tagged_titles(tables: ShopTables, folder: Path) -> ShopTables:
    """The tables with the tagged titles of the shop's folder, and what was found wrong with them.

    Raises IngestError where the file cannot be read, or lacks a column, or there are several.
    """
    findings = Findings()
    tagged = read_tagged_titles(folder, findings)
    return replace(
        tables,
        tagged_titles=tagged,
        removed={**tables.removed, **findings.removed},
        alarms=[*tables.alarms, *findings.alarms],
    )


def read_tagged_titles(folder: Path, findings: Findings) -> pl.DataFrame | None:
    """The file `tagged_titles` of a shop's folder; None where there is none, or too few rows are usable.

    A row is a title: `tokens`, its words or characters, and `tags`, a tag for each (`features.title_tags`),
    both separated by blanks or, in Parquet, lists; optional `split`: train, or dev, valid or test for titles
    that the tagger is measured on.

    Args:
        folder: the shop's files.
        findings: gains the rows left out by reason, and an alarm where too few are left.

    Returns:
        tokens list[str], tags list[str] of equal length without faults, and, where the file has `split`,
        held_out bool.

    Raises:
        IngestError: the file cannot be read, or lacks a column, or there are several.
    """
    files = [path for path in sorted(folder.iterdir()) if path.name.lower().startswith(f"{_STEM}.")]
    files = [path for path in files if path.name.lower()[len(_STEM) :] in TABLE_SUFFIXES]
    if not files:
        return None
    path = files[0]
    if len(files) > 1:
        raise IngestError(f"{folder}: has {' and '.join(file.name for file in files)}; remove all but one")
    raw = read_table(path)
    missing = [name for name in _COLUMNS if name not in raw.columns]
    if missing:
        raise IngestError(f"{path} has no column {' and no column '.join(missing)}")
    table = raw.select(_as_list(raw[name]) for name in _COLUMNS)
    if _SPLIT in raw.columns:
        parts = raw[_SPLIT].cast(pl.String).str.strip_chars().str.to_lowercase()
        table = table.with_columns(parts.replace_strict(_HELD_OUT, default=None).alias(HELD_OUT))
    faults = pl.Series([_fault(*row) for row in table.select(_COLUMNS).iter_rows()], dtype=pl.String)
    if HELD_OUT in table.columns:
        unknown = faults.is_null() & table[HELD_OUT].is_null()
        faults = faults.set(unknown, "a split that is none of train, dev, valid and test")
    # Of a title that is in two rows the tagger would be measured on what it learned.
    repeated = faults.is_null() & ~table["tokens"].list.join(" ").is_first_distinct()
    faults = faults.set(repeated, "a title that an earlier row has")
    for reason in faults.drop_nulls().unique(maintain_order=True):
        findings.count(f"{path.name}: {reason}", faults == reason)
    usable = table.filter(faults.is_null())
    if usable.height < FEWEST:
        findings.alarm(
            f"{path.name}: {usable.height:,} of {table.height:,} titles can be used, and a tagger needs "
            f"{FEWEST}; it is left out, and selling points are frequent groups of words"
        )
        return None
    return usable


def _as_list(column: pl.Series) -> pl.Series:
    """Texts of a column of lists, or of texts separated by blanks."""
    if column.dtype.base_type() in (pl.List, pl.Array):
        return column.cast(pl.List(pl.String))
    return (
        column.cast(pl.String)
        .str.strip_chars()
        .str.split(" ")
        .list.eval(pl.element().filter(pl.element() != ""))
    )


def _fault(tokens: list[str | None] | None, tags: list[str | None] | None) -> str | None:
    """Why a row cannot be used."""
    if not tokens or not tags:
        return "no tokens or no tags"
    if len(tokens) != len(tags):
        return "tokens and tags that are not of equal number"
    if len(tokens) > MOST_TOKENS:
        return f"more than {MOST_TOKENS:,} tokens"
    if any(token is None or not token.strip() for token in tokens) or None in tags:
        return "an empty token or tag"
    return tag_fault([tag for tag in tags if tag is not None])
