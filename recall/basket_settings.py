"""Settings of how pairs of items in one basket are counted."""

from __future__ import annotations

from pydantic import Field

from recall.visit_settings import VisitSettings


class BasketSettings(VisitSettings):
    """Which events of a shopper form one basket, and how pairs of its items are counted."""

    pairs_per_block: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Pairs of basket items counted in memory at once while building (about 30 bytes each).",
    )
