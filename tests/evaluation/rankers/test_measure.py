"""NDCG by query against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.rankers.merge import merged
from models.rankers.examples import Examples
from models.rankers.measure import K, measure, ndcg_by_query
from tests.evaluation.rankers.planted import examples


def of(*grades: list[int]) -> Examples:
    flat = np.concatenate([np.array(each, np.int64) for each in grades])
    query = np.repeat(np.arange(len(grades)), [len(each) for each in grades])
    return Examples(np.zeros((flat.size, 1), np.float32), flat, query, np.arange(len(grades)))


def by_definition(grades: list[int], scores: list[float]) -> float:
    def dcg(ordered: list[int]) -> float:
        return sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(ordered[:K]))

    order = np.argsort([-score for score in scores], kind="stable")
    return dcg([grades[at] for at in order]) / dcg(sorted(grades, reverse=True))


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=15), min_size=1, max_size=5), st.integers(0, 99)
)
def test_it_is_its_definition(grades: list[list[int]], seed: int) -> None:
    data = of(*grades)
    scores = np.random.default_rng(seed).permutation(data.grades.size).astype(float)
    found = ndcg_by_query(data, scores)
    for query, each in enumerate(grades):
        first, last = data.offsets[query : query + 2]
        if len(set(each)) == 1:
            assert np.isnan(found[query])
        else:
            assert found[query] == pytest.approx(by_definition(each, scores[first:last].tolist()))


def test_the_best_order_is_1_and_ties_favour_nobody() -> None:
    data = examples(200, 5)
    assert measure(data, data.grades.astype(float)).ndcg == 1
    tied = measure(data, np.zeros(data.grades.size))
    by_chance = np.mean(
        [measure(data, np.random.default_rng(n).random(data.grades.size)).ndcg for n in range(5)]
    )
    assert tied.ndcg == pytest.approx(by_chance, abs=0.04)
    assert tied.low < tied.ndcg < tied.high


def test_queries_stay_apart_when_parts_are_put_together() -> None:
    parts = [examples(5, 1), examples(7, 2)]
    together = Examples.together(parts)
    scores = [np.random.default_rng(n).random(part.grades.size) for n, part in enumerate(parts)]
    apart = np.concatenate([ndcg_by_query(part, each) for part, each in zip(parts, scores, strict=True)])
    np.testing.assert_allclose(ndcg_by_query(together, np.concatenate(scores)), apart)


def test_a_merge_follows_the_ranker_that_is_right() -> None:
    valid, test = examples(60, 1), examples(60, 2)
    random = np.random.default_rng(0)
    # Scales differ by a factor of 1,000 and mean nothing.
    good, noise = [
        [each.grades + 0.5 * random.normal(size=each.grades.size) for each in (valid, test)],
        [1_000 * random.normal(size=each.grades.size) for each in (valid, test)],
    ]
    found = merged(valid, [good[0], noise[0]], test, [good[1], noise[1]])
    alone = measure(test, good[1]).ndcg
    assert measure(test, found).ndcg > alone - 0.02
    assert measure(test, noise[1]).ndcg < alone - 0.2
