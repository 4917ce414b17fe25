"""Orders that trade relevance against likeness: maximal marginal relevance, determinantal point processes.

Two candidates are alike by the weights of the groups that they share and, where there are vectors, by the
product of these: a matrix of likeness that is positive semidefinite, of 1 on the diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Float32, Int32

Positions = npt.NDArray[np.intp]
Float64 = npt.NDArray[np.float64]

_LEAST_VOLUME = 1e-9


def tells_apart(score: Float32) -> bool:
    """Whether every candidate, float32[n], has a score and not all the same one."""
    values = score.astype(np.float64)
    return bool(len(values) and np.isfinite(values).all() and np.ptp(values) > 0)


def relevance(score: Float32) -> Float64:
    """float64[n] in 0…1, falling along n candidates given best first.

    By the scores between the lowest and the highest, made falling where rerankers before changed the order.
    Where scores do not tell candidates apart, by rank as 1 / log2(1 + rank), what NDCG takes a slot to be
    worth: a straight line would make neighbours at the head as good as equal, and likeness decide alone.
    """
    if not tells_apart(score):
        return np.asarray(1 / np.log2(np.arange(2, len(score) + 2)), np.float64)
    values = score.astype(np.float64)
    return np.asarray(np.minimum.accumulate((values - values.min()) / np.ptp(values)), np.float64)


def mmr(
    wanted: Float64,
    groups: Sequence[Int32],
    weights: Sequence[float],
    page_size: int,
    tradeoff: float,
    summed: bool = False,
    vectors: Float32 | None = None,
) -> Positions:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) over the first `page_size` slots.

    Each slot takes the candidate with the largest tradeoff · relevance − (1 − tradeoff) · greatest likeness
    to one placed before.

    Args:
        wanted: float64[n], relevance of candidates given best first.
        groups: int32[n] per dimension, 0 = in no group, so like nothing.
        weights: of each dimension, at least 0, in all at most 1.
        page_size: slots.
        tradeoff: 0…1; 1 = by relevance alone.
        summed: the sum of likeness to all placed before in place of the greatest, so that a third item of a
            group costs more than a second (max-sum diversification, Gollapudi and Sharma, WWW 2009).
        vectors: float32[n, D] by whose product candidates are alike too, from less than 0 where they are
            opposites; their squared lengths and the weights are in all at most 1. None = none.

    Returns:
        intp[n], a permutation: the page, then the rest in the given order.
    """
    count = len(wanted)
    likeness = np.zeros(count)
    gain = tradeoff * wanted
    open_slots = np.ones(count, np.bool_)
    page: list[int] = []
    # Written in place: at this size an array made anew costs as much as what is computed in it.
    value = np.empty(count)
    join = np.add if summed else np.maximum
    for _ in range(min(page_size, count)):
        np.multiply(likeness, 1 - tradeoff, out=value)
        best = int(np.subtract(gain, value, out=value).argmax())
        page.append(best)
        open_slots[best] = False
        gain[best] = -np.inf
        join(likeness, _like(groups, weights, vectors, best, count), out=likeness)
    return np.concatenate((np.array(page, np.intp), np.flatnonzero(open_slots)))


def dpp(
    wanted: Float64,
    groups: Sequence[Int32],
    weights: Sequence[float],
    page_size: int,
    strength: float,
    vectors: Float32 | None = None,
) -> Positions:
    """The greedy most probable page of a determinantal point process over the first `page_size` slots.

    The kernel is q_i · S_ij · q_j with q = exp(strength · relevance); each slot takes the candidate that adds
    most volume, found by the incremental Cholesky factor of Chen, Zhang and Zhou (NeurIPS 2018). Where none
    adds any, the rest follows in the given order.

    Args and returns: as of `mmr`; `strength` at least 0, 0 = by diversity alone.
    """
    count = len(wanted)
    slots = min(page_size, count)
    quality = np.exp(strength * (wanted - wanted.max(initial=0.0)))
    volume = quality**2
    factors = np.zeros((slots, count))
    open_slots = np.ones(count, np.bool_)
    page: list[int] = []
    for slot in range(slots):
        best = int(np.where(open_slots, volume, -np.inf).argmax())
        if volume[best] <= _LEAST_VOLUME * quality[best] ** 2:
            break
        page.append(best)
        open_slots[best] = False
        kernel = quality[best] * quality * _like(groups, weights, vectors, best, count)
        row = (kernel - factors[:slot, best] @ factors[:slot]) / np.sqrt(volume[best])
        factors[slot] = row
        volume = np.maximum(volume - row**2, 0.0)
    return np.concatenate((np.array(page, np.intp), np.flatnonzero(open_slots)))


def _like(
    groups: Sequence[Int32], weights: Sequence[float], vectors: Float32 | None, one: int, count: int
) -> Float64:
    """float64[count]: likeness of every candidate to `one`, and 1 of it to itself."""
    like = np.zeros(count) if vectors is None else (vectors @ vectors[one]).astype(np.float64)
    for column, weight in zip(groups, weights, strict=True):
        if column[one]:
            like += weight * (column == column[one])
    like[one] = 1.0
    return like
