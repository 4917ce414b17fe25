"""Random groups of candidates: dealing, means by pool, stacking, and what chance does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.sandbox.groups import STACKED, WHOLE, DealtPage, deal, group_scores

GROUPS = 4


def dealt(pages: int, seed: int, shift: float = 0.0) -> list[DealtPage]:
    """Pages of 40 candidates in two pools; scores of group 0 are higher by `shift`."""
    random = np.random.default_rng(seed)
    found = []
    for page in range(pages):
        group = deal(40, GROUPS, random)
        scores = (random.normal(size=40) + random.normal() + shift * (group == 0)).astype(np.float32)
        pools = {"home/a": np.arange(40) < 30, "home/b": np.arange(40) >= 20}
        found.append(DealtPage(pools, group, scores, page // 2))
    return found


@settings(max_examples=25)
@given(count=st.integers(0, 200), groups=st.integers(2, 50), seed=st.integers(0, 2**32))
def test_groups_are_of_equal_size(count: int, groups: int, seed: int) -> None:
    group = deal(count, groups, np.random.default_rng(seed))
    assert group.shape == (count,)
    sizes = np.bincount(group, minlength=groups)
    assert sizes.size == groups
    assert sizes.max() - sizes.min() <= 1
    assert group.tolist() == deal(count, groups, np.random.default_rng(seed)).tolist()


def test_rows_are_the_means_of_their_pools_and_groups() -> None:
    pages = dealt(12, seed=1)
    rows = {(row.pool, row.group): row for row in group_scores(pages, GROUPS, 0.95).rows}
    assert set(rows) == {
        (pool, group) for pool in ("home/a", "home/b", STACKED) for group in range(GROUPS + 1)
    }
    scores = np.concatenate([page.scores[page.pools["home/a"] & (page.group == 2)] for page in pages])
    assert rows["home/a", 3].n == scores.size
    assert rows["home/a", 3].score.value == pytest.approx(scores.mean(), rel=1e-5)
    # A candidate that both pools have counts in both.
    assert rows[STACKED, WHOLE].n == 12 * (30 + 20)
    stacked = sum(rows[pool, 1].score.value * rows[pool, 1].n for pool in ("home/a", "home/b"))
    assert rows[STACKED, 1].score.value == pytest.approx(stacked / rows[STACKED, 1].n, rel=1e-6)


def test_chance_alone_differs_rarely_and_a_shift_is_found() -> None:
    by_chance = [group_scores(dealt(20, seed), GROUPS, 0.95).smallest for seed in range(30)]
    assert min(by_chance) > 0.001
    # Of 30, at most one or two are expected below .05.
    assert sum(p < 0.05 for p in by_chance) <= 5
    assert group_scores(dealt(20, 0, shift=1.0), GROUPS, 0.95).smallest < 1e-6


def test_what_was_not_scored_is_left_out() -> None:
    pages = dealt(4, seed=2)
    for page in pages:
        page.scores[:35] = np.nan
    rows = {row.pool: row.n for row in group_scores(pages, GROUPS, 0.95).rows if row.group == WHOLE}
    assert rows == {"home/b": 20, STACKED: 20}
    for page in pages:
        page.scores[:] = np.nan
    nothing = group_scores(pages, GROUPS, 0.95)
    assert nothing.rows == []
    assert nothing.smallest == 1
