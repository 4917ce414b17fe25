"""Settings of ease, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings


class EaseChannelSettings(EvidenceSettings, OptionalChannelSettings):
    """Linear weights between items, in closed form."""

    max_items: int = Field(
        default=5_000,
        ge=2,
        le=50_000,
        description="Items that take part, those that most shoppers took. 5,000 need 200 MB and seconds, "
        "12,000 need 1.2 GB and minutes.",
    )
    regularisation: float = Field(default=100.0, gt=0, description="λ, added to the diagonal of the counts.")
    neighbours: int = Field(default=200, ge=1, le=10_000, description="Weights kept per item.")
    items_per_user: int = Field(
        default=300, ge=1, le=10_000, description="Latest distinct items of a shopper that are counted."
    )
