"""The comparison of batch rankers over folds, and how its differences are taken."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.batch_rankers import MERGES, compare, difference
from evaluation.rankers.registry import RANKERS
from models.rankers.measure import measure
from tests.evaluation.rankers.planted import examples, ranges

pytestmark = pytest.mark.slow


def test_folds_are_measured_together_and_what_does_not_apply_is_left_out() -> None:
    done: list[str] = []
    rows = compare(
        [ranges(), ranges()], ["LR, L2", "boosted trees", "BST"], 1, lambda name, took: done.append(name)
    )
    assert list(rows) == done == ["LR, L2", "boosted trees"]
    for found, took in rows.values():
        assert found.ndcg_by_query.size == 80
        assert found.low < found.ndcg < found.high
        assert took > 0


def test_merges_are_of_registered_rankers() -> None:
    assert {member for members in MERGES.values() for member in members} <= set(RANKERS)


def test_a_difference_of_the_same_queries_is_sharper_than_two_intervals() -> None:
    data = examples(200, 4)
    random = np.random.default_rng(0)
    noise = random.normal(size=data.grades.size)
    better = measure(data, data.grades + 0.8 * noise)
    worse = measure(data, data.grades + 0.9 * noise)
    change, low, high = difference(better, worse, data.unit)
    assert change == pytest.approx(better.ndcg - worse.ndcg)
    assert 0 < low < change < high
    assert high - low < better.high - better.low
