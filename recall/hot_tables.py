"""What the offline and the online side of the hot lists share: settings, file names and crowds."""

from __future__ import annotations

from pydantic import Field

from recall.channel import ChannelSettings

LISTS = "crowds"
CROWDS_FILE = "crowds.json"

FALLBACK: tuple[tuple[str, ...], ...] = (
    ("gender", "age_band", "city"),
    ("gender", "age_band"),
    ("age_band", "city"),
    ("gender", "city"),
    ("age_band",),
    ("gender",),
    ("city",),
    (),
)
"""The fields that name a crowd, finest first; the empty one is everybody."""

Crowd = tuple[tuple[str, str], ...]
"""(field, value) pairs in the order of `FALLBACK`; () is everybody."""


class HotSettings(ChannelSettings):
    """Hottest items of the shopper's crowd, then of coarser crowds, then of all."""

    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_crowd: int = Field(
        default=500, ge=1, description="Items kept per crowd; the list of all is complete."
    )
    minimum_users: int = Field(
        default=50, ge=1, description="Shoppers a crowd needs to have a list of its own."
    )
    minimum_item_users: int = Field(
        default=3,
        ge=1,
        description="Distinct shoppers of the crowd an item needs to be in the crowd's list.",
    )
    shrinkage: float = Field(
        default=50.0, ge=0, description="Shoppers' worth of everybody's taste mixed into a crowd's own."
    )
