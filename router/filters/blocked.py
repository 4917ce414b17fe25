"""What merchandisers block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class BlockedSettings(BaseModel):
    """Removes what merchandisers block. Every scene has it, named or not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Removes what `query.rules` blocks in the scene."""

    name: str = "blocked"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where a block is about the item, its brand or its category."""
        blocked = query.rules.blocked
        return np.ones(len(candidates), np.bool_) if blocked is None else ~blocked[candidates.items]


def create(parts: Parts, settings: BlockedSettings) -> Blocked:
    """The filter; needs nothing of the catalogue."""
    return Blocked()


FILTER = FilterKind(settings=BlockedSettings, create=create)
