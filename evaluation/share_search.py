"""The search for the shares whose fusion recalls much and has a good head."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evaluation.queries import TestShopper
from evaluation.scene_fusion import FusionOf
from foundation.statistics.ranking_metrics import ndcg, recall
from recall.channel import Recalled

HEAD = 10
FACTOR = 2.0
STEP = 0.05
SMALL = 0.01
"""Coordinate ascent multiplies or divides a share by FACTOR, adds or takes STEP, or begins with SMALL."""

DECIMALS = 3
"""Shares are rounded to as many, so that those written into a scene are those that were measured."""

ROUNDING = 1e-12
"""By which means of the same values may differ."""

ANSWERS_PER_POINT = 12_000
"""Answers (shoppers × channels) that one point of an ascent is measured on; with 31 channels 387 shoppers."""

SURENESS = 1.645
"""Standard errors of its mean over shoppers that a gain at the head is to exceed; chance does in 5 %."""

FINALISTS = 12
"""Best points of the ascents, which are measured on all shoppers where an ascent saw only a part of them."""

Point = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ListQuality:
    """Of lists of items, means over shoppers: recall at the budget, and NDCG of the first `HEAD` items."""

    recall: float
    ndcg: float


@dataclass(frozen=True)
class ChosenShares:
    """What a search found, all at the same budget of items, on the validation range.

    shares    channel → share, summing to about 1
    fused     of the fusion with these shares
    alone     channel → of the channel alone
    head_kept whether the fusion's NDCG is surely not below that of the channel that has the best alone
    """

    shares: Mapping[str, float]
    fused: ListQuality
    alone: Mapping[str, ListQuality]
    head_kept: bool


def search_shares(
    shoppers: Sequence[TestShopper],
    answers: Sequence[Mapping[str, Recalled]],
    names: Sequence[str],
    fusion_of: FusionOf,
    total: int,
    progress: Callable[[float], None] = lambda share: None,
) -> ChosenShares:
    """The best shares found by coordinate ascent, given every channel's answer to every shopper.

    Maximises recall at `total` / that of the channel with the best + NDCG at the head / that of the channel
    with the best. One ascent starts from equal shares and one from the channel of the best head alone; each
    changes one channel's share at a time until no change helps (a local optimum). Of all points measured, the
    best is taken among those whose NDCG, shopper by shopper, surely is not below the best channel's: equal,
    or above it by `SURENESS` standard errors, since of many points the best owes a part of its gain to
    chance. Where there is none, the best.

    Where there are many channels the ascents see a part of the shoppers, every n-th (`ANSWERS_PER_POINT`),
    and the choice is made on all of them among the `FINALISTS` best points: 31 channels take minutes.
    """
    lists = {name: [answer[name].items[:total] for answer in answers] for name in names}
    measured = {name: _quality(shoppers, lists[name], total) for name in names}
    alone = {name: each.means() for name, each in measured.items()}
    best_recall = max(quality.recall for quality in alone.values())
    best_head = max(names, key=lambda name: alone[name].ndcg)
    columns = [[answer[name] for name in names] for answer in answers]

    def objective(quality: _Quality) -> float:
        means = quality.means()
        return _ratio(means.recall, best_recall) + _ratio(means.ndcg, alone[best_head].ndcg)

    def on(rows: Sequence[int]) -> _Measured:
        asked = [shoppers[row] for row in rows]

        def measure(point: Point) -> _Quality:
            fusion = fusion_of(dict(zip(names, point, strict=True)))
            return _quality(asked, [fusion.fuse(columns[row], total).items for row in rows], total)

        return _Measured(measure, objective)

    every = -(-len(shoppers) * len(names) // ANSWERS_PER_POINT)
    points = on(range(0, len(shoppers), every))
    points.ascend(np.ones(len(names)), lambda share: progress(share / 2))
    only_best = np.array([float(name == best_head) for name in names])
    points.ascend(only_best, lambda share: progress((1 + share) / 2))
    if every > 1:
        points = points.best_measured_by(on(range(len(shoppers))))
    kept = {
        point: each
        for point, each in points.found.items()
        if _surely_not_below(each.ndcg, measured[best_head].ndcg)
    }
    among = kept or points.found
    chosen = max(among, key=lambda point: objective(among[point]))
    return ChosenShares(dict(zip(names, chosen, strict=True)), among[chosen].means(), alone, bool(kept))


@dataclass(frozen=True, slots=True)
class _Quality:
    """What `ListQuality` is the mean of, float64[s] by shopper."""

    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]

    def means(self) -> ListQuality:
        return ListQuality(float(self.recall.mean()), float(self.ndcg.mean()))


def _quality(shoppers: Sequence[TestShopper], ranked: Sequence[np.ndarray], total: int) -> _Quality:
    targets = np.array([len(shopper.targets) for shopper in shoppers])
    hits = np.zeros((len(shoppers), max(total, HEAD)), dtype=bool)
    for row, (shopper, items) in enumerate(zip(shoppers, ranked, strict=True)):
        hits[row, : len(items)] = np.isin(items, shopper.targets)
    return _Quality(
        np.asarray(recall(hits, targets, total), np.float64),
        np.asarray(ndcg(hits[:, :total], targets, HEAD), np.float64),
    )


def _surely_not_below(values: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
    """Whether the mean of float64[s] is that of the other float64[s], or above it by `SURENESS`."""
    gains = values - best
    error = float(gains.std()) / math.sqrt(len(gains))
    return float(gains.mean()) - SURENESS * error >= -ROUNDING


@dataclass
class _Measured:
    """Points of shares, each measured once."""

    measure: Callable[[Point], _Quality]
    objective: Callable[[_Quality], float]
    found: dict[Point, _Quality] = field(default_factory=dict)

    def value(self, point: Point) -> float:
        """The objective at a point."""
        if point not in self.found:
            self.found[point] = self.measure(point)
        return self.objective(self.found[point])

    def best_measured_by(self, other: _Measured) -> _Measured:
        """`other`, with the `FINALISTS` best of these points."""
        for point in sorted(self.found, key=self.value, reverse=True)[:FINALISTS]:
            other.value(point)
        return other

    def ascend(self, start: np.ndarray, progress: Callable[[float], None]) -> None:
        """Measures points on the way up from `start` float64[c]."""
        best = _rounded(start)
        top = self.value(best)
        rounds, improved = 0, True
        while improved:
            improved = False
            for channel in range(len(best)):
                for point in list(_changed(best, channel)):
                    if self.value(point) > top:
                        best, top, improved = point, self.value(point), True
            rounds += 1
            progress(1 - 1 / (1 + rounds))


def _changed(point: Point, channel: int) -> Iterator[Point]:
    """Points that differ in one channel's share, the others in their proportions."""
    share = point[channel]
    for value in (share * FACTOR, share / FACTOR, share + STEP, share - STEP, SMALL, 0.0):
        others = sum(point) - share
        if value == share or value < 0 or (value == 0 and others <= 0):
            continue
        changed = np.array(point)
        changed[channel] = value
        yield _rounded(changed)


def _rounded(shares: np.ndarray) -> Point:
    return tuple(np.round(shares / shares.sum(), DECIMALS).tolist())


def _ratio(value: float, best: float) -> float:
    return value / best if best > 0 else value
