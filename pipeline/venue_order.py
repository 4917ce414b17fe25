"""Orders that show groups of items one after another: the groups that are expected to be taken from most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Float32, Int32

Positions = npt.NDArray[np.intp]
Float64 = npt.NDArray[np.float64]


def worth(score: Float32) -> Float64:
    """float64[n], at least 0: what each of n candidates, given best first, is expected to be taken.

    Scores from 0 to 1 as they are, a missing one as 0; without such scores, by rank as 1 / log2(1 + rank).
    """
    known = np.isfinite(score)
    if not known.any() or score[known].min() < 0 or score[known].max() > 1:
        return np.asarray(1 / np.log2(np.arange(2, score.size + 2)), np.float64)
    return np.asarray(np.where(known, score, 0.0), np.float64)


def expected_by_group(value: Float64, groups: Int32, counted: int | None) -> tuple[Int32, Float64]:
    """What is expected to be taken of each group: the sum over its best `counted` candidates.

    Args:
        value: float64[n], as of `worth`.
        groups: int32[n], 0 = in none.
        counted: candidates of a group that count, at most; None = all.

    Returns:
        (int32[g] groups, ascending; float64[g] sums).
    """
    found = np.unique(groups[groups > 0])
    order = np.lexsort((-value, groups))
    sorted_groups, sorted_values = groups[order], value[order]
    starts = np.searchsorted(sorted_groups, found)
    within = np.arange(order.size) - np.repeat(
        np.concatenate(([0], starts)), np.diff(np.concatenate(([0], starts, [order.size])))
    )
    counts = (sorted_groups > 0) & (within < (order.size if counted is None else counted))
    at = np.searchsorted(found, sorted_groups[counts])
    expected = np.bincount(at, sorted_values[counts], minlength=found.size)
    return found.astype(np.int32), expected.astype(np.float64)


def take_turns(*columns: Int32) -> Positions:
    """intp[n]: first the first candidate of every combination of the columns, then the second, each in order.

    columns: int32[n] each, of candidates given best first; 0 = in no group, which never comes again.
    """
    nth = np.zeros(columns[0].size, np.intp)
    keys = np.stack(columns)
    order = np.lexsort(keys)
    same = np.concatenate(([False], (np.diff(keys[:, order], axis=1) == 0).all(axis=0)))[: order.size]
    starts = np.flatnonzero(~same)
    within = np.arange(order.size) - np.repeat(starts, np.diff(np.concatenate((starts, [order.size]))))
    nth[order] = within
    nth[(keys == 0).any(axis=0)] = 0
    return np.argsort(nth, kind="stable")


def venue_order(groups: Int32, found: Int32, expected: Float64, slots: int, per_group: int) -> Positions:
    """An order whose first `slots` show `per_group` candidates of one group after another.

    The groups come by what is expected of them; those of too few candidates for
    `per_group` slots after the others.
    Where the groups do not fill the slots, further candidates of theirs and then those of no group do, each
    next to its group, so that no slot stays empty.

    Args:
        groups: int32[n], of candidates given best first, 0 = in none.
        found: int32[g], the groups of the candidates, ascending.
        expected: float64[g], what is expected to be taken of each.
        slots: of the page.
        per_group: slots of one group.

    Returns:
        intp[n], a permutation: the page, then the candidates left over in their order.
    """
    count = groups.size
    if not found.size or not slots:
        return np.arange(count)
    at = np.searchsorted(found, groups)
    by_group = np.argsort(groups, kind="stable")
    firsts = np.searchsorted(groups[by_group], groups[by_group])
    nth = np.empty(count, np.intp)
    nth[by_group] = np.arange(count) - firsts
    enough = np.bincount(at[groups > 0], minlength=found.size) >= per_group
    rank_of = np.empty(found.size, np.intp)
    rank_of[np.lexsort((-expected, ~enough))] = np.arange(found.size)
    rank = np.where(groups > 0, rank_of[np.minimum(at, found.size - 1)], found.size)
    first = (groups > 0) & (nth < per_group)
    chosen = np.lexsort((nth, rank, ~first))[:slots]
    page = chosen[np.lexsort((nth[chosen], rank[chosen]))]
    left = np.ones(count, np.bool_)
    left[page] = False
    return np.concatenate((page, np.flatnonzero(left)))
