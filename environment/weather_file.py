"""Reads the content of a feed: CSV, or JSON.

CSV has a header: `city`, `time`, and columns of measures, each with its unit in brackets where it has another
than here (`temp (°F)`), or `alerts`, names separated by ";":

    city,time,temp (°F),pm2_5
    Beijing,2014-01-16T08:00+08:00,28.4,435

JSON is a list of such rows, or {"units": {"temp": "°F"}, "readings": [rows]}.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from environment.readings import CITY, TIME, Checked, FeedError, check_readings

MOST_ROWS = 200_000
_MOST_COLUMNS = 64
_WITH_UNIT = re.compile(r"(?P<name>[^\s(\[]+)\s*[(\[](?P<unit>[^)\]]+)[)\]]")


def read_weather(content: bytes) -> Checked:
    """The readings of a feed's content, checked. Raises FeedError where it cannot be used as a whole."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"it is no UTF-8: {error.reason} at byte {error.start}") from error
    if text.lstrip()[:1] in ("{", "["):
        return _json(text)
    return _csv(text)


def _json(text: str) -> Checked:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"it is no JSON: {error}") from error
    units: Any = {}
    if isinstance(found, dict):
        units, found = found.get("units") or {}, found.get("readings")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise FeedError('a list of readings is expected, or {"units": {…}, "readings": […]}')
    if not isinstance(units, dict) or not all(isinstance(unit, str) for unit in units.values()):
        raise FeedError("units must be a mapping of measures to units")
    _check_size(len(found), max((len(row) for row in found), default=0))
    return check_readings(found, units)


def _csv(text: str) -> Checked:
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        names, units = _columns(header)
        body = [row for row in rows if row]
    except csv.Error as error:
        raise FeedError(f"it is no CSV: {error}") from error
    for required in (CITY, TIME):
        if required not in names:
            raise FeedError(f"its header has no column {required}; it is {', '.join(header)[:200]!r}")
    _check_size(len(body), len(names))
    return check_readings(_rows(names, body), units)


def _columns(header: list[str]) -> tuple[list[str], Mapping[str, str]]:
    names, units = [], {}
    for column in header:
        found = _WITH_UNIT.fullmatch(column)
        names.append(found["name"] if found else column)
        if found:
            units[found["name"]] = found["unit"]
    if len(set(names)) < len(names):
        raise FeedError(f"a column comes twice in its header {', '.join(header)[:200]!r}")
    return names, units


def _rows(names: list[str], body: list[list[str]]) -> Iterable[Mapping[str, Any]]:
    for row in body:
        yield dict(zip(names, row, strict=False))


def _check_size(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or columns > _MOST_COLUMNS:
        raise FeedError(
            f"it has {rows:,} rows and {columns} columns; at most {MOST_ROWS:,} and {_MOST_COLUMNS} are read"
        )
