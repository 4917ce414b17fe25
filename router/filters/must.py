"""What the request says that every item of the answer must satisfy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class MustSettings(BaseModel):
    """Removes what does not satisfy a `must` of the request's context. Every scene has it, named or not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Must:
    """Removes what the query's wish does not allow. Nothing after the filters adds an item to a page."""

    name: str = "must"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], whether the item satisfies every must; all do where there is none."""
        eligible = query.wish.eligible
        return np.ones(len(candidates), np.bool_) if eligible is None else eligible[candidates.items]


def create(parts: Parts, settings: MustSettings) -> Must:
    """The filter; needs nothing of the catalogue."""
    return Must()


FILTER = FilterKind(settings=MustSettings, create=create)
