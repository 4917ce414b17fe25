"""Settings of query_intent, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.graph_embedding_settings import GraphEmbeddingSettings


class QueryIntentSettings(GraphEmbeddingSettings):
    """What a search means by what is taken because of it: words with vectors in the space of the items."""

    fewest: int = Field(default=3, ge=1, description="Searches or titles that have a word, for it to count.")
    strength: float = Field(
        default=1.0,
        gt=0,
        description="Ridge regression of words on items: the larger, the shorter the vectors of rare words.",
    )
    title_weight: float = Field(
        default=0.3,
        gt=0,
        description="What the title of an item counts beside a search that led to it, which counts 1. In a "
        "shop without searches titles stand in for them.",
    )
    most_searches: int = Field(
        default=2_000_000, ge=1, description="Latest searches that led to an item, which are learned from."
    )
    minimum_likeness: float = Field(
        default=0.2, ge=-1, le=1, description="Cosine to the search below which an item is not recalled."
    )
