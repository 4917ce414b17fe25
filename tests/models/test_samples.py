"""Sample points: nothing of the future in a history, nothing beyond a range in a positive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.batches import encode_shoppers
from models.interaction_log import InteractionLog
from models.samples import SamplePoints, cut_points
from models.settings import SampleSettings
from testing.divided_work import DividedWork
from tests.models.small_log import START, random_log


def points_of(log: InteractionLog, settings: SampleSettings, start: int, end: int, seed: int) -> SamplePoints:
    return cut_points(log, settings, (start, end), np.random.default_rng(seed), max_points=10_000)


@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(0, 40_000),
    horizon=st.sampled_from([0, 50, 600, 10**6]),
    positives=st.integers(1, 5),
)
def test_nothing_of_the_future_enters_a_sample(seed: int, cut: int, horizon: int, positives: int) -> None:
    log = random_log(seed)
    settings = SampleSettings(horizon=horizon, positives=positives, positive_events=(2, 4, 5))
    start, end = START + cut // 2, START + cut
    points = points_of(log, settings, start, end, seed)
    behaviours = log.behaviours
    assert (np.diff(points.now) >= 0).all()
    for row in range(len(points)):
        user, now = points.user[row], points.now[row]
        own = (behaviours.user == user) & (behaviours.item > 0)
        assert start <= now < end
        history = np.arange(points.history_start[row], points.history_end[row])
        # Strictly before, and all of it: the history is neither ahead of its time nor short of it.
        assert set(history) == set(np.flatnonzero(own & (behaviours.ts < now)))
        wanted = (
            own
            & (behaviours.ts >= now)
            & (behaviours.ts <= now + horizon)
            & (behaviours.ts < end)
            & np.isin(behaviours.event, settings.positive_events)
        )
        taken = points.taken_items[points.taken_offsets[row] : points.taken_offsets[row + 1]]
        assert sorted(taken) == sorted(set(behaviours.item[wanted]))
        kept = points.positives[row][points.positives[row] > 0]
        assert len(kept) == min(positives, len(taken)) == len(set(kept))
        first_time = {item: behaviours.ts[wanted & (behaviours.item == item)].min() for item in taken}
        latest_kept = max(first_time[item] for item in kept)
        assert all(first_time[item] >= latest_kept for item in set(taken) - set(kept))


@given(seed=st.integers(0, 10_000))
def test_points_do_not_change_when_the_future_does(seed: int) -> None:
    """What lies at or behind the cut can be anything: training sees the same points."""
    log, settings = random_log(seed), SampleSettings(horizon=600)
    cut = START + 20_000
    shuffled = log.behaviours.item.copy()
    later = log.behaviours.ts >= cut
    shuffled[later] = np.roll(shuffled[later], 1)
    other = type(log.behaviours)(
        log.behaviours.user, shuffled, log.behaviours.event, log.behaviours.ts, log.behaviours.offsets,
        log.behaviours.keys,
    )  # fmt: skip
    changed = InteractionLog(other, log.impressions, log.profile, log.items, log.categories)
    before, after = (points_of(each, settings, 0, cut, seed) for each in (log, changed))
    for field in ("user", "now", "history_start", "history_end", "positives", "taken_items"):
        np.testing.assert_array_equal(getattr(before, field), getattr(after, field))
    for one, two in zip(encode_shoppers(log, before).all, encode_shoppers(changed, after).all, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    np.testing.assert_array_equal(log.item_frequency((0, cut)), changed.item_frequency((0, cut)))


def test_there_is_a_point_for_every_moment_something_was_taken() -> None:
    log = random_log(4)
    points = points_of(log, SampleSettings(), 0, START + 10**6, 0)
    moments = set(zip(log.behaviours.user, log.behaviours.ts, strict=True))
    assert set(zip(points.user, points.now, strict=True)) == moments
    assert len(points) == len(moments)


def test_impressions_never_enter_a_history() -> None:
    log = random_log(5, impressions=0.8)
    assert len(log.impressions) > len(log.behaviours) > 0
    _, event, *_ = encode_shoppers(log, points_of(log, SampleSettings(), 0, START + 10**6, 0)).all
    assert set(np.unique(event.numpy())) <= {0, 2, 3, 4, 5}


def test_the_most_recent_points_are_kept_first() -> None:
    log = random_log(6)
    every = points_of(log, SampleSettings(), 0, START + 10**6, 0)
    some = cut_points(log, SampleSettings(), (0, START + 10**6), np.random.default_rng(0), max_points=10)
    assert len(some) == 10
    assert some.now.min() >= np.sort(every.now)[-10]
    spread = cut_points(
        log, SampleSettings(), (0, START + 10**6), np.random.default_rng(0), max_points=10, most_recent=False
    )
    assert len(spread) == 10
    assert spread.now.min() < some.now.min()


def test_profile_codes_reach_the_batch() -> None:
    log = random_log(7)
    points = points_of(log, SampleSettings(), 0, START + 10**6, 0)
    profile = encode_shoppers(log, points).profile.numpy()
    np.testing.assert_array_equal(profile, log.profile[points.user])
    assert profile[:, 0].any()
    assert not profile[:, 1].any()


def test_an_empty_range_has_no_points() -> None:
    points = points_of(random_log(8), SampleSettings(), START - 100, START - 50, 0)
    assert len(points) == 0
    assert points.positives.shape == (0, SampleSettings().positives)


def test_selected_points_keep_what_belongs_to_them() -> None:
    log = random_log(9)
    points = points_of(log, SampleSettings(horizon=5000), 0, START + 10**6, 0)
    rows = np.array([5, 0, 5, 3])
    chosen = points.select(rows)
    for new, old in enumerate(rows):
        np.testing.assert_array_equal(
            chosen.taken_items[chosen.taken_offsets[new] : chosen.taken_offsets[new + 1]],
            points.taken_items[points.taken_offsets[old] : points.taken_offsets[old + 1]],
        )
    np.testing.assert_array_equal(chosen.now, points.now[rows])


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1_000),
    parts=st.integers(2, 5),
    most=st.sampled_from([1, 7, 30, 10_000]),
    most_recent=st.booleans(),
)
def test_points_do_not_depend_on_how_the_shoppers_are_divided(
    seed: int, parts: int, most: int, most_recent: bool
) -> None:
    log = random_log(seed)
    whole, divided = (
        cut_points(
            each,
            SampleSettings(horizon=600),
            (START + 5_000, START + 30_000),
            np.random.default_rng(seed),
            max_points=most,
            most_recent=most_recent,
        )
        for each in (log, replace(log, work=DividedWork(parts)))
    )
    for name in SamplePoints.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(divided, name), getattr(whole, name), err_msg=name)
