"""Fingerprints: 256 bits of a picture's features, which nearly identical pictures share but for a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

BITS = 256
_SEED = 20_050_601
_QUERIES = 4096
_ASKED = 3
"""Nearest first rows of groups of which it is asked whether a row is the same."""

Same = Callable[[int, int], bool]
"""(row, other) → whether both show one photograph."""


def fingerprints(features: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8[n, 32]: on which side of 256 random planes through their mean each of float32[n, F] lies.

    SimHash (Charikar, STOC 2002): two that the mean sees at an angle θ differ in 256 · θ / π bits on average.
    """
    planes = np.random.default_rng(_SEED).standard_normal((features.shape[1], BITS)).astype(np.float32)
    return np.packbits((features - features.mean(axis=0)) @ planes > 0, axis=1)


def hamming(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits in which rows of uint8[n, 32] differ, int64[n]."""
    differing: NDArray[np.int64] = np.bitwise_count(first ^ second).sum(axis=-1, dtype=np.int64)
    return differing


def near_pairs(prints: NDArray[np.uint8], bits: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of rows that differ in at most `bits` bits, block by block, each pair in both orders.

    Exact: every pair is compared, which takes n² / 2·10⁹ seconds on one core.
    """
    index = faiss.IndexBinaryFlat(BITS)
    index.add(np.ascontiguousarray(prints))
    for first in range(0, len(prints), _QUERIES):
        limits, _, found = index.range_search(prints[first : first + _QUERIES], bits + 1)
        ends = np.asarray(limits, np.int64)
        rows = first + np.repeat(np.arange(len(ends) - 1), ends[1:] - ends[:-1])
        other = rows != found
        yield rows[other], found[other].astype(np.int64)


def groups_of(forms: Sequence[tuple[NDArray[np.uint8], int]], same: Same | None = None) -> NDArray[np.int32]:
    """Groups of rows that are near their group's first row by one form at least, and the same by `same`.

    A row joins the nearest first row before it that is the same, else it may become one. So no chain of small
    differences joins what differs much, as connected components would: each row of a group was compared with
    its first one.

    Args:
        forms: of each, uint8[n, 32] and the bits in which near rows differ at most.
        same: asked of a row and the three nearest first rows, the nearest first, until it says so; None: near
            rows are the same.

    Returns:
        int32[n]: 1… in the order of each group's first row, 0 for a row that is alone.
    """
    count = len(forms[0][0])
    first = np.arange(count)
    leads = np.ones(count, np.bool_)
    for blocks in zip(*(near_pairs(prints, bits) for prints, bits in forms), strict=True):
        rows, others = (np.concatenate(column) for column in zip(*blocks, strict=True))
        earlier = others < rows
        rows, others = np.unique(np.stack((rows[earlier], others[earlier])), axis=1)
        far = np.min([hamming(prints[rows], prints[others]) / (bits + 1) for prints, bits in forms], axis=0)
        # Nearest first, then the earliest, within each row.
        order = np.lexsort((others, far, rows))
        found, starts = np.unique(rows[order], return_index=True)
        ends = np.append(starts, len(order))[1:]
        for row, start, end in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=True):
            near = others[order[start:end]]
            # Rows before this one are settled, whether they lead or not.
            for other in near[leads[near]][:_ASKED].tolist():
                if same is None or same(row, other):
                    first[row], leads[row] = other, False
                    break
    leaders, members = np.unique(first, return_counts=True)
    number = np.zeros(count, np.int32)
    shared = leaders[members > 1]
    number[shared] = np.arange(1, len(shared) + 1)
    return number[first]
