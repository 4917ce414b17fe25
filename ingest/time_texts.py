"""Times written as text: every common form that can be read in one way, and what the others could be."""

from __future__ import annotations

import polars as pl

_CLOCK = (
    r"(?:(?:\s*[Tt:,]\s*|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?:\s*(?:Z|z|UTC|utc|GMT))?(?:\s*(?P<sign>[+\-\u2212])(?P<zone_hour>\d{1,2})(?::?(?P<zone_minute>\d{2}))?)?"
    r"(?:\s+(?:UTC|GMT))?)?(?:\s*\[[\w/+\-]+\])?$"
)
_WEEKDAY = r"^(?:[A-Za-z]{3,9}\.?,?\s+)?"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_YEAR_FIRST = r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _CLOCK
_DAY_MONTH_NAME = _WEEKDAY + r"(?P<day>\d{1,2})\.?[\s\-/]+" + _MONTH + r"[\s\-/,]+(?P<year>\d{4})" + _CLOCK
_MONTH_NAME_DAY = _WEEKDAY + _MONTH + r"\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})" + _CLOCK
_YEAR_LAST = r"^(?P<first>\d{1,2})[-/.](?P<other>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK
_UNIX_DATE = (
    r"^([A-Za-z]{3})\s+([A-Za-z]{3})\s+(\d{1,2})\s+(\d{1,2}:\d{2}:\d{2})\s+(?:(?:UTC|GMT|Z)\s+)?(\d{4})$"
)
_BASIC = r"^(\d{4})(\d{2})(\d{2})[Tt ](\d{2})(\d{2})(\d{2})"
_BASIC_MINUTES = r"^(\d{4})(\d{2})(\d{2})[Tt ](\d{2})(\d{2})"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november",
    "december", "sept",
)  # fmt: skip

_ISO_WITH_OFFSET = "%Y-%m-%dT%H:%M:%S%.f%#z"
_ISO_LOCAL = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
_DAY_MS = 86_400_000

_ENDS_IN_YEAR = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(\D|$)"
"""A date whose day and month can change places."""


def read_time_texts(texts: pl.Series, order: str = "") -> tuple[pl.Series, str]:
    """Read ISO 8601, year-first dates, English month names, and the logs' and mail headers' forms.

    Dates such as 31-03-2024 are read where the column shows the order: some number above 12 in one place and
    none in the other. Times without a zone are UTC; the only zones read by name are UTC and GMT.

    Args:
        texts: str, stripped.
        order: "day" or "month" first for dates that end in the year; "" finds out.

    Returns:
        int64 unix milliseconds, null where there is no time; and the order that was found or given, "" where
        no date needed it or none could be found.
    """
    times = _iso(texts)
    left = texts.is_not_null() & times.is_null()
    if not left.any():
        return times, ""
    rows = left.arg_true()
    rest = texts.gather(rows)
    swapped = (
        rest.str.replace(_UNIX_DATE, "$1, $3 $2 $5 $4")
        .str.replace(_BASIC, "${1}-${2}-${3}T${4}:${5}:${6}")
        .str.replace(_BASIC_MINUTES, "${1}-${2}-${3}T${4}:${5}")
    )
    read = [_by_form(swapped, form) for form in (_YEAR_FIRST, _DAY_MONTH_NAME, _MONTH_NAME_DAY)]
    year_last, order = _year_last(rest, order)
    found = pl.select(pl.coalesce(*read, year_last)).to_series()
    return times.scatter(rows, found), order


def day_or_month_first(texts: pl.Series) -> str:
    """Find out whether "day" or "month" comes first in dates that end in the year; "" where none shows it."""
    parts = (
        texts.filter(texts.str.contains(_ENDS_IN_YEAR))
        .str.extract_groups(r"^(\d{1,2})\D(\d{1,2})")
        .struct.unnest()
    )
    if not parts.height:
        return ""
    first, other = (int(parts[name].cast(pl.Int64).max() or 0) for name in parts.columns)  # type: ignore[arg-type]
    if first > 12 >= other:
        return "day"
    return "month" if other > 12 >= first else ""


def _year_last(texts: pl.Series, order: str) -> tuple[pl.Series, str]:
    order = order or day_or_month_first(texts)
    if not order:
        return pl.repeat(None, len(texts), dtype=pl.Int64, eager=True), ""
    places = ("day", "month") if order == "day" else ("month", "day")
    form = _YEAR_LAST.replace("<first>", f"<{places[0]}>").replace("<other>", f"<{places[1]}>")
    return _by_form(texts, form), order


def _iso(texts: pl.Series) -> pl.Series:
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


def _by_form(texts: pl.Series, form: str) -> pl.Series:
    parts = texts.str.extract_groups(form).struct.unnest()
    month = parts["month"]
    if _MONTH in form:
        names = month.str.to_lowercase()
        known = names.is_in(list(_MONTHS)) | names.is_in(list(_MONTH_NAMES))
        month = names.set(~known.fill_null(False), None).str.slice(0, 3)
        month = month.replace_strict(
            list(_MONTHS), [str(number) for number in range(1, 13)], default=None, return_dtype=pl.String
        )
    date = pl.concat_str(
        pl.col("year"),
        pl.lit("-"),
        pl.col("month").str.zfill(2),
        pl.lit("-"),
        pl.col("day").str.zfill(2),
    ).str.to_date("%Y-%m-%d", strict=False)
    number = {
        name: pl.col(name).cast(pl.Int64).fill_null(0)
        for name in ("hour", "minute", "second", "zone_hour", "zone_minute")
    }
    half = pl.col("half").str.to_lowercase()
    hour = (
        pl.when(half.is_null())
        .then(number["hour"])
        .when(number["hour"].is_between(1, 12))
        .then(number["hour"] % 12 + pl.when(half == "p").then(12).otherwise(0))
        .otherwise(99)
    )
    zone = (number["zone_hour"] * 60 + number["zone_minute"]) * pl.when(pl.col("sign") == "+").then(
        1
    ).otherwise(-1)
    thousandths = pl.col("part").str.pad_end(9, "0").cast(pl.Int64).fill_null(0) // 1_000_000
    seconds = hour * 3_600 + (number["minute"] - zone) * 60 + number["second"]
    possible = (hour <= 23) & (number["minute"] <= 59) & (number["second"] <= 60) & (zone.abs() <= 14 * 60)
    return (
        parts.with_columns(month.alias("month"))
        .select(pl.when(possible).then(date.cast(pl.Int64) * _DAY_MS + seconds * 1_000 + thousandths))
        .to_series()
    )
