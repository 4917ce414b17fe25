"""Rows of the events file that occur twice."""

from __future__ import annotations

import polars as pl

from ingest.findings import Findings

_DAY_MS = 86_400_000


def without_duplicates(
    raw: pl.DataFrame, times: pl.Series, event_ids: pl.Series | None, source: str, findings: Findings
) -> pl.Series:
    """Find rows to leave out because an earlier row is the same event.

    Rows with the same event id are the same event. Without event ids, rows that agree in every column are,
    unless the log has dates alone: a shopper may do the same thing twice on one day, so such rows are only
    counted.

    Args:
        raw: the file's rows.
        times: int64 unix milliseconds, one per row.
        event_ids: str, null where a row has none; None where the file has no such column.
        source: file to name in the counts.
        findings: gains the counts, or an alarm where rows are kept.

    Returns:
        bool per row, True where it stays.
    """
    if event_ids is not None:
        keep = event_ids.is_first_distinct() | event_ids.is_null()
        findings.count(f"{source}: repeated event_id (the first row counts)", ~keep)
        return keep
    return _unless_dates_alone(_first_of_equals(raw), times, source, findings)


def without_repeated_keys(
    keys: pl.DataFrame, times: pl.Series, event_ids: bool, source: str, findings: Findings
) -> pl.Series:
    """What `without_duplicates` does, for rows that are known by keys.

    Args:
        keys: one, other: uint64, both equal where two rows are the same event; keyed: bool, False where a row
            is no repetition whatever its keys.
        times: as of `without_duplicates`.
        event_ids: whether the keys are those of event ids.
        source: as of `without_duplicates`.
        findings: as of `without_duplicates`.
    """
    first = keys.select(pl.struct("one", "other").is_first_distinct()).to_series()
    keep = first | ~keys["keyed"]
    if event_ids:
        findings.count(f"{source}: repeated event_id (the first row counts)", ~keep)
        return keep
    return _unless_dates_alone(keep, times, source, findings)


def _unless_dates_alone(keep: pl.Series, times: pl.Series, source: str, findings: Findings) -> pl.Series:
    repeated = int((~keep).sum())
    if not repeated:
        return keep
    if ((times % _DAY_MS == 0) | times.is_null()).all():
        findings.alarm(
            f"{source}: {repeated:,} rows repeat an earlier one in every column; they are kept, because "
            "the log has dates without a time of day; map event_id if there is one"
        )
        return pl.repeat(True, len(keep), dtype=pl.Boolean, eager=True)
    findings.count(f"{source}: exact duplicate of an earlier row", ~keep)
    return keep


def _first_of_equals(raw: pl.DataFrame) -> pl.Series:
    """Hashes find the candidates in little memory; only those are compared whole."""
    candidates = raw.hash_rows().is_duplicated()
    keep = pl.repeat(True, raw.height, dtype=pl.Boolean, eager=True)
    if not candidates.any():
        return keep
    rows = candidates.arg_true()
    alike = raw.filter(candidates).with_columns(rows.alias("source_row"))
    kept = alike.unique(raw.columns, keep="first", maintain_order=True)["source_row"]
    return keep.scatter(rows, False).scatter(kept, True)
