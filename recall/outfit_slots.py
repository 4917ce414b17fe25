"""What goes with an item: the best of every category that goes with its own, by the tables of a build.

An item is taken from sets that the shop brings, else from baskets, else by its looks, where sets taught a
network enough (`recall.outfit_network`), else by rule: it agrees with the trigger in columns of the catalogue
(`recall.outfit_build`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import Recalled
from recall.lists import ItemLists
from recall.outfit_settings import OutfitSettings
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "outfit"

NETWORK = "matches"
"""The table of what the network makes of items."""

Evidence = Literal["sets", "baskets", "network", "rules"]
"""Why an item is in an outfit."""
_SUREST: tuple[Evidence, ...] = ("sets", "baskets", "network", "rules")


@dataclass(frozen=True, slots=True)
class Slot:
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
        network: NDArray[np.float32] | None = None,
    ) -> None:
        """The tables of `build`.

        Args:
            slots: categories that go with each.
            found: partners of items, by sets and by baskets.
            best_sold: items of each category.
            catalogue: of these items.
            settings: of the channel.
            network: float32[N + 1, E], whose products say what goes together; 0 of items that it does not
                know. None = there is none.
        """
        self._network = network
        self._slots, self._found, self._best_sold = slots, found, best_sold
        self._settings = settings
        self._category = catalogue.category
        self._columns = [
            (np.asarray(catalogue.column(name)), weight) for name, weight in settings.agreeing.items()
        ]

    def slots_of(self, item: int) -> list[tuple[int, Slot]]:
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
        made = [(category, self.slot(item, category)) for category in categories]
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
        by_looks = self._judged(trigger, items)
        known: dict[int, Evidence] = {}
        for kind in ("baskets", "sets"):
            for item in self._partners(kind, trigger).tolist():
                known[item] = kind
        judged = zip(items.tolist(), by_looks.tolist(), strict=True)
        return [known.get(item, "network" if looks else "rules") for item, looks in judged]

    def _partners(self, kind: Evidence, item: int) -> NDArray[np.int32]:
        return self._found[kind].gather(np.array([item]))[0]

    def slot(self, item: int, category: int) -> Slot:
        """The items of a category that go with an item, best first."""
        chosen: list[int] = []
        evidence: list[Evidence] = []
        for kind in ("sets", "baskets"):
            partners = self._partners(kind, item)
            for partner in partners[self._category[partners] == category].tolist():
                if partner not in chosen:
                    chosen.append(partner)
                    evidence.append(kind)
        most = self._settings.per_slot
        ruled = self._ruled(item, category)[: most + len(chosen)]
        for partner, looks in zip(ruled.tolist(), self._judged(item, ruled).tolist(), strict=True):
            if partner not in chosen:
                chosen.append(partner)
                evidence.append("network" if looks else "rules")
        return Slot(np.array(chosen[:most], np.int32), evidence[:most])

    def _judged(self, item: int, others: NDArray[np.int32]) -> NDArray[np.bool_]:
        """bool[m]: whether the network knows an item and the other, int32[m]."""
        if self._network is None or not self._network[item].any():
            return np.zeros(len(others), np.bool_)
        return np.asarray(self._network[others].any(axis=1))

    def _ruled(self, item: int, category: int) -> NDArray[np.int32]:
        """Items of a category, by the network where it knows them, else those that agree most with an item.

        Of those that agree alike, the best sold come first.
        """
        candidates, _, _ = self._best_sold.gather(np.array([category]))
        agreeing = np.zeros(len(candidates), np.float64)
        for column, weight in self._columns:
            if column[item] > 0:
                agreeing += weight * (column[candidates] == column[item])
        if self._network is None:
            return candidates[np.argsort(-agreeing, kind="stable")]
        judged = self._judged(item, candidates)
        match = np.where(judged, self._network[candidates] @ self._network[item], 0)
        return candidates[np.lexsort((-agreeing, -match, ~judged))]
