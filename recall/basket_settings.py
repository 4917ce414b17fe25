"""Settings of what belongs into one basket, shared by everything that counts items bought together."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class BasketSettings(BaseModel):
    """Which events of a shopper form one basket, and how pairs of its items are counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Literal["auto", "purchases", "all"] = Field(
        default="auto",
        description="Behaviours that fill a basket: purchases, or all but impressions; auto = purchases "
        "where they are at least a tenth of the behaviours, else all.",
    )
    session_gap_minutes: float = Field(
        default=60.0,
        gt=0,
        description="Events without a session_id belong to the shopper's last basket where they follow its "
        "last event within so many minutes.",
    )
    items_per_basket: int = Field(
        default=200, ge=2, le=10_000, description="Latest distinct items of a basket that are paired."
    )
    pairs_per_block: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Pairs of basket items counted in memory at once while building (about 30 bytes each).",
    )
