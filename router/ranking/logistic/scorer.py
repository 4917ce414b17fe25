"""The scorer `logistic`: the probability that the shopper takes each candidate, without any model on Triton.

It runs while Triton scores; the merge `log_odds` adds the model's log-odds to it, and without them, when
Triton is down, its own column orders the page.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import PROBABILITY, Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.logistic.inputs import ranker_inputs
from router.ranking.logistic.table import LOGISTIC_RANKER, LogisticTable
from router.ranking.logistic.weights import NO_SHIFT
from router.ranking.model_scorer import SCORE
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from snapshot.catalogue import Catalogue

WITH_MODEL, MODEL_WEIGHT, SHIFT = "with_model", "model_weight", "shift"


class LogisticSettings(BaseModel):
    """Gives the probability of a take by a regression and networks that the build fits: the last layer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LogisticScorer:
    """The scorer over the table of one snapshot."""

    def __init__(self, table: LogisticTable, catalogue: Catalogue) -> None:
        """Both of the same snapshot."""
        self._table = table
        self._catalogue = catalogue
        self._channels = table.learned.channels

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """Columns float32[n].

        score: by itself; it orders. probability: the same calibrated, NaN where nothing was fitted.
        with_model: log-odds to which those of a model are to be added; model_weight: times this; shift: what
        the scene adds to the calibrated log-odds beside a model; both the same for all.
        """
        table = self._table
        inputs = ranker_inputs(query, candidates, table.facts, self._catalogue, self._channels)
        # With a cart the page is also ordered by what goes with it, in which sales are counted already.
        log_odds, model_weight = table.layer.log_odds(inputs, newcomers=not query.anchors.size)
        shift = table.learned.scene_shifts.get(query.scene, NO_SHIFT)
        return {
            SCORE: probability(log_odds[:, 0]),
            PROBABILITY: self._probability(log_odds[:, 0], shift.alone),
            WITH_MODEL: np.ascontiguousarray(log_odds[:, 1]),
            MODEL_WEIGHT: model_weight,
            SHIFT: np.full(len(candidates), shift.beside, np.float32),
        }

    def _probability(self, log_odds: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
        learned = self._table.learned
        if not learned.taken:
            return np.full(log_odds.size, np.nan, np.float32)
        return probability(learned.alone_calibration.of(log_odds) + np.float32(shift))

    def model(self, query: Query) -> Model:
        """No model of Triton: the weights are the snapshot's."""
        return NO_MODEL


def probability(log_odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + e^−x), float32 of the same shape; never exactly 0 or 1, so that order is kept."""
    return (1 / (1 + np.exp(-np.clip(log_odds, -15, 15)))).astype(np.float32)


def open_scorer(context: ScorerContext, settings: LogisticSettings) -> LogisticScorer:
    """The scorer over the snapshot's table."""
    return LogisticScorer(context.tables[LOGISTIC_RANKER.name], context.catalogue)


SCORER = ScorerKind(
    LogisticSettings,
    open_scorer,
    columns=(SCORE, PROBABILITY, WITH_MODEL, MODEL_WEIGHT, SHIFT),
    tables=(LOGISTIC_RANKER,),
    channel_ranks=True,
    waits=False,
)
