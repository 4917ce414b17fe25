"""MMR and DPP: permutations that agree with their definitions, and fall back to relevance."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.diverse_order import dpp, mmr, relevance

WEIGHTS = (0.6, 0.3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray], int]:
    count = draw(st.integers(0, 12))
    score = np.array(draw(st.lists(st.floats(0, 1, width=32), min_size=count, max_size=count)), np.float32)
    groups = [
        np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.int32) for _ in WEIGHTS
    ]
    return relevance(np.sort(score)[::-1]), groups, draw(st.integers(0, 15))


@st.composite
def vectors_of(draw: st.DrawFn, count: int) -> np.ndarray | None:
    """None, or vectors of a squared length of the tenth that `WEIGHTS` leave, or 0."""
    if draw(st.booleans()):
        return None
    degrees = np.array(draw(st.lists(st.integers(0, 359), min_size=count, max_size=count)), np.float64)
    known = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    angle = np.radians(degrees)
    return (0.1**0.5 * known[:, None] * np.stack((np.cos(angle), np.sin(angle)), 1)).astype(np.float32)


def likeness(groups: list[np.ndarray], count: int, vectors: np.ndarray | None = None) -> np.ndarray:
    matrix = sum(
        weight * ((column[:, None] == column[None, :]) & (column[:, None] > 0))
        for weight, column in zip(WEIGHTS, groups, strict=True)
    ) + (np.zeros((count, count)) if vectors is None else vectors @ vectors.T)
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(matrix)


@given(cases(), st.floats(0, 1), st.booleans(), st.data())
def test_mmr_takes_the_best_trade_off_at_every_slot(
    case: tuple, tradeoff: float, summed: bool, data: st.DataObject
) -> None:
    wanted, groups, page_size = case
    count = len(wanted)
    vectors = data.draw(vectors_of(count))
    order = mmr(wanted, groups, WEIGHTS, page_size, tradeoff, summed, vectors).tolist()
    assert sorted(order) == list(range(count))
    like = likeness(groups, count, vectors)
    for slot in range(min(page_size, count)):

        def value(one: int, before: list[int] = order[:slot]) -> float:
            before_it = [float(like[one, each]) for each in before]
            cost = sum(before_it) if summed else max([0.0, *before_it])
            return float(tradeoff * wanted[one] - (1 - tradeoff) * cost)

        assert value(order[slot]) >= max(map(value, order[slot:])) - 1e-6
    assert order[page_size:] == sorted(order[page_size:])


@settings(deadline=None)
@given(cases(), st.floats(0, 3), st.data())
def test_dpp_adds_the_most_volume_at_every_slot(case: tuple, strength: float, data: st.DataObject) -> None:
    wanted, groups, page_size = case
    count = len(wanted)
    vectors = data.draw(vectors_of(count))
    order = dpp(wanted, groups, WEIGHTS, page_size, strength, vectors).tolist()
    assert sorted(order) == list(range(count))
    quality = np.exp(strength * (wanted - wanted.max(initial=0.0)))
    kernel = quality[:, None] * likeness(groups, count, vectors) * quality[None, :]
    for slot in range(min(page_size, count)):

        def volume(one: int, before: list[int] = order[:slot]) -> float:
            rows = [*before, one]
            return float(np.linalg.det(kernel[np.ix_(rows, rows)]))

        best = max(map(volume, order[slot:]))
        assert volume(order[slot]) >= best - 1e-7 * max(best, 1e-12) - 1e-14


def test_a_page_of_several_groups_comes_before_one_of_a_single_group() -> None:
    wanted = relevance(np.array([0.9, 0.89, 0.88, 0.5, 0.1], np.float32))
    groups = [np.array([1, 1, 1, 2, 3], np.int32), np.array([1, 1, 1, 2, 3], np.int32)]
    assert set(mmr(wanted, groups, WEIGHTS, 3, 0.3)[:3].tolist()) == {0, 3, 4}
    assert set(dpp(wanted, groups, WEIGHTS, 3, 0.2)[:3].tolist()) == {0, 3, 4}
    assert mmr(wanted, groups, WEIGHTS, 3, 1.0).tolist() == [0, 1, 2, 3, 4]
    assert dpp(wanted, groups, WEIGHTS, 3, 100.0)[0] == 0


def test_vectors_spread_a_page_that_groups_cannot() -> None:
    wanted = relevance(np.array([0.9, 0.89, 0.88, 0.5, 0.1], np.float32))
    groups = [np.zeros(5, np.int32)]
    vectors = 0.5**0.5 * np.array([[1, 0], [1, 0], [1, 0], [0, 1], [-1, 0]], np.float32)
    assert mmr(wanted, groups, [0.5], 2, 0.3, True, vectors)[:2].tolist() == [0, 4]
    assert set(dpp(wanted, groups, [0.5], 2, 0.2, vectors)[:2].tolist()) == {0, 3}
    for order in (mmr(wanted, groups, [0.5], 3, 0.3, True), dpp(wanted, groups, [0.5], 3, 0.2)):
        assert order.tolist() == [0, 1, 2, 3, 4]


def test_relevance_follows_scores_and_falls_back_to_the_given_order() -> None:
    np.testing.assert_allclose(relevance(np.array([3, 2, 1], np.float32)), [1, 0.5, 0])
    np.testing.assert_allclose(relevance(np.array([np.nan, 2, 1], np.float32)), [1, 1 / np.log2(3), 0.5])
    np.testing.assert_allclose(relevance(np.array([2, 3, 1], np.float32)), [0.5, 0.5, 0])
    assert len(relevance(np.empty(0, np.float32))) == 0
