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
"""Age that means "never" in the row `newest`."""
ROWS = ("count", *(f"decayed_{half:.0f}d" for half in HALF_LIVES_DAYS), "bought", "days", "newest", "span")
"""Names of the rows of a memory."""
COUNT, DECAYED, BOUGHT, DAYS, NEWEST, SPAN = 0, slice(1, 4), 4, 5, 6, 7

_SECONDS = 86_400
_FEW = 2**16
"""Below as many codes a table by code finds things faster than a search, and NumPy sorts rows by radix."""

Float32 = NDArray[np.float32]


class Past(NamedTuple):
    """A shopper's h behaviours as several memories need them, newest first."""

    age: NDArray[np.float64]
    """float64[h], days, not negative."""
    day: NDArray[np.int64]
    """int64[h], days since 1970 (UTC)."""
    worth: NDArray[np.float64]
    """float64[5, h], what each adds to the rows `count` to `bought`."""

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
    worth = np.empty((BOUGHT + 1, age.size))
    worth[COUNT] = 1
    np.exp2(age / -np.array(HALF_LIVES_DAYS)[:, None], out=worth[DECAYED])
    worth[BOUGHT] = events == PURCHASE
    return Past(age, ts // _SECONDS, worth)


def memory(things: NDArray[np.integer], touched: NDArray[np.integer], past: Past) -> Float32:
    """What the shopper did with each of the things.

    Args:
        things: int[n], codes; 0 is an unknown thing, of which nothing is remembered. May repeat.
        touched: int[h], code of the thing of each behaviour of `past`.
        past: the behaviours, newest first.

    Returns:
        float32[8, n], by `ROWS`: behaviours; behaviours that count half after each of `HALF_LIVES_DAYS`;
        purchases; distinct days (UTC) with a behaviour; days since the newest, NEVER_DAYS where there is
        none; days from the oldest to the newest.

    Example:
        >>> past = past_of(np.array([2, 5], np.uint8), np.array([86_400, 0]), 2 * 86_400)
        >>> found = memory(np.array([7, 8]), np.array([7, 7]), past)
        >>> found[COUNT].tolist(), found[BOUGHT].tolist(), found[NEWEST].tolist()
        ([2.0, 0.0], [1.0, 0.0], [1.0, 10000.0])
    """
    count, code_of_thing, place = _places(things, touched)
    found = np.zeros((len(ROWS), count), np.float32)
    found[NEWEST] = NEVER_DAYS
    (behaviour,) = np.nonzero(place >= 0)
    if behaviour.size:
        place = place.take(behaviour)
        # A stable sort keeps the behaviours of a thing newest first.
        order = np.argsort(place.astype(np.uint16) if count <= _FEW else place, kind="stable")
        place, behaviour = place.take(order), behaviour.take(order)
        first = np.ones(place.size, np.bool_)
        np.not_equal(place[1:], place[:-1], out=first[1:])
        (starts,) = np.nonzero(first)
        ends = np.empty_like(starts)
        ends[:-1], ends[-1] = starts[1:] - 1, place.size - 1
        day, age, rows = past.day.take(behaviour), past.age.take(behaviour), place.take(starts)
        newest = age.take(starts)
        another_day = first.copy()
        another_day[1:] |= day[1:] != day[:-1]
        of_code = np.empty((len(ROWS), rows.size))
        np.add.reduceat(past.worth.take(behaviour, axis=1), starts, axis=1, out=of_code[: BOUGHT + 1])
        np.add.reduceat(another_day, starts, dtype=np.float64, out=of_code[DAYS])
        of_code[NEWEST] = newest
        np.subtract(age.take(ends), newest, out=of_code[SPAN])
        found[:, rows] = of_code
    return found.take(code_of_thing, axis=1)


def _places(
    things: NDArray[np.integer], touched: NDArray[np.integer]
) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
    """How many distinct codes the things have; where among these, ascending, each thing and behaviour stands.

    Returns:
        The number; intp[n] of the things; intp[h] of the behaviours, −1 where one is of none of them or of 0.
    """
    highest = int(things.max(initial=0))
    if highest < _FEW:
        table = np.full(highest + 2, -1, np.intp)
        table[things] = 0
        (codes,) = np.nonzero(table == 0)
        table[codes] = np.arange(codes.size)
        of_things = table[things]
        table[0] = -1
        return codes.size, of_things, table[np.minimum(touched, highest + 1)]
    codes, of_things = np.unique(things, return_inverse=True)
    at = np.minimum(np.searchsorted(codes, touched), codes.size - 1)
    return codes.size, of_things, np.where((codes[at] == touched) & (touched > 0), at, -1)
