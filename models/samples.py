"""Sample points cut by time: what was known at a moment, and what the shopper took next.

A point is a time at which its shopper took something. Its history is everything strictly before, its
positives are the distinct items taken from then on within a horizon. No point looks beyond its range's end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.interaction_log import InteractionLog
from models.settings import SampleSettings
from snapshot.partition_work import Columns, Range, joined


@dataclass(frozen=True, slots=True)
class SamplePoints:
    """Sample points in order of time.

    user: int32[S]; now: int64[S], unix seconds; history_start, history_end: int64[S], half-open slices of the
    log's behaviours; positives: int32[S, P], 0 = none; taken_offsets: int64[S+1] and taken_items: int32[...],
    every distinct item taken within the horizon, also those beyond the first P (never used as negatives);
    weights: float32[S, P], how much each positive counts, that of its strongest take; None = 1 each.
    """

    user: np.ndarray
    now: np.ndarray
    history_start: np.ndarray
    history_end: np.ndarray
    positives: np.ndarray
    taken_offsets: np.ndarray
    taken_items: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of points."""
        return len(self.user)

    def weight(self) -> float:
        """What all positives weigh together."""
        present = self.positives > 0
        return float(present.sum() if self.weights is None else self.weights[present].sum())

    def mean_weights(self) -> np.ndarray:
        """float32[S], the mean weight of each point's positives."""
        if self.weights is None:
            return np.ones(len(self), np.float32)
        present = self.positives > 0
        sums: np.ndarray = (self.weights * present).sum(1) / np.maximum(present.sum(1), 1)
        return sums.astype(np.float32)

    def select(self, rows: np.ndarray) -> SamplePoints:
        """The points of the given rows (int[m]), in that order."""
        lengths = np.diff(self.taken_offsets)[rows]
        return SamplePoints(
            self.user[rows],
            self.now[rows],
            self.history_start[rows],
            self.history_end[rows],
            self.positives[rows],
            np.concatenate(([0], np.cumsum(lengths))),
            self.taken_items[flat_slices(self.taken_offsets[:-1][rows], lengths)],
            None if self.weights is None else self.weights[rows],
        )


