"""Adds the log-odds of a model's score to those of the scorer `logistic`: stacking, by a fitted weight.

Wolpert, "Stacked generalization", Neural Networks 1992: the last layer is fitted on data that the model did
not learn from. p = σ(with_model + model_weight · log(s / (1 − s))) for the model's score s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Float32
from pipeline.stages import MergedScore
from router.ranking.logistic.scorer import MODEL_WEIGHT, WITH_MODEL, probability
from router.ranking.merge_kind import MergeKind
from router.ranking.model_scorer import SCORE

SMALLEST = 1e-7
"""Scores are cut to [1e-7, 1 − 1e-7] before their logarithm is taken."""


class LogOddsSettings(BaseModel):
    """Whose columns are joined."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str = Field(
        default="triton.score", description='Column of the model\'s probability, "<scorer>.<column>".'
    )
    ranker: str = Field(
        default="logistic", min_length=1, description="Name in the scene of the scorer logistic."
    )


@dataclass(frozen=True, slots=True)
class LogOdds:
    """The joined probability; of one of the two alone where the other failed."""

    model: str
    ranker: str
    name: str = "log_odds"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """float32[n]; a NaN of the model stays one. None where neither is there."""
        alone = f"{self.ranker}.{SCORE}"
        if alone not in columns:
            return MergedScore(columns[self.model], self.model) if self.model in columns else None
        if self.model not in columns:
            return MergedScore(columns[alone], alone)
        weight = columns[f"{self.ranker}.{MODEL_WEIGHT}"]
        joined = columns[f"{self.ranker}.{WITH_MODEL}"] + weight * log_odds_of(columns[self.model])
        return MergedScore(probability(joined), self.model)


def log_odds_of(scores: Float32) -> Float32:
    """log(s / (1 − s)) of probabilities, cut to [1e-7, 1 − 1e-7]; a NaN stays one."""
    cut = np.clip(scores.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(cut / (1 - cut)).astype(np.float32)


def create(settings: LogOddsSettings) -> LogOdds:
    """The merge of these columns."""
    return LogOdds(settings.model, settings.ranker)


def mentioned(settings: LogOddsSettings) -> tuple[str, ...]:
    """The columns that it joins."""
    return settings.model, f"{settings.ranker}.{WITH_MODEL}"


MERGE = MergeKind(LogOddsSettings, create, mentioned)
