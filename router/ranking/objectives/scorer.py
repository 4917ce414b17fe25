"""The scorer `objectives`: what the merge `value` weighs beside the scene's own score.

p(purchase | click) is a logistic regression over the inputs of the scorer `logistic`, fitted by scene on what
was clicked in the validation range. The price is a part of the shop's 95 % quantile of prices, cut to 1, so
that weights mean the same in any currency; an item whose price is not known counts as one of the median.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.logistic.inputs import ranker_inputs
from router.ranking.logistic.scorer import probability
from router.ranking.logistic.weights import scaled
from router.ranking.objectives.fitted import PRICE, PURCHASE_GIVEN_CLICK, SceneObjectives
from router.ranking.objectives.table import NAME, OBJECTIVES, ObjectivesTable
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from snapshot.catalogue import Catalogue

Float32 = NDArray[np.float32]

CLICK_SLOPE, CLICK_OFFSET = "click_slope", "click_offset"
COLUMNS = (CLICK_SLOPE, CLICK_OFFSET, PURCHASE_GIVEN_CLICK, PRICE)
_TOP_PRICE = 0.95


class ObjectivesSettings(BaseModel):
    """Gives what the merge `value` weighs beside the scene's own score; the build fits it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class _Regression:
    """float32[F] each, and the bias."""

    mean: Float32
    scale: Float32
    weights: Float32
    bias: float


class ObjectivesScorer:
    """The scorer over the table of one snapshot."""

    def __init__(self, table: ObjectivesTable, catalogue: Catalogue) -> None:
        """Both of the same snapshot."""
        self._table = table
        self._catalogue = catalogue
        self._price = price_parts(catalogue.price)
        self._regressions = {
            scene: _Regression(
                np.array(fitted.purchase_given_click.mean, np.float32),
                np.array(fitted.purchase_given_click.scale, np.float32),
                np.array(fitted.purchase_given_click.weights, np.float32),
                fitted.purchase_given_click.bias,
            )
            for scene, fitted in table.fitted.scenes.items()
            if fitted.purchase_given_click.weights
        }

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, Float32]:
        """COLUMNS, float32[n] each.

        click_slope, click_offset: what makes the scene's own log-odds those of a click, the same for all;
        purchase_given_click: the chance, 0…1, that a click leads to a purchase, the same for all where it is
        switched off; price: 0…1, 0 for all where no item has one.
        """
        fitted = self._table.fitted.scenes.get(query.scene) or SceneObjectives()
        count = len(candidates)
        return {
            CLICK_SLOPE: np.full(count, fitted.click.slope, np.float32),
            CLICK_OFFSET: np.full(count, fitted.click.offset, np.float32),
            PURCHASE_GIVEN_CLICK: self._purchase(query, candidates, fitted),
            PRICE: self._price[candidates.items],
        }

    def _purchase(self, query: Query, candidates: Candidates, fitted: SceneObjectives) -> Float32:
        regression = self._regressions.get(query.scene)
        if regression is None:
            return np.full(len(candidates), fitted.purchase_given_click.rate, np.float32)
        inputs = ranker_inputs(query, candidates, self._table.facts, self._catalogue, fitted.channels)
        log_odds = scaled(inputs, regression.mean, regression.scale) @ regression.weights + regression.bias
        return probability(log_odds.astype(np.float32))

    def model(self, query: Query) -> Model:
        """No model of Triton: what was fitted is the snapshot's."""
        return NO_MODEL


def price_parts(price: NDArray[np.floating]) -> Float32:
    """float32[N + 1] in 0…1 of prices float[N + 1], of which those not above 0 are unknown."""
    known = price[np.isfinite(price) & (price > 0)]
    if not known.size:
        return np.zeros(price.size, np.float32)
    filled = np.where(np.isfinite(price) & (price > 0), price, np.median(known))
    parts: Float32 = np.minimum(filled / np.quantile(known, _TOP_PRICE), 1).astype(np.float32)
    return parts


def open_scorer(context: ScorerContext, settings: ObjectivesSettings) -> ObjectivesScorer:
    """The scorer over the snapshot's table."""
    return ObjectivesScorer(context.tables[NAME], context.catalogue)


SCORER = ScorerKind(
    ObjectivesSettings,
    open_scorer,
    columns=COLUMNS,
    tables=(OBJECTIVES,),
    channel_ranks=True,
    waits=False,
)
