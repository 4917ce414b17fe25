"""When shoppers buy an item again, and when anything of its category: learned from the log of purchases."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from features.return_hazard import GRID_DAYS, days_until, days_until_as_likely, hazard_at
from recall.standard_categories import LEVELS
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column
from snapshot.manifest import SnapshotError

NAME = "purchase_cycles"
SAME_ITEM, RATIO = "same_item", "ratio"
USUAL = "usual_{level}"

Float32 = NDArray[np.float32]


class PurchaseCycleTableSettings(BaseModel):
    """How much is believed of groups with few purchases."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    category_strength: float = Field(
        default=30.0,
        gt=0,
        description="Purchases' worth of the coarser category's cycle mixed into a category's own.",
    )
    item_strength: float = Field(
        default=5.0,
        gt=0,
        description="Expected repeat purchases' worth of the category's habit mixed into an item's own.",
    )


@dataclass(frozen=True, slots=True)
class PurchaseCycles:
    """Cumulative hazards (`features.return_hazard`) of buying again.

    category   level of `recall.standard_categories` → float32[codes + 1, days], of anything of the category
    same_item  float32[fine codes + 1, days], of an item bought for the first time, by its fine category
    ratio      float32[N + 1], above 0: the item's own hazard over that of its category
    usual      level → float32[codes + 1, days], how often a shopper who bought anything buys of the category
               afterwards; empty in a snapshot that was built before there was such a column
    """

    category: dict[str, Float32]
    same_item: Float32
    ratio: Float32
    usual: dict[str, Float32] = field(default_factory=dict)

    def chance(
        self, items: NDArray[np.int32], fine: NDArray[np.int32], days: NDArray[np.float64], horizon: float
    ) -> NDArray[np.float64]:
        """float64[n], chance that an item bought once, `days` ago, is bought again in the next `horizon`.

        items, fine: int32[n], the items and their fine categories; days: float64[n], at
        least 0; horizon: in days.
        """
        ahead = hazard_at(self.same_item, fine, days + horizon) - hazard_at(self.same_item, fine, days)
        return np.asarray(-np.expm1(-self.ratio[items] * ahead), np.float64)

    def blocked_days(self, level: str, returning_share: float, horizon: float) -> NDArray[np.float64]:
        """float64[codes + 1], days for which a purchase makes its category unlikely; inf = for ever.

        They end when the part `returning_share` (0 to below 1) of the buyers is back, and no later than its
        buyers are as likely to buy of it within the next `horizon` days as a shopper who bought anything.
        """
        days = days_until(self.category[level], returning_share)
        if level not in self.usual:
            return days
        return np.minimum(days, days_until_as_likely(self.category[level], self.usual[level], horizon))


def open_table(folder: Path, catalogue: Catalogue, settings: PurchaseCycleTableSettings) -> PurchaseCycles:
    """Map the table. Raises SnapshotError where a file is torn or does not fit the catalogue."""
    hazards = {level: _hazards(folder, level) for level in LEVELS}
    ratio = load_column(folder, RATIO, np.dtype(np.float32), catalogue.size + 1)
    files = {level: USUAL.format(level=level) for level in LEVELS}
    usual = {
        level: _hazards(folder, file) for level, file in files.items() if (folder / f"{file}.npy").exists()
    }
    return PurchaseCycles(hazards, _hazards(folder, SAME_ITEM), ratio, usual)


def _hazards(folder: Path, name: str) -> Float32:
    values = load_column(folder, name, np.dtype(np.float32))
    if not values.size or values.size % len(GRID_DAYS):
        raise SnapshotError(
            folder, name, f"does not hold {len(GRID_DAYS)} days of each category", "build the snapshot again"
        )
    return values.reshape(-1, len(GRID_DAYS))
