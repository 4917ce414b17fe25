"""Holds items of an order back to the earliest position each may have, or moves them up to the latest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Positions = npt.NDArray[np.intp]


def not_before(earliest: Int64) -> Positions:
    """The order in which no item comes before its earliest position, as long as others can fill in.

    earliest  int64[n], first position, from 0, that the i-th item of the present order may have; 0 = any

    Returns int[n]: present positions in the new order. Items that come too early get the first position that
    is free from their earliest one on (earliest first, then in the present order); the others keep their
    order and close the gaps. Where these are used up before an item may come, the rest follow at once.
    """
    at = np.arange(earliest.size)
    held = np.zeros(earliest.size, dtype=np.bool_)
    # Items that close a gap may come too early themselves: they join the held ones, so the loop ends.
    while (early := ~held & (at < earliest)).any():
        held |= early
        waiting = np.flatnonzero(held)
        waiting = waiting[np.argsort(earliest[waiting], kind="stable")]
        steps = np.arange(waiting.size)
        at[waiting] = np.maximum.accumulate(earliest[waiting] - steps) + steps
        free = np.setdiff1d(np.arange(earliest.size), at[waiting], assume_unique=True)
        others = np.flatnonzero(~held)
        at[others] = free[: others.size]
    return np.argsort(at, kind="stable")


def not_after(latest: Int64) -> Positions:
    """The order in which no item comes after its latest position.

    latest  int64[n], last position, from 0, that the i-th item of the present order may have; n - 1 or more =
            any. For every m, at most m items may have one below m

    Returns int[n]: present positions in the new order. It is `not_before` read backwards: items that come too
    late get the last position that is free up to their latest one, the others keep their order.
    """
    last = latest.size - 1
    return last - not_before(np.maximum(last - latest[::-1], 0))[::-1]
