"""The scorer `anchor_ranker`: the probability that a candidate is taken next after the item of the page.

A logistic regression over what the candidate has to do with the anchors, how it sells, and what the shopper
did with it, its category and its brand; one for shoppers of whom something is known, one for others.

The page is ordered by

    value = σ(log-odds − (1 − own_weight) · own − popularity_weight · log(1 + n_j / 10))

where own is what the shopper's inputs add to the log-odds, and n_j baskets hold the candidate: by the
probability alone, pages of all items would show the same bestsellers and weekly purchases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.anchor import AnchorScorer, AnchorSettings
from router.ranking.anchor_ranker.fitted import Regression, SceneRegressions
from router.ranking.anchor_ranker.inputs import AnchorInputs, own_inputs
from router.ranking.anchor_ranker.order import LogOddsParts, order
from router.ranking.anchor_ranker.table import ANCHOR_RANKER, AnchorRankerTable
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTable
from router.ranking.calibration import Calibration
from router.ranking.first_merge import PROBABILITY
from router.ranking.logistic.scorer import probability
from router.ranking.logistic.weights import scaled
from router.ranking.model_scorer import SCORE
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from snapshot.catalogue import Catalogue

VALUE = "value"


class AnchorRankerSettings(BaseModel):
    """Gives the probability that a candidate is taken next after the item of the page."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    popularity_weight: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Log-odds that an item loses per e-fold of the baskets that hold it, beyond 10: the "
        "larger, the less the pages of two items share. null: the smallest with which they differ enough "
        "(router.tables.anchor_ranker.most_overlap), found when the snapshot is built, for known and for "
        "anonymous shoppers.",
    )
    own_weight: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Part of what the shopper's own past says of an item that counts in the order: the "
        "larger, the more hits, and the more the pages of two items share for one shopper.",
    )


class _Arrays(NamedTuple):
    """A regression as arrays: mean, scale float32[F]; weights float32[F, 2], all and the shopper's."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float
    calibration: Calibration
    popularity_weight: float

    @classmethod
    def of(cls, fitted: Regression, own: NDArray[np.bool_]) -> _Arrays:
        weights = np.array(fitted.weights)
        both = np.stack((weights, weights * own), axis=1)
        return cls(
            np.array(fitted.mean, np.float32),
            np.array(fitted.scale, np.float32),
            both.astype(np.float32),
            fitted.bias,
            fitted.calibration,
            fitted.popularity_weight,
        )


class _Scene(NamedTuple):
    """What was fitted of one scene."""

    channels: tuple[str, ...]
    known: _Arrays
    anonymous: _Arrays

    @classmethod
    def of(cls, fitted: SceneRegressions) -> _Scene:
        own = own_inputs(fitted.channels)
        return cls(fitted.channels, _Arrays.of(fitted.known, own), _Arrays.of(fitted.anonymous, own))


class AnchorRanker:
    """The scorer over the tables of one snapshot."""

    def __init__(
        self,
        table: AnchorRankerTable,
        pairs: AnchorTable,
        catalogue: Catalogue,
        settings: AnchorRankerSettings,
    ) -> None:
        """All of the same snapshot."""
        self._scenes = {name: _Scene.of(fitted) for name, fitted in table.fitted.scenes.items()}
        self._inputs = AnchorInputs(pairs, table.facts, catalogue)
        self._unfitted = AnchorScorer(pairs, catalogue.category, catalogue.brand, AnchorSettings())
        self._baskets = pairs.baskets
        self._settings = settings

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """Columns float32[n].

        value: by which the page is ordered; probability: that the item is the next of the basket. Where the
        query has no anchors or its scene was not fitted, the value is the score of `anchor`, and the
        probability NaN.
        """
        scene = self._scenes.get(query.scene)
        if scene is None or not query.anchors.size:
            columns = await self._unfitted.score(query, candidates)
            return {VALUE: columns[SCORE], PROBABILITY: np.full(len(candidates), np.nan, np.float32)}
        known = query.history_items.size or query.purchased_items.size
        fitted = scene.known if known else scene.anonymous
        inputs = scaled(self._inputs.of(query, candidates, scene.channels), fitted.mean, fitted.scale)
        both = inputs @ fitted.weights
        parts = LogOddsParts(both[:, 0] + np.float32(fitted.bias), both[:, 1])
        settings = self._settings
        weight = settings.popularity_weight
        ordered = order(
            parts,
            self._baskets[candidates.items],
            settings.own_weight,
            fitted.popularity_weight if weight is None else weight,
        )
        return {
            VALUE: probability(ordered),
            PROBABILITY: probability(fitted.calibration.of(parts.log_odds)),
        }

    def model(self, query: Query) -> Model:
        """No model of Triton: the weights are the snapshot's."""
        return NO_MODEL


def open_scorer(context: ScorerContext, settings: AnchorRankerSettings) -> AnchorRanker:
    """The scorer over the snapshot's tables."""
    return AnchorRanker(
        context.tables[ANCHOR_RANKER.name], context.tables[ANCHOR_PAIRS.name], context.catalogue, settings
    )


SCORER = ScorerKind(
    AnchorRankerSettings,
    open_scorer,
    columns=(VALUE, PROBABILITY),
    tables=(ANCHOR_PAIRS, ANCHOR_RANKER),
    channel_ranks=True,
    waits=False,
)
