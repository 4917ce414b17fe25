"""Visits of a shopper: what happens without a pause of more than so many minutes is one visit.

Every function takes times of what the shopper did or saw, int64[n] unix seconds, newest first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


def visit_start(ts: Int64, now: int, idle_s: int) -> int:
    """When the visit that is under way at unix second `now` began; `now` where it only begins.

    ts: newest first; what is after `now` counts as at `now`.
    """
    times = np.minimum(ts, now)
    pauses = np.flatnonzero(np.concatenate(([now], times))[:-1] - times > idle_s)
    within = times[: pauses[0]] if pauses.size else times
    return int(within[-1]) if within.size else now


def visit_numbers(ts: Int64, idle_s: int) -> NDArray[np.int64]:
    """int64[n]: the visit of each time, 0 = that of the newest, 1 = the one before, and so on."""
    if not ts.size:
        return np.empty(0, np.int64)
    return np.concatenate(([0], np.cumsum(ts[:-1] - ts[1:] > idle_s)))


def shown_before(
    items: NDArray[np.int32], ts: Int64, start: int, since: int, idle_s: int, templates: int
) -> NDArray[np.int32]:
    """What the templates that the shopper has seen show, so that the next one goes on behind them.

    A template is what one visit saw of a scene. Those of visits before the present one count, as far as they
    are after the shopper's last behaviour, which asks for new templates; after `templates` of them the first
    comes again, and nothing counts.

    Args:
        items: int32[n], seen in the scene, newest first.
        ts: int64[n], when.
        start: unix second at which the present visit began.
        since: unix second of the last behaviour.
        idle_s: seconds of pause that end a visit.
        templates: pages shown in turn.

    Returns:
        int32[m], distinct.
    """
    earlier = (ts < start) & (ts > since)
    if not earlier.any():
        return np.empty(0, np.int32)
    visits = visit_numbers(ts[earlier], idle_s)
    seen = int(visits[-1]) + 1
    return np.asarray(np.unique(items[earlier][visits < seen % templates]), np.int32)


def fruitless(
    items: NDArray[np.int32],
    ts: Int64,
    acted_items: NDArray[np.int32],
    acted_ts: Int64,
    idle_s: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """How many visits saw each item since the shopper last did something with it.

    Args:
        items: int32[n], seen, newest first.
        ts: int64[n], when.
        acted_items: int32[h], of behaviours, newest first.
        acted_ts: int64[h], when.
        idle_s: seconds of pause that end a visit.

    Returns:
        (int32[m] distinct items ascending, int64[m] visits, at least 1).
    """
    acted, newest = np.unique(acted_items, return_index=True)
    last = np.full(items.size, np.iinfo(np.int64).min)
    if acted.size:
        at = np.minimum(np.searchsorted(acted, items), acted.size - 1)
        known = acted[at] == items
        last[known] = acted_ts[newest][at[known]]
    since = ts > last
    visits = visit_numbers(ts, idle_s)[since]
    span = int(visits.max(initial=0)) + 1
    pairs = np.unique(items[since].astype(np.int64) * span + visits)
    found, counts = np.unique(pairs // span, return_counts=True)
    return found.astype(np.int32), counts.astype(np.int64)
