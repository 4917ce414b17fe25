"""Replays five years of Beijing's weather, and shows that the online ranker finds haze → purifiers by itself.

The weather is real: hourly readings of 2010 to 2014 (UCI Beijing PM2.5, hours in local time), read as a feed
and turned into alerts as a router does. The shoppers are simulated, during the first alerts for haze and the
two days before and after each: in each hour they see items drawn at random and click one in 20; while the
alert is in force, one purifier in `--likes`. Nobody tells the ranker, which is the learner's own with its
settings (but for 2^18 inputs) and sees of the weather only which alerts were in force when an answer was
made.

Printed are the alerts; after how many impressions of an alert purifiers come first of all categories, for six
hours at least, for a request under haze, by a shopper and with items that nobody has seen; and in how many of
the hours with and without the alert they do. Beside it a ranker that is not told of the weather.

Run `python -m benchmarks.haze --weather PATH [--alerts 20] [--per-hour 200] [--likes 3] [--seed 1]`.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from environment.board import Board
from environment.city_alerts import Alert
from environment.settings import EnvironmentSettings
from environment.weather_file import read_weather
from learning.ranker.ranker import OnlineRanker
from learning.ranker.settings import OnlineRankerSettings
from learning.stream.samples import Samples
from state.live_counters.keys import text_key
from state.live_model.inputs import RankedRows
from state.live_model.weights import NO_MODEL, OnlineModel

CITY = "Beijing"
CATEGORIES, ITEMS, SHOPPERS = 20, 400, 500
PURIFIERS = 7
BASE = 0.05
BITS = 18
DAYS_AROUND = 2
STEADY_HOURS = 6
COLUMNS = ("temp", "pm2_5", "dew_point", "pressure")
_HOUR_S = 3_600


@dataclass(frozen=True)
class Replay:
    """The hours of the weather, unix seconds int64[h], the alerts in force in each, and what was counted."""

    hours: NDArray[np.int64]
    alerts: list[str]
    spans: tuple[Alert, ...]
    dropped: Counter[str]


def main() -> None:
    """Replays, simulates and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weather", type=Path, required=True, help="hourly.parquet of Beijing's weather")
    parser.add_argument("--per-hour", type=int, default=200, help="impressions an hour")
    parser.add_argument("--likes", type=int, default=3, help="purifiers per click on one, under haze")
    parser.add_argument("--alerts", type=int, default=20, help="alerts for haze that are simulated")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    options = parser.parse_args()
    replayed = replay(options.weather)
    print_alerts(replayed)
    simulate(replayed, options.per_hour, options.likes, options.alerts, options.seed)


def replay(weather: Path) -> Replay:
    """The weather as a feed gives it, hour by hour on a board."""
    frame = pl.read_parquet(weather).rename({"dewp": "dew_point", "pres": "pressure"})
    hours = frame.select(
        pl.datetime("year", "month", "day", "hour", time_zone="Asia/Shanghai").dt.epoch("s")
    ).to_series()
    content = io.StringIO()
    rows = csv.writer(content)
    rows.writerow(["city", "time", *COLUMNS])
    for at, *values in zip(hours, *(frame[name] for name in COLUMNS), strict=True):
        rows.writerow([CITY, at, *values])
    checked = read_weather(content.getvalue().encode())
    board = Board.of_settings(EnvironmentSettings(file=weather))
    by_time = {reading.at_s: reading for reading in checked.readings}
    alerts = []
    dropped = Counter(checked.dropped)
    for at in hours.to_list():
        if at in by_time:
            dropped += board.add(type(checked)((by_time[at],)), at)
        alerts.append(board.of(CITY, at).key)
    return Replay(hours.to_numpy().astype(np.int64), alerts, board.alerts_of(CITY), +dropped)


def print_alerts(replayed: Replay) -> None:
    """What was read, and each alert by year."""
    print(f"{replayed.hours.size:,} hours; left out: {dict(replayed.dropped)}")
    for name in sorted({alert.name for alert in replayed.spans}):
        of_name = sorted(
            (each for each in replayed.spans if each.name == name), key=lambda each: each.since_s
        )
        hours = sum(name in alerts.split(",") for alerts in replayed.alerts)
        print(f"{name}: {len(of_name)} alerts, in force in {hours:,} hours")
        for alert in of_name:
            print(f"  {_local(alert.since_s)} to {_local(alert.until_s)}")


