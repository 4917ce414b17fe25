"""Ranki2i: items that go with the shopper's triggers, similarity × rate (see `recall.ranki2i_build`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from recall.ranki2i_tables import COMPLETION, NEIGHBOURS, Ranki2iSettings
from snapshot.catalogue import Catalogue

NAME = "ranki2i"


class Ranki2i:
    """Sums (or maximises) the neighbours' scores over the query's triggers."""

    name = NAME

    def __init__(
        self, neighbours: ItemLists, completion: ItemLists, catalogue: Catalogue, settings: Ranki2iSettings
    ) -> None:
        """Neighbours by item (N + 1 rows) and completion lists by category code."""
        self._neighbours = neighbours
        self._completion = completion
        self._category = catalogue.category
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items that go best with the triggers; each names the trigger that contributed most.

        A trigger never recalls itself; another trigger may recall it. Empty without triggers.
        """
        settings = self._settings
        triggers, weights = query.triggers, query.trigger_weights
        items, scores, source = self._neighbours.gather(triggers)
        thin = np.flatnonzero(self._neighbours.lengths(triggers) < settings.complete_below)
        if len(thin):
            more_items, more_scores, thin_source = self._completion.gather(self._category[triggers[thin]])
            items = np.concatenate((items, more_items))
            scores = np.concatenate((scores, more_scores))
            source = np.concatenate((source, thin[thin_source]))
        cause = triggers[source]
        others = items != cause
        return merge_by_item(
            items[others], (scores * weights[source])[others], cause[others], k, settings.merge
        )


def build(source: BuildSource, folder: Path, settings: Ranki2iSettings) -> dict[str, int]:
    """Write the channel's tables into `folder`; returns how many entries each holds."""
    from recall.ranki2i_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: Ranki2iSettings
) -> Ranki2i:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    return Ranki2i(
        ItemLists.open(folder, NEIGHBOURS, catalogue.size + 1),
        ItemLists.open(folder, COMPLETION, catalogue.category_count + 1),
        catalogue,
        settings,
    )


CHANNEL = ChannelKind(settings=Ranki2iSettings, build=build, open=open_channel)
