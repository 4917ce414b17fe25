"""Items of which the shopper said that they were shown too often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.query_features.feedback import ItemFeedback
from router.tables.component import Parts
from state.feedback_codes import SEEN_TOO_OFTEN

_SECONDS_PER_DAY = 86_400


class SeenTooOftenSettings(BaseModel):
    """Removes items that the shopper has seen too often, by feedback."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    days: float = Field(default=14.0, ge=0, le=36_500, description="Days in which the item is not shown.")


@dataclass(frozen=True, slots=True)
class SeenTooOften:
    """Removes items by feedback within the last `seconds`."""

    seconds: float
    name: str = "seen_too_often"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the shopper said lately that the item was shown too often."""
        said: ItemFeedback = query.features["feedback"]
        resting = said.since(SEEN_TOO_OFTEN, query.now - self.seconds)
        return np.isin(candidates.items, resting, invert=True)


def create(parts: Parts, settings: SeenTooOftenSettings) -> SeenTooOften:
    """The filter; needs nothing of the catalogue."""
    return SeenTooOften(settings.days * _SECONDS_PER_DAY)


FILTER = FilterKind(settings=SeenTooOftenSettings, create=create, features=("feedback",))
