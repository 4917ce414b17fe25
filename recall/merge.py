"""Merging loose (item, score, source) entries into one ranked answer, without a loop over candidates."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recall.channel import Recalled, nothing


def top_positions(scores: NDArray[np.floating], items: NDArray[np.int32], k: int) -> NDArray[np.int64]:
    """Positions of the k best scores, best first, ties by the smaller item; int64[min(k, n)]."""
    if k <= 0:
        return np.empty(0, np.int64)
    if len(scores) > k:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    return candidates[np.lexsort((items[candidates], -scores[candidates]))[:k]]


def merge_by_item(
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
    sources: NDArray[np.int32],
    k: int,
    how: Literal["sum", "max"],
) -> Recalled:
    """One entry per item, its scores summed or maximised, the k best first.

    Inputs are of equal length; an item may occur many times, entries of item 0 are dropped. The reported
    trigger is the source of the item's largest single entry (of equal ones, the earliest).
    """
    known = np.flatnonzero(items > 0)
    if len(known) == 0 or k <= 0:
        return nothing()
    # Item and position in one integer: a plain sort of int64 is several times faster than a stable argsort.
    keys = np.sort((items[known].astype(np.int64) << 32) | known)
    grouped, at = (keys >> 32).astype(np.int32), keys & 0xFFFFFFFF
    ends = np.append(np.flatnonzero(grouped[1:] != grouped[:-1]) + 1, len(grouped))
    starts = np.concatenate(([0], ends[:-1]))
    merged_items, contribution = grouped[starts], scores[at]
    largest = np.maximum.reduceat(contribution, starts)
    total = np.add.reduceat(contribution, starts) if how == "sum" else largest

    best = top_positions(total, merged_items, k)
    is_largest = np.flatnonzero(contribution == np.repeat(largest, ends - starts))
    first_largest = is_largest[np.searchsorted(is_largest, starts[best])]
    return Recalled(merged_items[best], total[best], sources[at[first_largest]])


def first_of_each(items: NDArray[np.int32], limit: int) -> NDArray[np.int64]:
    """Positions of each item's first appearance, in order of appearance, at most `limit`; int64[m]."""
    first = np.unique(items, return_index=True)[1]
    first.sort()
    return first[:limit]
