"""The scorer `satisfaction`: how likely a rating of each candidate is 4 or 5, learned from ratings.

It is an objective like a click or a purchase: a scene adds it to those, with a weight. It is the same for
every shopper.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.logistic.scorer import probability
from router.ranking.model_scorer import SCORE
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from state.live_counters.keys import CatalogueKeys
from state.live_model.satisfaction import SatisfactionModel

FEATURE = "satisfaction"
LIFT = "lift"


class SatisfactionScorerSettings(BaseModel):
    """Gives how likely a rating of the item is 4 or 5, as the learner predicts it from ratings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SatisfactionScorer:
    """The scorer over one snapshot's items; the model is the query's."""

    def __init__(self, keys: CatalogueKeys) -> None:
        """`keys`: of the snapshot's items."""
        self._keys = keys

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """Columns float32[n].

        score: the probability of a rating of 4 or 5. lift: its log-odds less those of all ratings. Without a
        model both are 0 for all.
        """
        model: SatisfactionModel = query.features[FEATURE]
        if not model.ratings:
            return {SCORE: np.zeros(len(candidates), np.float32), LIFT: np.zeros(len(candidates), np.float32)}
        log_odds = model.log_odds(self._keys, candidates.items)
        return {SCORE: probability(log_odds), LIFT: (log_odds - model.overall).astype(np.float32)}

    def model(self, query: Query) -> Model:
        """The version that the query was scored by; none where none is published."""
        model: SatisfactionModel = query.features[FEATURE]
        return Model("satisfaction", str(model.ratings)) if model.ratings else NO_MODEL


def open_scorer(context: ScorerContext, settings: SatisfactionScorerSettings) -> SatisfactionScorer:
    """The scorer over the snapshot's items."""
    return SatisfactionScorer(CatalogueKeys.of(context.catalogue))


SCORER = ScorerKind(
    SatisfactionScorerSettings, open_scorer, columns=(SCORE, LIFT), features=(FEATURE,), waits=False
)
