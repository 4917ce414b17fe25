"""Scores by what goes with the items that the page is about, and a little by what the shopper takes anyway.

For a candidate j, anchors a with weights w_a, and n_j baskets that hold j:

    score(j) = (Σ_a v_a · (together(a, j) + κ · together(a's category, j)) + unseen · n_j / max n)
               / (n_j + 10)^α
               · (1 + category · share of the anchors in j's category + brand · share of j's brand)
               · (1 + own · log(1 + times the shopper took j))

`together` is that of `recall.baskets`, of a category that of `recall.category_partners`, and κ is
`category_baskets`: an anchor of few baskets goes with what its category goes with. v_a is w_a / (n_a + 10)^β
divided by the mean of 1 / (n_a + 10)^β over the anchors: of several, a bestseller says less of what goes with
them all. The term `unseen` orders what shares no basket with the anchors: such an item comes after the
others, the best sold of the anchor's category first. Answers show it relative to the best candidate's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.popularity_discount import popularity_discount
from recall.query import Query
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTable
from router.ranking.model_scorer import SCORE
from router.ranking.scorer_kind import ScorerContext, ScorerKind

LOG_SCORE = "log_score"
LEAST_SCORE = 1e-12
"""Scores below it count as this where their logarithm is taken."""
MOST_PAIRS = 8_000
"""Pairs read for one page: with many anchors only the strongest partners of each count."""


class AnchorSettings(BaseModel):
    """Scores by the baskets that a candidate shares with the items the page is about, by a formula."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    popularity_exponent: float = Field(
        default=0.32,
        ge=0,
        le=1,
        description="α: 0 lets bestsellers lead every page; the larger, the less two anchors' pages share.",
    )
    anchor_exponent: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="β: of several anchors, 0 lets the best sold decide; the larger, the more a rare one "
        "counts.",
    )
    category_boost: float = Field(
        default=1.0,
        ge=-1,
        description="Added to 1 and multiplied in for an item of the anchor's category. -1: such an item "
        "comes after all others; a billion: before all others.",
    )
    brand_boost: float = Field(
        default=0.0, ge=0, description="Added to 1 and multiplied in for an item of the anchor's brand."
    )
    category_baskets: float = Field(
        default=200.0,
        ge=0,
        le=1e6,
        description="κ: what one basket of an item of the anchor's category shares counts as so many baskets "
        "of the anchor; the larger, the more the category decides what goes with a rare anchor.",
    )
    own_weight: float = Field(
        default=0.2,
        ge=0,
        description="Times log(1 + how often the shopper took the item lately, at least 1 if ever bought), "
        "added to 1 and multiplied in; the larger, the more the pages of two anchors share for one shopper.",
    )
    unseen: float = Field(
        default=0.001,
        ge=0,
        description="Shared baskets that an item is given without having any, at the popularity of the best "
        "sold item.",
    )


class Evidence(NamedTuple):
    """Shared baskets of n candidates with the anchors: float64[n] each, weighted and summed over the anchors.

    together     with the anchors themselves
    of_category  with an item of their categories, beyond what is shared with any item; 0 where the settings
                 have no `category_baskets`
    """

    together: NDArray[np.float64]
    of_category: NDArray[np.float64]


