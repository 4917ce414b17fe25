"""Items for adults, in scenes that everybody sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class AdultSettings(BaseModel):
    """Removes items that the catalogue has as adult. A scene that may show them leaves the filter out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Adult:
    """Removes what the catalogue marks as adult; adult is bool[N+1]."""

    adult: npt.NDArray[np.bool_]
    name: str = "adult"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the item is for adults."""
        return ~self.adult[candidates.items]


def create(parts: Parts, settings: AdultSettings) -> Adult:
    """The filter over the catalogue's column `adult`."""
    return Adult(parts.catalogue.adult)


FILTER = FilterKind(settings=AdultSettings, create=create)
