"""Graph_embedding: items near the latest ones, by vectors of walks over sessions and of what items are.

    score(j) = Σ over the shopper's latest items i  w_i · cos(H_i, H_j) · (1 + sessions_j)^β

with vectors of `recall.graph_embedding_build`, which an item has before any session has it, and weights that
fall with every further step into the past (`recall.evidence`). The neighbours are a table; no vector is
compared while a request waits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.evidence import EvidenceSettings, evidence_of
from recall.graph_embedding_settings import GraphEmbeddingSettings
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "graph_embedding"
NEIGHBOURS = "neighbours"


class GraphEmbedding:
    """Sums the neighbours' likeness over the shopper's latest items."""

    name = NAME

    def __init__(self, neighbours: ItemLists, settings: EvidenceSettings) -> None:
        """The neighbours of each item, N + 1 rows."""
        self._neighbours = neighbours
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items nearest to the latest ones; each names the one that contributed most.

        An item never recalls itself; another one may recall it. Empty without a history.
        """
        causes, weights = evidence_of(query, self._settings)
        items, likeness, source = self._neighbours.gather(causes)
        scores = (likeness * weights[source]).astype(np.float32)
        return merge_by_item(items, scores, causes[source], k, "sum")


def build(source: BuildSource, folder: Path, settings: GraphEmbeddingSettings) -> dict[str, int]:
    """Write the neighbours of every item into `folder`; returns their entries, and items without a session.

    Raises NothingToRecall where no session has two items.
    """
    from recall.graph_embedding_build import item_vectors
    from recall.skip_gram import nearest_items

    vectors, sessions = item_vectors(source, settings)
    neighbours = nearest_items(vectors, sessions, source.catalogue.in_stock, settings, source.seed)
    with_vector = np.any(vectors != 0, axis=1)
    rows = {NEIGHBOURS: neighbours.write(folder, NEIGHBOURS), "vectors": int(with_vector.sum())}
    alone = int((with_vector & (sessions == 0)).sum())
    return rows | ({"without_session": alone} if alone else {})


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: GraphEmbeddingSettings
) -> GraphEmbedding:
    """Memory-map the neighbours of `build`. Raises SnapshotError where they are torn or do not fit."""
    return GraphEmbedding(ItemLists.open(folder, NEIGHBOURS, catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=GraphEmbeddingSettings, build=build, open=open_channel, waits=False)
