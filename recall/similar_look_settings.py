"""Settings of the channel similar_look."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recall.vector_index import VectorIndexSettings


class SimilarLookSettings(VectorIndexSettings):
    """Items whose pictures look like those of the triggers."""

    within: Literal["category", "anything"] = Field(
        default="category",
        description="category: only items of the trigger's category, where it has one; anything: all items.",
    )
    triggers: int = Field(
        default=8, ge=1, le=50, description="Heaviest triggers whose pictures are searched for, items."
    )
    minimum_likeness: float = Field(
        default=0.3,
        ge=-1,
        le=1,
        description="Cosine of two items' pictures below which they do not look alike; photos have none.",
    )
