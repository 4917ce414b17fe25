"""What shoppers did as sessions that end with a purchase or a pause, popular items thinned. Offline only."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource
from snapshot.event_codes import IMPRESSION, PURCHASE

WIDTH = 50
"""Items of one row; longer sessions continue in another."""


def unit_sessions(source: BuildSource, gap_minutes: float, *, cut_on_purchase: bool) -> NDArray[np.int32]:
    """int32[rows, 50]: the items of each session in their order, 0 behind the last.

    A session ends where its shopper pauses for longer than the gap, where `session_id` changes and, with
    `cut_on_purchase`, behind the purchases of one moment. Impressions do not count.
    """
    events = source.events.filter(
        (pl.col("event") != IMPRESSION) & (pl.col("ts") <= source.now) & (pl.col("item") > 0)
    ).sort("user", "ts", maintain_order=True)
    begins = (pl.col("user") != pl.col("user").shift()) | (
        pl.col("ts") - pl.col("ts").shift() > int(gap_minutes * 60)
    )
    if "session_id" in events.columns:
        begins = begins | pl.col("session_id").ne_missing(pl.col("session_id").shift())
    if cut_on_purchase:
        # What is bought together stays together.
        later = pl.col("ts") > pl.col("ts").shift()
        begins = begins | ((pl.col("event").shift() == PURCHASE) & later)
    session = events.select(begins.fill_null(True).cum_sum().cast(pl.Int64)).to_series().to_numpy() - 1
    item = events["item"].to_numpy()
    first = np.searchsorted(session, np.arange(int(session.max(initial=-1)) + 1))
    place = np.arange(len(item)) - first[session]
    rows = np.zeros(len(first), np.int64)
    if len(first):
        rows = np.bincount(session) // WIDTH + 1
    start = np.cumsum(rows) - rows
    packed = np.zeros((int(rows.sum()), WIDTH), np.int32)
    packed[start[session] + place // WIDTH, place % WIDTH] = item
    return packed


def thinned(sessions: NDArray[np.int32], threshold: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """The sessions with each occurrence of an item dropped by chance 1 − √(t / f), the others moved together.

    f is the item's share of all occurrences, t the threshold; an item with f ≤ t keeps all, t = 0 drops none
    (word2vec, Mikolov et al. 2013).
    """
    share = np.bincount(sessions.ravel()).astype(np.float64)
    share[:1] = 0
    if threshold <= 0 or not share.sum():
        return sessions
    share /= share.sum()
    kept = np.sqrt(np.divide(threshold, share, out=np.ones_like(share), where=share > threshold))
    left = np.where(rng.random(sessions.shape) < kept[sessions], sessions, 0)
    return np.take_along_axis(left, np.argsort(left == 0, axis=1, kind="stable"), axis=1)
