"""Merging loose (item, score, source) entries into one ranked answer, without a loop over candidates."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import Recalled


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

    Inputs are int32[n], float32[n] and int32[n]; an item may occur many times, entries of item 0 are dropped.
    The reported trigger is the source of the item's largest single entry (of equal ones, the earliest).
    """
    if len(items) == 0 or k <= 0:
        return EMPTY_RECALL
    if items.min() <= 0:
        (known,) = np.nonzero(items > 0)
        if not known.size:
            return EMPTY_RECALL
        items, scores, sources = items.take(known), scores.take(known), sources.take(known)
    grouped, at = _grouped(items)
    bounds = np.concatenate(([0], np.flatnonzero(grouped[1:] != grouped[:-1]) + 1, [len(grouped)]))
    starts = bounds[:-1]
    merged_items, contribution = grouped.take(starts).astype(np.int32), scores.take(at)
    total = (np.add if how == "sum" else np.maximum).reduceat(contribution, starts)

    best = top_positions(total, merged_items, k)
    # Triggers of what is given only: of many entries, most are of items that are not.
    begin = starts.take(best)
    lengths = bounds.take(best + 1) - begin
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    entry = np.arange(ends[-1]) + np.repeat(begin - firsts, lengths)
    given = contribution.take(entry)
    largest = np.maximum.reduceat(given, firsts)
    is_largest = np.flatnonzero(given == np.repeat(largest, lengths))
    first_largest = entry.take(is_largest.take(np.searchsorted(is_largest, firsts)))
    return Recalled(merged_items.take(best), total.take(best), sources.take(at.take(first_largest)))


def _grouped(items: NDArray[np.int32]) -> tuple[NDArray[np.integer], NDArray[np.intp]]:
    """The items (above 0) in ascending order, and where each stood; equal ones in their given order.

    Item and position in one integer: a plain sort of integers is several times faster than a stable argsort,
    and twice as fast with 32 bits as with 64.
    """
    bits = len(items).bit_length()
    kind: type[np.uint32] | type[np.uint64] = np.uint32 if int(items.max()) < 2 ** (32 - bits) else np.uint64
    keys = np.left_shift(items, bits, dtype=kind, casting="unsafe")
    keys |= np.arange(len(items), dtype=kind)
    keys.sort()
    return keys >> bits, (keys & (2**bits - 1)).astype(np.intp)


def first_of_each(items: NDArray[np.int32], limit: int) -> NDArray[np.int64]:
    """Positions of each item's first appearance, in order of appearance, at most `limit`; int64[m]."""
    first = np.unique(items, return_index=True)[1]
    first.sort()
    return first[:limit]
