"""Item_knn: what other shoppers took shortly after, or before, what the shopper took last.

    score(j) = Σ over the shopper's latest items i  w_i · sim(i, j)

with weights w that fall with every further step into the past (`recall.evidence`), and similarities of
`recall.item_knn_build` that fall with the distance of two items in other shoppers' sequences. Plain item-KNN
looks at neither order; on logs where the next item follows from the last one, it is the order that matters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.evidence import evidence_of
from recall.item_knn_settings import ItemKnnSettings
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "item_knn"
NEIGHBOURS = "neighbours"


class ItemKnn:
    """Sums the neighbours' similarities over the shopper's latest items."""

    name = NAME

    def __init__(self, neighbours: ItemLists, settings: ItemKnnSettings) -> None:
        """The neighbours of each item, N + 1 rows."""
        self._neighbours = neighbours
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items nearest to the latest ones; each names the one that contributed most.

        An item never recalls itself; another one may recall it. Empty without a history.
        """
        causes, weights = evidence_of(query, self._settings)
        items, similarity, source = self._neighbours.gather(causes)
        scores = (similarity * weights[source]).astype(np.float32)
        counting = np.flatnonzero(scores > 0)
        return merge_by_item(items[counting], scores[counting], causes[source[counting]], k, "sum")


def build(source: BuildSource, folder: Path, settings: ItemKnnSettings) -> dict[str, int]:
    """Write the neighbours of every item into `folder`; returns their entries.

    Raises NothingToRecall where no shopper did anything with two items.
    """
    from recall.item_knn_build import sequence_neighbours

    neighbours = sequence_neighbours(source, settings)
    if not len(neighbours.items):
        raise NothingToRecall("no shopper of the log did anything with two items")
    return {NEIGHBOURS: neighbours.write(folder, NEIGHBOURS)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: ItemKnnSettings
) -> ItemKnn:
    """Memory-map the neighbours of `build`. Raises SnapshotError where they are torn or do not fit."""
    return ItemKnn(ItemLists.open(folder, NEIGHBOURS, catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=ItemKnnSettings, build=build, open=open_channel, waits=False)