def flat_slices(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64[sum(lengths)]: the positions of many slices, one after another."""
    before = np.cumsum(lengths) - lengths
    positions: np.ndarray = (
        np.arange(int(lengths.sum())) - np.repeat(before, lengths) + np.repeat(starts, lengths)
    )
    return positions


@dataclass(frozen=True)
class TakenWanted:
    """Which behaviours may be sample points or their positives.

    time_range: [start, end), unix seconds; events: codes of positive events; most: points wanted of the whole
    log, the most recent; None = all.
    """

    time_range: tuple[int, int]
    events: tuple[int, ...]
    most: int | None


def taken_columns(shoppers: Range, wanted: TakenWanted, columns: Columns) -> Columns:
    """The behaviours of some shoppers that may be sample points or their positives, in the log's order.

    Args:
        shoppers: whose.
        wanted: which.
        columns: user, item, event, ts, offsets and, if any, weight of the log's behaviours (`EventColumns`).

    Returns:
        user int32, ts int64, item int32 and, if any, weight float32; without those before the `wanted.most`
        most recent points of these shoppers, which are not among the most recent ones of all.
    """
    own = slice(int(columns["offsets"][shoppers[0]]), int(columns["offsets"][shoppers[1]]))
    event, ts = columns["event"][own], columns["ts"][own]
    start, end = wanted.time_range
    rows = np.flatnonzero((ts >= start) & (ts < end) & np.isin(event, np.asarray(wanted.events)))
    taken = {name: columns[name][own][rows] for name in ("user", "ts", "item", "weight") if name in columns}
    points = np.flatnonzero(_begins_point(taken))
    if wanted.most is not None and len(points) > wanted.most:
        recent = taken["ts"] >= np.partition(taken["ts"][points], -wanted.most)[-wanted.most]
        taken = {name: column[recent] for name, column in taken.items()}
    return taken


def _begins_point(taken: Columns) -> np.ndarray:
    """bool[n]: the first row of its shopper and time, of which something counts as a sample."""
    user, ts, weight = taken["user"], taken["ts"], taken.get("weight")
    first = np.ones(len(user), dtype=bool)
    first[1:] = (user[1:] != user[:-1]) | (ts[1:] != ts[:-1])
    if weight is not None and len(weight):
        starts = np.flatnonzero(first)
        first[starts] = np.maximum.reduceat(weight, starts) > 0
    return first


def cut_points(
    log: InteractionLog,
    settings: SampleSettings,
    time_range: tuple[int, int],
    rng: np.random.Generator,
    *,
    max_points: int,
    most_recent: bool = True,
) -> SamplePoints:
    """Cuts sample points out of [time_range[0], time_range[1]), unix seconds.

    There is one candidate point per shopper and distinct time of a positive event that counts. Where there
    are more than `max_points`, the most recent are kept, or (`most_recent=False`) ones drawn by `rng`. Where
    a point has more positives than `settings.positives`, the earliest are kept, ties drawn by `rng`. A point
    whose shopper's horizon reaches the range's end loses what lies behind it.

    Returns points sorted by time; none if nothing was taken in the range.
    """
    start, end = time_range
    behaviours = log.behaviours
    wanted = TakenWanted(time_range, settings.positive_events, max_points if most_recent else None)
    load = np.diff(behaviours.offsets)
    parts = log.work.over_ranges("samples", taken_columns, load, wanted, behaviours.columns())
    taken_rows = joined(parts)
    user, ts, item = taken_rows["user"], taken_rows["ts"], taken_rows["item"]
    points = np.flatnonzero(_begins_point(taken_rows))
    if len(points) > max_points:
        if most_recent:
            points = points[np.argsort(-ts[points], kind="stable")[:max_points]]
        else:
            points = rng.choice(points, max_points, replace=False)
    points = points[np.lexsort((user[points], ts[points]))]

    span = end - start + settings.horizon + 2
    keys = user.astype(np.int64) * span + (ts - start)
    stops = np.searchsorted(keys, keys[points] + settings.horizon, side="right")
    lengths = stops - points
    point = np.repeat(np.arange(len(points)), lengths)
    taken = flat_slices(points, lengths)
    taken_item, taken_ts = item[taken], ts[taken]
    weight = taken_rows["weight"][taken] if "weight" in taken_rows else None

    order = np.lexsort((rng.random(len(taken)), taken_ts, taken_item, point))
    point, taken_item, taken_ts = point[order], taken_item[order], taken_ts[order]
    fresh = np.ones(len(point), dtype=bool)
    fresh[1:] = (point[1:] != point[:-1]) | (taken_item[1:] != taken_item[:-1])
    point, taken_item, taken_ts = point[fresh], taken_item[fresh], taken_ts[fresh]
    if weight is not None and len(weight):
        weight = np.maximum.reduceat(weight[order], np.flatnonzero(fresh))

    order = np.lexsort((rng.random(len(point)), taken_ts, point))
    point, taken_item = point[order], taken_item[order]
    counts = np.bincount(point, minlength=len(points))
    offsets = np.concatenate(([0], np.cumsum(counts)))
    rank = np.arange(len(point)) - offsets[point]
    positives = np.zeros((len(points), settings.positives), dtype=np.int32)
    kept = rank < settings.positives
    positives[point[kept], rank[kept]] = taken_item[kept]
    weights = None
    if weight is not None:
        weights = np.zeros(positives.shape, np.float32)
        weights[point[kept], rank[kept]] = weight[order][kept]

    owner, now = user[points], ts[points]
    return SamplePoints(
        user=owner,
        now=now,
        history_start=behaviours.offsets[owner],
        history_end=behaviours.position_before(owner, now),
        positives=positives,
        taken_offsets=offsets,
        taken_items=taken_item,
        weights=weights,
    )
