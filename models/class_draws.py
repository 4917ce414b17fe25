"""How often pictures of each class are drawn in a pass over them, where classes are to appear unevenly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEPS = 100
_UNWANTED = 1e-9
"""Share of a class that nobody wants: it takes what the bounds of the wanted ones leave over."""


def draws_by_share(
    classes: NDArray[np.int64], shares: NDArray[np.float64], least: float, most: float
) -> NDArray[np.float64]:
    """How often each picture is drawn in a pass of as many draws as there are pictures.

    A class is drawn in proportion to its share, each of its pictures equally often, within the bounds: the
    factor of the shares is where all draws together are as many as the pictures.

    Args:
        classes: int64[m], m above 0, of each picture, 0 … C − 1.
        shares: float64[C], at least 0 and not all 0; of any sum.
        least: draws of a picture, 0 … 1.
        most: draws of a picture, 1 or more.

    Returns:
        float64[m], whose sum is m.
    """
    counts = np.bincount(classes, minlength=len(shares))
    shown = counts > 0
    wanted = np.maximum(shares[shown] / shares.sum(), _UNWANTED) * len(classes) / counts[shown]
    low, high = np.log(least / wanted.max() + 1e-12), np.log(most / wanted.min())
    for _ in range(_STEPS):
        middle = (low + high) / 2
        total = counts[shown] @ np.clip(np.exp(middle) * wanted, least, most)
        low, high = (middle, high) if total < len(classes) else (low, middle)
    draws = np.zeros(len(shares))
    draws[shown] = np.clip(np.exp(high) * wanted, least, most)
    return np.asarray(draws[classes])


def drawn(
    rows: NDArray[np.int64], draws: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """As many rows as there are, in an order of chance, each as often as its draws say.

    A row whose draws are 2.3 is drawn twice or three times: the draws lie on a line, in an order of chance,
    and every whole step from a start of chance takes one (systematic sampling).

    Args:
        rows: int64[m].
        draws: float64[m], whose sum is m.
        random: of start and order.

    Returns:
        int64[m].
    """
    order = random.permutation(len(rows))
    ends = np.cumsum(draws[order])
    steps = (random.random() + np.arange(len(rows))) * ends[-1] / len(rows)
    return np.asarray(random.permutation(rows[order[np.searchsorted(ends, steps, side="right")]]))
