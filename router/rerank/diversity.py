"""Diversity by maximal marginal relevance or a determinantal point process, in place of `scatter`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.candidates import Candidates
from pipeline.diverse_order import dpp, mmr, relevance, tells_apart
from router.rerank.dimensions import Dimension, GroupsOf, tables_for
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES


class DiversitySettings(BaseModel):
    """What makes two items alike."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    alike: dict[Dimension, float] = Field(
        default={"category": 0.5, "brand": 0.5},
        min_length=1,
        max_length=8,
        description="Dimension, as of scatter, and how alike items of one group are, above 0; in all at most "
        "1, the likeness of an item to itself.",
    )

    @field_validator("alike")
    @classmethod
    def _a_part_of_one(cls, alike: dict[str, float]) -> dict[str, float]:
        if min(alike.values()) <= 0 or sum(alike.values()) > 1:
            raise ValueError(f"must be above 0 and in all at most 1, got {alike}")
        return alike

    def needed_tables(self) -> tuple[TableKind, ...]:
        """The learned tables that the dimensions are read from."""
        return tables_for(self.alike)


class MmrSettings(DiversitySettings):
    """Orders by maximal marginal relevance: score less likeness to the items before. In place of scatter."""

    tradeoff: float = Field(
        default=0.93, ge=0, le=1, description="Weight of relevance over that of likeness; 1 = by score alone."
    )

    unscored_tradeoff: float = Field(
        default=0.99,
        ge=0,
        le=1,
        description="The same for a page whose candidates nothing scored, as while Triton is down: places "
        "tell less of them than scores would.",
    )

    summed: bool = Field(
        default=True,
        description="true: likeness to all items before adds up, so that a third of a group costs more "
        "than a second; false: the greatest counts.",
    )


class DppSettings(DiversitySettings):
    """Orders by a determinantal point process, greedily. In place of scatter."""

    strength: float = Field(
        default=5.0, ge=0, le=100, description="Weight of relevance; 0 = by diversity alone."
    )


@dataclass(frozen=True, slots=True)
class Diversity:
    """Orders a page by relevance and likeness."""

    name: str
    settings: MmrSettings | DppSettings
    groups: GroupsOf
    weights: Sequence[float]

    def order(self, query: Any, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the page, then the candidates left over in their order."""
        (groups,) = self.groups([candidates])
        wanted = relevance(candidates.score)
        if isinstance(self.settings, MmrSettings):
            scored = tells_apart(candidates.score)
            tradeoff = self.settings.tradeoff if scored else self.settings.unscored_tradeoff
            return mmr(wanted, groups, self.weights, page_size, tradeoff, self.settings.summed)
        return dpp(wanted, groups, self.weights, page_size, self.settings.strength)


def _create(name: str, parts: Parts, settings: MmrSettings | DppSettings) -> Diversity:
    return Diversity(name, settings, GroupsOf(parts, list(settings.alike)), tuple(settings.alike.values()))


MMR = RerankerKind(
    settings=MmrSettings,
    create=lambda parts, settings: _create("mmr", parts, settings),
    tables=(STANDARD_CATEGORIES,),
    spared_late=True,
)
DPP = RerankerKind(
    settings=DppSettings,
    create=lambda parts, settings: _create("dpp", parts, settings),
    tables=(STANDARD_CATEGORIES,),
    spared_late=True,
)
