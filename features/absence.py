"""The moment a history is looked at from: a long absence counts as a week."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MAX_ABSENCE_S = 7 * 86_400


def vantage(now: ArrayLike, newest: ArrayLike) -> np.ndarray:
    """The moment from which the ages in a history are counted: `now`, or a week after its newest behaviour.

    A shopper back after a year is still the shopper of then. Counted from `now`, all ages would be alike, and
    larger than any a model was trained on: only how far the behaviours lie apart still says something.

    Args:
        now: int64[...], moment of the request, unix seconds.
        newest: int64[...], time of the newest behaviour, unix seconds; broadcast against `now`.

    Returns:
        int64[...], unix seconds, never after `now`.
    """
    return np.minimum(np.asarray(now, np.int64), np.asarray(newest, np.int64) + MAX_ABSENCE_S)
