"""The click rate that follows a change."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.live_counters.changing_rate import changing_rate

PRIOR = 50.0
COUNT = st.floats(0, 200)
RATE = st.floats(0, 1)


def rate(clicks: float, impressions: float, late_clicks: float, late: float, turn: float = 0.1) -> float:
    counts, lately = np.array([[clicks, impressions]]), np.array([[late_clicks, late]])
    coarser = np.array([0.1], np.float32)
    found = changing_rate(counts.astype(np.float32), lately.astype(np.float32), PRIOR, coarser, turn)
    assert found.dtype == np.float32
    return float(found[0])


@settings(max_examples=60)
@given(older=COUNT, older_rate=RATE, late=COUNT, late_rate=RATE, turn=st.floats(0.001, 0.9))
def test_it_is_the_published_comparison_of_two_models(
    older: float, older_rate: float, late: float, late_rate: float, turn: float
) -> None:
    clicks, late_clicks = older * older_rate, late * late_rate
    before = (clicks + PRIOR * 0.1) / (older + PRIOR)
    evidence = 0.0
    if late_clicks > 0:
        evidence += late_clicks * log(late_rate / before)
    if late_rate < 1:
        evidence += (late - late_clicks) * log((1 - late_rate) / (1 - before))
    odds = turn / (1 - turn) * exp(min(evidence - 0.5 * log(late + 1), 50))
    changed = odds / (1 + odds)
    expected = (1 - changed) * (clicks + late_clicks + PRIOR * 0.1) / (older + late + PRIOR)
    expected += changed * (late_clicks + PRIOR * 0.1) / (late + PRIOR)
    found = rate(clicks + late_clicks, older + late, late_clicks, late, turn)
    assert found == pytest.approx(expected, abs=2e-3)


def test_where_nothing_changes_all_impressions_count_and_else_the_latest() -> None:
    smoothed = (140 + 5) / (400 + PRIOR)
    assert rate(140, 400, 0, 0, turn=1e-9) == pytest.approx(smoothed, rel=1e-5)
    assert rate(140, 400, 7, 20) == pytest.approx(smoothed, rel=0.05)
    assert rate(140, 400, 0, 20) == pytest.approx(5 / (20 + PRIOR), rel=0.1)
    assert rate(0, 400, 0, 20) < 0.02
    assert rate(10, 400, 10, 20) == pytest.approx((10 + 5) / (20 + PRIOR), rel=0.1)


def test_it_is_hardly_worse_where_nothing_changes_and_far_better_where_something_does() -> None:
    draw = np.random.default_rng(1)
    truth = draw.beta(1, 6, 4_000)
    now = draw.permutation(truth)
    coarser = np.full(truth.size, 1 / 7, np.float32)
    late = np.full(truth.size, 16)
    older = np.stack((draw.binomial(200, truth), np.full(truth.size, 200)), axis=1).astype(np.float32)

    def errors(of: np.ndarray) -> tuple[float, float]:
        lately = np.stack((draw.binomial(late, of), late), axis=1).astype(np.float32)
        counts = older + lately
        followed = changing_rate(counts, lately, PRIOR, coarser, 0.03)
        plain = (counts[:, 0] + PRIOR * coarser) / (counts[:, 1] + PRIOR)
        return float(np.mean((followed - of) ** 2)), float(np.mean((plain - of) ** 2))

    followed, plain = errors(truth)
    assert followed < 1.25 * plain
    followed, plain = errors(now)
    assert followed < 0.75 * plain
