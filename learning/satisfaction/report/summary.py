"""A group's figures: satisfied shoppers with Wilson's interval, mean with a bootstrap one, detractors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.statistics.proportions import wilson_interval
from learning.satisfaction.dimensions import DETRACTOR, SATISFIED
from learning.satisfaction.report.ratings import Rated

FEW = 10
"""Ratings below which a group is marked."""
MOST_REASONS = 5
_DRAWS = 1_000


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One group in one dimension.

    Attributes:
        kind: one of `groups.KINDS`.
        name: of the group.
        dimension: one of `feedback.proto`'s, or "overall".
        ratings: the latest of each shopper and week.
        satisfied: of these, those of 4 and 5.
        csat: their share, and the ends of its 95 % interval (Wilson).
        mean: of the ratings, and the ends of its 95 % interval (bootstrap of shoppers).
        detractors: share of ratings of 1 and 2.
        reasons: what detractors gave as reasons, the most frequent first.
        items: items that detractors' ratings were about, those with most first.
        few: whether there are fewer than 10 ratings: intervals say how little is known.
    """

    kind: str
    name: str
    dimension: str
    ratings: int
    satisfied: int
    csat: float
    csat_low: float
    csat_high: float
    mean: float
    mean_low: float
    mean_high: float
    detractors: float
    reasons: dict[str, int]
    items: dict[str, int]
    few: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """One rating that counts in a group: its value in the group's dimension, and all that was said."""

    value: float
    rated: Rated


def summarise(
    kind: str, name: str, dimension: str, counted: Sequence[Counted], rng: np.random.Generator
) -> GroupSummary:
    """The figures of one group in one dimension, of at least one rating; `rng` draws the bootstrap."""
    values = np.array([each.value for each in counted])
    satisfied = int((values >= SATISFIED).sum())
    detracting = [each.rated for each in counted if each.value <= DETRACTOR]
    csat_low, csat_high = wilson_interval(satisfied, len(values))
    mean_low, mean_high = bootstrap_mean(values, [each.rated.user_id for each in counted], rng)
    reasons = Counter(reason for rated in detracting for reason in set(rated.reasons))
    items = Counter(item for rated in detracting for item in rated.items)
    return GroupSummary(
        kind=kind,
        name=name,
        dimension=dimension,
        ratings=len(values),
        satisfied=satisfied,
        csat=satisfied / len(values),
        csat_low=csat_low,
        csat_high=csat_high,
        mean=float(values.mean()),
        mean_low=mean_low,
        mean_high=mean_high,
        detractors=len(detracting) / len(values),
        reasons=dict(reasons.most_common(MOST_REASONS)),
        items=dict(items.most_common(MOST_REASONS)),
        few=len(values) < FEW,
    )


def bootstrap_mean(
    values: NDArray[np.float64], users: Sequence[str], rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of float[n], shoppers drawn with replacement.

    Shoppers who rated alike are interchangeable, so that a draw of all of them is one multinomial draw of how
    many are of each kind: as exact as drawing them one by one, and much faster.
    """
    _, owner = np.unique(np.asarray(users), return_inverse=True)
    sums, counts = np.bincount(owner, weights=values), np.bincount(owner)
    kinds, many = np.unique(np.stack([sums, counts]), axis=1, return_counts=True)
    drawn = rng.multinomial(int(many.sum()), many / many.sum(), size=_DRAWS)
    low, high = np.quantile((drawn @ kinds[0]) / (drawn @ kinds[1]), [0.025, 0.975])
    return float(low), float(high)
