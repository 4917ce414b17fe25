"""Only items within bounds of price, or within bands of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts
from snapshot.catalogue import BANDS


class PriceRangeSettings(BaseModel):
    """Removes items outside bounds of the price, of its tenth of the catalogue, or of both."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    minimum: float = Field(default=0.0, ge=0, description="Lowest price, in the shop's currency.")
    maximum: float | None = Field(
        default=None, ge=0, description="Highest price, in the shop's currency; null = none."
    )
    lowest_band: int = Field(
        default=1, ge=1, le=BANDS, description="Lowest tenth of the catalogue by price, 1 to 10."
    )
    highest_band: int = Field(default=BANDS, ge=1, le=BANDS, description="Highest tenth, 1 to 10.")
    unknown: bool = Field(default=True, description="Whether items without a known price are shown.")

    @model_validator(mode="after")
    def _something_fits(self) -> PriceRangeSettings:
        if self.maximum is not None and self.maximum < self.minimum:
            raise ValueError(f"maximum ({self.maximum:g}) must not be below minimum ({self.minimum:g})")
        if self.highest_band < self.lowest_band:
            raise ValueError(
                f"highest_band ({self.highest_band}) must not be below lowest_band ({self.lowest_band})"
            )
        return self


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Removes what is not among `fits`, bool[N + 1]."""

    fits: npt.NDArray[np.bool_]
    name: str = "price_range"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], whether the item's price is within the bounds."""
        return np.asarray(self.fits[candidates.items])


def create(parts: Parts, settings: PriceRangeSettings) -> PriceRange:
    """The filter over the catalogue's columns `price` and `price_band`."""
    price, band = parts.catalogue.price, parts.catalogue.price_band
    highest = np.inf if settings.maximum is None else settings.maximum
    fits = (price >= settings.minimum) & (price <= highest)
    fits &= (band >= settings.lowest_band) & (band <= settings.highest_band)
    return PriceRange(np.where(np.isnan(price), settings.unknown, fits))


FILTER = FilterKind(settings=PriceRangeSettings, create=create)
