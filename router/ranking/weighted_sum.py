"""Orders by a sum of the scorers' columns, each times its weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.candidates import Float32
from pipeline.stages import MergedScore
from router.ranking.merge_kind import MergeKind


class WeightedSumSettings(BaseModel):
    """Orders by a weighted sum of the scorers' columns."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    weights: dict[str, float] = Field(
        min_length=1,
        description='Weight of each column, named "<scorer>.<column>", such as triton.score; columns without '
        "one do not count. A column whose scorer failed is left out of the sum.",
    )

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("at least one weight must not be 0")
        return weights


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """The sum of the columns that arrived; an item with a NaN in one of them gets NaN.

    weights  by "<scorer>.<column>", finite; those that are 0 do not count
    """

    weights: Mapping[str, float]
    name: str = "weighted_sum"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """float32[n]; None where no column that has a weight arrived."""
        there = [(name, weight) for name, weight in self.weights.items() if weight and name in columns]
        if not there:
            return None
        with np.errstate(all="ignore"):
            # Infinite scores of both signs make a NaN, which sinks.
            total = sum((np.float32(weight) * columns[name] for name, weight in there), np.float32(0))
        heaviest = max(there, key=lambda each: abs(each[1]))[0]
        return MergedScore(np.asarray(total, np.float32), heaviest)


def create(settings: WeightedSumSettings) -> WeightedSum:
    """The merge with the settings' weights."""
    return WeightedSum(settings.weights)


def mentioned(settings: WeightedSumSettings) -> tuple[str, ...]:
    """The columns that have a weight."""
    return tuple(settings.weights)


MERGE = MergeKind(WeightedSumSettings, create, mentioned)
