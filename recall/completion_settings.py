"""Settings of how items with few neighbours are completed from their category."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CompletionSettings(BaseModel):
    """When and with what an item's neighbours are completed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    complete_below: int = Field(
        default=50,
        ge=0,
        description="A trigger with fewer neighbours is completed from its category; 0 = never.",
    )
    category_items: int = Field(
        default=100, ge=1, le=10_000, description="Items kept per category for completion."
    )
    category_weight: float = Field(
        default=0.1,
        gt=0,
        description="Best completed item's score against the median of the best real neighbours'.",
    )
    related_categories: int = Field(
        default=5,
        ge=0,
        description="Categories most often shared with a category that also lend items to it.",
    )
