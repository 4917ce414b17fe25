"""Settings of the channel outfit."""

from __future__ import annotations

from pydantic import Field

from recall.basket_settings import BasketSettings
from recall.channel import ChannelSettings


class OutfitSettings(BasketSettings, ChannelSettings):
    """One item per category that goes with the trigger's."""

    slots: int = Field(default=6, ge=1, le=20, description="Categories that go with one.")
    per_slot: int = Field(
        default=5, ge=1, le=50, description="Items per category; a page shows the first that it may show."
    )
    least_together: int = Field(
        default=3,
        ge=1,
        description="Baskets with both, from which on two categories go together; of sets one is enough.",
    )
    agreeing: dict[str, float] = Field(
        default={"brand": 1.0, "price_band": 0.5},
        description="Item column of groups → weight: where neither sets nor baskets have the item, those of "
        "the other category count that agree with it in these.",
    )
    network_from: int = Field(
        default=1_000,
        ge=0,
        description="Sets with pictures of two categories from which on a network learns what goes together "
        "by looks; it is kept where it finds more of the sets held out; 0 = never.",
    )
    ruled: int = Field(
        default=500, ge=1, description="Best sold items of a category that are looked at for agreement."
    )
