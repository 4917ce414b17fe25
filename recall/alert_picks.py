"""The hottest items of categories that an operator names for an alert: masks and purifiers while it is hazy.

    score(i) = heat(i) / max heat of i's category

so that the categories take turns. What is in force is the query feature `surroundings`, of the shopper's
city; without an alert, nothing is recalled. heat is the decayed behaviour score over all shoppers; an item
that nobody took yet comes last.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from pipeline.stages import EMPTY_RECALL
from recall.channel import (
    BuildSource,
    ChannelKind,
    NothingToRecall,
    OptionalChannelSettings,
    Recalled,
    Services,
)
from recall.lists import ItemLists
from recall.merge import top_positions
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "alert_picks"
LISTS = "categories"
FEATURE = "surroundings"
_LEAST_HEAT = 1e-6


class AlertPicksSettings(OptionalChannelSettings):
    """Items of the categories that are named for an alert."""

    categories: dict[str, list[str]] = Field(
        default={}, description="Categories, as named in the catalogue, by alert (section environment)."
    )
    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_category: int = Field(default=200, ge=1, le=10_000, description="Items kept per category.")


class AlertPicks:
    """Merges the lists of the categories of the alerts in force."""

    name = NAME

    def __init__(self, lists: ItemLists, catalogue: Catalogue, settings: AlertPicksSettings) -> None:
        """Lists by category code."""
        self._lists = lists
        self._codes = codes_by_alert(catalogue, settings)

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k best of the categories of the alerts in force; empty where there is none. No trigger."""
        alerts = query.features[FEATURE].alerts
        codes = sorted({code for alert in alerts for code in self._codes.get(alert, ())})
        if not codes:
            return EMPTY_RECALL
        items, scores, _ = self._lists.gather(np.array(codes, np.int64), limit=k)
        best = top_positions(scores, items, k)
        return Recalled(items[best], scores[best], np.zeros(best.size, np.int32))


def codes_by_alert(catalogue: Catalogue, settings: AlertPicksSettings) -> dict[str, tuple[int, ...]]:
    """Alert → codes of its categories; those that the catalogue does not have are left out."""
    names = catalogue.category_names(np.arange(1, catalogue.category_count + 1, dtype=np.int32))
    code_of = {name: code for code, name in enumerate(names, start=1)}
    return {
        alert: tuple(code_of[name] for name in categories if name in code_of)
        for alert, categories in settings.categories.items()
    }


def build(source: BuildSource, folder: Path, settings: AlertPicksSettings) -> dict[str, int]:
    """Write the categories' lists into `folder`; returns how many entries they hold.

    Raises NothingToRecall where the catalogue has none of the categories.
    """
    from recall.interactions import interactions_of
    from recall.lists import ranked_lists

    catalogue = source.catalogue
    codes = {code for found in codes_by_alert(catalogue, settings).values() for code in found}
    if not codes:
        named = sorted({name for names in settings.categories.values() for name in names})
        raise NothingToRecall(
            f"the catalogue has none of the categories {', '.join(named)[:200]}"
            if named
            else "router.recall.alert_picks.categories names no category"
        )
    taken = interactions_of(source)
    decayed = taken.decayed_scores(source.now, settings.half_life_days)
    heat = np.bincount(taken.item, weights=decayed, minlength=catalogue.size + 1) + _LEAST_HEAT
    listed = np.flatnonzero(catalogue.in_stock & np.isin(catalogue.category, list(codes)))
    listed = listed[listed > 0]
    category = catalogue.category[listed]
    hottest = np.zeros(catalogue.category_count + 1)
    np.maximum.at(hottest, category, heat[listed])
    lists = ranked_lists(
        category,
        listed,
        heat[listed] / np.maximum(hottest[category], _LEAST_HEAT),
        catalogue.category_count + 1,
        settings.items_per_category,
    )
    return {LISTS: lists.write(folder, LISTS)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: AlertPicksSettings
) -> AlertPicks:
    """Memory-map the lists of `build`. Raises SnapshotError where they are torn or do not fit."""
    return AlertPicks(ItemLists.open(folder, LISTS, catalogue.category_count + 1), catalogue, settings)


CHANNEL = ChannelKind(
    settings=AlertPicksSettings,
    build=build,
    open=open_channel,
    features=(FEATURE,),
    optional=True,
    waits=False,
)
