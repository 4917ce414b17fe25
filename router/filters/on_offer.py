"""Items are shown only between their start and their end: auctions, flash sales, campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts


class OnOfferSettings(BaseModel):
    """Removes items that have not begun or have ended (`starts_at`, `expires_at`): auctions, flash sales."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    margin_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds before its end from which an item is not shown any more, so that a shopper can "
        "still reach it.",
    )

    required: bool = Field(
        default=False,
        description="Show only items that have an end, as on a page of flash sales.",
    )


@dataclass(frozen=True, slots=True)
class OnOffer:
    """Removes items that have not begun or have ended and, where it is `required`, those that never end.

    starts_at, expires_at  int64[N + 1], unix seconds, 0 = at no time
    """

    starts_at: npt.NDArray[np.int64]
    expires_at: npt.NDArray[np.int64]
    margin_s: float
    required: bool
    name: str = "on_offer"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], whether the item has begun and has not ended."""
        ends = self.expires_at[candidates.items]
        ended = (ends > 0) & (query.now >= ends - self.margin_s)
        kept = (self.starts_at[candidates.items] <= query.now) & ~ended
        return np.asarray(kept & (ends > 0) if self.required else kept)


def create(parts: Parts, settings: OnOfferSettings) -> OnOffer:
    """The filter over the catalogue's columns `starts_at` and `expires_at`."""
    return OnOffer(
        parts.catalogue.starts_at, parts.catalogue.expires_at, settings.margin_s, settings.required
    )


FILTER = FilterKind(settings=OnOfferSettings, create=create)
