"""Settings of shares that follow what shoppers do with the channels' items."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from state.channel_rates.moves import ShareLimits

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
MOST_CHANNELS = 16
"""Channels with a share of a scene that moves shares."""


class ShareBounds(BaseModel):
    """Bounds of what a share is multiplied by."""

    model_config = _STRICT

    least: float = Field(default=0.5, gt=0, le=1, description="A share falls to at least this part of it.")
    most: float = Field(default=2.0, ge=1, le=10, description="A share rises to at most this multiple of it.")


class ModulationSettings(ShareBounds):
    """How far the scene's shares may be moved, by what and among whom."""

    bounds: dict[str, ShareBounds] = Field(
        default={},
        description="Channel → its own bounds. {least: 1.0, most: 1.0}: its rates are measured and its share "
        "stays.",
    )
    clicks: float = Field(
        default=1.0,
        ge=0,
        le=4,
        description="Power of a channel's click rate, relative to the page's, that its share is multiplied "
        "by; 0 = clicks move nothing.",
    )
    purchases: float = Field(default=1.0, ge=0, le=4, description="Likewise of its purchases per item shown.")
    caution: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="Standard deviations of a channel's rate, over shoppers, that do not move its share.",
    )
    least_shoppers: int = Field(
        default=30,
        ge=10,
        description="Shoppers, each counted once a day and fading with the half-life, who clicked (bought) "
        "and were shown the channel's items, below which these move nothing.",
    )
    segments: Literal["none", "familiarity", "crowd"] = Field(
        default="none",
        description="Shoppers among whom rates are measured apart and drawn towards the scene's: known and "
        "new ones (fewer than 5 events), or by gender and age band.",
    )

    def limits(self) -> ShareLimits:
        """For `state.channel_rates.moves`."""
        return ShareLimits(
            self.least,
            self.most,
            {channel: (bounds.least, bounds.most) for channel, bounds in self.bounds.items()},
            {"clicks": self.clicks, "purchases": self.purchases},
            self.caution,
            self.least_shoppers,
        )
