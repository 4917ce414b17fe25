"""Orders that keep items from the head of too many pages: discounts, and prices that stand for a cap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.intp]
Float64 = npt.NDArray[np.float64]


def priced_out(value: Float64, price: Float64, head: int) -> npt.NDArray[np.bool_]:
    """Which candidates their price keeps out of the first `head` slots.

    Those with a price above 0 whose value less price is below the `head`-th best of all candidates. At least
    min(head, n) candidates are left, so that the head can be filled.

    Args:
        value: float64[..., n] in the unit of the prices, NaN = unknown, which counts as worst; the last axis
            is one page's candidates.
        price: float64[..., n], at least 0.
        head: slots, above 0.
    """
    if value.shape[-1] <= head:
        return np.zeros(value.shape, np.bool_)
    left = np.where(np.isnan(value), -np.inf, value) - price
    least = np.partition(left, -head, axis=-1)[..., -head, None]
    return np.asarray((price > 0) & (left < least))


def head_of(out: npt.NDArray[np.bool_], head: int) -> npt.NDArray[np.bool_]:
    """bool[..., n]: the first `head` candidates in their order that are not `out`, bool[..., n]."""
    allowed = ~out
    return np.asarray(allowed & (np.cumsum(allowed, axis=-1) <= head))


def behind_head(out: npt.NDArray[np.bool_], head: int) -> Positions:
    """intp[n], a permutation: the first `head` candidates that are not `out`, then all others in order."""
    first = head_of(out, head)
    return np.concatenate((np.flatnonzero(first), np.flatnonzero(~first)))
