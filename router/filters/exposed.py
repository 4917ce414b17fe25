"""Strict exposure: what the shopper was shown, or saw, so often lately is not shown at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.query_features.impressions import Impressions
from router.query_features.seen import Seen
from router.tables.component import Parts

_HOUR_S = 3_600


class ExposedSettings(BaseModel):
    """Removes items that the shopper was shown, or saw, so often lately (strict exposure)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    counts: Literal["seen", "served"] = Field(
        default="seen",
        description="seen: items that the client reported as seen, with the answer's attribution token; "
        "served: items of every answer to the shopper, looked at or not. In any scene.",
    )
    times: int = Field(default=1, ge=1, le=1_000, description="Times after which an item is hidden.")
    hours: float = Field(default=24.0, gt=0, le=87_600, description="Hours before the request that count.")


@dataclass(frozen=True, slots=True)
class Exposed:
    """Removes items by how often they were shown."""

    settings: ExposedSettings
    name: str = "exposed"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the item was shown too often."""
        name = "seen" if self.settings.counts == "seen" else "impressions"
        shown: Seen | Impressions = query.features[name]
        lately = shown.items[shown.ts > query.now - self.settings.hours * _HOUR_S]
        items, times = np.unique(lately, return_counts=True)
        return np.isin(candidates.items, items[times >= self.settings.times], invert=True)


def create(parts: Parts, settings: ExposedSettings) -> Exposed:
    """The filter; needs nothing of the catalogue."""
    return Exposed(settings)


FILTER = FilterKind(settings=ExposedSettings, create=create, features=("seen", "impressions"))