class AnchorScorer:
    """The scorer over the tables of one snapshot."""

    def __init__(
        self,
        table: AnchorTable,
        category: NDArray[np.integer],
        brand: NDArray[np.integer],
        settings: AnchorSettings,
    ) -> None:
        """`category` and `brand`: codes by item, [N + 1] each, 0 = unknown."""
        self._pairs = table.pairs
        self._category_pairs = table.category_pairs
        self._baskets = table.baskets
        self._most = max(float(table.baskets.max(initial=0)), 1.0)
        self._category = category
        self._brand = brand
        self._settings = settings

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """Columns float32[n].

        score: relative to the best candidate's, 0 to 1; by the query's triggers where it has no anchors.
        log_score: its logarithm less the mean of the candidates', to be added to the log-odds of another
        scorer; 0 for all where the query has no anchors.
        """
        anchors, weights = query.anchors, query.anchor_weights
        if not anchors.size:
            anchors, weights = query.triggers, query.trigger_weights
        score = self.scores(query, candidates.items, anchors, weights)
        log_score = np.zeros(score.size)
        if query.anchors.size and score.size:
            log_score = np.log(np.maximum(score, LEAST_SCORE))
            log_score -= log_score.mean()
        score /= max(score.max(initial=0), LEAST_SCORE)
        return {SCORE: score.astype(np.float32), LOG_SCORE: log_score.astype(np.float32)}

    def scores(
        self,
        query: Query,
        items: NDArray[np.int32],
        anchors: NDArray[np.int32],
        weights: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """float64[n], not negative: the formula for the items int32[n] and the anchors with their weights."""
        settings = self._settings
        rows = _Rows(items)
        score = self.combined(items, anchors, weights, self._evidence(rows, anchors, weights))
        if settings.own_weight:
            bought = np.minimum(rows.counts(query.purchased_items), 1)
            taken = np.maximum(rows.counts(query.history_items), bought)
            score *= 1 + settings.own_weight * np.log1p(taken)
        return score

    def evidence(
        self, items: NDArray[np.int32], anchors: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> Evidence:
        """What the items int32[n] share with the anchors."""
        return self._evidence(_Rows(items), anchors, weights)

    def combined(
        self,
        items: NDArray[np.int32],
        anchors: NDArray[np.int32],
        weights: NDArray[np.float32],
        found: Evidence,
    ) -> NDArray[np.float64]:
        """float64[n], not negative: the formula but for its last factor, what the shopper took."""
        settings = self._settings
        baskets = self._baskets[items]
        evidence = found.together + settings.unseen / self._most * baskets
        if settings.category_baskets:
            evidence += settings.category_baskets * found.of_category
        match = 1 + settings.category_boost * shared(self._category, anchors, weights, items)
        if settings.brand_boost:
            match += settings.brand_boost * shared(self._brand, anchors, weights, items)
        return np.asarray(evidence * popularity_discount(baskets, settings.popularity_exponent) * match)

    def _evidence(self, rows: _Rows, anchors: NDArray[np.int32], weights: NDArray[np.float32]) -> Evidence:
        settings = self._settings
        partners, together, source = self._pairs.gather(anchors, MOST_PAIRS // max(anchors.size, 1))
        telling = popularity_discount(self._baskets[anchors], settings.anchor_exponent)
        part = weights * telling / telling.mean() if anchors.size else weights
        direct = rows.sums(partners, together * part[source])
        if not settings.category_baskets:
            return Evidence(direct, np.zeros(direct.size))
        categories, weight = _summed(self._category[anchors], part)
        partners, together, source = self._category_pairs.gather(
            categories, MOST_PAIRS // max(categories.size, 1)
        )
        return Evidence(direct, rows.sums(partners, together * weight[source]))

    def model(self, query: Query) -> Model:
        """No model of Triton: the table is the snapshot's."""
        return NO_MODEL


class _Rows:
    """Finds the rows of candidates by item."""

    def __init__(self, items: NDArray[np.int32]) -> None:
        self._order = np.argsort(items)
        self._sorted = items[self._order]

    def sums(self, items: NDArray[np.int32], values: NDArray[np.floating]) -> NDArray[np.float64]:
        """The values of each candidate's item, summed; items that are no candidate are left out."""
        row, found = self._rows_of(items)
        sums = np.bincount(row, weights=values[found], minlength=self._order.size)
        return np.asarray(sums, np.float64)

    def counts(self, items: NDArray[np.int32]) -> NDArray[np.int64]:
        """How often each candidate occurs among the items."""
        return np.bincount(self._rows_of(items)[0], minlength=self._order.size)

    def _rows_of(self, items: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        if not self._order.size:
            return np.empty(0, np.intp), np.zeros(items.size, np.bool_)
        at = np.minimum(np.searchsorted(self._sorted, items), self._order.size - 1)
        found = self._sorted[at] == items
        return self._order[at[found]], found


def _summed(
    codes: NDArray[np.integer], weights: NDArray[np.floating]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Each code once, and the sum of its weights."""
    known, group = np.unique(codes, return_inverse=True)
    return known, np.asarray(np.bincount(group, weights=weights, minlength=known.size), np.float64)


def shared(
    codes: NDArray[np.integer],
    anchors: NDArray[np.int32],
    weights: NDArray[np.float32],
    items: NDArray[np.int32],
) -> NDArray[np.float64]:
    """The part of the anchors' weight, 0…1, whose code is that of each item; unknown codes match nothing."""
    if not anchors.size:
        return np.zeros(items.size)
    known, group = np.unique(codes[anchors], return_inverse=True)
    part = np.bincount(group, weights=weights) / weights.sum()
    part[known == 0] = 0
    at = np.minimum(np.searchsorted(known, codes[items]), known.size - 1)
    return np.where(known[at] == codes[items], part[at], 0.0)


def open_scorer(context: ScorerContext, settings: AnchorSettings) -> AnchorScorer:
    """The scorer over the snapshot's table."""
    catalogue = context.catalogue
    return AnchorScorer(context.tables[ANCHOR_PAIRS.name], catalogue.category, catalogue.brand, settings)


SCORER = ScorerKind(
    AnchorSettings, open_scorer, columns=(SCORE, LOG_SCORE), tables=(ANCHOR_PAIRS,), waits=False
)
