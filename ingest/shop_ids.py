"""Ids as shops write them, brought to one form so that the same id in two files meets."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ingest.findings import Findings
from ingest.placeholders import without_placeholders
from ingest.usable_events import id_column
from snapshot.id_limit import MAX_ID_BYTES

_WHOLE_FLOAT = r"^-?\d+\.0+$"
_FLOAT = r"^-?\d+\.\d+$"
_ROUNDED = r"^\d(\.\d+)?[eE]\+\d+$"
_SPREADSHEET_TEXT = r'^="(.*)"$'


def stripped_ids(values: pl.Series, source: str, findings: Findings) -> pl.Series:
    """Ids without surrounding blanks, seen or unseen; empty ones and placeholders such as NULL become null.

    A spreadsheet's way of keeping a text, `="00123"`, becomes 00123. What changed is counted.

    Args:
        values: an id column of any type.
        source: file to name in the counts.
        findings: gains the counts.

    Returns:
        int64 where the column is integral, else str.
    """
    ids = id_column(values)
    if ids.dtype != pl.String:
        return ids
    clean = without_placeholders(ids)
    clean = without_placeholders(clean.str.replace(_SPREADSHEET_TEXT, "$1"))
    changed = (clean != ids).fill_null(False)
    findings.count(f"{source}: blanks around {values.name} taken off", changed, values, kept=True)
    absent = clean.is_null() & ids.is_not_null()
    findings.count(f"{source}: {values.name} is a placeholder for nothing", absent, values, kept=True)
    rounded = int(clean.str.contains(_ROUNDED).sum())
    if rounded:
        findings.alarm(
            f"{source}: {rounded:,} values of {values.name} have the form 9.99E+99: a spreadsheet has "
            "rounded them, so different ids may have become equal; export the column as text"
        )
    return clean


def written_as_floats(columns: Iterable[pl.Series | None]) -> bool:
    """Whether the ids of all files together are whole numbers that some file writes as 201.0.

    Args:
        columns: the same id's columns from several files; None where a file is absent.

    Returns:
        True where some id ends in ".0" and none has another fraction, so that 201.0 can only mean 201.
    """
    found = False
    for column in columns:
        if column is None or column.dtype != pl.String:
            continue
        whole = int(column.str.contains(_WHOLE_FLOAT).sum())
        if int(column.str.contains(_FLOAT).sum()) > whole:
            return False
        found = found or whole > 0
    return found


def without_fraction(values: pl.Series, source: str, findings: Findings) -> pl.Series:
    """Take ".0" off ids; the ids that changed are counted."""
    if values.dtype != pl.String:
        return values
    whole = values.str.contains(_WHOLE_FLOAT).fill_null(False)
    findings.count(f"{source}: .0 taken off {values.name}", whole, values, kept=True)
    return values.str.replace(r"^(-?\d+)\.0+$", "$1")


def within_limit(values: pl.Series) -> pl.Series:
    """bool: whether each id is short enough for the API; absent ids are."""
    if values.dtype != pl.String:
        return pl.repeat(True, len(values), dtype=pl.Boolean, eager=True)
    return (values.str.len_bytes() <= MAX_ID_BYTES).fill_null(True)
