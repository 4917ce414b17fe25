"""Query_intent's offline side: the space of the items, and the searches that led into it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.graph_embedding_build import item_vectors
from recall.query_intent_settings import QueryIntentSettings
from recall.search.word_vectors import WordVectors
from recall.search.word_vectors_build import transferred
from snapshot.event_codes import IMPRESSION


def learned(
    source: BuildSource, settings: QueryIntentSettings
) -> tuple[NDArray[np.float32], WordVectors, int]:
    """Item vectors float32[N + 1, D], word vectors, and how many searches they were learned from.

    Learned from every event of a shopper that carries the search that led to it, and from the titles of
    items, which alone stand in where the log has no searches. Raises NothingToRecall where no session has two
    items.
    """
    vectors, _ = item_vectors(source, settings)
    known = np.flatnonzero(np.any(vectors != 0, axis=1))
    titles = source.catalogue.texts("title", known)
    queries, led_to = _searches(source, settings.most_searches)
    led_to_known = np.any(vectors[led_to] != 0, axis=1)
    queries = [query for query, kept in zip(queries, led_to_known, strict=True) if kept]
    led_to = led_to[led_to_known]
    words = transferred(
        [*queries, *titles],
        vectors[np.concatenate((led_to, known))],
        np.concatenate((np.ones(len(queries)), np.full(len(titles), settings.title_weight))),
        fewest=settings.fewest,
        strength=settings.strength,
    )
    return vectors, words, len(queries)


def _searches(source: BuildSource, most: int) -> tuple[list[str], NDArray[np.int32]]:
    """The latest searches and the items int32[n] that they led to, oldest first."""
    if "query" not in source.events.columns:
        return [], np.empty(0, np.int32)
    found = (
        source.events.filter(
            (pl.col("event") != IMPRESSION)
            & (pl.col("ts") <= source.now)
            & (pl.col("query").str.strip_chars() != "")
        )
        .sort("ts", maintain_order=True)
        .tail(most)
    )
    return found["query"].to_list(), found["item"].to_numpy().astype(np.int32)
