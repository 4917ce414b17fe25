"""A scorer whose version changes while the process runs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from pipeline.stages import Model
from recall.query import Query
from router.ranking.scorer_kind import ScorerContext, ScorerKind


class LightestSettings(BaseModel):
    """Scores light items above heavy ones, by the item column `weight`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Version:
    """Light items before heavy ones."""

    weight: NDArray[np.float32]
    number: int

    async def score(self, query: Query, candidates: Candidates) -> dict[str, NDArray[np.float32]]:
        return {"score": -self.weight[candidates.items]}

    def model(self, query: Query) -> Model:
        return Model("lightest", f"live-{self.number}")


class Lightest:
    """A new version for every request."""

    def __init__(self, weight: NDArray[np.float32]) -> None:
        self._weight = weight
        self._numbers = itertools.count(1)

    def current(self) -> Version:
        return Version(self._weight, next(self._numbers))


def open_scorer(context: ScorerContext, settings: LightestSettings) -> Lightest:
    return Lightest(context.catalogue.column("weight"))


SCORER = ScorerKind(settings=LightestSettings, open=open_scorer, version_source="live")
