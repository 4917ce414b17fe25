"""Neighbours of items in two tables, own and by category, summed over a query's triggers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recall.channel import Recalled
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue

NEIGHBOURS, COMPLETION = "neighbours", "completion"


@dataclass(frozen=True, slots=True)
class CompletedNeighbours:
    """Neighbours by item (N + 1 rows), completion lists by category code, and the category of each item.

    A trigger with fewer than `complete_below` neighbours, or that is `seldom` taken (bool[N + 1]), gets those
    of its category beside them.
    """

    neighbours: ItemLists
    completion: ItemLists
    category: NDArray[np.integer]
    complete_below: int
    seldom: NDArray[np.bool_]

    @classmethod
    def open(
        cls, folder: Path, catalogue: Catalogue, complete_below: int, seldom_below: int = 0
    ) -> CompletedNeighbours:
        """Memory-map the two tables. Raises SnapshotError where they are torn or do not fit.

        seldom_below: shoppers who took an item, in the catalogue, below which it is seldom taken.
        """
        shoppers = np.expm1(catalogue.popularity)
        return cls(
            ItemLists.open(folder, NEIGHBOURS, catalogue.size + 1),
            ItemLists.open(folder, COMPLETION, catalogue.category_count + 1),
            catalogue.category,
            complete_below,
            (np.round(shoppers) < seldom_below) & (complete_below > 0),
        )

    def recall(self, query: Query, k: int, how: Literal["sum", "max"]) -> Recalled:
        """The k items that go best with the triggers; each names the trigger that contributed most.

        A trigger never recalls itself; another trigger may recall it. Empty without triggers.
        """
        triggers, weights = query.triggers, query.trigger_weights
        items, scores, source = self.neighbours.gather(triggers)
        few = self.neighbours.lengths(triggers) < self.complete_below
        thin = np.flatnonzero(few | self.seldom[triggers])
        if len(thin):
            more_items, more_scores, thin_source = self.completion.gather(self.category[triggers[thin]])
            items = np.concatenate((items, more_items))
            scores = np.concatenate((scores, more_scores))
            source = np.concatenate((source, thin[thin_source]))
        cause = triggers.take(source)
        scores = scores * weights.take(source)
        own = items == cause
        if own.any():
            (others,) = np.nonzero(~own)
            items, scores, cause = items.take(others), scores.take(others), cause.take(others)
        return merge_by_item(items, scores, cause, k, how)
