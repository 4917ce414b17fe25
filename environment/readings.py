"""Readings of a feed, checked: what is wrong or missing is left out and counted by reason."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from environment.measures import MEASURES

CITY, TIME, ALERTS = "city", "time", "alerts"
MOST_CITY_LETTERS = 128
MOST_ALERTS = 16
ALERT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MISSING = frozenset(("", "na", "nan", "null", "none", "-"))
_IN_MILLISECONDS = 100_000_000_000
_LATEST_S = 253_402_300_800
"""The year 10000."""


class FeedError(Exception):
    """A feed cannot be used as a whole; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a feed says of one city at one time.

    at_s      unix seconds
    measures  by name, in the unit of `MEASURES`; those that are missing are not there
    alerts    that the feed itself gives; None where it gives none at all
    """

    city: str
    at_s: int
    measures: Mapping[str, float]
    alerts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Readings in the order of their time, and what was left out, by reason."""

    readings: tuple[Reading, ...]
    dropped: Counter[str] = field(default_factory=Counter)


def check_readings(rows: Iterable[Mapping[str, Any]], units: Mapping[str, str]) -> Checked:
    """The readings of rows, each a mapping of `city`, `time`, `alerts` and measures.

    A time is unix seconds or milliseconds, or ISO 8601, in UTC where it names no zone. Alerts are a list of
    names, or names separated by ";". Of a row, a measure that is missing, no number or not possible is left
    out and counted; the others count.

    Args:
        rows: of the feed.
        units: measure → unit, of those that do not come in the unit of `MEASURES`.

    Raises:
        FeedError: a measure does not know the unit.
    """
    for name, unit in units.items():
        _check_unit(name, unit)
    dropped: Counter[str] = Counter()
    readings = []
    for row in rows:
        city = str(row.get(CITY) or "").strip()
        if not city or len(city) > MOST_CITY_LETTERS:
            dropped["no_city"] += 1
            continue
        at_s = _time(row.get(TIME))
        if at_s is None:
            dropped["no_time"] += 1
            continue
        measures = {}
        for name, value in row.items():
            if name in (CITY, TIME, ALERTS):
                continue
            found = _value(name, value, units.get(name, ""), dropped)
            if found is not None:
                measures[name] = found
        alerts = _alerts(row[ALERTS], dropped) if ALERTS in row else None
        if not measures and alerts is None:
            dropped["nothing_measured"] += 1
            continue
        readings.append(Reading(city, at_s, measures, alerts))
    return Checked(tuple(sorted(readings, key=lambda each: each.at_s)), dropped)


def _check_unit(name: str, unit: str) -> None:
    if name not in MEASURES:
        return
    try:
        MEASURES[name].converted(0.0, unit)
    except KeyError:
        known = ", ".join((MEASURES[name].unit, *MEASURES[name].other_units))
        raise FeedError(f"{name} is given in {unit!r}; units that it may have are {known}") from None


def _value(name: str, value: Any, unit: str, dropped: Counter[str]) -> float | None:
    if name not in MEASURES:
        dropped["unknown_measure"] += 1
        return None
    if value is None or (isinstance(value, str) and value.strip().lower() in _MISSING):
        dropped[f"missing_{name}"] += 1
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        dropped["no_number"] += 1
        return None
    if math.isnan(number):
        dropped[f"missing_{name}"] += 1
        return None
    measure = MEASURES[name]
    number = measure.converted(number, unit)
    if not measure.low <= number <= measure.high:
        dropped["not_possible"] += 1
        return None
    return number


def _time(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        return None
    if seconds >= _IN_MILLISECONDS:
        seconds /= 1_000
    return int(seconds) if 0 < seconds < _LATEST_S else None


def _alerts(value: Any, dropped: Counter[str]) -> frozenset[str]:
    given = value.split(";") if isinstance(value, str) else value if isinstance(value, list) else []
    names = [str(name).strip() for name in given[: MOST_ALERTS + 1]]
    good = [name for name in names if ALERT_NAME.fullmatch(name)][:MOST_ALERTS]
    dropped["alert_name"] += len([name for name in names if name]) - len(good)
    return frozenset(good)
