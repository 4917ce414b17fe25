"""Metrics against hand-computed values, plain loops and their own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.statistics.ranking_metrics import (
    auc,
    average_precision,
    f1,
    gauc,
    group_auc,
    hit_rate,
    log_loss,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)

SAMPLES = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=40
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def pairwise_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The definition: the chance that a positive stands above a negative, ties counting half."""
    positives, negatives = scores[labels], scores[~labels]
    if not len(positives) or not len(negatives):
        return math.nan
    apart = positives[:, None] - negatives[None, :]
    return float(((apart > 0) + 0.5 * (apart == 0)).mean())


def test_auc_of_a_small_case_by_hand() -> None:
    # Pairs (positive, negative): .8>.4, .8>.1, .35<.4, .35>.1 → 3 of 4.
    assert auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.75)


@given(SAMPLES)
def test_auc_is_the_share_of_ordered_pairs(samples: tuple[np.ndarray, ...]) -> None:
    labels, scores, _ = samples
    assert auc(labels, scores) == pytest.approx(pairwise_auc(labels, scores), nan_ok=True)


@given(SAMPLES)
def test_gauc_weighs_groups_by_their_samples(samples: tuple[np.ndarray, ...]) -> None:
    labels, scores, groups = samples
    total = weight = 0.0
    for group in np.unique(groups):
        area = pairwise_auc(labels[groups == group], scores[groups == group])
        if not math.isnan(area):
            total += area * (groups == group).sum()
            weight += (groups == group).sum()
    expected = total / weight if weight else math.nan
    assert gauc(labels, scores, groups) == pytest.approx(expected, nan_ok=True)


@given(SAMPLES)
def test_reversed_scores_mirror_auc_and_growing_ones_keep_it(samples: tuple[np.ndarray, ...]) -> None:
    labels, scores, _ = samples
    area = auc(labels, scores)
    assert auc(labels, -scores) == pytest.approx(1 - area, nan_ok=True)
    assert auc(labels, np.exp(scores) * 7 - 2) == pytest.approx(area, nan_ok=True)


def test_single_class_groups_are_left_out() -> None:
    areas, sizes = group_auc([1, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], [5, 5, 9, 9])
    assert math.isnan(areas[0])
    assert areas[1] == 1.0
    assert sizes.tolist() == [2, 2]
    assert gauc([1, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], [5, 5, 9, 9]) == 1.0
    assert math.isnan(gauc([1, 1], [0.1, 0.2], [1, 2]))


def test_log_loss_by_hand() -> None:
    expected = -(math.log(0.9) + math.log(0.8)) / 2
    assert log_loss([1, 0], [0.9, 0.2]) == pytest.approx(expected)
    assert log_loss([1], [0.0]) == pytest.approx(-math.log(1e-7))


def test_list_metrics_by_hand() -> None:
    hits = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    targets = np.array([3, 1, 1])
    assert hit_rate(hits, 2).tolist() == [1, 0, 1]
    assert recall(hits, targets, 4).tolist() == pytest.approx([2 / 3, 0, 1])
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(hits, targets, 4).tolist() == pytest.approx([gained / ideal, 0, 1])
    # At k = 1 the ideal holds one item only.
    assert ndcg(hits, targets, 1).tolist() == pytest.approx([0, 0, 1])


@given(
    hits=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5),
    unseen=st.integers(0, 3),
    k=st.integers(1, 9),
)
def test_list_metrics_stay_in_their_bounds(hits: list[list[bool]], unseen: int, k: int) -> None:
    matrix = np.array(hits)
    targets = np.maximum(matrix.sum(1) + unseen, 1)
    for value in (hit_rate(matrix, k), recall(matrix, targets, k), ndcg(matrix, targets, k)):
        assert ((value >= 0) & (value <= 1 + 1e-9)).all()
    best = np.sort(matrix, axis=1)[:, ::-1]
    assert (ndcg(best, targets, k) >= ndcg(matrix, targets, k) - 1e-9).all()
    assert (recall(matrix, targets, k + 1) >= recall(matrix, targets, k)).all()


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="2 labels but 1 scores"):
        auc([1, 0], [0.5])
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        log_loss([1, 0], [0.5, math.nan])
    with pytest.raises(ValueError, match="k is 0"):
        hit_rate([[True]], 0)


def test_precision_first_hit_and_average_precision_by_hand() -> None:
    hits = np.array([[False, True, False, True], [False] * 4, [True, True, True, True]])
    targets = np.array([3, 1, 9])
    assert precision(hits, 4).tolist() == [0.5, 0, 1]
    # A page of three in a list of ten slots: the empty slots count.
    assert precision(hits[:, :3], 10).tolist() == pytest.approx([0.1, 0, 0.3])
    assert reciprocal_rank(hits, 4).tolist() == [0.5, 0, 1]
    assert reciprocal_rank(hits, 1).tolist() == [0, 0, 1]
    assert average_precision(hits, targets, 4).tolist() == pytest.approx([(1 / 2 + 2 / 4) / 3, 0, 1])
    assert average_precision(hits, targets, 2).tolist() == pytest.approx([(1 / 2) / 2, 0, 1])
    assert f1([0.5, 0, 1], [0.25, 0, 1]).tolist() == pytest.approx([1 / 3, 0, 1])


def test_empty_lists_find_nothing() -> None:
    nothing = np.zeros((2, 0), dtype=bool)
    for value in (precision(nothing, 5), reciprocal_rank(nothing, 5), average_precision(nothing, [1, 2], 5)):
        assert value.tolist() == [0, 0]
