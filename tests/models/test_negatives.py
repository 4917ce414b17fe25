"""Negatives: never an item that was taken, from the sources asked for, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.negatives import NegativeSampler
from models.samples import SamplePoints, cut_points
from models.settings import NegativeSettings, SampleSettings
from tests.models.small_log import START, random_log

EVER = (0, START + 10**6)


def sampled(
    seed: int, settings: NegativeSettings, count: int = 8, **log_settings: object
) -> tuple[object, SamplePoints, np.ndarray]:
    log = random_log(seed, **log_settings)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    points = cut_points(log, SampleSettings(horizon=600), EVER, rng, max_points=1000)
    return log, points, NegativeSampler.fit(log, settings, EVER).draw(points, count, rng)


def only(**shares: float) -> NegativeSettings:
    none = {"popular_share": 0.0, "uniform_share": 0.0, "history_share": 0.0, "category_share": 0.0}
    return NegativeSettings(**{**none, "impression_window": 0, **shares})  # type: ignore[arg-type]


@given(
    seed=st.integers(0, 10_000),
    shares=st.tuples(*[st.floats(0, 1)] * 4).filter(lambda shares: sum(shares) > 0.01),
    items=st.sampled_from([1, 2, 12]),
)
def test_never_one_of_the_items_taken(seed: int, shares: tuple[float, ...], items: int) -> None:
    names = ("popular_share", "uniform_share", "history_share", "category_share")
    settings = NegativeSettings(**dict(zip(names, shares, strict=True)))  # type: ignore[arg-type]
    _, points, drawn = sampled(seed, settings, items=items)
    assert drawn.shape == (len(points), 8)
    assert drawn.min(initial=0) >= 0
    assert drawn.max(initial=0) <= items
    for row in range(len(points)):
        taken = points.taken_items[points.taken_offsets[row] : points.taken_offsets[row + 1]]
        assert not set(drawn[row]) & set(taken)
        if len(set(taken)) == items:
            assert (drawn[row] == 0).all()


def test_impressions_not_taken_come_first() -> None:
    log, points, drawn = sampled(3, NegativeSettings(impression_window=10_000))
    impressions = log.impressions  # type: ignore[attr-defined]
    shown_somewhere = 0
    for row in range(len(points)):
        taken = points.taken_items[points.taken_offsets[row] : points.taken_offsets[row + 1]]
        age = points.now[row] - impressions.ts
        shown = impressions.item[(impressions.user == points.user[row]) & (age >= 0) & (age <= 10_000)]
        shown = sorted(set(shown) - set(taken))
        shown_somewhere += len(shown)
        assert set(drawn[row, : min(len(shown), 8)]) <= set(shown) or not shown
        assert len(set(drawn[row, : len(shown)]) & set(shown)) == min(len(shown), 8)
    assert shown_somewhere > 0


def test_popular_draws_follow_popularity_to_the_power() -> None:
    log = random_log(1, users=3, items=5, events=4000, impressions=0.0)
    points = cut_points(
        log, SampleSettings(horizon=0), (START, START + 100), np.random.default_rng(0), max_points=1
    )
    sampler = NegativeSampler.fit(log, only(popular_share=1.0), EVER)
    points = points.select(np.zeros(20_000, dtype=np.int64))
    drawn = sampler.draw(points, 4, np.random.default_rng(0))
    free = np.setdiff1d(np.arange(1, 6), points.taken_items)
    expected = log.item_frequency(EVER)[free] ** 0.75
    got = np.bincount(drawn.ravel(), minlength=6)[free]
    np.testing.assert_allclose(got / got.sum(), expected / expected.sum(), atol=0.01)


def test_history_draws_come_from_the_shoppers_own_history() -> None:
    log, points, drawn = sampled(2, only(history_share=1.0))
    behaviours = log.behaviours  # type: ignore[attr-defined]
    from_history = checked = 0
    for row in range(len(points)):
        history = behaviours.item[points.history_start[row] : points.history_end[row]]
        taken = points.taken_items[points.taken_offsets[row] : points.taken_offsets[row + 1]]
        if set(history) - set(taken):
            checked += drawn.shape[1]
            from_history += int(np.isin(drawn[row], history).sum())
    # Hits on taken items are redrawn from everything, so not quite all are from the history.
    assert from_history > 0.6 * checked > 0


@pytest.mark.parametrize("row", [0, 7, 200])
def test_oversampling_is_the_ratio_of_the_chances_to_be_drawn(row: int) -> None:
    settings = NegativeSettings(
        popular_share=0.3, uniform_share=0.3, history_share=0.25, category_share=0.15, impression_window=0
    )
    log = random_log(1, users=2, items=9, events=400, impressions=0.0)
    points = cut_points(log, SampleSettings(horizon=0), EVER, np.random.default_rng(0), max_points=10_000)
    middle = points.select(np.full(60_000, row))
    free = np.setdiff1d(np.arange(1, 10), middle.taken_items[: middle.taken_offsets[1]])

    # The mixture itself: what is redrawn because it was taken is left out of the account.
    drawn = NegativeSampler.fit(log, settings, EVER)._mixture(middle, 10, np.random.default_rng(3))
    expected = np.log(np.bincount(drawn.ravel(), minlength=10)[free] / drawn.size * log.items)
    sampler = NegativeSampler.fit(log, settings, EVER)
    offset = sampler.log_oversampling(middle.select(np.array([0])), free[None, :])[0]
    np.testing.assert_allclose(offset, expected, atol=0.03)
    assert np.ptp(offset) > 0.1


def test_uniform_draws_need_no_correction_and_popular_ones_that_of_their_popularity() -> None:
    _, points, drawn = sampled(4, only(uniform_share=1.0))
    log = random_log(4)
    uniform = NegativeSampler.fit(log, only(uniform_share=1.0), EVER).log_oversampling(points, drawn)
    np.testing.assert_allclose(uniform[drawn > 0], 0, atol=1e-6)
    mixture = only(popular_share=0.5, uniform_share=0.5)
    whole = NegativeSampler.fit(log, mixture, EVER).log_oversampling(points, drawn)
    half = NegativeSampler.fit(
        log, mixture.model_copy(update={"popularity_correction": 0.5}), EVER
    ).log_oversampling(points, drawn)
    weight = log.item_frequency(EVER)[drawn] ** 0.75
    chance = 0.5 * weight / (log.item_frequency(EVER)[1:] ** 0.75).sum() + 0.5 / log.items
    np.testing.assert_allclose(whole[drawn > 0], np.log(chance * log.items)[drawn > 0], atol=1e-5)
    np.testing.assert_allclose(half, whole / 2, atol=1e-5)


def test_the_same_seed_draws_the_same() -> None:
    settings = NegativeSettings(history_share=0.2, category_share=0.2)
    np.testing.assert_array_equal(sampled(5, settings)[2], sampled(5, settings)[2])


def test_popularity_is_counted_inside_the_range_only() -> None:
    log = random_log(4, impressions=0.0)
    sampler = NegativeSampler.fit(log, only(popular_share=1.0), (0, START + 5_000))
    early = set(log.behaviours.item[log.behaviours.ts < START + 5_000])
    late = set(log.behaviours.item) - early
    steps = np.diff(sampler.popular, prepend=0)
    assert late
    assert all(steps[item] == 0 for item in late)
    assert all(steps[item] > 0 for item in early)


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one share"):
        only()
