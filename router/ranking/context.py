"""Lifts what fits the shopper's search query, category, brand and prices by an amount of log-odds.

    log_lift(i) = lift(i) − max lift        lift(i) = Σ weight of each thing asked for · how well i fits it

The best fitting candidate keeps its odds and the others lose: large odds would round to a probability of 1.

Logs hold no queries to fit the weights by. One of 1 multiplies the odds that the shopper takes the item by
2.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from recall.search.asked import Facet
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from snapshot.catalogue import Catalogue

LOG_LIFT = "log_lift"


class ContextSettings(BaseModel):
    """Adds log-odds to items that fit the request's search query, category, brand or prices."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    search_query: float = Field(
        default=16.0,
        ge=0,
        description="To the best item of the search query; to others by their part of it.",
    )
    category: float = Field(default=16.0, ge=0, description="To an item of the category.")
    brand: float = Field(default=16.0, ge=0, description="To an item of the brand.")
    price: float = Field(default=4.0, ge=0, description="To an item in the range of prices.")


@dataclass(frozen=True, slots=True)
class ContextScorer:
    """The scorer over the columns of one snapshot."""

    catalogue: Catalogue
    weights: Mapping[Facet, float]

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """The column log_lift, float32[n], at most 0; 0 for all where the shopper looks for nothing."""
        lift = np.zeros(len(candidates), np.float32)
        for facet, match in query.wish.matches(self.catalogue, candidates.items).items():
            lift += np.float32(self.weights[facet]) * match
        return {LOG_LIFT: lift - lift.max(initial=0)}

    def model(self, query: Query) -> Model:
        """No model of Triton."""
        return NO_MODEL


def open_scorer(context: ScorerContext, settings: ContextSettings) -> ContextScorer:
    """The scorer over the snapshot's catalogue."""
    return ContextScorer(context.catalogue, {facet: getattr(settings, facet.value) for facet in Facet})


SCORER = ScorerKind(ContextSettings, open_scorer, columns=(LOG_LIFT,), waits=False)
