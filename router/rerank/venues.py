"""Venues: the page shows groups of items (halls, shops, live rooms) one after another, likeliest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.venue_order import expected_by_group, take_turns, venue_order, worth
from recall.query import Query
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from snapshot.item_columns import ITEM_COLUMNS


def _has_names(by: str) -> str:
    named = [name for name, column in ITEM_COLUMNS.items() if column.kind == "group"]
    if by not in named:
        raise ValueError(f"must be an item column of names: {', '.join(named)}; got {by!r}")
    return by


class VenuesSettings(BaseModel):
    """Shows groups of items (halls, shops, live rooms) one after another, likeliest first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    by: Annotated[str, AfterValidator(_has_names)] = Field(
        default="venue", description="Item column of names that form the venues."
    )
    items: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Items of one venue; a page of 12 shows 4 venues of 3.",
    )
    apart: Annotated[str, AfterValidator(_has_names)] | None = Field(
        default="category",
        description="Item column of names that take turns within a venue, so that it does not show the same "
        "kind of thing three times; null = the best items, whatever they are.",
    )
    counted: int | None = Field(
        default=None,
        ge=1,
        description="Best candidates of a venue whose scores add up to what is expected to be taken of it, "
        "by which venues are ordered; null = all.",
    )
    habit: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Weight, beside that, of the part of the shopper's history that is of it; 0 = none.",
    )


@dataclass(frozen=True, slots=True)
class Venues:
    """Groups a scene's page by venue.

    column  int32[N + 1], venue of each item, 0 = none
    apart   int32[N + 1], what takes turns within a venue; None = nothing does
    """

    column: npt.NDArray[np.int32]
    apart: npt.NDArray[np.int32] | None
    settings: VenuesSettings
    name: str = "venues"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the page, venue by venue, then the candidates left over in their order."""
        groups = self.column[candidates.items]
        settings = self.settings
        found, expected = expected_by_group(worth(candidates.score), groups, settings.counted)
        if settings.habit and expected.size:
            own = self.column[query.history_items]
            taken = np.bincount(own[own > 0], minlength=int(found[-1]) + 1)
            expected = expected + settings.habit * expected.sum() * taken[found] / max(taken.sum(), 1)
        turns = np.arange(len(candidates))
        if self.apart is not None:
            turns = take_turns(self.apart[candidates.items], groups)
        return turns[venue_order(groups[turns], found, expected, page_size, settings.items)]


def create(parts: Parts, settings: VenuesSettings) -> Venues:
    """The reranker over the settings' column."""
    column = parts.catalogue.column
    return Venues(column(settings.by), None if settings.apart is None else column(settings.apart), settings)


RERANKER = RerankerKind(settings=VenuesSettings, create=create)
