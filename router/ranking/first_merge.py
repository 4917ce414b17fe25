"""Orders by the first column that arrived: the next scorer is there for when the one before it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Float32
from pipeline.stages import MergedScore
from router.ranking.merge_kind import MergeKind

PROBABILITY = "probability"
"""Column of a scorer that orders by something else than the probability of the scene's event; NaN for all
candidates where it knows none."""


class FirstSettings(BaseModel):
    """Orders by the first scorer that answered; the others are there for when it fails."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class First:
    """The first column of the first scorer, in the scene's order, that did not fail."""

    name: str = "first"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore:
        """The first of `columns`, unchanged; its scorer's `probability`, if any, is what answers show."""
        column, values = next(iter(columns.items()))
        shown = columns.get(f"{column.partition('.')[0]}.{PROBABILITY}")
        if shown is not None and np.isnan(shown).all():
            shown = None
        return MergedScore(values, column, shown)


def create(settings: FirstSettings) -> First:
    """The merge."""
    return First()


MERGE = MergeKind(FirstSettings, create)
