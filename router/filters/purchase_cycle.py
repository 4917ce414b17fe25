"""What the shopper bought and will not want again soon: by how soon shoppers of this shop buy again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from features.shop_fit.auto import DaysOrAuto, SwitchOrAuto
from pipeline.candidates import Candidates
from recall.purchase_cycles import PurchaseCycles
from recall.query import Query
from recall.standard_categories import FINE, LEVELS, StandardCategories
from router.filters.kind import FilterKind
from router.query_features.feedback import ItemFeedback
from router.tables.component import Parts
from router.tables.purchase_cycles import PURCHASE_CYCLES
from router.tables.standard_categories import STANDARD_CATEGORIES
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IS_CONSIDERATION
from state.feedback_codes import OWNED

SECONDS_PER_DAY = 86_400


class PurchaseCycleSettings(BaseModel):
    """Removes what the shopper bought and is unlikely to buy again soon, by cycles learned from the log."""

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


class Done(NamedTuple):
    """What a shopper did in the c categories of a level.

    last    int64[c + 1], unix second of the last purchase; long ago without one
    lifted  bool[c + 1], whether there were enough active clicks after it
    """

    last: npt.NDArray[np.int64]
    lifted: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PurchaseCycle:
    """Removes items bought once that are no repeat goods, and categories before their cycle is over.

    What a request asks for by query, category or brand is shown, whatever was bought before.

    catalogue      of the snapshot
    cycle_seconds  level → float64[codes + 1], how long a purchase blocks the category; 0 = not at all.
                   Without the coarse level where it blocks nothing
    """

    settings: PurchaseCycleSettings
    catalogue: Catalogue
    categories: StandardCategories
    cycles: PurchaseCycles
    cycle_seconds: dict[str, npt.NDArray[np.float64]]
    name: str = "purchase_cycle"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the item or one of its categories is blocked for this shopper now."""
        said: ItemFeedback = query.features["feedback"]
        owned = said.since(OWNED, query.now - self.settings.longest_days * SECONDS_PER_DAY)
        if not query.purchased_items.size and not owned.size:
            return np.ones(len(candidates), np.bool_)
        keep = self._wanted(query, candidates.items)
        if query.wish.says_anything:
            keep |= query.wish.names(self.catalogue, candidates.items)
        if owned.size:
            keep &= ~np.isin(candidates.items, owned)
        return keep

    def _wanted(self, query: Query, items: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """bool[n], False where a purchase hides the item or blocks one of its categories."""
        # By item, so that it answers for the shopper's items and for the candidates.
        shown = np.zeros(len(self.categories.fine), np.bool_)
        shown[items] = True
        bought = np.flatnonzero(shown[query.purchased_items])
        if not self.settings.learned:
            lately = (
                query.purchased_ts[bought] > query.now - float(self.settings.window_days) * SECONDS_PER_DAY
            )
            shown[query.purchased_items[bought[lately]]] = False
            return np.asarray(shown[items])
        done = {level: self._done(query, level) for level in self.cycle_seconds}
        shown[self._bought_once(query, bought, done[FINE].lifted)] = False
        keep = shown[items]
        for level, each in done.items():
            keep &= ~self._blocked(query, level, each)[self.categories.level(level)[items]]
        return np.asarray(keep)

    def _bought_once(
        self, query: Query, bought: npt.NDArray[np.intp], lifted: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int32]:
        """int32[], the items that the shopper bought on one day only and is unlikely to buy again by now.

        bought: positions of the purchases that are looked at; lifted: bool[codes + 1], of fine categories.
        """
        items, row = np.unique(query.purchased_items[bought], return_inverse=True)
        ts = query.purchased_ts[bought]
        first, last = np.full(len(items), np.iinfo(np.int64).max), np.zeros(len(items), np.int64)
        np.minimum.at(first, row, ts // SECONDS_PER_DAY)
        np.maximum.at(last, row, ts)
        once = first == last // SECONDS_PER_DAY
        items, last = items[once], last[once]
        fine = self.categories.fine[items]
        age = np.maximum(query.now - last, 0) / SECONDS_PER_DAY
        rare = self.cycles.chance(items, fine, age, self.settings.horizon_days) < self.settings.minimum_chance
        hidden: npt.NDArray[np.int32] = items[rare & ~lifted[fine]]
        return hidden

    def _blocked(self, query: Query, level: str, done: Done) -> npt.NDArray[np.bool_]:
        """bool[codes + 1], categories of a level that are blocked for the shopper at `query.now`."""
        blocked = (query.now - done.last < self.cycle_seconds[level]) & ~done.lifted
        # A page about an item is about its category, whatever was bought before.
        blocked[self.categories.level(level)[query.anchors]] = False
        blocked[0] = False
        return blocked

    def _done(self, query: Query, level: str) -> Done:
        column, codes = self.categories.level(level), len(self.cycle_seconds[level])
        last = np.full(codes, np.iinfo(np.int64).min // 2)
        np.maximum.at(last, column[query.purchased_items], query.purchased_ts)
        active = IS_CONSIDERATION[query.history_events]
        group = column[query.history_items[active]]
        later = (query.history_ts[active] > last[group]) & (group > 0)
        return Done(last, np.bincount(group[later], minlength=codes) >= self.settings.lifting_clicks)


def create(parts: Parts, settings: PurchaseCycleSettings) -> PurchaseCycle:
    """The filter over the learned cycles; `auto` was replaced by `router.scenes.fit_shop`."""
    categories: StandardCategories = parts.tables[STANDARD_CATEGORIES.name]
    cycles: PurchaseCycles = parts.tables[PURCHASE_CYCLES.name]
    seconds = {}
    for level in LEVELS:
        days = cycles.blocked_days(level, settings.returning_share, settings.horizon_days)
        days = np.minimum(days, settings.longest_days)
        blocks = (days >= settings.minimum_cycle_days) & (settings.returning_share > 0)
        # Fine categories also lift items.
        if level == FINE or blocks.any():
            seconds[level] = np.where(blocks, days, 0) * SECONDS_PER_DAY
    return PurchaseCycle(settings, parts.catalogue, categories, cycles, seconds)


FILTER = FilterKind(
    settings=PurchaseCycleSettings,
    create=create,
    tables=(STANDARD_CATEGORIES, PURCHASE_CYCLES),
    features=("feedback",),
)
