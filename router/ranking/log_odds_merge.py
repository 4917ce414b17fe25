"""Adds the log-odds of a model's score to those of the scorer `logistic`: stacking, by a fitted weight.

Wolpert, "Stacked generalization", Neural Networks 1992: the last layer is fitted on data that the model did
not learn from. p = σ(with_model + model_weight · log(s / (1 − s))) for the model's score s.

Further columns can be added to the joined log-odds: the product of independent evidence. With the column
`log_score` of the scorer `anchor`, a page with a cart is ordered by what the shopper takes anyway times what
goes with the cart, and one without a cart as if the scorer were not there.

Where nothing is added, answers show the joined log-odds calibrated by what was taken
(`router.ranking.calibration`), and shifted where the scene's candidates are taken more or less often than
those calibrated on; the order, and what rerankers weigh, is theirs as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import PROBABILITY, Float32
from pipeline.stages import MergedScore
from router.ranking.calibration import AS_IT_IS, Calibration
from router.ranking.logistic.scorer import MODEL_WEIGHT, SHIFT, WITH_MODEL, probability
from router.ranking.logistic.table import LOGISTIC_RANKER, LogisticTable
from router.ranking.merge_kind import MergeKind
from router.ranking.model_scorer import SCORE

SMALLEST = 1e-7
"""Scores are cut to [1e-7, 1 − 1e-7] before their logarithm is taken."""


class LogOddsSettings(BaseModel):
    """Adds the log-odds of a model's score, and of further columns, to those of the scorer `logistic`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    model: str = Field(
        default="triton.score",
        description='Column of the model\'s probability, "<scorer>.<column>"; empty: there is no model.',
    )
    ranker: str = Field(
        default="logistic", min_length=1, description="Name in the scene of the scorer logistic."
    )
    added: dict[str, float] = Field(
        default={},
        description='Columns added to the joined log-odds, "<scorer>.<column>", each times this weight; one '
        "whose scorer failed, or that is 0 for every candidate, is left out.",
    )


@dataclass(frozen=True, slots=True)
class LogOdds:
    """The joined probability; of one of the two alone where the other failed.

    added        weight by the name of a further column
    calibration  of the joined log-odds
    """

    model: str
    ranker: str
    added: Mapping[str, float] = field(default_factory=dict)
    calibration: Calibration = AS_IT_IS
    name: str = "log_odds"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """float32[n]; a NaN of the model stays one. None where neither is there, nor an added column.

        Answers show them calibrated where nothing is added and the ranker was fitted.
        """
        joined = self._joined(columns)
        there = {name: columns[name] for name in self.added if name in columns and columns[name].any()}
        if not there:
            return self._with_probability(joined, columns)
        total = np.sum([np.float32(self.added[name]) * column for name, column in there.items()], axis=0)
        if joined is None:
            return MergedScore(probability(total), next(iter(there)))
        return MergedScore(probability(log_odds_of(joined.values) + total), joined.column)

    def _with_probability(
        self, joined: MergedScore | None, columns: Mapping[str, Float32]
    ) -> MergedScore | None:
        """The joined score, and beside it its calibration: of both parts, or of the ranker alone."""
        shown = columns.get(f"{self.ranker}.{PROBABILITY}")
        if joined is None or shown is None or np.isnan(shown).all():
            return joined
        if self.model in columns:
            shift = columns.get(f"{self.ranker}.{SHIFT}", np.float32(0))
            shown = probability(self.calibration.of(log_odds_of(joined.values)) + shift)
        return MergedScore(joined.values, joined.column, shown)

    def _joined(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """The model and the ranker, or the one that is there."""
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
    return LogOdds(settings.model, settings.ranker, settings.added)


def mentioned(settings: LogOddsSettings) -> tuple[str, ...]:
    """The columns that it joins."""
    model = (settings.model,) if settings.model else ()
    return *model, f"{settings.ranker}.{WITH_MODEL}", *settings.added


def fitted(merge: LogOdds, tables: Mapping[str, Any]) -> LogOdds:
    """The merge with the calibration of the snapshot's last layer; as it is where there is none."""
    table = tables.get(LOGISTIC_RANKER.name)
    if not isinstance(table, LogisticTable):
        return merge
    return replace(merge, calibration=table.learned.calibration)


MERGE = MergeKind(LogOddsSettings, create, mentioned, fitted)
