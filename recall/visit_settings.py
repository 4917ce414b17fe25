"""Settings of what belongs into one visit, shared by everything that reads a log as visits."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class VisitSettings(BaseModel):
    """Which events of a shopper form one visit."""

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
