"""Shortest_path: items at the end of the likeliest ways from the shopper's items. A plain reference form.

The graph of items that follow each other in sessions (`recall.item_graph`) has, from i to j, the length

    −log P(j | i) + step cost,   P(j | i) the edge's part of the weights of i's edges

so that a path's length is how unlikely it is, and longer ones cost more; d(i, j) is the shortest (Dijkstra),
and score(j) = Σ over the shopper's items i  w_i · e^(−d(i, j)), with weights of `recall.evidence`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recall.channel import (
    BuildSource,
    ChannelKind,
    NothingToRecall,
    OptionalChannelSettings,
    Recalled,
    Services,
)
from recall.evidence import EvidenceSettings, evidence_of
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from recall.visit_settings import VisitSettings
from snapshot.catalogue import Catalogue

NAME = "shortest_path"
REACHED = "reached"
_ROWS_PER_BLOCK = 256


class ShortestPathSettings(EvidenceSettings, VisitSettings, OptionalChannelSettings):
    """Items reached from the shopper's by the likeliest ways through sessions."""

    max_items: int = Field(
        default=5_000,
        ge=2,
        le=50_000,
        description="Items that take part, those of most sessions; the build's time grows with the square.",
    )
    reach: int = Field(
        default=3, ge=1, le=20, description="Places apart at which items of a session are joined."
    )
    backward_weight: float = Field(
        default=0.5, ge=0, le=1, description="Weight of an edge against the order of the session."
    )
    edges: int = Field(default=30, ge=1, le=1_000, description="Heaviest edges kept per item.")
    step_cost: float = Field(default=0.5, gt=0, le=10, description="Added to the length of each edge.")
    longest: float = Field(default=12.0, gt=0, le=50, description="Length above which no way is followed.")
    neighbours: int = Field(default=200, ge=1, le=10_000, description="Nearest items kept per item.")


class ShortestPath:
    """Sums over the shopper's latest items how near others are."""

    name = NAME

    def __init__(self, reached: ItemLists, settings: ShortestPathSettings) -> None:
        """What is reached from each item, N + 1 rows, scored e^(−d)."""
        self._reached = reached
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k nearest items; each names what contributed most. Empty without a history."""
        causes, weights = evidence_of(query, self._settings)
        items, nearness, source = self._reached.gather(causes)
        scores = (nearness * weights[source]).astype(np.float32)
        return merge_by_item(items, scores, causes[source], k, "sum")


def build(source: BuildSource, folder: Path, settings: ShortestPathSettings) -> dict[str, int]:
    """Write what is reached from each item; returns how many entries.

    Raises NothingToRecall where no session has two items.
    """
    import scipy.sparse as sp
    from scipy.sparse.csgraph import dijkstra

    from recall.baskets import baskets_of
    from recall.item_graph import ItemGraph
    from recall.lists import best_of_each_row, ranked_lists

    size = source.catalogue.size
    sessions = baskets_of(source, settings)
    graph = ItemGraph.of(sessions, size, settings.reach, settings.backward_weight)
    if not graph.target.size:
        raise NothingToRecall("no session of the log has two items")
    often = np.bincount(sessions.item, minlength=size + 1)
    items = np.sort(np.argsort(-often, kind="stable")[: settings.max_items])
    items = items[often[items] > 0]
    weights = sp.csr_matrix((np.diff(graph.ends, prepend=0.0), graph.target, graph.starts))
    weights.resize((size + 1, size + 1))
    weights = weights[items][:, items].tocsr()
    heaviest = best_of_each_row(weights.indptr, weights.data, settings.edges)
    row = np.repeat(np.arange(len(items)), np.diff(weights.indptr))
    total = np.bincount(row, weights.data, len(items))
    length = -np.log(weights.data[heaviest] / total[row[heaviest]]) + settings.step_cost
    ways = sp.csr_matrix((length, (row[heaviest], weights.indices[heaviest])), shape=(len(items),) * 2)
    wanted = source.catalogue.in_stock[items]
    rows: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    reached: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    scores: list[NDArray[np.floating]] = [np.empty(0, np.float64)]
    for start in range(0, len(items), _ROWS_PER_BLOCK):
        block = np.arange(start, min(start + _ROWS_PER_BLOCK, len(items)))
        nearness = np.exp(-dijkstra(ways, indices=block, limit=settings.longest))
        nearness[:, ~wanted] = 0
        nearness[np.arange(len(block)), block] = 0
        best = best_of_each_row(np.arange(len(block) + 1) * len(items), nearness.ravel(), settings.neighbours)
        rows.append(items[block[best // len(items)]])
        reached.append(items[best % len(items)])
        scores.append(nearness.ravel()[best])
    lists = ranked_lists(
        np.concatenate(rows), np.concatenate(reached), np.concatenate(scores), size + 1, settings.neighbours
    )
    return {REACHED: lists.write(folder, REACHED)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: ShortestPathSettings
) -> ShortestPath:
    """Memory-map the table of `build`. Raises SnapshotError where it is torn or does not fit."""
    return ShortestPath(ItemLists.open(folder, REACHED, catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=ShortestPathSettings, build=build, open=open_channel, waits=False)
