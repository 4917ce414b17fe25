"""The moment from which the ages of a history's behaviours are counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MAX_ABSENCE_S = 7 * 86_400
"""The longest time that ages include between a shopper's newest behaviour and the request, seconds."""


def reference_time(now: ArrayLike, newest: ArrayLike) -> np.ndarray:
    """The time from which ages are counted: `now`, but at most a week after the newest behaviour.

    After a long absence all ages counted from `now` would be nearly equal, and larger than any a model was
    trained on. Counted from a week after the newest behaviour, they keep the distances between behaviours.

    Args:
        now: int64[...], time of the request, unix seconds.
        newest: int64[...], time of the newest behaviour, unix seconds; broadcast against `now`.

    Returns:
        int64[...], unix seconds, never after `now`.
    """
    return np.minimum(np.asarray(now, np.int64), np.asarray(newest, np.int64) + MAX_ABSENCE_S)
