"""Settings of graph_embedding, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.item_vector_settings import ItemVectorSettings


class GraphEmbeddingSettings(ItemVectorSettings):
    """Neighbours by vectors learned from walks over the graph of sessions, and from what items are."""

    reach: int = Field(
        default=10,
        ge=1,
        le=50,
        description="Places between two items of a session up to which an edge joins them; its weight is "
        "1 / distance.",
    )
    backward_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Weight of an edge against the order of a session, to one along it.",
    )
    walks_per_item: int = Field(default=20, ge=1, le=1_000, description="Walks that begin at an item.")
    walk_length: int = Field(default=8, ge=2, le=200, description="Items of a walk.")
    window: int = Field(
        default=3, ge=1, le=50, description="Places between two items of a walk up to which they are a pair."
    )
    without_item: float = Field(
        default=0.3,
        ge=0,
        lt=1,
        description="Part of the pairs that are trained with what the item is alone, as it will be of items "
        "that no session has.",
    )
