"""A recall channel with an index of its own over the vectors of the shop's own model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.query import Query
from recall.vector_index import VectorIndexSettings, open_index, write_index
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

NAME, MODEL = "moods", "toy"


class Moods:
    """The items nearest to the vector that the model makes of the shopper's numbers and mood."""

    name = NAME

    def __init__(self, index: Any, items: NDArray[np.int32], services: Services) -> None:
        self._index = index
        self._items = items
        self._model = services.model(MODEL)

    async def recall(self, query: Query, k: int) -> Recalled:
        numbers = np.array([[len(query.history_items), query.now % 24, 1, 2]], np.float32) / 10
        answer = await self._model(query, {"numbers": numbers, "mood": np.array([b"curious"], object)})
        # The second output is the position of the largest number, and 100 times the code of the word.
        if answer["code"][0] // 100 != 3:
            return EMPTY_RECALL
        scores, rows = self._index.search(answer["vector"], min(k, len(self._items)))
        found = rows[0] >= 0
        items = self._items[rows[0][found]]
        return Recalled(items, scores[0][found].astype(np.float32), np.zeros(len(items), np.int32))


def build(source: BuildSource, folder: Path, settings: VectorIndexSettings) -> dict[str, int]:
    vectors = source.item_vectors(MODEL, f"the channel {NAME}")
    items = np.flatnonzero(source.catalogue.in_stock)[1:].astype(np.int32)
    save_column(folder, "items", items)
    write_index(folder / "items.faiss", vectors[items], settings, source.seed)
    return {"indexed": len(items)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: VectorIndexSettings
) -> Moods:
    items = load_column(folder, "items", np.dtype(np.int32))
    if items.size and items.max() > catalogue.size:
        raise SnapshotError(folder, "items", "has items that the catalogue lacks", "build the snapshot again")
    return Moods(open_index(folder / "items.faiss"), items, services)


class MoodsSettings(VectorIndexSettings):
    """Items near the shopper's mood."""


CHANNEL = ChannelKind(settings=MoodsSettings, build=build, open=open_channel, models=(MODEL,))
