"""A model's scores as the one column of a pipeline's scorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from pipeline.stages import Model
from recall.query import Query

SCORE = "score"
"""Name of the column."""


class ModelScorer(Protocol):
    """Scores by one model, such as `TritonScorer` or, around it, a rollout's scorer."""

    async def score(self, query: Query, candidates: Candidates) -> NDArray[np.float32]:
        """float32[n], higher is better; raises `DependencyError` where there are no scores."""
        ...

    def model(self, query: Query) -> Model:
        """The model and version by which `score` scores this query."""
        ...


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """A `ModelScorer` as the pipeline's `Scorer`, with the one column `score`."""

    scorer: ModelScorer

    async def score(self, query: Query, candidates: Candidates) -> dict[str, NDArray[np.float32]]:
        """The column float32[n]; errors as of the scorer."""
        return {SCORE: await self.scorer.score(query, candidates)}

    def model(self, query: Query) -> Model:
        """The scorer's model and version."""
        return self.scorer.model(query)
