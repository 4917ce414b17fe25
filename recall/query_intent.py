"""Query_intent: items near to what a search means, also those that have none of its words.

A search is the sum of its words' vectors, each of which lies in the space of the items where what is taken
because of the word lies (`recall.search.word_vectors`). The items' vectors are those of graph_embedding.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.merge import top_positions
from recall.query import Query
from recall.query_intent_settings import QueryIntentSettings
from recall.search.word_vectors import WordVectors
from recall.vector_index import (
    open_searched,
    open_vectors,
    search_parameters,
    write_index,
    write_vectors,
)
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

log = logging.getLogger(__name__)

NAME = "query_intent"
VECTORS, INDEXED = "item_vectors", "indexed_items"
INDEX = "items.faiss"


class QueryIntent:
    """Searches the items for the vector of what is looked for."""

    name = NAME

    def __init__(
        self,
        words: WordVectors,
        vectors: NDArray[np.float32],
        indexed: NDArray[np.int32],
        index: Any,
        settings: QueryIntentSettings,
    ) -> None:
        """`vectors`: float32[N + 1, D]; `indexed[r]` is the item of the index's row r."""
        self.words = words
        self._vectors, self._indexed, self._index = vectors, indexed, index
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items nearest to the search, by cosine. No triggers; empty without a search it has words of.

        With a must, only of the items that satisfy it, each of which is compared.
        """
        if not query.wish.search_query or k <= 0:
            return EMPTY_RECALL
        (vector,) = self.words.of_texts([query.wish.search_query])
        if not vector.any():
            return EMPTY_RECALL
        if query.wish.eligible is not None:
            items = self._indexed[query.wish.eligible[self._indexed]]
            likeness = self._vectors[items] @ vector
        else:
            near = min(k, len(self._indexed))
            faiss.omp_set_num_threads(self._settings.threads)
            found, rows = self._index.search(
                vector[None], near, params=search_parameters(self._index, near, self._settings)
            )
            # faiss fills up with −1 where it found fewer.
            items, likeness = self._indexed[rows[0][rows[0] >= 0]], found[0][rows[0] >= 0]
        kept = likeness >= self._settings.minimum_likeness
        items, likeness = items[kept], likeness[kept]
        best = top_positions(likeness, items, k)
        return Recalled(items[best], likeness[best].astype(np.float32), np.zeros(best.size, np.int32))

    def related_words(self, text: str, k: int) -> list[tuple[str, float]]:
        """The k words nearest to a search by cosine, its own left out."""
        return self.words.related(text, k)

    def words_of_items(
        self, items: NDArray[np.int32], weights: NDArray[np.float32], k: int
    ) -> list[tuple[str, float]]:
        """The k words nearest by cosine to a shopper: the weighted sum of the vectors of `items` int32[n]."""
        return self.words.nearest(weights @ self._vectors[items], k)


def build(source: BuildSource, folder: Path, settings: QueryIntentSettings) -> dict[str, int]:
    """Write the vectors of items and words; returns their numbers, and of the searches learned from.

    Without searches in the log they are simulated from titles, which the log of the build says. Raises
    NothingToRecall where no session has two items, or no word is in enough texts.
    """
    from recall.query_intent_build import learned

    vectors, words, searches = learned(source, settings)
    if not len(words.words):
        raise NothingToRecall("no word is in enough searches or titles")
    indexed = np.flatnonzero(np.any(vectors != 0, axis=1) & source.catalogue.in_stock).astype(np.int32)
    write_vectors(folder, VECTORS, vectors)
    save_column(folder, INDEXED, indexed)
    words.write(folder)
    write_index(folder / INDEX, vectors[indexed], settings, source.seed)
    if not searches:
        log.warning("%s: the log has no searches; they are simulated from the titles of items", NAME)
    rows = {"words": len(words.words), "indexed": len(indexed)}
    return rows | ({"searches": searches} if searches else {})


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: QueryIntentSettings
) -> QueryIntent:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    vectors = open_vectors(folder, VECTORS, catalogue.size + 1)
    indexed = load_column(folder, INDEXED, np.dtype(np.int32))
    words = WordVectors.open(folder)
    index = open_searched(folder / INDEX, settings)
    dimensions = vectors.shape[1]
    if (index.ntotal, index.d) != (len(indexed), dimensions) or words.vectors.shape[1] != dimensions:
        raise SnapshotError(
            folder,
            INDEX,
            f"holds {index.ntotal} × {index.d}, the other files {len(indexed)} × {dimensions}",
            "build the snapshot again",
        )
    return QueryIntent(words, vectors, indexed, index, settings)


CHANNEL = ChannelKind(
    settings=QueryIntentSettings, build=build, open=open_channel, optional=True, waits=False
)
