"""Items that cannot be bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class OutOfStockSettings(BaseModel):
    """Removes items that the catalogue has as out of stock."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class OutOfStock:
    """Removes what the catalogue does not have in stock; in_stock is bool[N+1]."""

    in_stock: npt.NDArray[np.bool_]
    name: str = "out_of_stock"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the item is out of stock."""
        return self.in_stock[candidates.items]


def create(parts: Parts, settings: OutOfStockSettings) -> OutOfStock:
    """The filter over the catalogue's column `in_stock`."""
    return OutOfStock(parts.catalogue.in_stock)


FILTER = FilterKind(settings=OutOfStockSettings, create=create)
