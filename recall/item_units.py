"""Item_units: items like the latest ones by vectors of what items are, for goods that sell once or for hours.

Asked as `graph_embedding` is: the score is the sum over the shopper's latest items of their likeness. Vectors
come from `recall.item_units_build`; none belongs to an item, so none has to wait for shoppers to take it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recall.channel import BuildSource, ChannelKind, Services
from recall.graph_embedding import NEIGHBOURS, GraphEmbedding
from recall.item_units_settings import ItemUnitsSettings
from recall.lists import ItemLists
from snapshot.catalogue import Catalogue

NAME = "item_units"


class ItemUnits(GraphEmbedding):
    """Sums the neighbours' likeness over the shopper's latest items."""

    name = NAME


def build(source: BuildSource, folder: Path, settings: ItemUnitsSettings) -> dict[str, int]:
    """Write the neighbours of every item into `folder`; returns their entries, and items in no session.

    Raises NothingToRecall where nothing is known of items, or sessions are too short.
    """
    from recall.item_units_build import item_vectors
    from recall.skip_gram import nearest_items

    vectors, occurrences = item_vectors(source, settings)
    neighbours = nearest_items(vectors, occurrences, source.catalogue.in_stock, settings, source.seed)
    with_vector = np.any(vectors != 0, axis=1)
    rows = {NEIGHBOURS: neighbours.write(folder, NEIGHBOURS), "vectors": int(with_vector.sum())}
    alone = int((with_vector & (occurrences == 0)).sum())
    return rows | ({"without_session": alone} if alone else {})


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: ItemUnitsSettings
) -> ItemUnits:
    """Memory-map the neighbours of `build`. Raises SnapshotError where they are torn or do not fit."""
    return ItemUnits(ItemLists.open(folder, NEIGHBOURS, catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=ItemUnitsSettings, build=build, open=open_channel, waits=False)
