"""The scorer `ranker`: a model on Triton that reads the inputs of the last layer, such as `forest`.

The inputs travel as columns of the candidates, so that whatever scores them again (a rollout's shadow, its
preparation, a sandbox test) has what the request had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ranker_inputs import INPUTS
from pipeline.candidates import Candidates, Float32
from pipeline.stages import Model
from recall.item_facts import ItemFacts
from recall.query import Query
from router.ranking.logistic.inputs import input_names, ranker_inputs
from router.ranking.logistic.table import LOGISTIC_RANKER
from router.ranking.model_scorer import SCORE, ModelScorer
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from router.ranking.triton_model import TritonModelSettings, live_model
from snapshot.catalogue import Catalogue

COLUMNS = tuple(f"input.{name}" for name in input_names(()))
"""Columns of the candidates, in the order of the model's inputs."""


class RankerModelSettings(TritonModelSettings):
    """Scores by a model on Triton that reads the inputs of the last layer, such as `forest`."""


def with_ranker_inputs(
    query: Query, candidates: Candidates, facts: ItemFacts, catalogue: Catalogue
) -> Candidates:
    """The candidates with the columns `COLUMNS`."""
    rows = ranker_inputs(query, candidates, facts, catalogue, ()).T
    return candidates.with_columns(dict(zip(COLUMNS, rows, strict=True)))


def ranker_feeds(query: Query, candidates: Candidates) -> Mapping[str, NDArray[Any]]:
    """The model's one input float32[n, F], of the candidates' columns.

    Raises KeyError where they are not there: the candidates were not scored by the scorer `ranker`.
    """
    del query
    rows: Float32 = np.stack([candidates.columns[name] for name in COLUMNS])
    return {INPUTS.name: np.ascontiguousarray(rows.T)}


class RankerModel:
    """The scorer over the facts of one snapshot."""

    def __init__(self, model: ModelScorer, facts: ItemFacts, catalogue: Catalogue) -> None:
        """`model` scores candidates with the columns `COLUMNS`."""
        self._model = model
        self._facts = facts
        self._catalogue = catalogue

    async def score(self, query: Query, candidates: Candidates) -> dict[str, NDArray[np.float32]]:
        """The column `score` float32[n]; errors as of the model's scorer."""
        known = with_ranker_inputs(query, candidates, self._facts, self._catalogue)
        return {SCORE: await self._model.score(query, known)}

    def model(self, query: Query) -> Model:
        """The model and version on Triton."""
        return self._model.model(query)


def open_scorer(context: ScorerContext, settings: RankerModelSettings) -> RankerModel:
    """The model's scorer. Raises ValueError where the model may not score, or reads other inputs."""
    scorer = live_model(context, settings, ranker_inputs=True)
    return RankerModel(scorer, context.tables[LOGISTIC_RANKER.name].facts, context.catalogue)


SCORER = ScorerKind(
    RankerModelSettings, open_scorer, columns=(SCORE,), tables=(LOGISTIC_RANKER,), splits=True
)
