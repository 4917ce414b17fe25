"""Timestamps in whatever form a shop keeps them, as unix milliseconds."""

from __future__ import annotations

from typing import Literal

import polars as pl

TimestampUnit = Literal["auto", "s", "ms", "us", "ns", "iso"]

_PER_MILLISECOND = {"us": 1_000, "ns": 1_000_000}
_ISO_WITH_OFFSET = "%Y-%m-%dT%H:%M:%S%.f%#z"
_ISO_LOCAL = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")


def to_unix_ms(values: pl.Series, unit: TimestampUnit = "auto") -> pl.Series:
    """Convert a column of times to unix milliseconds.

    Dates and times without an offset are taken as UTC. With "auto", typed columns speak for themselves, texts
    are ISO 8601 or numbers, and the size of the median number tells its unit: seconds below 10^11 (the
    year 5138), milliseconds below 10^14, microseconds below 10^17, nanoseconds above.

    Args:
        values: integer, float, str, date or datetime column.
        unit: of numbers, or "iso" for texts; "auto" finds out.

    Returns:
        int64 of the same length, null where a value is absent or no time.
    """
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return values.cast(pl.Datetime("ms", _time_zone(values.dtype))).to_physical().cast(pl.Int64)
    if values.dtype == pl.String:
        texts = values.str.strip_chars()
        numbers = texts.cast(pl.Float64, strict=False)
        if unit == "iso" or (unit == "auto" and numbers.null_count() == values.len()):
            return _iso_to_unix_ms(texts)
        # Whole numbers are cast as such: microseconds do not fit a float's 53 bits for long.
        whole = texts.cast(pl.Int64, strict=False)
        values = whole if whole.null_count() == numbers.null_count() else numbers
    return _numbers_to_unix_ms(values, unit)


def _time_zone(dtype: pl.DataType) -> str | None:
    return dtype.time_zone if isinstance(dtype, pl.Datetime) else None


def _numbers_to_unix_ms(values: pl.Series, unit: TimestampUnit) -> pl.Series:
    if values.dtype.is_float():
        values = values.fill_nan(None)
    if unit in ("auto", "iso"):
        unit = _unit_of(values)
    if unit == "s":
        milliseconds = values * 1_000
    elif unit == "ms":
        milliseconds = values
    else:
        milliseconds = values // _PER_MILLISECOND[unit]
    return milliseconds.cast(pl.Int64, strict=False)


def _unit_of(values: pl.Series) -> TimestampUnit:
    median = values.abs().median()
    size = float(median) if isinstance(median, int | float) else 0.0
    if size < 1e11:
        return "s"
    if size < 1e14:
        return "ms"
    return "us" if size < 1e17 else "ns"


def _iso_to_unix_ms(texts: pl.Series) -> pl.Series:
    text = pl.col("text").str.replace(" ", "T", literal=True)
    times = [
        text.str.to_datetime(_ISO_WITH_OFFSET, time_unit="ms", strict=False).dt.replace_time_zone(None),
        *(text.str.to_datetime(form, time_unit="ms", strict=False) for form in _ISO_LOCAL),
        text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")),
    ]
    return (
        pl.DataFrame({"text": texts})
        .select(pl.coalesce(times).to_physical().cast(pl.Int64))
        .to_series()
        .rename(texts.name)
    )
