"""What the offline and the online side of `fresh` share: settings and the names of its columns."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings

ITEMS, SINCE, PRIOR = "items", "since", "prior"


class FreshSettings(OptionalChannelSettings):
    """New items by Thompson sampling, within a budget of exposures."""

    window_days: float = Field(default=30.0, gt=0, description="Days for which an item is new.")
    max_items: int = Field(
        default=500, ge=1, le=20_000, description="Newest items that are tried; a request draws for all."
    )
    limit: int = Field(default=10, ge=1, le=1_000, description="Most items of an answer.")
    item_budget: int = Field(
        default=1_000,
        ge=1,
        description="Exposures that an item gets through the channel at most, over all replicas.",
    )
    daily_budget: int | None = Field(
        default=None,
        ge=1,
        description="Exposures of all items together through the channel on a day (UTC); null = no limit.",
    )
    prior_impressions: float = Field(
        default=50.0, gt=0, description="Impressions that the click rate of an item's category counts for."
    )
    base_rate: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Click rate that items of all categories together begin with where the log has no "
        "impressions.",
    )
