"""Orders by looks, and among what looks nearly the same by the shopper's taste.

    value = likeness + margin · known · standing

`standing` is the rank of a candidate's taste among all, 1 for the highest and 0 for the lowest, equal ones
in the middle of their ranks; `known` is 0 for a shopper of whom nothing is known. So an item stands before
one that is more alike only where the two differ by at most the margin, whatever the taste says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Float32
from pipeline.stages import MergedScore
from router.ranking.look import KNOWN, LIKENESS
from router.ranking.merge_kind import MergeKind


class WithinLookSettings(BaseModel):
    """Orders by looks, and among what looks nearly the same by the shopper's taste."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    look: str = Field(default="look", min_length=1, description="Name in the scene of the scorer look.")
    taste: str = Field(
        default="logistic.score", min_length=3, description='Column of the taste, "<scorer>.<column>".'
    )
    margin: float = Field(
        default=0.05,
        ge=0,
        le=2,
        description="Difference of likeness (cosines) within which taste decides; 0: looks alone do.",
    )


@dataclass(frozen=True, slots=True)
class WithinLook:
    """Likeness, and taste within the margin; what answers show as the score is the likeness."""

    look: str
    taste: str
    margin: float
    name: str = "within_look"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """float32[n]; likeness alone where the taste's scorer failed, None where likeness is not there."""
        own = f"{self.look}.{LIKENESS}"
        if own not in columns:
            return None
        likeness, known = columns[own], columns[f"{self.look}.{KNOWN}"]
        taste = columns.get(self.taste)
        if taste is None or not known.any():
            return MergedScore(likeness, own)
        lifted = likeness + np.float32(self.margin) * known * standing(taste)
        return MergedScore(np.asarray(lifted, np.float32), own, shown=likeness)


def standing(taste: Float32) -> Float32:
    """Ranks of float32[n] from 0 to 1; equal ones have the middle of theirs, a NaN that of the lowest."""
    if taste.size < 2:
        return np.zeros(taste.size, np.float32)
    _, place, counts = np.unique(np.nan_to_num(taste, nan=-np.inf), return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middles[place] / (taste.size - 1), np.float32)


def create(settings: WithinLookSettings) -> WithinLook:
    """The merge of these columns."""
    return WithinLook(settings.look, settings.taste, settings.margin)


def mentioned(settings: WithinLookSettings) -> tuple[str, ...]:
    """The columns that it joins."""
    return f"{settings.look}.{LIKENESS}", f"{settings.look}.{KNOWN}", settings.taste


MERGE = MergeKind(WithinLookSettings, create, mentioned)
