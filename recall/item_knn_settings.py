"""Settings of item_knn, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings


class ItemKnnSettings(EvidenceSettings, OptionalChannelSettings):
    """Items near each other in shoppers' sequences, from the shopper's latest ones."""

    neighbours: int = Field(default=200, ge=1, le=10_000, description="Items kept per item.")
    events_per_user: int = Field(
        default=1_000, ge=2, le=100_000, description="Latest behaviours of a shopper that are paired."
    )
    reach: int = Field(
        default=20,
        ge=1,
        le=200,
        description="Behaviours between two items, within a shopper's sequence, up to which they are a pair.",
    )
    distance_scale: float = Field(
        default=2.0,
        gt=0,
        description="γ in a pair's value 1 / (1 + (distance − 1) / γ): further places at which it halves.",
    )
    backward_weight: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Weight of a pair whose target came before its trigger, against after.",
    )
    trigger_exponent: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Power of the trigger's behaviours by which its pairs are divided; the larger, the less "
        "popular items of the history say.",
    )
    popularity_exponent: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Power of the target's behaviours by which its pairs are divided; 0 lets bestsellers "
        "lead every list.",
    )
    pairs_per_block: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Pairs of behaviours held in memory at once while building (about 60 bytes each).",
    )
