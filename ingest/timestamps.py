"""Timestamps in whatever form a shop keeps them, as unix milliseconds."""

from __future__ import annotations

from typing import Literal

import polars as pl

from ingest.placeholders import without_placeholders
from ingest.time_texts import read_time_texts

TimestampUnit = Literal["auto", "s", "ms", "us", "ns", "iso", "excel"]

EARLIEST_MS = 631_152_000_000
"""1990-01-01: no log of an online shop is older, and numbers read in a wrong unit give such times."""

_DAY_MS = 86_400_000
_PER_MILLISECOND = {"us": 1_000, "ns": 1_000_000}
_ROUNDED = r"^[0-9](?:\.[0-9]{0,7})?[eE]\+?[0-9]+$"
# Excel counts days from 1899-12-30; 32874 is 1990-01-01 and 73051 is 2100-01-01.
_EXCEL_EPOCH_DAYS = 25_569
_EXCEL_RANGE = (32_874, 73_051)


def to_unix_ms(values: pl.Series, unit: TimestampUnit = "auto") -> pl.Series:
    """Convert a column of times to unix milliseconds.

    Dates and times without an offset are taken as UTC. With "auto", typed columns speak for themselves, texts
    are of a form of `time_texts` or numbers, and the size of the median number says what numbers are: whole
    numbers that are dates written as YYYYMMDD, YYYYMMDDhhmm or YYYYMMDDhhmmss, else seconds below 10^11 (the
    year 5138), milliseconds below 10^14, microseconds below 10^17, nanoseconds above.

    Args:
        values: integer, float, str, date or datetime column.
        unit: of numbers, "excel" for days since 1899-12-30, or "iso" for texts; "auto" finds out.

    Returns:
        int64 of the same length, null where a value is absent or no time.
    """
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return values.cast(pl.Datetime("ms", _time_zone(values.dtype))).to_physical().cast(pl.Int64)
    if values.dtype != pl.String:
        return numbers_to_unix_ms(values, number_unit(values) if unit in ("auto", "iso") else unit)
    texts = without_placeholders(values)
    times, _ = read_time_texts(texts)
    if unit != "iso":
        numbers = numbers_of(texts.set(times.is_not_null(), None))
        if numbers.null_count() < len(numbers):
            counted = number_unit(numbers) if unit == "auto" else unit
            times = times.fill_null(numbers_to_unix_ms(numbers, counted))
    return times.rename(values.name)


def numbers_of(texts: pl.Series) -> pl.Series:
    """The numbers among texts, int64 where all are whole, else float64; null elsewhere.

    1.7092E+12 is none: a spreadsheet has rounded it to hours.
    """
    texts = texts.set(texts.str.contains(_ROUNDED).fill_null(False), None)
    numbers = texts.cast(pl.Float64, strict=False)
    numbers = numbers.set((~numbers.is_finite()).fill_null(False), None)
    # Whole numbers are cast as such: microseconds do not fit a float's 53 bits for long.
    whole = texts.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == numbers.null_count() else numbers


def number_unit(values: pl.Series) -> str:
    """What a column of numbers counts: "date" for YYYYMMDD with or without a clock, "excel", or a unit.

    Excel's days are distinguished from seconds because as seconds they lie within the first day of 1970.
    """
    present = (values.fill_nan(None) if values.dtype.is_float() else values).drop_nulls()
    # Some exports write 0 for no time; it shows no unit.
    present = present.filter(present != 0)
    if not len(present):
        return "s"
    if (_compact_to_unix_ms(present) >= EARLIEST_MS).fill_null(False).all():
        return "date"
    if present.is_between(*_EXCEL_RANGE).all():
        return "excel"
    median = present.abs().median()
    size = float(median) if isinstance(median, int | float) else 0.0
    if size < 1e11:
        return "s"
    if size < 1e14:
        return "ms"
    return "us" if size < 1e17 else "ns"


def numbers_to_unix_ms(values: pl.Series, unit: str) -> pl.Series:
    """Convert numbers of a unit that `number_unit` returns, or of `TimestampUnit`, to int64 milliseconds."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    if unit == "date":
        return _compact_to_unix_ms(values)
    if unit == "excel":
        return ((values.cast(pl.Float64) - _EXCEL_EPOCH_DAYS) * _DAY_MS).round().cast(pl.Int64, strict=False)
    if unit == "s":
        milliseconds = values * 1_000
    elif unit == "ms":
        milliseconds = values
    else:
        milliseconds = values // _PER_MILLISECOND[unit]
    return milliseconds.cast(pl.Int64, strict=False)


def _time_zone(dtype: pl.DataType) -> str | None:
    return dtype.time_zone if isinstance(dtype, pl.Datetime) else None


def _compact_to_unix_ms(values: pl.Series) -> pl.Series:
    whole = values.cast(pl.Int64, strict=False)
    if values.dtype.is_float():
        whole = whole.set((whole != values).fill_null(False), None)
    digits = whole.cast(pl.String)
    usual = digits.str.len_chars().is_in([8, 12, 14]).fill_null(False)
    times = digits.set(~usual, None).str.pad_end(14, "0")
    return times.str.to_datetime("%Y%m%d%H%M%S", time_unit="ms", strict=False).to_physical().cast(pl.Int64)
