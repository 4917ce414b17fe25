"""Settings of the recall channels' rates."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ChannelSettings(BaseModel):
    """How long rates remember, and how much one shopper counts."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    half_life_hours: float = Field(
        default=24.0, gt=0, le=8_760, description="Hours after which what was counted counts half."
    )
    publish_s: float = Field(
        default=5.0, gt=0, le=3_600, description="Seconds between two versions that replicas take up."
    )
    shopper_items: int = Field(
        default=200,
        ge=1,
        le=2_000,
        description="Items shown to one shopper in one scene within a day that count, with what was done "
        "with them.",
    )
    shopper_events: int = Field(
        default=50,
        ge=1,
        le=2_000,
        description="Clicks and purchases of one shopper in one scene within a day that count although they "
        "come after label_wait_s.",
    )
    most_shoppers: int = Field(
        default=100_000,
        ge=100,
        description="Shoppers and scenes of a day that are kept, about 400 to 800 bytes each; further ones "
        "are counted as channel_shoppers_full.",
    )
    most_groups: int = Field(
        default=300,
        ge=1,
        le=10_000,
        description="Scenes and segments that are kept; of further segments only the whole scene counts.",
    )
