"""How much a shopper takes in a window of days, beside the mean of several windows.

One window is one draw: on the sample, what an active shopper takes again within two weeks varies by 5 % from
one fortnight to the next, and what is fitted on one of them with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from snapshot.log_parts import parts_by_shopper


class TakeLevel(NamedTuple):
    """What takes in the newest window count, so that they are as many as in the mean of all windows.

    again: of an item that the shopper took before the window; new: of any other.
    """

    again: float = 1.0
    new: float = 1.0


def take_level(events: pl.DataFrame, until: float, window_s: float, windows: int) -> TakeLevel:
    """The level of the window of `window_s` seconds up to `until`, beside itself and those before it.

    Args:
        events: user, item, ts of everything taken up to `until`, as `parts_by_shopper` takes them.
        until: unix second.
        window_s: length of a window.
        windows: how many at most; those that begin in the log's first window are left out, since
            of shoppers of whom little is known everything is new.

    Returns:
        1 for both where there is one window only, or nothing of a kind was taken in it.
    """
    if not events.height:
        return TakeLevel()
    begin = float(events["ts"].cast(pl.Float64).min() or 0)  # type: ignore[arg-type]
    starts = [until - (number + 1) * window_s for number in range(windows)]
    starts = [start for start in starts if start == starts[0] or start >= begin + window_s]
    counts = np.zeros((len(starts), 3), np.int64)
    for part in parts_by_shopper(events):
        counts += _takes(part, starts, window_s)
    levels = [
        (again / max(shoppers, 1), (taken - again) / max(shoppers, 1))
        for shoppers, taken, again in counts.tolist()
    ]
    parts = [sum(each) / len(each) / each[0] if each[0] > 0 else 1.0 for each in zip(*levels, strict=True)]
    return TakeLevel(*parts)


def _takes(events: pl.DataFrame, starts: Sequence[float], window_s: float) -> NDArray[np.int64]:
    """int64[windows, 3] of some shoppers: how many take, pairs with an item, those of them taken before."""
    first = events.group_by("user", "item").agg(pl.col("ts").min().alias("first"))
    counts = []
    for start in starts:
        taken = (
            events.filter((pl.col("ts") >= start) & (pl.col("ts") < start + window_s))
            .select("user", "item")
            .unique()
            .join(first, on=["user", "item"])
        )
        counts.append((taken["user"].n_unique(), taken.height, int((taken["first"] < start).sum())))
    return np.array(counts, np.int64)
