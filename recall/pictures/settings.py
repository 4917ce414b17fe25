"""Settings of the channel similar_look, and of the index that it searches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recall.pictures.compact import CompactSettings
from recall.vector_index import VectorIndexSettings


class SimilarLookSettings(VectorIndexSettings):
    """Items whose pictures look like those of the triggers."""

    index: Literal["auto", "flat", "hnsw", "ivf", "compact"] = Field(  # type: ignore[assignment]
        default="auto",
        description="auto: flat below `flat_below` pictures, ivf below `compact_from`, then compact.",
    )
    compact_from: int = Field(
        default=1_000_000,
        ge=0,
        description="Pictures from which on an index keeps codes of them in place of vectors.",
    )
    compact: CompactSettings = Field(default=CompactSettings(), description="Codes of a compact index.")
    exact_below: int = Field(
        default=2_000,
        ge=0,
        description="Pictures of one category, or under musts, up to which each is compared.",
    )
    delta_open: int = Field(
        default=1_024,
        ge=16,
        le=1_000_000,
        description="Newest pictures of those that arrived since the snapshot that are compared one by one; "
        "a 64th of the others where that is more.",
    )
    shards: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Parts of the index, built with the next snapshot, each searched by a process of its own "
        "that Ray starts on one of its machines; 0 = every replica searches all of it.",
    )
    shard_timeout_ms: float = Field(
        default=40.0,
        gt=0,
        description="Longest wait for a part that searches; without it the answer is degraded. Less than the "
        "channel's timeout in a scene, milliseconds.",
    )
    shard_silent_ms: float = Field(
        default=100.0,
        ge=0,
        description="Silence of a part while searches wait for it, from their first one on, after which it "
        "is left out at once, milliseconds; 0: every search waits for it.",
    )
    shard_pause_s: float = Field(
        default=1.0,
        gt=0,
        description="Seconds for which a silent part is left out; then one search at a time waits for it.",
    )
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
