"""Items the caller does not want back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class ExcludedSettings(BaseModel):
    """Removes items that the request excludes. Every scene has it, named or not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Excluded:
    """Removes the items of `query.excluded`."""

    name: str = "excluded"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the caller excluded the item."""
        return np.isin(candidates.items, query.excluded, invert=True)


def create(parts: Parts, settings: ExcludedSettings) -> Excluded:
    """The filter; needs nothing of the catalogue."""
    return Excluded()


FILTER = FilterKind(settings=ExcludedSettings, create=create)
