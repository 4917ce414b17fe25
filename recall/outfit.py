"""Outfit: items of other categories that go with the first trigger, the best of every category first.

An item is taken from sets that the shop brings, else from baskets, else by rule: it agrees with the trigger
in columns of the catalogue (`recall.outfit_build`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.lists import ItemLists
from recall.outfit_settings import OutfitSettings
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = "outfit"

Evidence = Literal["sets", "baskets", "rules"]
"""Why an item is in an outfit."""
_SUREST: tuple[Evidence, ...] = ("sets", "baskets", "rules")


@dataclass(frozen=True, slots=True)
class _Slot:
    """Items of one category, best first: int32[m], and the evidence of each."""

    items: NDArray[np.int32]
    evidence: list[Evidence]


class Outfit:
    """Looks outfits up."""

    name = NAME

    def __init__(
        self,
        slots: ItemLists,
        found: dict[Evidence, ItemLists],
        best_sold: ItemLists,
        catalogue: Catalogue,
        settings: OutfitSettings,
    ) -> None:
        """The tables of `build`; `found`: partners of items by sets and by baskets."""
        self._slots, self._found, self._best_sold = slots, found, best_sold
        self._settings = settings
        self._category = catalogue.category
        self._columns = [
            (np.asarray(catalogue.column(name)), weight) for name, weight in settings.agreeing.items()
        ]

    def slots_of(self, item: int) -> list[tuple[int, _Slot]]:
        """Codes of the categories that go with an item, 1…N, the surest first, and their items.

        Surest is what shares a set with the item, however seldom their categories do, then what shares
        baskets; among categories of one evidence, those that go with the item's come first. With an item of
        no category goes what shares sets and baskets with it.
        """
        own = int(self._category[item])
        of_category, _, _ = self._slots.gather(np.array([own]))
        kinds: tuple[Evidence, ...] = ("sets",) if own else ("sets", "baskets")
        of_partners = [self._category[self._partners(kind, item)] for kind in kinds]
        categories = dict.fromkeys(np.concatenate((of_category, *of_partners)).tolist())
        made = [(category, self._slot(item, category)) for category in categories]
        filled = [(category, slot) for category, slot in made if len(slot.items)]
        return sorted(filled, key=lambda each: _SUREST.index(each[1].evidence[0]))

    async def recall(self, query: Query, k: int) -> Recalled:
        """The first item of every category, then the second …; the heaviest trigger alone counts.

        The score falls with the place of an item in its category, and then with that of the category.
        """
        if not len(query.triggers) or k <= 0:
            return EMPTY_RECALL
        trigger = int(query.triggers[np.argmax(query.trigger_weights)])
        slots = self.slots_of(trigger)
        if not slots:
            return EMPTY_RECALL
        items = np.concatenate([slot.items for _, slot in slots])
        place = np.concatenate([np.arange(len(slot.items)) for _, slot in slots])
        category = np.repeat(np.arange(len(slots)), [len(slot.items) for _, slot in slots])
        order = np.lexsort((category, place))[:k]
        scores = 1.0 / (1.0 + place[order] + category[order] / (1.0 + len(slots)))
        return Recalled(items[order], scores.astype(np.float32), np.full(len(order), trigger, np.int32))

    def evidence_of(self, trigger: int, items: NDArray[np.int32]) -> list[Evidence]:
        """Why each of `items` int32[n] goes with the trigger; "rules" where nothing else says so."""
        known: dict[int, Evidence] = {}
        for kind in ("baskets", "sets"):
            for item in self._partners(kind, trigger).tolist():
                known[item] = kind
        return [known.get(item, "rules") for item in items.tolist()]

    def _partners(self, kind: Evidence, item: int) -> NDArray[np.int32]:
        return self._found[kind].gather(np.array([item]))[0]

    def _slot(self, item: int, category: int) -> _Slot:
        chosen: list[int] = []
        evidence: list[Evidence] = []
        for kind in ("sets", "baskets"):
            partners = self._partners(kind, item)
            for partner in partners[self._category[partners] == category].tolist():
                if partner not in chosen:
                    chosen.append(partner)
                    evidence.append(kind)
        for partner in self._ruled(item, category).tolist():
            if len(chosen) >= self._settings.per_slot:
                break
            if partner not in chosen:
                chosen.append(partner)
                evidence.append("rules")
        most = self._settings.per_slot
        return _Slot(np.array(chosen[:most], np.int32), evidence[:most])

    def _ruled(self, item: int, category: int) -> NDArray[np.int32]:
        """Items of a category that agree most with an item; of those that agree alike, the best sold."""
        candidates, _, _ = self._best_sold.gather(np.array([category]))
        agreeing = np.zeros(len(candidates), np.float64)
        for column, weight in self._columns:
            if column[item] > 0:
                agreeing += weight * (column[candidates] == column[item])
        return candidates[np.argsort(-agreeing, kind="stable")]


def build(source: BuildSource, folder: Path, settings: OutfitSettings) -> dict[str, int]:
    """Write the channel's tables into `folder`; NothingToRecall where nothing goes together."""
    from recall.outfit_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: OutfitSettings) -> Outfit:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    codes = catalogue.code_count("category") + 1
    slots = ItemLists.open(folder, "slots", codes)
    best_sold = ItemLists.open(folder, "best_sold", codes)
    found: dict[Evidence, ItemLists] = {
        "sets": ItemLists.open(folder, "of_sets", catalogue.size + 1),
        "baskets": ItemLists.open(folder, "of_baskets", catalogue.size + 1),
    }
    if len(slots.items) and slots.items.max() >= codes:
        raise SnapshotError(folder, "slots_items.npy", "names unknown categories", "build the snapshot again")
    for lists in (best_sold, *found.values()):
        if len(lists.items) and lists.items.max() > catalogue.size:
            raise SnapshotError(folder, "items.npy", "names unknown items", "build the snapshot again")
    return Outfit(slots, found, best_sold, catalogue, settings)


CHANNEL = ChannelKind(settings=OutfitSettings, build=build, open=open_channel, optional=True, waits=False)
