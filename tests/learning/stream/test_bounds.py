"""What the learner keeps, and how much one shopper counts, is bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from learning.stream.counter_table import CounterTable
from learning.stream.settings import StreamSettings
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IMPRESSION, VIEW
from state.live_counters.decay import HALF_LIVES_S, ONE, SIGNALS
from state.live_counters.live_counters import LiveCounters
from testing.browsing_log import START_S, event
from tests.learning.stream.logs import counts, item, new_state, read, small_catalogue, token


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return small_catalogue(tmp_path_factory.mktemp("catalogue"))


def test_a_robot_counts_no_more_than_a_shopper_may(catalogue: Catalogue, tmp_path: Path) -> None:
    limits = StreamSettings(shopper_events=50, shopper_impressions=80)
    events = [event(VIEW, "i1", START_S, "robot", quantity=1_000_000) for _ in range(30_000)]
    events += [
        each
        for number in range(200)
        for shown in [token("robot", number, START_S)]
        for each in (
            event(IMPRESSION, "i2", START_S, "robot", shown),
            event(VIEW, "i2", START_S, "robot", shown),
        )
    ]
    events += [event(VIEW, "i3", START_S, f"u{number}") for number in range(60)]
    state = new_state(catalogue, tmp_path, limits)
    read(state, events, size=7_777)
    now = START_S // 60 * 60.0
    assert counts(state, tmp_path, "item", item("i1"), now)["views"] == 50
    assert not any(counts(state, tmp_path, "item", item("i2"), now).values())
    assert counts(state, tmp_path, "item", item("i3"), now)["views"] == 60
    assert state.drops["shopper_cap"] == 30_000 - 50 + 200 + 200
    whole = new_state(catalogue, tmp_path / "whole", limits)
    read(whole, events)
    assert whole.digest() == state.digest()
    read(state, [event(VIEW, "i1", START_S + 3_600, "robot")])
    assert counts(state, tmp_path, "item", item("i1"), now + 3_600)["views"] == pytest.approx(26)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_impressions_whose_clicks_do_not_count_do_not_count_either(
    catalogue: Catalogue, tmp_path: Path, size: int
) -> None:
    events = []
    for number in range(40):
        for shopper in ("u1", "u2"):
            shown = token(shopper, number, START_S)
            events.append(event(IMPRESSION, "i2", START_S, shopper, shown))
            if shopper == "u1" or number % 10 == 0:
                events.append(event(VIEW, "i2", START_S, shopper, shown))
    state = new_state(catalogue, tmp_path, StreamSettings(shopper_events=25, shopper_impressions=30))
    read(state, events, size=size)
    # u1: 25 of each; u2: 30 impressions, and the views at 0, 10, 20 and 30, which has no impression.
    now = START_S // 60 * 60.0
    assert counts(state, tmp_path, "item", item("i2"), now) == {
        "impressions": 25 + 30,
        "clicks": 25 + 3,
        "views": 25 + 4,
        "purchases": 0,
    }
    assert state.drops["shopper_cap"] == 15 + 15 + 10


def test_of_the_latest_impressions_a_row_keeps_no_more_than_its_bound(tmp_path: Path) -> None:
    impressions, clicks = SIGNALS.index("impressions"), SIGNALS.index("clicks")
    key = np.array([7], np.uint64)
    digests = set()
    for cut in (1, 5, 40):
        table = CounterTable(tmp_path, "kind", 1_000, most_impressions=20)
        # 40 impressions with 20 clicks, and a minute later 10 without.
        signals = np.array([impressions] * 40 + [clicks] * 20, np.uint8)
        for at in range(0, signals.size, cut):
            table.add(np.repeat(key, signals[at : at + cut].size), signals[at : at + cut], 10)
        assert table.exported()["counts"][0, 0, impressions] == 40 * ONE
        table.add(np.repeat(key, 10), np.full(10, impressions, np.uint8), 11)
        row = table.exported()["counts"][0, 0] / ONE
        fade = 2 ** (-1 / 60)
        assert row[impressions] == pytest.approx(20 * fade + 10, abs=1e-5)
        assert row[clicks] == pytest.approx(10 * fade, abs=1e-5)
        digests.add(table.exported()["counts"].tobytes())
    assert len(digests) == 1


def test_a_table_keeps_its_bound(tmp_path: Path) -> None:
    table = CounterTable(tmp_path, "item", 1_000)
    views = SIGNALS.index("views")
    keys = np.arange(1, 5_001, dtype=np.uint64)
    table.add(keys, np.full(5_000, views, np.uint8), 10)
    popular = keys[::10]
    table.add(popular, np.full(popular.size, views, np.uint8), 11)
    assert table.evict(12) == 5_000 - 875
    assert len(table) == 875
    kept = table.exported()["keys"]
    assert set(popular.tolist()) <= set(kept.tolist())
    live = LiveCounters()
    assert not live.has("item")
    assert live.counts("item", item("i1"), 0.0).shape == (1, len(HALF_LIVES_S), len(SIGNALS))
    assert table.evict(13) == 0


def test_pairs_beyond_the_bound_are_counted(catalogue: Catalogue, tmp_path: Path) -> None:
    limits = StreamSettings(window_s=120, label_wait_s=20, most_pairs=1_000, shopper_impressions=10_000)
    events = [event(IMPRESSION, "i1", START_S, "u1", token("u1", number, START_S)) for number in range(1_200)]
    state = new_state(catalogue, tmp_path, limits)
    read(state, events, size=100)
    assert state.drops["pairs_full"] == 200
    assert state.rows["pairs"] == 1_000
