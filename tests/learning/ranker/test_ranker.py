"""The online ranker: the published algorithm, hashing, validation, and what its guard holds."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.ranker.ftrl import Ftrl
from learning.ranker.guard import Guard
from learning.ranker.ranker import OnlineRanker, rows_of
from learning.ranker.settings import CorrectionSettings, GuardSettings, OnlineRankerSettings
from learning.ranker.validation import auc, log_loss
from learning.stream.samples import Samples
from state.live_model.inputs import FIELDS, NONE, RankedRows, hashed_inputs

SMALL = OnlineRankerSettings(bits=8, guard=GuardSettings(samples=200))
PLAIN = SMALL.model_copy(update={"correction": CorrectionSettings(enabled=False)})
HOUR_S = 3_600


def samples(count: int, seed: int, *, at_s: int = 0, prefers: int = 0) -> Samples:
    """Shoppers of one taste: items of category `prefers` are clicked, of others hardly."""
    random = np.random.default_rng(seed)
    items = random.integers(1, 21, count).astype(np.uint64)
    categories = items % np.uint64(2) + np.uint64(1)
    clicked = random.random(count) < np.where(categories == prefers + 1, 0.4, 0.05)
    none = np.zeros(count, np.bool_)
    return Samples(
        np.full(count, at_s),
        random.integers(1, 50, count).astype(np.uint64),
        items,
        categories,
        scenes=np.ones(count, np.uint64),
        answers=np.ones(count, np.uint64),
        served_s=np.full(count, at_s),
        positions=np.zeros(count, np.int32),
        weathers=np.zeros(count, np.uint64),
        clicked=clicked,
        carted=none,
        purchased=none,
        regions=np.zeros(count, np.uint64),
        crowds=np.zeros(count, np.uint64),
    )


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(1, 9), st.integers(10, 20), st.booleans()), min_size=1, max_size=30),
    cut=st.integers(0, 30),
)
def test_weights_are_those_of_the_published_algorithm(rows: list[tuple[int, int, bool]], cut: int) -> None:
    learner = Ftrl(PLAIN)
    inputs = np.array([row[:2] for row in rows], np.int32)
    clicked = np.array([row[2] for row in rows])
    ticks = np.zeros(len(rows), np.int64)
    before = [
        *learner.learn(inputs[:cut], clicked[:cut], ticks[:cut]),
        *learner.learn(inputs[cut:], clicked[cut:], ticks[cut:]),
    ]
    z, n = dict.fromkeys(range(256), 0.0), dict.fromkeys(range(256), 0.0)

    def weight(at: int) -> float:
        if abs(z[at]) <= SMALL.l1:
            return 0.0
        sign = 1 if z[at] > 0 else -1
        return -(z[at] - sign * SMALL.l1) / ((SMALL.beta + sqrt(n[at])) / SMALL.alpha + SMALL.l2)

    for (*active, label), predicted in zip(rows, before, strict=True):
        weights = [weight(at) for at in active]
        assert predicted == pytest.approx(sum(weights), abs=1e-12)
        gradient = 1 / (1 + exp(-sum(weights))) - label
        for at, value in zip(active, weights, strict=True):
            sigma = (sqrt(n[at] + gradient**2) - sqrt(n[at])) / SMALL.alpha
            z[at] += gradient - sigma * value
            n[at] += gradient**2
    assert learner.weights() == pytest.approx([weight(at) for at in range(256)], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 9), st.integers(10, 20), st.booleans()), max_size=40))
def test_the_correction_learns_what_is_left_and_is_weighted_by_fixed_share(
    rows: list[tuple[int, int, bool]],
) -> None:
    correction = CorrectionSettings(uses=5, alpha=1.0, l1=0.2, share=0.05)
    learner = Ftrl(SMALL.model_copy(update={"correction": correction}))
    plain = Ftrl(PLAIN)
    inputs, ticks = (
        np.array([row[:2] for row in rows], np.int32).reshape(-1, 2),
        np.zeros(len(rows), np.int64),
    )
    clicked = np.array([row[2] for row in rows], np.bool_)
    predicted = learner.learn(inputs, clicked, ticks)
    lasting = plain.learn(inputs, clicked, ticks)
    z, n, trust = dict.fromkeys(range(256), 0.0), dict.fromkeys(range(256), 0.0), 0.5

    def weight(at: int) -> float:
        clipped = min(max(z[at], -correction.l1), correction.l1)
        return (clipped - z[at]) / ((SMALL.beta + sqrt(n[at])) / correction.alpha + SMALL.l2)

    for (*active, label), without, found in zip(rows, lasting.tolist(), predicted.tolist(), strict=True):
        weights = [weight(at) for at in active]
        assert found == pytest.approx(without + trust * sum(weights), abs=1e-9)
        whole, alone = (1 / (1 + exp(-odds)) for odds in (without + sum(weights), without))
        for at, value in zip(active, weights, strict=True):
            squares = n[at] + (whole - label) ** 2
            z[at] += whole - label - (sqrt(squares) - sqrt(n[at])) / correction.alpha * value
            z[at] *= 0.8
            n[at] = 0.8 * squares
        with_it, without_it = (p if label else 1 - p for p in (whole, alone))
        weighed = trust * with_it / (trust * with_it + (1 - trust) * without_it)
        trust = 0.95 * weighed + 0.05 * (1 - weighed)
    assert learner.trust == pytest.approx(trust, abs=1e-9)
    expected = plain.weights() + trust * np.array([weight(at) for at in range(256)])
    assert learner.weights() == pytest.approx(expected, abs=1e-6)


def test_the_correction_follows_a_change_and_costs_nothing_where_there_is_none() -> None:
    losses = {}
    for name, of in (("plain", PLAIN), ("corrected", SMALL)):
        ranker = Ftrl(of.model_copy(update={"bits": 16}))
        learned = []
        for at in range(12):
            given_samples = samples(400, at, prefers=int(at >= 8))
            inputs = hashed_inputs(rows_of(given_samples), 16)
            found = ranker.learn(inputs, given_samples.clicked, np.zeros(400, np.int64))
            learned.append(log_loss(found, given_samples.clicked))
        losses[name] = learned
    steady = slice(3, 8)
    assert np.mean(losses["corrected"][steady]) < np.mean(losses["plain"][steady]) + 0.005
    assert np.mean(losses["corrected"][8:10]) < np.mean(losses["plain"][8:10]) - 0.02


def test_a_field_without_a_value_has_no_input_and_crosses_are_their_own() -> None:
    keys = np.array([5, 5, 5], np.uint64)
    rows = RankedRows(
        keys,
        np.array([7, 7, 0], np.uint64),
        np.array([9, 0, 9], np.uint64),
        np.array([3, 3, 3], np.uint64),
        np.array([0, 0, 23]),
        np.array([1, 0, 500], np.int32),
        np.array([2, 2, 2], np.uint64),
        np.array([4, 4, 0], np.uint64),
        np.array([4, 0, 4], np.uint64),
    )
    found = hashed_inputs(rows, 20)
    missing = [[FIELDS[at] for at in np.flatnonzero(row == NONE)] for row in found]
    assert missing == [
        [],
        ["shopper", "position", "shopper_category", "shopper_item", "weather_category"],
        [
            "category",
            "shopper_category",
            "category_hour",
            "region_category",
            "crowd_category",
            "crowd_item",
            "weather_category",
        ],
    ]
    assert len(set(found[0].tolist())) == len(FIELDS)
    assert found.max() < 1 << 20
    again = hashed_inputs(rows, 20)
    assert (again == found).all()


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans()), max_size=40),
)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([row[0] for row in rows], float)
    clicked = np.array([row[1] for row in rows], bool)
    pairs = [
        1.0 if yes > no else 0.5 if yes == no else 0.0 for yes in scores[clicked] for no in scores[~clicked]
    ]
    expected = np.mean(pairs) if pairs else float("nan")
    assert auc(scores, clicked) == pytest.approx(expected, nan_ok=True)
    probability = 1 / (1 + np.exp(-scores))
    losses = -np.log(np.where(clicked, probability, 1 - probability))
    assert log_loss(scores, clicked) == pytest.approx(
        float(losses.mean()) if rows else float("nan"), nan_ok=True
    )


def test_it_learns_and_follows_a_change_the_faster_the_shorter_it_remembers() -> None:
    lost = {}
    for hours in (0.5, 1e6):
        ranker = OnlineRanker(PLAIN.model_copy(update={"bits": 16, "half_life_hours": hours}))
        for at in range(6):
            ranker.learn(samples(500, at, at_s=at * HOUR_S))
        ranker.next_version()
        assert ranker.recent_auc > 0.65
        ranker.learn(samples(200, 8, at_s=8 * HOUR_S, prefers=1))
        ranker.next_version()
        lost[hours] = ranker.recent_log_loss
    assert lost[0.5] < lost[1e6] - 0.05


def test_what_was_learned_is_the_same_however_it_was_cut_and_kept() -> None:
    given_samples = samples(500, 1, at_s=HOUR_S)
    whole = OnlineRanker(SMALL)
    whole.learn(given_samples)
    parts = OnlineRanker(SMALL)
    for start in range(0, 500, 70):
        parts.learn(
            Samples(*(getattr(given_samples, name)[start : start + 70] for name in Samples.__slots__))
        )
        kept = parts.exported()
        parts = OnlineRanker(SMALL)
        parts.load(*kept)
    for mine, theirs in zip(parts.exported()[1].values(), whole.exported()[1].values(), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert parts.exported()[0] == whole.exported()[0]
    assert whole.exported()[0] == {"samples": 500, "tick": 60, "trust": whole._ftrl.trust}


def test_a_version_is_published_once_and_scores_as_the_learner_does() -> None:
    ranker = OnlineRanker(SMALL)
    assert ranker.next_version() == (None, "")
    ranker.learn(samples(1_000, 1))
    version, held = ranker.next_version()
    assert version is ranker.published
    assert held == ""
    assert version is not None
    assert version.samples == 1_000
    assert ranker.next_version() == (None, "")
    first = samples(1, 2)
    rows = RankedRows(
        first.items,
        first.categories,
        first.shoppers,
        first.scenes,
        np.zeros(1, np.int64),
        np.zeros(1, np.int32),
    )
    again = OnlineRanker(SMALL)
    again.load(*ranker.exported())
    before = again._ftrl.learn(hashed_inputs(rows, 8), first.clicked, np.zeros(1, np.int64))
    assert version.log_odds(rows) == pytest.approx(before, abs=1e-5)


def test_a_version_that_predicts_worse_than_the_last_one_is_held() -> None:
    guard = Guard(GuardSettings(samples=200))
    random = np.random.default_rng(1)
    inputs = random.integers(1, 256, (200, 2)).astype(np.int32)
    clicked = random.random(200) < 0.5
    good = np.zeros(256, np.float32)
    good[inputs[clicked]] += 0.5
    good[inputs[~clicked]] -= 0.5
    log_odds = good[inputs].sum(axis=1).astype(float)
    guard.observe(inputs, clicked, -log_odds)
    assert guard.why_held(-good, good) == "auc_drop"
    guard.observe(inputs, clicked, log_odds)
    assert guard.why_held(good, good) == ""
    # Longer by far, and no better.
    assert guard.why_held(100 * good, good) == "growth"
    # Longer by far, and better than what is published.
    assert guard.why_held(100 * good, (good / 1_000).astype(np.float32)) == ""
    bad = good.copy()
    bad[7] = np.nan
    assert guard.why_held(bad, good) == "not_finite"
    assert Guard(GuardSettings()).why_held(100 * good, good) == "growth", "nothing to compare by"


def test_nonsense_that_is_not_finite_is_not_published_and_learning_begins_anew() -> None:
    ranker = OnlineRanker(SMALL)
    ranker.learn(samples(1_000, 1))
    good, _ = ranker.next_version()
    ranker._ftrl.z[4, 0] = np.nan
    ranker.learn(samples(10, 2))
    assert ranker.next_version() == (None, "not_finite")
    assert ranker.published is good
    ranker.learn(samples(2_000, 3))
    version, held = ranker.next_version()
    assert held == ""
    assert version is not None
    assert np.isfinite(version.weights).all()
