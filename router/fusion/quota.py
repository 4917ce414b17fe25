"""Fusion by quota: each channel has a share of the candidates; what it leaves unused goes to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates, no_candidates, unscored
from pipeline.stages import RecalledColumns
from router.fusion.kind import FusionKind, FusionParts
from router.fusion.share_check import check_shares

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class QuotaSettings(BaseModel):
    """Takes from each channel by its share; what a channel leaves unused goes to the others."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class QuotaFusion:
    """Fusion with fixed shares; shares[i] is that of channel i."""

    shares: Float64

    def fuse(self, recalled: Sequence[RecalledColumns], total: int) -> Candidates:
        """As the function `fuse` of this file."""
        return fuse(recalled, self.shares, total)


def fuse(recalled: Sequence[RecalledColumns], shares: Float64, total: int) -> Candidates:
    """At most `total` of the items recalled by c channels, no item twice.

    recalled  c answers, each best first; channel order decides who takes an item first and whose score and
              trigger an item recalled by several channels carries
    shares    float64[c], not negative, sum above 0; need not sum to 1
    total     most candidates wanted

    Each channel in turn takes its quota (its share of `total`, by largest remainder) of its best items not
    yet taken. What remains free is divided in the same way among the channels that have items left, until
    `total` is reached or all are exhausted; channels with share 0 take part when no other has items left.
    The result has min(total, distinct items) rows, interleaved by share: the j-th item taken by channel i
    is placed at (j + ½) / share_i (Webster's method), so that every head of it mixes the channels by their
    shares.

    Raises ValueError where shares and channels do not match.
    """
    c = len(recalled)
    check_shares(shares, c)
    if total <= 0 or not any(columns.items.size for columns in recalled):
        return no_candidates()

    items, rows = np.unique(np.concatenate([columns.items for columns in recalled]), return_inverse=True)
    ends = np.cumsum([columns.items.size for columns in recalled])
    rows_of = np.split(rows, ends[:-1])

    bits = np.zeros(items.size, dtype=np.uint32)
    scores = np.empty(items.size, dtype=np.float32)
    triggers = np.empty(items.size, dtype=np.int32)
    for i in reversed(range(c)):
        bits[rows_of[i]] |= np.uint32(1 << i)
        scores[rows_of[i]] = recalled[i].scores
        triggers[rows_of[i]] = recalled[i].triggers

    taken = _take_by_quota(rows_of, items.size, shares, min(total, items.size))
    chosen = _interleave(taken, shares)
    return unscored(items[chosen], bits[chosen], scores[chosen], triggers[chosen])


def apportion(total: int, weights: Float64) -> Int64:
    """`total` seats divided by weights float64[c] (not negative, sum above 0): int64[c], summing to `total`.

    Largest remainder (Hamilton's method); of equal remainders the first wins.
    """
    exact = total * (weights / weights.sum())
    seats: Int64 = np.floor(exact).astype(np.int64)
    left = total - int(seats.sum())
    if left > 0:
        seats[np.argsort(-(exact - seats), kind="stable")[:left]] += 1
    return seats


def _take_by_quota(
    rows_of: list[npt.NDArray[np.intp]], size: int, shares: Float64, total: int
) -> list[npt.NDArray[np.intp]]:
    """Rows credited to each channel, in its own order, `total` in all (total ≤ size distinct rows)."""
    free = np.ones(size, dtype=np.bool_)
    taken: list[list[npt.NDArray[np.intp]]] = [[] for _ in rows_of]
    left = list(rows_of)
    wanted = total
    while wanted > 0:
        left = [rows[free[rows]] for rows in left]
        alive = np.array([rows.size > 0 for rows in left])
        weights = np.where(alive, shares, 0.0)
        if weights.sum() == 0:
            weights = alive.astype(np.float64)
        for i, quota in enumerate(apportion(wanted, weights)):
            if quota == 0:
                continue
            rows = left[i]
            best = rows[free[rows]][:quota]
            free[best] = False
            taken[i].append(best)
            wanted -= best.size
    return [np.concatenate(parts) if parts else np.empty(0, dtype=np.intp) for parts in taken]


def _interleave(taken: list[npt.NDArray[np.intp]], shares: Float64) -> npt.NDArray[np.intp]:
    places = [
        (np.arange(rows.size) + 0.5) / share if share > 0 else np.full(rows.size, np.inf)
        for rows, share in zip(taken, shares, strict=True)
    ]
    return np.concatenate(taken)[np.argsort(np.concatenate(places), kind="stable")]


def create(parts: FusionParts, settings: QuotaSettings) -> QuotaFusion:
    """The fusion with the shares of the scene's channels."""
    return QuotaFusion(parts.shares)


FUSION = FusionKind(settings=QuotaSettings, create=create)
