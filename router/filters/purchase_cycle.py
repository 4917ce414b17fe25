"""What the shopper bought and will not want again soon: by how soon shoppers of this shop buy again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from features.shop_fit.auto import DaysOrAuto, SwitchOrAuto
from pipeline.candidates import Candidates
from recall.purchase_cycles import PurchaseCycles
from recall.query import Query
from recall.standard_categories import LEVELS, StandardCategories
from router.filters.kind import FilterKind
from router.query_features.feedback import ItemFeedback
from router.tables.component import Parts
from router.tables.purchase_cycles import PURCHASE_CYCLES
from router.tables.standard_categories import STANDARD_CATEGORIES
from snapshot.event_codes import IS_CONSIDERATION
from state.feedback_codes import OWNED

SECONDS_PER_DAY = 86_400


class PurchaseCycleSettings(BaseModel):
    """When an item bought before, or its category, is shown again."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    learned: SwitchOrAuto = Field(
        default=True,
        description="true: by the cycles learned from the log. false: an item is not shown for window_days. "
        "auto: true where the log has enough purchases to learn from.",
    )
    window_days: DaysOrAuto = Field(
        default=30.0,
        description="Days after a purchase in which the item is not shown where nothing is learned, above 0; "
        "auto: by how often and how soon purchases repeat in the shop's log.",
    )
    minimum_chance: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="An item bought on one day only is hidden while the chance that its buyer buys it again "
        "within horizon_days is below this; 0 = never.",
    )
    horizon_days: float = Field(default=30.0, gt=0, le=3_650, description="Days that chance looks ahead.")
    returning_share: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="A purchase blocks its category until this part of its buyers would be back for "
        "something of it, and no longer than they are less likely to buy of it within horizon_days than a "
        "shopper who bought anything; 0 = never.",
    )
    minimum_cycle_days: float = Field(
        default=14.0,
        ge=0,
        le=3_650,
        description="Categories whose cycle is shorter are not blocked: people buy of them all the time.",
    )
    longest_days: float = Field(
        default=365.0,
        gt=0,
        le=36_500,
        description="Days after which no category, and no item that the shopper says to own, is hidden.",
    )
    lifting_clicks: int = Field(
        default=3,
        ge=1,
        le=200,
        description="Views, favourites and carts of a category after the purchase that lift its block, and "
        "show its items bought once again.",
    )


@dataclass(frozen=True, slots=True)
class PurchaseCycle:
    """Removes items bought once that are no repeat goods, and categories before their cycle is over.

    cycle_seconds  level → float64[codes + 1], how long a purchase blocks the category; 0 = not at all
    """

    settings: PurchaseCycleSettings
    categories: StandardCategories
    cycles: PurchaseCycles
    cycle_seconds: dict[str, npt.NDArray[np.float64]]
    name: str = "purchase_cycle"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the item or one of its categories is blocked for this shopper now."""
        said: ItemFeedback = query.features["feedback"]
        shown = np.ones(len(self.categories.fine), np.bool_)
        shown[said.since(OWNED, query.now - self.settings.longest_days * SECONDS_PER_DAY)] = False
        if not query.purchased_items.size:
            return np.asarray(shown[candidates.items])
        shown[self.hidden_items(query, candidates.items)] = False
        keep = shown[candidates.items]
        for level, seconds in self.cycle_seconds.items():
            if seconds.any():
                keep &= ~self.blocked(query, level)[self.categories.level(level)[candidates.items]]
        return np.asarray(keep)

    def blocked(self, query: Query, level: str) -> npt.NDArray[np.bool_]:
        """bool[codes + 1], categories of a level that are blocked for the shopper at `query.now`."""
        column = self.categories.level(level)
        last = self._last_bought(query, level)
        blocked = (query.now - last < self.cycle_seconds[level]) & ~self._lifted(query, column, last)
        # A page about an item is about its category, whatever was bought before.
        blocked[column[query.anchors]] = False
        blocked[0] = False
        return blocked

    def hidden_items(self, query: Query, among: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """int32[], those of `among` that the shopper bought and that are not shown for it at `query.now`."""
        settings = self.settings
        asked = np.zeros(len(self.categories.fine), np.bool_)
        asked[among] = True
        chosen = asked[query.purchased_items]
        bought, ts = query.purchased_items[chosen], query.purchased_ts[chosen]
        if not settings.learned:
            window = float(settings.window_days) * SECONDS_PER_DAY
            return bought[ts > query.now - window]
        items, row = np.unique(bought, return_inverse=True)
        first, last = np.full(len(items), np.iinfo(np.int64).max), np.zeros(len(items), np.int64)
        np.minimum.at(first, row, ts // SECONDS_PER_DAY)
        np.maximum.at(last, row, ts)
        once = first == last // SECONDS_PER_DAY
        items, last = items[once], last[once]
        fine = self.categories.fine[items]
        age = np.maximum(query.now - last, 0) / SECONDS_PER_DAY
        rare = self.cycles.chance(items, fine, age, settings.horizon_days) < settings.minimum_chance
        lifted = self._lifted(query, self.categories.fine, self._last_bought(query, "fine"))[fine]
        hidden: npt.NDArray[np.int32] = items[rare & ~lifted]
        return hidden

    def _last_bought(self, query: Query, level: str) -> npt.NDArray[np.int64]:
        """int64[codes + 1], unix second of the last purchase in each category; long ago without one."""
        last = np.full(len(self.cycle_seconds[level]), np.iinfo(np.int64).min // 2)
        np.maximum.at(last, self.categories.level(level)[query.purchased_items], query.purchased_ts)
        return last

    def _lifted(
        self, query: Query, column: npt.NDArray[np.int32], since: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """bool[codes + 1], categories with enough active clicks after `since`, int64[codes + 1]."""
        active = IS_CONSIDERATION[query.history_events]
        group = column[query.history_items[active]]
        later = (query.history_ts[active] > since[group]) & (group > 0)
        return np.asarray(np.bincount(group[later], minlength=len(since)) >= self.settings.lifting_clicks)


def create(parts: Parts, settings: PurchaseCycleSettings) -> PurchaseCycle:
    """The filter over the learned cycles; `auto` was replaced by `router.scenes.fit_shop`."""
    categories: StandardCategories = parts.tables[STANDARD_CATEGORIES.name]
    cycles: PurchaseCycles = parts.tables[PURCHASE_CYCLES.name]
    seconds = {}
    for level in LEVELS:
        days = cycles.blocked_days(level, settings.returning_share, settings.horizon_days)
        days = np.minimum(days, settings.longest_days)
        learned = settings.learned is True and settings.returning_share > 0
        seconds[level] = np.where(learned & (days >= settings.minimum_cycle_days), days, 0) * SECONDS_PER_DAY
    return PurchaseCycle(settings, categories, cycles, seconds)


FILTER = FilterKind(
    settings=PurchaseCycleSettings,
    create=create,
    tables=(STANDARD_CATEGORIES, PURCHASE_CYCLES),
    features=("feedback",),
)
