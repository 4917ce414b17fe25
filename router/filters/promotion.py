"""Only what is reduced, in scenes that show promotions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class PromotionSettings(BaseModel):
    """Removes items that are not reduced: `price` below `list_price`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    least: float = Field(
        default=0.05, gt=0, lt=1, description="Part of the list price by which the price is lower, at least."
    )


@dataclass(frozen=True, slots=True)
class Promotion:
    """Removes items whose price is not below their list price.

    reduction  float32[N + 1], part of the list price; NaN where one of the prices is unknown
    """

    reduction: npt.NDArray[np.float32]
    least: float
    name: str = "promotion"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], whether the item is reduced by so much; not where a price is unknown."""
        # Prices are float32: a twentieth off is a twentieth off.
        return np.asarray(self.reduction[candidates.items] >= self.least - 1e-6)


def create(parts: Parts, settings: PromotionSettings) -> Promotion:
    """The filter over the catalogue's columns `price` and `list_price`."""
    price = np.asarray(parts.catalogue.price, np.float32)
    listed = np.asarray(parts.catalogue.list_price, np.float32)
    known = listed > 0
    reduction = np.full(price.size, np.nan, np.float32)
    reduction[known] = 1 - price[known] / listed[known]
    return Promotion(reduction, settings.least)


FILTER = FilterKind(settings=PromotionSettings, create=create)
