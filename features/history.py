"""History encoding: a shopper's recent behaviours as three padded rows, identical in training and serving.

Histories contain behaviours (views, favourites, carts, purchases), not impressions: an impression is an act
of the shop, not of the shopper.
"""

from __future__ import annotations

import numpy as np

from features.reference_time import reference_time

HISTORY_LENGTH = 50
AGE_BUCKETS = 24

# Bucket k starts at 60·(2^(k-1) - 1) seconds: exact integers, where a floating logarithm could be off by one.
_BUCKET_STARTS = 60 * (2 ** np.arange(AGE_BUCKETS, dtype=np.int64) - 1)


def age_bucket(seconds: np.ndarray) -> np.ndarray:
    """Bucket ages on a logarithmic scale: 1 + floor(log2(1 + seconds / 60)), clipped to 1…24.

    Args:
        seconds: int64[...], age in seconds; a negative age (from a clock that is ahead) counts as 0.

    Returns:
        int32[...] of the same shape; never 0, which marks padding.
    """
    buckets = np.searchsorted(_BUCKET_STARTS, np.asarray(seconds, dtype=np.int64), side="right")
    return np.maximum(buckets, 1).astype(np.int32)


def encode_history(
    items: np.ndarray,
    events: np.ndarray,
    ts: np.ndarray,
    now: int,
    length: int = HISTORY_LENGTH,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encode one history, newest first.

    Unknown items (index 0) are skipped, so that a position is padding in all three rows or in none.

    Args:
        items: integer[h], dense item indices.
        events: integer[h], event codes.
        ts: int64[h], unix seconds.
        now: moment of the request, unix seconds; ages are counted from `reference_time`.
        length: number of positions in the result; older behaviours are dropped.

    Returns:
        item, event, age: int32[length] each; the newest behaviour at position 0, zeros behind the last.
    """
    known = np.flatnonzero(np.asarray(items) > 0)[:length]
    encoded = np.zeros((3, length), dtype=np.int32)
    count = len(known)
    if count:
        times = np.asarray(ts, dtype=np.int64)[known]
        encoded[0, :count] = np.asarray(items)[known]
        encoded[1, :count] = np.asarray(events)[known]
        encoded[2, :count] = age_bucket(reference_time(now, times[0]) - times)
    return encoded[0], encoded[1], encoded[2]


def history_inputs(items: np.ndarray, events: np.ndarray, ts: np.ndarray, now: int) -> dict[str, np.ndarray]:
    """One history as the inputs of a model on Triton, which have a batch axis.

    Args:
        items: integer[h], dense item indices, newest first.
        events: integer[h], event codes.
        ts: int64[h], unix seconds.
        now: moment of the request, unix seconds.

    Returns:
        `history_item`, `history_event` and `history_age`: int32[1, 50] each.
    """
    item, event, age = encode_history(items, events, ts, now)
    return {"history_item": item[None], "history_event": event[None], "history_age": age[None]}


def encode_history_batch(
    items: np.ndarray,
    events: np.ndarray,
    ts: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    now: np.ndarray,
    length: int = HISTORY_LENGTH,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encode many histories that are slices of flat columns, oldest first as in `events.parquet`.

    Row b equals `encode_history` of `items[starts[b]:ends[b]]` reversed, at `now[b]`. Slices may overlap, so
    all samples of a user read the same events. For adjoining histories with offsets[B + 1] pass
    `offsets[:-1]` and `offsets[1:]`.

    Args:
        items: integer[e], dense item indices.
        events: integer[e], event codes.
        ts: int64[e], unix seconds.
        starts: integer[B], first position of each slice.
        ends: integer[B], position after the last of each slice; 0 ≤ start ≤ end ≤ e.
        now: int64[B], moment of each request, unix seconds.
        length: number of positions in the result; older behaviours are dropped.

    Returns:
        item, event, age: int32[B, length] each; newest at position 0, zeros behind the last.
    """
    items, events, ts = np.asarray(items), np.asarray(events), np.asarray(ts, dtype=np.int64)
    starts, ends = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
    known = items > 0
    if not known.all():
        known_before = np.concatenate(([0], np.cumsum(known)))
        starts, ends = known_before[starts], known_before[ends]
        items, events, ts = items[known], events[known], ts[known]
    shape = (len(starts), length)
    if not len(items):
        return np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    positions = ends[:, None] - 1 - np.arange(length)
    filled = positions >= starts[:, None]
    positions = np.where(filled, positions, 0)
    times = ts[positions]
    ages = age_bucket(reference_time(now, times[:, 0])[:, None] - times)
    return (
        np.where(filled, items[positions], 0).astype(np.int32, copy=False),
        np.where(filled, events[positions], 0).astype(np.int32, copy=False),
        np.where(filled, ages, 0).astype(np.int32, copy=False),
    )
