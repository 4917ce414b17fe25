"""Alerts begin, do not flicker and end; the board keeps the last good value until it is stale."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from environment import board
from environment.board import NO_SURROUNDINGS, Board
from environment.city_alerts import Alert, CityAlerts
from environment.readings import Checked, Reading, check_readings
from environment.settings import HAZE, HEAT, AlertRule, EnvironmentSettings

HOUR = 3_600
START = 1_700_000_000 - 1_700_000_000 % HOUR
BEIJING = Path("/work/shared/data/beijing_weather/hourly.parquet")


def reading(
    hour: float, alerts: frozenset[str] | None = None, city: str = "Bonn", **measures: float
) -> Reading:
    return Reading(city, START + round(hour * HOUR), measures, alerts)


def spans(rules: dict[str, AlertRule], readings: list[Reading]) -> list[tuple[str, float, float]]:
    city = CityAlerts(rules)
    for each in readings:
        city.add(each)
    return [
        (alert.name, (alert.since_s - START) / HOUR, (alert.until_s - START) / HOUR)
        for alert in city.so_far()
    ]


def test_heat_begins_at_37_and_ends_below_35() -> None:
    temps = [36.9, 37.0, 36.0, 35.0, 34.9, 36.9, 40.0]
    assert spans({"heat": HEAT}, [reading(hour, temp=temp) for hour, temp in enumerate(temps)]) == [
        ("heat", 1, 4),
        ("heat", 6, 6),
    ]


def test_haze_is_a_mean_of_24_hours_beyond_250() -> None:
    at_250 = [reading(hour, pm2_5=250.0) for hour in range(48)]
    assert spans({"haze": HAZE}, at_250) == []
    # From hour 24 on the mean rises by 1.25 an hour, and then falls again by 6.25 until it is below 200.
    rising = [
        reading(hour, pm2_5=250.0 if hour < 24 else 280.0 if hour < 48 else 130.0) for hour in range(90)
    ]
    ((name, since, until),) = spans({"haze": HAZE}, rising)
    assert (name, since) == ("haze", 24)
    means = [
        np.mean([each.measures["pm2_5"] for each in rising[hour - 23 : hour + 1]]) for hour in range(23, 90)
    ]
    assert until == 23 + int(np.argmax((np.array(means) < 200) & (np.arange(67) > 1)))


def test_a_mean_needs_its_hours_and_does_not_depend_on_how_often_there_is_a_reading() -> None:
    often = [reading(hour / 6, pm2_5=900.0) for hour in range(6 * 17)]
    assert spans({"haze": HAZE}, often) == []
    assert spans({"haze": HAZE}, [*often, reading(17, pm2_5=900.0)]) == [("haze", 17, 17)]
    one_bad_hour = [
        *(reading(hour, pm2_5=10.0) for hour in range(23)),
        *(reading(23 + n / 60, pm2_5=900.0) for n in range(60)),
    ]
    assert spans({"haze": HAZE}, one_bad_hour) == []


def test_what_is_missing_neither_ends_nor_prolongs_an_alert_and_it_expires() -> None:
    hot = [reading(0, temp=38.0), reading(3, pm2_5=1.0), reading(6, pm2_5=1.0)]
    city = CityAlerts({"heat": HEAT})
    for each in hot:
        city.add(each)
    assert city.in_force(START + 6 * HOUR) == ("heat",)
    assert city.in_force(START + 6 * HOUR + 1) == ()
    city.add(reading(9, temp=38.0))
    assert city.so_far() == (
        Alert("heat", START, START + 6 * HOUR),
        Alert("heat", START + 9 * HOUR, START + 9 * HOUR),
    )


def test_low_values_may_be_what_an_alert_is_about() -> None:
    frost = AlertRule(measure="temp", begins=0.0, ends=2.0, falls=True)
    temps = [1.0, 0.0, 1.5, 2.5]
    assert spans({"frost": frost}, [reading(hour, temp=temp) for hour, temp in enumerate(temps)]) == [
        ("frost", 1, 3)
    ]


def test_alerts_of_the_feed_itself_are_followed_and_rules_keep_theirs() -> None:
    given_by_feed = [
        reading(0, frozenset({"storm", "heat"}), temp=20.0),
        reading(1, None, temp=38.0),
        reading(2, frozenset(), temp=38.0),
    ]
    assert spans({"heat": HEAT}, given_by_feed) == [("storm", 0, 2), ("heat", 1, 2)]


@given(st.lists(st.floats(30, 42), min_size=1, max_size=60))
def test_alerts_are_those_of_a_plain_state_machine(temps: list[float]) -> None:
    on, expected = False, []
    for temp in temps:
        on = temp >= 35 if on else temp >= 37
        expected.append(("heat",) if on else ())
    city, found = CityAlerts({"heat": HEAT}), []
    for hour, temp in enumerate(temps):
        city.add(reading(hour, temp=temp))
        found.append(city.in_force(START + hour * HOUR))
    assert found == expected


def made(default: str = "") -> Board:
    return Board.of_settings(EnvironmentSettings(file=Path("x"), default_city=default, stale_hours=2))


def test_the_last_good_value_stays_until_it_is_stale() -> None:
    known = made("Bonn")
    dropped = known.add(Checked((reading(0, temp=38.0, pm2_5=9.0), reading(1, pm2_5=10.0))), START + HOUR)
    assert not +dropped
    now = known.of("", START + 2 * HOUR)
    assert (now.city, now.measures, now.alerts, now.age_s) == (
        "Bonn",
        {"temp": 38.0, "pm2_5": 10.0},
        ("heat",),
        HOUR,
    )
    assert known.of("Bonn", START + 3 * HOUR).measures == {"pm2_5": 10.0}
    later = known.of("Bonn", START + 99 * HOUR)
    assert (later.measures, later.alerts, later.age_s, later.key) == ({}, (), 98 * HOUR, "")
    assert known.of("Celle", START) is NO_SURROUNDINGS
    assert known.on(START + HOUR) == {"heat": 1}


def test_repeated_and_future_readings_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    known = made()
    again = Checked(
        (reading(0, temp=1.0), reading(0, temp=2.0), reading(9, temp=3.0)), Counter({"no_time": 2})
    )
    assert +known.add(again, START + HOUR) == {"known": 1, "ahead": 1, "no_time": 2}
    assert known.of("Bonn", START).measures == {"temp": 1.0}
    monkeypatch.setattr(board, "MOST_CITIES", 1)
    assert +known.add(Checked((reading(0, city="Celle", temp=1.0),)), START) == {"too_many_cities": 1}


@pytest.mark.parametrize(
    "settings",
    [
        {"file": "x", "url": "http://x"},
        {"url": "ftp://x"},
        {"alerts": {"Heat!": HEAT}},
        {"alerts": {"heat": {"measure": "mood", "begins": 1, "ends": 1}}},
        {"alerts": {"heat": {"measure": "temp", "begins": 1, "ends": 2}}},
        {"alerts": {"frost": {"measure": "temp", "begins": 0, "ends": -1, "falls": True}}},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EnvironmentSettings.model_validate(settings)


@pytest.mark.slow
@pytest.mark.skipif(not BEIJING.exists(), reason="the weather of Beijing is not here")
def test_the_haze_of_beijing_is_found_as_a_plain_mean_finds_it() -> None:
    polars = pytest.importorskip("polars")
    hours = polars.read_parquet(BEIJING).head(24 * 60)
    times = [START + hour * HOUR for hour in range(hours.height)]
    values = hours["pm2_5"].to_list()
    rows = [{"city": "Beijing", "time": at, "pm2_5": value} for at, value in zip(times, values, strict=True)]
    checked = check_readings(rows, {})
    missing = sum(value is None for value in values)
    assert checked.dropped["missing_pm2_5"] == checked.dropped["nothing_measured"] == missing > 0
    city = CityAlerts({"haze": HAZE})
    found = set()
    for each in checked.readings:
        city.add(each)
        if "haze" in city.in_force(each.at_s):
            found.add(each.at_s)
    on, expected = False, set()
    for row, value in enumerate(values):
        window = [each for each in values[max(row - 23, 0) : row + 1] if each is not None]
        if value is not None and len(window) >= 18:
            on = np.mean(window) >= 200 if on else np.mean(window) > 250
            if on:
                expected.add(times[row])
    assert found == expected
    assert expected


def test_the_board_knows_which_alerts_there_can_be() -> None:
    without = Board.of_settings(EnvironmentSettings())
    assert without.alert_names == ()
    assert "no feed" in without.why_never("haze")
    known = Board({"heat": HEAT, "haze": HAZE}, HOUR)
    assert known.why_never("haze") == ""
    assert "known are haze, heat" in known.why_never("storm")
    # A feed that gives alerts itself may give any, once it has shown that it does.
    known.add(Checked((reading(0, temp=20.0),)), START)
    assert known.why_never("storm")
    known.add(Checked((reading(1, frozenset({"frost"})),)), START + HOUR)
    assert known.alert_names == ("frost", "haze", "heat")
    assert known.why_never("storm") == ""
    assert known.why_never("Storm!")
