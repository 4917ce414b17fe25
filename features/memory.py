"""What a shopper did before with each of several things: items, or their categories or brands.

The same function computes it offline, for training, and online, for a request.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapshot.event_codes import PURCHASE

HALF_LIVES_DAYS = (3.0, 14.0, 60.0)
NEVER_DAYS = 10_000.0
"""Age that stands for "never" in `newest`."""

_SECONDS = 86_400
_DAYS = 2**20
"""More days than times have, so that a thing and a day make one number."""

Float32 = NDArray[np.float32]


class Memory(NamedTuple):
    """Of n things, what the shopper did with each; a thing never touched has zeros, and NEVER_DAYS."""

    behaviours: Float32
    """float32[n], how many there were."""
    decayed: Float32
    """float32[n, 3], behaviours that count half after each of `HALF_LIVES_DAYS`."""
    bought: Float32
    """float32[n], purchases."""
    newest: Float32
    """float32[n], age of the newest behaviour, days."""
    days: Float32
    """float32[n], distinct days (UTC) with a behaviour."""
    span: Float32
    """float32[n], days from the oldest behaviour to the newest."""


def memory(
    things: NDArray[np.integer],
    touched: NDArray[np.integer],
    events: NDArray[np.uint8],
    ts: NDArray[np.int64],
    now: int,
) -> Memory:
    """What the shopper did with each of the things.

    Args:
        things: int[n], codes, above 0; 0 is an unknown thing, of which nothing is remembered. May repeat.
        touched: int[h], code of the thing of each behaviour, newest behaviour first.
        events: uint8[h], event codes.
        ts: int64[h], unix seconds, descending.
        now: the time from which ages are counted, unix seconds; a behaviour after it has the age 0.

    Example:
        >>> found = memory(np.array([7, 8]), np.array([7, 7]), np.array([2, 5], np.uint8),
        ...                np.array([86_400, 0]), 2 * 86_400)
        >>> found.behaviours.tolist(), found.bought.tolist(), found.newest.tolist()
        ([2.0, 0.0], [1.0, 0.0], [1.0, 10000.0])
    """
    codes, row_of_thing = np.unique(things, return_inverse=True)
    size = codes.size
    at = np.minimum(np.searchsorted(codes, touched), max(size - 1, 0))
    known = (codes[at] == touched) & (touched > 0) if size else np.zeros(touched.size, np.bool_)
    row, age = at[known], np.maximum(now - ts[known], 0) / _SECONDS
    newest, oldest = np.full(size, NEVER_DAYS), np.full(size, NEVER_DAYS)
    # Of several assignments to a row the last one stays.
    newest[row[::-1]] = age[::-1]
    oldest[row] = age
    on_a_day = np.unique(row.astype(np.int64) * _DAYS + ts[known] // _SECONDS)
    columns = (
        np.bincount(row, minlength=size),
        np.stack([np.bincount(row, np.exp2(-age / half), size) for half in HALF_LIVES_DAYS], axis=1),
        np.bincount(row, events[known] == PURCHASE, size),
        newest,
        np.bincount(on_a_day // _DAYS, minlength=size),
        oldest - newest,
    )
    return Memory(*(column.astype(np.float32)[row_of_thing] for column in columns))
