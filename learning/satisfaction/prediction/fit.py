"""Fits the model of satisfaction: shares of satisfied ratings, each shrunk towards what is coarser.

The posterior mean of a share under a beta prior (Gelman et al., Bayesian Data Analysis, 2.4), from coarse to
fine, as log-odds:

    overall                        μ
    category or shop g             a(g) = logit((satisfied + k · μ) / (ratings + k)) − logit μ
    item i of category c, shop s   logit((satisfied + m · p) / (ratings + m)), logit p = logit μ + a(c) + a(s)

k and m are those that give the latest ratings the highest likelihood, learned from the ones before; so the
model is not surer of itself than it was right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from learning.satisfaction.prediction.settings import PredictionSettings
from state.live_model.satisfaction import KeyedValues, SatisfactionModel

UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

_STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 10_000.0)
_CHOSEN = 2
"""Numbers that are chosen by the latest ratings: by so much, in nats, the best of all models is flattered
(Akaike, "A new look at the statistical model identification", 1974)."""
_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class ItemRatings:
    """n ratings of items, oldest first: keys uint64[n], 0 where there is none; `satisfied` bool[n]."""

    items: UInt64
    categories: UInt64
    shops: UInt64
    satisfied: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of ratings."""
        return self.satisfied.size

    def part(self, begin: int, end: int) -> ItemRatings:
        """The ratings from position `begin` to `end`."""
        of = slice(begin, end)
        return ItemRatings(self.items[of], self.categories[of], self.shops[of], self.satisfied[of])


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and how it did on ratings that it had not seen; or why there is none.

    log_loss, mean_log_loss  of the held out ratings, by the model and by the mean of the ones before
    calibration_error        mean difference of predicted and observed share over ten groups of equal size,
                             weighted by size (expected calibration error)
    off                      "" where there is a model, "few_ratings" or "no_better" else
    """

    model: SatisfactionModel | None
    off: str
    log_loss: float = float("nan")
    mean_log_loss: float = float("nan")
    calibration_error: float = float("nan")


def fit(ratings: ItemRatings, settings: PredictionSettings) -> Fitted:
    """Chooses the strengths on the latest ratings, then learns from all."""
    if len(ratings) < settings.least_ratings:
        return Fitted(None, "few_ratings")
    split = len(ratings) - max(1, int(settings.held_out * len(ratings)))
    before, after = _Counts.of(ratings.part(0, split)), ratings.part(split, len(ratings))
    losses = {
        strengths: _log_loss(_predicted(before.learned(*strengths), after), after.satisfied)
        for strengths in product(_STRENGTHS, _STRENGTHS)
    }
    best = min(losses, key=lambda strengths: losses[strengths])
    mean_loss = _log_loss(np.full(len(after), before.overall), after.satisfied)
    error = _calibration_error(_predicted(before.learned(*best), after), after.satisfied)
    if losses[best] >= mean_loss - _CHOSEN / len(after):
        return Fitted(None, "no_better", losses[best], mean_loss, error)
    return Fitted(_Counts.of(ratings).learned(*best), "", losses[best], mean_loss, error)


@dataclass(frozen=True, slots=True, eq=False)
class _Shares:
    """Distinct keys, ascending, their ratings, and how many of these are satisfied."""

    keys: UInt64
    counts: Float64
    satisfied: Float64
    first: NDArray[np.intp]
    """Position of the first rating of each."""

    @classmethod
    def of(cls, keys: UInt64, satisfied: NDArray[np.bool_]) -> _Shares:
        names, first, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        sums = np.bincount(inverse, weights=satisfied).astype(np.float64)
        return cls(names, counts.astype(np.float64), sums, first)

    def shrunk(self, towards: Float64 | float, strength: float) -> Float64:
        """float64[m], the share of each as log-odds."""
        return _logit((self.satisfied + strength * towards) / (self.counts + strength))


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """What a model is learned from, whatever the strengths."""

    overall: float
    items: _Shares
    groups: tuple[_Shares, _Shares]
    """Of categories and shops."""
    item_groups: tuple[UInt64, UInt64]
    """Keys of the category and the shop of each of the items."""
    ratings: int

    @classmethod
    def of(cls, ratings: ItemRatings) -> _Counts:
        items = _Shares.of(ratings.items, ratings.satisfied)
        categories, shops = ratings.categories, ratings.shops
        return cls(
            float((np.count_nonzero(ratings.satisfied) + 1) / (len(ratings) + 2)),
            items,
            (_Shares.of(categories, ratings.satisfied), _Shares.of(shops, ratings.satisfied)),
            (categories[items.first], shops[items.first]),
            len(ratings),
        )

    def learned(self, group_strength: float, item_strength: float) -> SatisfactionModel:
        base = float(_logit(self.overall))
        offsets = []
        for shares in self.groups:
            added = (shares.shrunk(self.overall, group_strength) - base).astype(np.float32)
            known = shares.keys != 0
            offsets.append(KeyedValues(shares.keys[known], added[known]))
        categories, shops = offsets
        of_category, of_shop = self.item_groups
        expected = base + categories.of(of_category)[0] + shops.of(of_shop)[0]
        log_odds = self.items.shrunk(_probability(expected), item_strength).astype(np.float32)
        return SatisfactionModel(
            self.ratings, base, KeyedValues(self.items.keys, log_odds), categories, shops
        )


def _predicted(model: SatisfactionModel, ratings: ItemRatings) -> Float64:
    """Probabilities float64[n]."""
    own, known = model.items.of(ratings.items)
    category, shop = model.categories.of(ratings.categories)[0], model.shops.of(ratings.shops)[0]
    return _probability(np.where(known, own, model.overall + category + shop))


def _probability(log_odds: NDArray[np.floating]) -> Float64:
    return 1 / (1 + np.exp(-log_odds.astype(np.float64)))


def _logit(share: Float64 | float) -> Float64:
    return np.asarray(np.log(share) - np.log1p(-np.asarray(share)), np.float64)


def _log_loss(probabilities: Float64, satisfied: NDArray[np.bool_]) -> float:
    return float(-np.log(np.where(satisfied, probabilities, 1 - probabilities)).mean())


def _calibration_error(probabilities: Float64, satisfied: NDArray[np.bool_]) -> float:
    groups = np.array_split(np.argsort(probabilities, kind="stable"), min(_BINS, probabilities.size))
    errors = [abs(probabilities[group].mean() - satisfied[group].mean()) * group.size for group in groups]
    return float(sum(errors) / probabilities.size)
