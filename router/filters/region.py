"""Only items that are sold where the shopper is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.tables.component import Parts
from snapshot.item_columns import ITEM_COLUMNS


def _has_names(by: str) -> str:
    named = [name for name, column in ITEM_COLUMNS.items() if column.kind == "group"]
    if by not in named:
        raise ValueError(f"must be an item column of names: {', '.join(named)}; got {by!r}")
    return by


class RegionSettings(BaseModel):
    """Removes items that are not sold where the shopper is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: Annotated[str, AfterValidator(_has_names)] = Field(
        default="region", description="Item column of names that says where an item is sold."
    )
    field: str = Field(
        default="city",
        min_length=1,
        description="Field of the profile that says where the shopper is; a request may name the `city`.",
    )
    unknown_shopper: bool = Field(
        default=True,
        description="Whether a shopper of whom it is not known sees what is sold in some place only.",
    )


@dataclass(frozen=True, slots=True)
class Region:
    """Removes items of another place than the shopper's; an item without one is sold everywhere.

    places  int32[N + 1], 0 = everywhere
    codes   name of a place, in small letters → its code
    """

    places: npt.NDArray[np.int32]
    codes: Mapping[str, int]
    field: str
    unknown_shopper: bool
    name: str = "region"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], whether the item is sold where the shopper is."""
        places = self.places[candidates.items]
        where = query.profile.get(self.field, "").strip().casefold()
        if not where and self.unknown_shopper:
            return np.ones(len(candidates), np.bool_)
        # A place in which nothing is sold alone has the code of no item.
        return np.asarray((places == 0) | (places == self.codes.get(where, -1)))


def create(parts: Parts, settings: RegionSettings) -> Region:
    """The filter over the catalogue's column of places."""
    count = parts.catalogue.code_count(settings.by)
    names = parts.catalogue.names(settings.by, np.arange(1, count + 1))
    codes = {name.strip().casefold(): code for code, name in enumerate(names, start=1)}
    return Region(parts.catalogue.column(settings.by), codes, settings.field, settings.unknown_shopper)


FILTER = FilterKind(settings=RegionSettings, create=create)