def simulate(replayed: Replay, per_hour: int, likes: int, alerts: int, seed: int) -> None:
    """Both rankers over the same impressions: of the first alerts for haze, and of the days around each."""
    for name in ("told", "not told"):
        ranker, model = OnlineRanker(OnlineRankerSettings(bits=BITS)), NO_MODEL
        led: dict[bool, list[bool]] = {True: [], False: []}
        needed: list[int | None] = []
        seen, row, found = 0, 0, 0
        for samples, hazy in _impressions(replayed, per_hour, likes, alerts, seed):
            ranker.learn(samples if name == "told" else _without_weather(samples))
            version, _ = ranker.next_version()
            model = version or model
            leads = best_category(model, "haze" if hazy and name == "told" else "") == PURIFIERS
            led[hazy].append(leads)
            if hazy:
                seen += len(samples)
                row = row + 1 if leads else 0
                found = found or (seen - (STEADY_HOURS - 1) * len(samples) if row == STEADY_HOURS else 0)
            elif seen:
                needed.append(found or None)
                seen, row, found = 0, 0, 0
        known = sorted(each for each in needed if each)
        print(
            f"{name} of the weather: purifiers come first in {np.mean(led[True]):.1%} of hours under haze "
            f"and in {np.mean(led[False]):.1%} of those without"
        )
        print(
            f"  for {STEADY_HOURS} hours at least in {len(known)} of {len(needed)} alerts: impressions of the"
        )
        print(f"  alert until then: in the first alert {needed[0]}, in all {needed}")


def category_log_odds(model: OnlineModel, weather: str) -> NDArray[np.float32]:
    """float32[CATEGORIES]: of a click of a shopper and on an item that nobody has seen, at noon."""
    count = CATEGORIES
    rows = RankedRows(
        np.full(count, text_key("unseen item"), np.uint64),
        _keys("category", np.arange(count)),
        np.full(count, text_key("unseen shopper"), np.uint64),
        np.full(count, text_key("home"), np.uint64),
        np.full(count, 12, np.int64),
        np.zeros(count, np.int32),
        weathers=np.array([text_key(weather) if weather else 0], np.uint64),
    )
    return model.log_odds(rows)


def best_category(model: OnlineModel, weather: str) -> int:
    """The category that is ranked first."""
    return int(category_log_odds(model, weather).argmax())


def _impressions(
    replayed: Replay, per_hour: int, likes: int, alerts: int, seed: int
) -> Iterator[tuple[Samples, bool]]:
    """By hour: what was shown, and whether under haze."""
    random = np.random.default_rng(seed)
    item_keys, shopper_keys = _keys("item", np.arange(ITEMS)), _keys("shopper", np.arange(SHOPPERS))
    category_keys = _keys("category", np.arange(CATEGORIES))
    none = np.zeros(per_hour, np.bool_)
    unknown = np.zeros(per_hour, np.uint64)
    hazy = np.array(["haze" in each.split(",") for each in replayed.alerts])
    ends = np.flatnonzero(hazy[:-1] & ~hazy[1:])[:alerts]
    hazy[ends[-1] + 1 :] = False
    shown = np.convolve(hazy, np.ones(2 * DAYS_AROUND * 24 + 1), mode="same") > 0
    for hour in np.flatnonzero(shown).tolist():
        in_force = replayed.alerts[hour]
        items = random.integers(0, ITEMS, per_hour)
        categories = items % CATEGORIES
        chance = np.where((categories == PURIFIERS) & hazy[hour], 1 / likes, BASE)
        at = np.full(per_hour, replayed.hours[hour], np.int64)
        yield (
            Samples(
                shown_s=at,
                shoppers=shopper_keys[random.integers(0, SHOPPERS, per_hour)],
                items=item_keys[items],
                categories=category_keys[categories],
                scenes=np.full(per_hour, text_key("home"), np.uint64),
                answers=unknown,
                served_s=at,
                positions=random.integers(1, 11, per_hour).astype(np.int32),
                weathers=np.full(per_hour, text_key(in_force) if in_force else 0, np.uint64),
                clicked=random.random(per_hour) < chance,
                carted=none,
                purchased=none,
                regions=unknown,
                crowds=unknown,
            ),
            bool(hazy[hour]),
        )


def _without_weather(samples: Samples) -> Samples:
    columns = {name: getattr(samples, name) for name in Samples.__slots__}
    return Samples(**columns | {"weathers": np.zeros(len(samples), np.uint64)})


def _keys(what: str, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    return np.array([text_key(f"{what} {number}") for number in numbers], np.uint64)


def _local(at_s: int) -> str:
    return datetime.fromtimestamp(at_s + 8 * _HOUR_S, UTC).strftime("%Y-%m-%d %H:00")


if __name__ == "__main__":
    main()
