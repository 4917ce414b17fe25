"""What a shopper did before with each of several things: items, or their categories or brands.

The same functions compute it offline, for training, and online, for a request.
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
_FEW = 2**16
"""Below as many things NumPy sorts their rows by radix, several times faster."""

Float32 = NDArray[np.float32]


class Past(NamedTuple):
    """A shopper's h behaviours as several memories need them, newest first."""

    age: NDArray[np.float64]
    """float64[h], days, not negative."""
    day: NDArray[np.int64]
    """int64[h], days since 1970 (UTC)."""
    decayed: NDArray[np.float64]
    """float64[3, h], what each counts after halving at every one of `HALF_LIVES_DAYS`."""
    bought: NDArray[np.bool_]
    """bool[h], whether it is a purchase."""

    @property
    def visits(self) -> int:
        """Distinct days with a behaviour."""
        return int(np.count_nonzero(self.day[1:] != self.day[:-1])) + 1 if self.day.size else 0


def past_of(events: NDArray[np.uint8], ts: NDArray[np.int64], now: int) -> Past:
    """The past of a shopper.

    Args:
        events: uint8[h], event codes.
        ts: int64[h], unix seconds, descending.
        now: the time from which ages are counted, unix seconds; a behaviour after it has the age 0.
    """
    age = np.maximum(now - ts, 0) / _SECONDS
    decayed = np.exp2(age / -np.array(HALF_LIVES_DAYS)[:, None])
    return Past(age, ts // _SECONDS, decayed, events == PURCHASE)


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


def memory(things: NDArray[np.integer], touched: NDArray[np.integer], past: Past) -> Memory:
    """What the shopper did with each of the things.

    Args:
        things: int[n], codes, above 0; 0 is an unknown thing, of which nothing is remembered. May repeat.
        touched: int[h], code of the thing of each behaviour of `past`.
        past: the behaviours, newest first.

    Example:
        >>> past = past_of(np.array([2, 5], np.uint8), np.array([86_400, 0]), 2 * 86_400)
        >>> found = memory(np.array([7, 8]), np.array([7, 7]), past)
        >>> found.behaviours.tolist(), found.bought.tolist(), found.newest.tolist()
        ([2.0, 0.0], [1.0, 0.0], [1.0, 10000.0])
    """
    codes, row_of_thing = np.unique(things, return_inverse=True)
    size = codes.size
    at = np.minimum(np.searchsorted(codes, touched), max(size - 1, 0))
    known = (codes[at] == touched) & (touched > 0) if size else np.zeros(touched.size, np.bool_)
    (behaviour,) = np.nonzero(known)
    row = at[behaviour]
    # A stable sort keeps the behaviours of a row newest first.
    order = np.argsort(row.astype(np.uint16) if size <= _FEW else row, kind="stable")
    row, behaviour = row[order], behaviour[order]
    age, day = past.age[behaviour], past.day[behaviour]
    another = row[1:] != row[:-1]
    first, last = np.append(True, another)[: row.size], np.append(another, True)[: row.size]
    newest, oldest = np.full(size, NEVER_DAYS), np.full(size, NEVER_DAYS)
    newest[row[first]], oldest[row[last]] = age[first], age[last]
    first[1:] |= day[1:] != day[:-1]
    columns = (
        np.bincount(row, minlength=size),
        np.stack([np.bincount(row, decayed[behaviour], size) for decayed in past.decayed], axis=1),
        np.bincount(row, past.bought[behaviour], size),
        newest,
        np.bincount(row, first, size),
        oldest - newest,
    )
    return Memory(*(column.astype(np.float32)[row_of_thing] for column in columns))
