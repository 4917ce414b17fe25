"""How much a shopper takes in a window of days, beside the mean of several windows.

One window is one draw: on the sample, what an active shopper takes again within two weeks varies by 5 % from
one fortnight to the next, and what is fitted on one of them with it.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl


class TakeLevel(NamedTuple):
    """What takes in the newest window count, so that they are as many as in the mean of all windows.

    again: of an item that the shopper took before the window; new: of any other.
    """

    again: float = 1.0
    new: float = 1.0


def take_level(events: pl.DataFrame, until: float, window_s: float, windows: int) -> TakeLevel:
    """The level of the window of `window_s` seconds up to `until`, beside itself and those before it.

    Args:
        events: user, item, ts of everything taken up to `until`.
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
    first = events.group_by("user", "item").agg(pl.col("ts").min().alias("first"))
    levels = []
    for number in range(windows):
        start = until - (number + 1) * window_s
        if number and start < begin + window_s:
            break
        taken = (
            events.filter((pl.col("ts") >= start) & (pl.col("ts") < start + window_s))
            .select("user", "item")
            .unique()
            .join(first, on=["user", "item"])
        )
        shoppers = max(taken["user"].n_unique(), 1)
        again = int((taken["first"] < start).sum())
        levels.append((again / shoppers, (taken.height - again) / shoppers))
    parts = [sum(each) / len(each) / each[0] if each[0] > 0 else 1.0 for each in zip(*levels, strict=True)]
    return TakeLevel(*parts)
