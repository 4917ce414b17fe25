"""The alerts of one city, as its readings come in.

An alert begins where its measure, or the mean of this over some hours, reaches a value, and ends where it is
below a lower one: between the two it stays as it is (hysteresis), and without a value for too long it ends.
The mean over hours is that of the hours' means, so that it does not depend on how often there is a reading.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from environment.readings import Reading
from environment.settings import AlertRule

_HOUR_S = 3_600
_MOST_ENDED = 1_000
_FED_EXPIRES_S = 6 * _HOUR_S
"""Of an alert that the feed gives itself."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that was: unix seconds of its first and its last reading, or of its expiry."""

    name: str
    since_s: int
    until_s: int


@dataclass(slots=True)
class _Hour:
    number: int
    total: float
    count: int


@dataclass(slots=True)
class _Active:
    since_s: int
    seen_s: int
    expires_s: float


class CityAlerts:
    """Of one city, from its readings in the order of their time."""

    def __init__(self, rules: Mapping[str, AlertRule]) -> None:
        """No reading yet."""
        self._rules = rules
        self._active: dict[str, _Active] = {}
        self._hours: dict[str, deque[_Hour]] = {rule.measure: deque() for rule in rules.values()}
        self._longest = max((rule.hours for rule in rules.values()), default=0)
        self.ended: deque[Alert] = deque(maxlen=_MOST_ENDED)
        """Those that have ended, the last ones."""

    def add(self, reading: Reading) -> None:
        """Takes the next reading, later than the ones before."""
        at_s = reading.at_s
        self._expire(at_s)
        hour = at_s // _HOUR_S
        for measure, hours in self._hours.items():
            if measure in reading.measures:
                value = reading.measures[measure]
                if hours and hours[-1].number == hour:
                    hours[-1].total += value
                    hours[-1].count += 1
                else:
                    hours.append(_Hour(hour, value, 1))
            while hours and hours[0].number <= hour - max(self._longest, 1):
                hours.popleft()
        for name, rule in self._rules.items():
            value_now = self._value(rule, reading, hour)
            if value_now is not None:
                self._judge(name, rule, value_now, at_s)
        if reading.alerts is not None:
            self._follow_feed(reading.alerts, at_s)

    def in_force(self, now_s: int) -> tuple[str, ...]:
        """Names of the alerts at a unix second, in their order."""
        return tuple(
            sorted(name for name, active in self._active.items() if now_s - active.seen_s <= active.expires_s)
        )

    def so_far(self) -> tuple[Alert, ...]:
        """Those that have ended, and those that are on, up to their last reading."""
        on = (Alert(name, active.since_s, active.seen_s) for name, active in self._active.items())
        return (*self.ended, *on)

    def _value(self, rule: AlertRule, reading: Reading, hour: int) -> float | None:
        if not rule.hours:
            return reading.measures.get(rule.measure)
        of_window = [each for each in self._hours[rule.measure] if each.number > hour - rule.hours]
        if len(of_window) < rule.least_share * rule.hours:
            return None
        return sum(each.total / each.count for each in of_window) / len(of_window)

    def _judge(self, name: str, rule: AlertRule, value: float, at_s: int) -> None:
        sign = -1.0 if rule.falls else 1.0
        over, begins, ends = sign * value, sign * rule.begins, sign * rule.ends
        if name in self._active:
            if over < ends:
                self._end(name, at_s)
            else:
                self._active[name].seen_s = at_s
        elif over > begins or (over == begins and not rule.beyond):
            self._active[name] = _Active(at_s, at_s, rule.expires_hours * _HOUR_S)

    def _follow_feed(self, given: frozenset[str], at_s: int) -> None:
        """Alerts that the feed gives itself; those of rules of the same name are the rules'."""
        for name in [name for name in self._active if name not in self._rules and name not in given]:
            self._end(name, at_s)
        for name in given - self._rules.keys():
            known = self._active.setdefault(name, _Active(at_s, at_s, _FED_EXPIRES_S))
            known.seen_s = at_s

    def _expire(self, at_s: int) -> None:
        for name, active in list(self._active.items()):
            if at_s - active.seen_s > active.expires_s:
                self._end(name, int(active.seen_s + active.expires_s))

    def _end(self, name: str, at_s: int) -> None:
        self.ended.append(Alert(name, self._active.pop(name).since_s, at_s))
