"""The events file's time column: read where it means one thing, refused with the reason where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from ingest.findings import Findings, masked
from ingest.placeholders import without_placeholders
from ingest.shop_tables import IngestError
from ingest.time_texts import read_time_texts
from ingest.timestamps import (
    EARLIEST_MS,
    TimestampUnit,
    number_unit,
    numbers_of,
    numbers_to_unix_ms,
    to_unix_ms,
)

ORDERS = {"day-first": "day", "month-first": "month"}
"""Words for `timestamp_format` where only the order of day and month is in question."""

_UNIT_NAMES = {
    "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
    "excel": "Excel's days", "date": "a date written without signs",
}  # fmt: skip
_ACCEPTED = (
    "unix seconds, milliseconds, microseconds or nanoseconds, YYYYMMDD, or a text such as 2024-03-01 "
    "10:15:00, 2024-03-01T10:15Z, 2024/03/01, 1 Mar 2024 10:15"
)
_EXAMPLE_FORMAT = '"%d-%m-%Y %H:%M"'


@dataclass(frozen=True)
class TimeColumn:
    """Where times come from and how the mapping describes them.

    Attributes:
        source: name of the file.
        name: the file's own name of the column.
        section: section of `mapping.yaml` to name in advice.
        unit: of numbers.
        form: a strptime format, "day-first" or "month-first"; None where the mapping gives none.
        rows: row of the file by position.
    """

    source: str
    name: str
    section: str
    unit: TimestampUnit = "auto"
    form: str | None = None
    rows: Callable[[int], int] = lambda position: position + 2

    def place(self, values: pl.Series, rows: pl.Series) -> str:
        """The file, row and column of the first of `rows` (bool), and its value or the form of it."""
        first = rows.arg_max() or 0
        return f"{self.source}, row {self.rows(first)}, column {self.name!r}: {shown(values[first])}"


def shown(value: object) -> str:
    """A time as it is where it can only be a time or number, else its masked form."""
    text = str(value)
    dated = pl.Series([text]).str.contains(r"^[\d\s:./,+\-TZ]{1,40}$").item()
    return repr(text) if dated else f"a value of the form {masked(text)!r}"


def read_event_times(values: pl.Series, column: TimeColumn, now: datetime, findings: Findings) -> pl.Series:
    """Read the events' times.

    Args:
        values: the column as the file has it.
        column: what the mapping says of it.
        now: a log whose times mostly lie more than a day after this, or before 1990, has been misread.
        findings: gains an example of what cannot be read, and alarms for what was found out and not said.

    Returns:
        int64 unix milliseconds, null where there is no time.

    Raises:
        IngestError: the numbers make no plausible time in their unit, the format is wrong, or most values
            cannot be read or could mean several times.
    """
    if _is_format(column.form) and values.dtype.is_integer():
        values = values.cast(pl.String)
    if values.dtype != pl.String:
        times = _numbers(values, column, now, findings) if values.dtype.is_numeric() else to_unix_ms(values)
        present = values.is_not_null()
    else:
        texts = without_placeholders(values)
        present = texts.is_not_null()
        times = _by_format(texts, column) if _is_format(column.form) else _texts(texts, column, now, findings)
    unread = present & times.is_null()
    _refuse_mostly(values, unread, column)
    findings.example(f"{column.source}: no readable time", unread, values)
    if int(unread.sum()) * 10 > len(unread):
        findings.alarm(
            f"{column.place(values, unread)} and {int(unread.sum()) - 1:,} more of {len(unread):,} times "
            f"cannot be read, and their rows are left out; give {column.section}.timestamp_format in "
            "mapping.yaml"
        )
    _refuse_implausible(values, times, column, now)
    return times


def _is_format(form: str | None) -> bool:
    return form is not None and form not in ORDERS


def _by_format(texts: pl.Series, column: TimeColumn) -> pl.Series:
    try:
        times = texts.str.to_datetime(column.form, time_unit="ms", strict=False)
    except pl.exceptions.PolarsError as error:
        raise IngestError(
            f"{column.source}: {column.section}.timestamp_format {column.form!r} is no complete format of "
            f"a date and time; an example is {_EXAMPLE_FORMAT}"
        ) from error
    return times.to_physical().cast(pl.Int64)


def _texts(texts: pl.Series, column: TimeColumn, now: datetime, findings: Findings) -> pl.Series:
    times, order = read_time_texts(texts, ORDERS.get(column.form or "", ""))
    if order and column.form is None:
        findings.alarm(
            f"{column.source}: dates in {column.name!r} are read {order} first, which their numbers above "
            f"12 show; if that is wrong, set {column.section}.timestamp_format in mapping.yaml"
        )
    if column.unit == "iso":
        return times
    numbers = numbers_of(texts.set(times.is_not_null().fill_null(False), None))
    if numbers.null_count() == len(numbers):
        return times
    return pl.select(pl.coalesce(times, _numbers(numbers, column, now, findings))).to_series()


def _numbers(values: pl.Series, column: TimeColumn, now: datetime, findings: Findings) -> pl.Series:
    unit = number_unit(values) if column.unit in ("auto", "iso") else column.unit
    times = numbers_to_unix_ms(values, unit)
    if _implausible(times, now) > 0.5:
        row = _worst(times, now)
        moment = _date(times, row)
        now_set = "" if column.unit == "auto" else f" (now {column.unit!r})"
        raise IngestError(
            f"{column.place(values, row)} as {_UNIT_NAMES[unit]} is {moment}, which cannot be; set "
            f"{column.section}.timestamp_unit{now_set} to s, ms, us, ns or excel, or give "
            f"{column.section}.timestamp_format in mapping.yaml"
        )
    if unit == "excel" and column.unit == "auto":
        first = times.is_not_null()
        findings.alarm(
            f"{column.place(values, first)} is taken as Excel's count of days, {_date(times, first)}; if "
            f"that is wrong, set {column.section}.timestamp_unit in mapping.yaml"
        )
    return times


def _refuse_mostly(values: pl.Series, unread: pl.Series, column: TimeColumn) -> None:
    if not len(unread) or int(unread.sum()) * 2 <= len(unread) - int(values.null_count()):
        return
    texts = values.cast(pl.String)
    stripped = without_placeholders(texts)
    both = [read_time_texts(stripped, order)[0].is_not_null() for order in ("day", "month")]
    two_ways = unread & (both[0] | both[1])
    if column.form is not None:
        why = f"does not fit {column.section}.timestamp_format {column.form!r}; correct it in mapping.yaml"
        two_ways = unread
    elif two_ways.any():
        why = (
            "can be read day first and month first; say which in mapping.yaml as "
            f'{column.section}.timestamp_format: "day-first", "month-first" or a format such as '
            f"{_EXAMPLE_FORMAT}"
        )
    else:
        two_ways = unread
        why = (
            f"is no time that can be read; accepted are {_ACCEPTED}; or give the column's format as "
            f"{column.section}.timestamp_format in mapping.yaml, for example {_EXAMPLE_FORMAT}"
        )
    raise IngestError(
        f"{column.place(values, two_ways)} {why} ({int(unread.sum()):,} of {len(unread):,} rows)"
    )


def _refuse_implausible(values: pl.Series, times: pl.Series, column: TimeColumn, now: datetime) -> None:
    if _implausible(times, now) > 0.5:
        row = _worst(times, now)
        raise IngestError(
            f"{column.place(values, row)} is {_date(times, row)}; most times lie before 1990 or in the "
            f"future, so the column is misread; correct {column.section}.timestamp_unit or "
            f"{column.section}.timestamp_format in mapping.yaml"
        )


def _outside(times: pl.Series, now: datetime) -> pl.Series:
    latest = int((now + timedelta(days=1)).timestamp() * 1_000)
    return ((times < EARLIEST_MS) | (times > latest)).fill_null(False)


def _implausible(times: pl.Series, now: datetime) -> float:
    known = len(times) - times.null_count()
    return int(_outside(times, now).sum()) / known if known else 0.0


def _worst(times: pl.Series, now: datetime) -> pl.Series:
    return _outside(times, now)


def _date(times: pl.Series, rows: pl.Series) -> str:
    milliseconds = int(times[rows.arg_max() or 0])
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1_000, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "no date of this calendar"
