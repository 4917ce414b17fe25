"""Columns for scenes that search by looks: how alike each candidate is, and whether the shopper is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates, Float32
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.scorer_kind import ScorerContext, ScorerKind

LIKENESS, KNOWN = "likeness", "known"


class LookSettings(BaseModel):
    """Gives how alike each candidate's pictures are to the photo or item that is searched for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LookScorer:
    """Passes on what recall said, for a merge to join with a shopper's taste."""

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, Float32]:
        """The columns likeness, float32[n], of recall, and known: 1 for a shopper with a past, else 0."""
        known = query.history_items.size or query.purchased_items.size
        return {
            LIKENESS: candidates.recall_score,
            KNOWN: np.full(len(candidates), 1 if known else 0, np.float32),
        }

    def model(self, query: Query) -> Model:
        """No model of Triton."""
        return NO_MODEL


def open_scorer(context: ScorerContext, settings: LookSettings) -> LookScorer:
    """The scorer, which reads nothing of the snapshot."""
    return LookScorer()


SCORER = ScorerKind(LookSettings, open_scorer, columns=(LIKENESS, KNOWN), waits=False)
"""`recall_score` is the cosine of the pictures in scenes whose only channel is similar_look."""
