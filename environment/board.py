"""What is known of every city now: the last good value of each measure, and the alerts in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from environment.city_alerts import Alert, CityAlerts
from environment.readings import ALERT_NAME, Checked, Reading
from environment.settings import AlertRule, EnvironmentSettings

MOST_CITIES = 10_000
_MOST_GIVEN = 1_000
_MOST_AHEAD_S = 3_600
_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What surrounds a shopper.

    city      "" where it is not known, or nothing is known of it
    alerts    names of those in force, in their order
    measures  by name, in the unit of `environment.measures`; without those that are stale
    age_s     seconds since the newest reading; None where there is none
    """

    city: str = ""
    alerts: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    age_s: int | None = None

    @property
    def key(self) -> str:
        """The alerts in one text, "" where there are none: what a learner crosses with categories."""
        return ",".join(self.alerts)


NO_SURROUNDINGS = Surroundings()


@dataclass(slots=True)
class _City:
    alerts: CityAlerts
    newest_s: int = 0
    last: dict[str, tuple[float, int]] = field(default_factory=dict)


class Board:
    """One process's board; it is filled by a feed and read by requests of the same event loop."""

    def __init__(
        self,
        rules: Mapping[str, AlertRule],
        stale_s: float,
        default_city: str = "",
        *,
        configured: bool = True,
    ) -> None:
        """Nothing is known yet; `configured`: whether there is a feed at all."""
        self.configured = configured
        self._rules = rules
        self._stale_s = stale_s
        self._default_city = default_city
        self._cities: dict[str, _City] = {}
        self._given: set[str] | None = None

    @classmethod
    def of_settings(cls, settings: EnvironmentSettings) -> Board:
        """The board of a feed, which may be none."""
        return cls(
            settings.alerts,
            settings.stale_hours * 3_600,
            settings.default_city,
            configured=settings.configured,
        )

    @property
    def cities(self) -> int:
        """Cities of which anything is known."""
        return len(self._cities)

    @property
    def alert_names(self) -> tuple[str, ...]:
        """Alerts that readings can begin, and the first 1,000 that the feed has given itself; sorted."""
        return tuple(sorted(self._rules.keys() | (self._given or set()))) if self.configured else ()

    def why_never(self, alert: str) -> str:
        """Why an alert of this name is never in force, as far as is known; "" where it can be.

        A feed that gives alerts itself may give any name some day.
        """
        if not self.configured:
            return "no feed raises alerts: router.environment.file and url are null"
        if alert in self.alert_names or (self._given is not None and ALERT_NAME.fullmatch(alert)):
            return ""
        known = f"known are {', '.join(self.alert_names)}" if self.alert_names else "none are known"
        return f"nothing raises it: {known} (router.environment.alerts, and what the feed gives itself)"

    @property
    def newest_s(self) -> int:
        """Unix second of the newest reading, 0 where there is none."""
        return max((city.newest_s for city in self._cities.values()), default=0)

    def add(self, checked: Checked, now_s: int) -> Counter[str]:
        """Takes readings; returns what was left out by reason, those of `checked` too.

        A reading that is not newer than the ones before of its city is `known`: feeds repeat what they said.
        """
        dropped = Counter(checked.dropped)
        for reading in checked.readings:
            reason = self._add(reading, now_s)
            if reason:
                dropped[reason] += 1
        return dropped

    def of(self, city: str, now_s: int) -> Surroundings:
        """What surrounds a shopper of the city, "" = the default one, at a unix second."""
        name = city or self._default_city
        known = self._cities.get(name)
        if known is None:
            return NO_SURROUNDINGS
        fresh = {
            measure: value for measure, (value, at_s) in known.last.items() if now_s - at_s <= self._stale_s
        }
        return Surroundings(name, known.alerts.in_force(now_s), fresh, max(now_s - known.newest_s, 0))

    def on(self, now_s: int) -> dict[str, int]:
        """Alert → cities in which it is in force at a unix second."""
        return dict(Counter(name for city in self._cities.values() for name in city.alerts.in_force(now_s)))

    def alerts_of(self, city: str) -> tuple[Alert, ...]:
        """The alerts that a city had, the last ones."""
        known = self._cities.get(city)
        return () if known is None else known.alerts.so_far()

    def _add(self, reading: Reading, now_s: int) -> str:
        """Why the reading was left out; "" where it was not."""
        if reading.at_s > now_s + _MOST_AHEAD_S:
            return "ahead"
        city = self._cities.get(reading.city)
        if city is None:
            if len(self._cities) >= MOST_CITIES:
                return "too_many_cities"
            city = self._cities[reading.city] = _City(CityAlerts(self._rules))
        if reading.at_s <= city.newest_s:
            return "known"
        city.newest_s = reading.at_s
        city.last |= {name: (value, reading.at_s) for name, value in reading.measures.items()}
        city.alerts.add(reading)
        if reading.alerts is not None:
            self._given = self._given or set()
            self._given |= set(sorted(reading.alerts)[: max(_MOST_GIVEN - len(self._given), 0)])
        return ""


NO_FEED = Board({}, 0.0, configured=False)
"""Of a shop without a feed."""
