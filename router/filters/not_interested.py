"""Items that the shopper does not want to see, and those of brands and categories they do not want to see."""

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
from state.feedback_codes import (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
)

_SECONDS_PER_DAY = 86_400


class NotInterestedSettings(BaseModel):
    """Removes what the shopper is not interested in, by feedback, until feedback of the type UNDO."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    item_days: float = Field(
        default=365.0, ge=0, le=36_500, description="Days in which the item itself is not shown."
    )
    brand_days: float = Field(
        default=90.0, ge=0, le=36_500, description="Days in which no item of its brand is, where so asked."
    )
    category_days: float = Field(
        default=90.0,
        ge=0,
        le=36_500,
        description="Days in which no item of its category is, where so asked.",
    )


@dataclass(frozen=True, slots=True)
class NotInterested:
    """Removes items by feedback; brand and category are int32[N+1] codes, 0 = unknown."""

    settings: NotInterestedSettings
    brand: npt.NDArray[np.int32]
    category: npt.NDArray[np.int32]
    name: str = "not_interested"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the shopper is not interested in the item, its brand or its category."""
        said: ItemFeedback = query.features["feedback"]
        keep = np.ones(len(candidates.items), np.bool_)
        if not said.items.size:
            return keep
        days, items = self.settings, candidates.items
        keep &= ~np.isin(items, said.since(NOT_INTERESTED, _before(query, days.item_days)))
        for code, group, group_days in (
            (NOT_INTERESTED_IN_BRAND, self.brand, days.brand_days),
            (NOT_INTERESTED_IN_CATEGORY, self.category, days.category_days),
        ):
            groups = group[said.since(code, _before(query, group_days))]
            keep &= ~np.isin(group[items], groups[groups > 0])
        return keep


def _before(query: Query, days: float) -> float:
    return query.now - days * _SECONDS_PER_DAY


def create(parts: Parts, settings: NotInterestedSettings) -> NotInterested:
    """The filter over the catalogue's brands and categories."""
    return NotInterested(settings, parts.catalogue.brand, parts.catalogue.category)


FILTER = FilterKind(settings=NotInterestedSettings, create=create, features=("feedback",))
