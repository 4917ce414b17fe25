"""The inputs of the anchor ranker: those of the last layer, and how a candidate relates to the anchors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from recall.item_facts import FACTS, ItemFacts
from recall.query import Query
from router.ranking.anchor import LEAST_SCORE, AnchorScorer, AnchorSettings, shared
from router.ranking.anchor_table import AnchorTable
from router.ranking.logistic.inputs import input_names as shopper_names
from router.ranking.logistic.inputs import ranker_inputs
from snapshot.catalogue import Catalogue

Float32 = NDArray[np.float32]

FORMULA = "formula.log"
"""Logarithm of what the scorer `anchor` gives without the shopper, less the mean of the candidates'."""
_NAMES = (
    "together",
    "category_together",
    "lift",
    "category_lift",
    FORMULA,
    "formula.place",
    "same_category",
    "same_standard_category",
    "same_brand",
    "price_ratio",
    "price_distance",
    "prices_known",
    "anchor_baskets",
    "baskets",
)
_FORMULA_SETTINGS = AnchorSettings(own_weight=0.0)
"""The same at fitting and serving, whatever a scene sets."""
_CATEGORY_FACTOR = 1_000.0
"""Evidence of a category is about a thousandth of that of an item, per basket."""
_LIFT_PRIOR, _BASKET_PRIOR, _PER = 0.05, 10.0, 10_000.0
_LEAST_PRICE = 0.01


def input_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `AnchorInputs.of` for these channels, in their order."""
    return (*shopper_names(channels), *(f"anchor.{name}" for name in _NAMES))


def own_inputs(channels: Sequence[str]) -> NDArray[np.bool_]:
    """bool[F]: the inputs that tell of the shopper, not of the anchors or of what everybody takes."""
    facts = {f"item.{fact}" for fact in FACTS}
    return np.array(
        [
            name.startswith(("item.", "category.", "brand.", "shopper.")) and name not in facts
            for name in input_names(channels)
        ]
    )


class AnchorInputs:
    """Computes the inputs over the tables of one snapshot.

    baskets: int64[N + 1], baskets that hold each item.
    """

    def __init__(self, pairs: AnchorTable, facts: ItemFacts, catalogue: Catalogue) -> None:
        """All of the same snapshot."""
        self._formula = AnchorScorer(pairs, catalogue.category, catalogue.brand, _FORMULA_SETTINGS)
        self.baskets = pairs.baskets
        self._baskets = pairs.baskets.astype(np.float64)
        self._of_category = np.bincount(catalogue.category, self._baskets)
        self._price = catalogue.price
        self._facts = facts
        self._catalogue = catalogue

    def of(self, query: Query, candidates: Candidates, channels: Sequence[str]) -> Float32:
        """float32[n, F], the columns of `input_names(channels)`, all finite.

        Args:
            query: the shopper, and at least one anchor.
            candidates: n items, with the columns of `pipeline.channel_ranks`.
            channels: whose ranks are inputs.
        """
        return np.concatenate(
            (
                ranker_inputs(query, candidates, self._facts, self._catalogue, channels),
                self._about_anchors(query, candidates.items),
            ),
            axis=1,
        )

    def _about_anchors(self, query: Query, items: NDArray[np.int32]) -> Float32:
        """float32[n, 14], the columns of `_NAMES`."""
        anchors, weights = query.anchors, query.anchor_weights
        catalogue, formula = self._catalogue, self._formula
        found = formula.evidence(items, anchors, weights)
        score = formula.combined(items, anchors, weights, found)
        log_score = np.log(np.maximum(score, LEAST_SCORE))
        place = np.empty(items.size)
        place[np.argsort(-score, kind="stable")] = np.arange(1, items.size + 1)
        held = self._baskets[items]
        of_anchor = np.average(self._baskets[anchors], weights=weights)
        of_category = np.average(self._of_category[catalogue.category[anchors]], weights=weights)
        ratio, known = self._prices(anchors, weights, items)
        columns = (
            np.log1p(found.together),
            np.log1p(_CATEGORY_FACTOR * np.maximum(found.of_category, 0)),
            _lift(found.together, of_anchor, held),
            _lift(np.maximum(found.of_category, 0), of_category, held),
            log_score - (log_score.mean() if items.size else 0),
            1 / np.log2(1 + place),
            *(
                shared(codes, anchors, weights, items)
                for codes in (catalogue.category, catalogue.standard_category, catalogue.brand)
            ),
            ratio,
            np.abs(ratio),
            known,
            np.full(items.size, np.log1p(of_anchor)),
            np.log1p(held),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def _prices(
        self, anchors: NDArray[np.int32], weights: NDArray[np.float32], items: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """log(price / the anchors' mean price), 0 where either is unknown; and where both are known."""
        of_anchors = self._price[anchors].astype(np.float64)
        priced = of_anchors > 0
        if not priced.any():
            return np.zeros(items.size), np.zeros(items.size, np.bool_)
        usual = np.average(np.log(np.maximum(of_anchors[priced], _LEAST_PRICE)), weights=weights[priced])
        price = self._price[items].astype(np.float64)
        known = price > 0
        return np.where(known, np.log(np.where(known, np.maximum(price, _LEAST_PRICE), 1)) - usual, 0), known


def _lift(together: NDArray[np.float64], of_anchor: float, held: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of shared baskets beside what chance would share, up to a constant, smoothed by priors."""
    chance = (of_anchor + _BASKET_PRIOR) * (held + _BASKET_PRIOR)
    return np.asarray(np.log((together + _LIFT_PRIOR) * _PER / chance))
