"""Offline metrics of ranking and of recall, vectorised over queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _columns(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    label = np.asarray(labels).astype(bool).ravel()
    score = np.asarray(scores, dtype=np.float64).ravel()
    if label.shape != score.shape:
        raise ValueError(f"{label.size} labels but {score.size} scores; give one score for each label")
    if np.isnan(score).any():
        raise ValueError(f"{int(np.isnan(score).sum())} of {score.size} scores are NaN; score every sample")
    return label, score


def group_auc(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """AUC of each group by the rank-sum (Mann–Whitney) formula; ties count half.

    labels: bool[n]; scores: float[n]; groups: int[n], any values. Returns (float64[g], NaN where a group has
    one class only; int64[g], samples in each group), groups ascending.
    """
    label, score = _columns(labels, scores)
    group = np.asarray(groups).ravel()
    if group.shape != label.shape:
        raise ValueError(f"{label.size} labels but {group.size} groups; give one group for each label")
    if not label.size:
        return np.empty(0), np.empty(0, np.int64)
    order = np.lexsort((score, group))
    group, label, score = group[order], label[order], score[order]
    new_group = np.r_[True, group[1:] != group[:-1]]
    first = np.flatnonzero(new_group)
    index = np.cumsum(new_group) - 1
    new_tie = new_group | np.r_[True, score[1:] != score[:-1]]
    tie_first = np.flatnonzero(new_tie)
    tie_last = np.r_[tie_first[1:], len(score)] - 1
    tie = np.cumsum(new_tie) - 1
    rank = ((tie_first + tie_last) / 2)[tie] - first[index] + 1
    size = np.bincount(index)
    positive = np.bincount(index, weights=label)
    negative = size - positive
    rank_sum = np.bincount(index, weights=rank * label)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (rank_sum - positive * (positive + 1) / 2) / (positive * negative)
    auc[(positive == 0) | (negative == 0)] = np.nan
    return auc, size


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of all samples together; NaN where there is one class only."""
    label, _ = _columns(labels, scores)
    areas, _ = group_auc(labels, scores, np.zeros(label.size, dtype=np.int64))
    return float(areas[0]) if len(areas) else float("nan")


def gauc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> float:
    """Group AUC (Zhu et al. 2017; Zhou et al. 2018, arXiv:1706.06978): AUCs weighted by samples per group.

    Groups with one class only are left out; NaN where none is left.
    """
    areas, sizes = group_auc(labels, scores, groups)
    valid = ~np.isnan(areas)
    if not valid.any():
        return float("nan")
    return float(np.average(areas[valid], weights=sizes[valid]))


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean negative log-likelihood in nats; probabilities are cut to [1e-7, 1 − 1e-7]. NaN for no samples."""
    label, probability = _columns(labels, probabilities)
    if not label.size:
        return float("nan")
    probability = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(label, np.log(probability), np.log1p(-probability))))


def _ranked_hits(hits: ArrayLike, k: int) -> NDArray[np.float64]:
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    matrix = np.atleast_2d(np.asarray(hits)).astype(np.float64)
    return matrix[:, :k]


def hit_rate(hits: ArrayLike, k: int) -> NDArray[np.float64]:
    """HR@k of each query: 1 if one of the first k is a target. hits: bool[q, m], best first → float64[q]."""
    found: NDArray[np.float64] = (_ranked_hits(hits, k).sum(1) > 0).astype(np.float64)
    return found


def recall(hits: ArrayLike, targets: ArrayLike, k: int) -> NDArray[np.float64]:
    """Recall@k of each query: targets among the first k / all targets.

    hits: bool[q, m], best first; targets: int[q], at least 1 each. Returns float64[q].
    """
    found: NDArray[np.float64] = _ranked_hits(hits, k).sum(1) / np.asarray(targets, dtype=np.float64)
    return found


def ndcg(hits: ArrayLike, targets: ArrayLike, k: int) -> NDArray[np.float64]:
    """NDCG@k of each query with binary gains (Järvelin and Kekäläinen 2002), ideal cut at k.

    hits: bool[q, m], best first; targets: int[q], at least 1 each. Returns float64[q].
    """
    ranked = _ranked_hits(hits, k)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate(([0.0], np.cumsum(discount)))
    best = ideal[np.minimum(np.asarray(targets, dtype=np.int64), k)]
    gained: NDArray[np.float64] = (ranked * discount[: ranked.shape[1]]).sum(1) / best
    return gained


def precision(hits: ArrayLike, k: int) -> NDArray[np.float64]:
    """Precision@k of each query: targets among the first k / k. hits: bool[q, m], best first → float64[q]."""
    found: NDArray[np.float64] = _ranked_hits(hits, k).sum(1) / k
    return found


def f1(precisions: ArrayLike, recalls: ArrayLike) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall, float[q] each; 0 where both are 0. Returns float64[q]."""
    p, r = np.asarray(precisions, np.float64), np.asarray(recalls, np.float64)
    both = p + r
    return np.divide(2 * p * r, both, out=np.zeros_like(both), where=both > 0)


def reciprocal_rank(hits: ArrayLike, k: int) -> NDArray[np.float64]:
    """1 / rank of the first target among the first k of each query, 0 where there is none; its mean is MRR@k.

    hits: bool[q, m], best first. Returns float64[q].
    """
    ranked = _ranked_hits(hits, k)
    if not ranked.shape[1]:
        return np.zeros(len(ranked))
    rank = 1.0 + ranked.argmax(1)
    return np.where(ranked.any(1), 1 / rank, 0.0)


def average_precision(hits: ArrayLike, targets: ArrayLike, k: int) -> NDArray[np.float64]:
    """AP@k of each query, Σ precision@i over the ranks i ≤ k of targets / min(targets, k); its mean is MAP@k.

    hits: bool[q, m], best first; targets: int[q], at least 1 each. Returns float64[q].
    """
    ranked = _ranked_hits(hits, k)
    precisions = np.cumsum(ranked, axis=1) / np.arange(1, ranked.shape[1] + 1)
    found: NDArray[np.float64] = (precisions * ranked).sum(1) / np.minimum(np.asarray(targets, np.int64), k)
    return found
