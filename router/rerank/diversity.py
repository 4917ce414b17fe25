"""Diversity by maximal marginal relevance or a determinantal point process, in place of `scatter`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.candidates import Candidates
from pipeline.diverse_order import dpp, mmr, relevance, tells_apart
from recall.walk_vectors import WalkVectors
from router.rerank.dimensions import Dimension, GroupsOf, tables_for
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES
from router.tables.walk_vectors import WALK_VECTORS

ROUNDING = 1e-9
"""By which a sum of weights may exceed 1."""


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

    vectors: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How alike items are whose vectors of walks over sessions (router.tables.walk_vectors) "
        "point the same way; together with `alike` at most 1. 0 = vectors are not trained.",
    )

    @model_validator(mode="after")
    def _a_part_of_one(self) -> Self:
        if min(self.alike.values()) <= 0 or sum(self.alike.values()) > 1:
            raise ValueError(f"alike must be above 0 and in all at most 1, got {self.alike}")
        if sum(self.alike.values()) + self.vectors > 1 + ROUNDING:
            raise ValueError(
                f"alike and vectors must be in all at most 1, got {self.alike} and {self.vectors}"
            )
        return self

    def needed_tables(self) -> tuple[TableKind, ...]:
        """The learned tables that the dimensions and vectors are read from."""
        return tables_for(self.alike) + ((WALK_VECTORS,) if self.vectors else ())


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
    """Orders a page by relevance and likeness; `vectors`: None where their weight is 0."""

    name: str
    settings: MmrSettings | DppSettings
    groups: GroupsOf
    weights: Sequence[float]
    vectors: WalkVectors | None = None

    def order(self, query: Any, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the page, then the candidates left over in their order."""
        (groups,) = self.groups([candidates])
        wanted, settings = relevance(candidates.score), self.settings
        vectors = None
        if self.vectors is not None:
            vectors = self.vectors.of(candidates.items) * np.float32(settings.vectors**0.5)
        if isinstance(settings, MmrSettings):
            scored = tells_apart(candidates.score)
            tradeoff = settings.tradeoff if scored else settings.unscored_tradeoff
            return mmr(wanted, groups, self.weights, page_size, tradeoff, settings.summed, vectors)
        return dpp(wanted, groups, self.weights, page_size, settings.strength, vectors)


def _create(name: str, parts: Parts, settings: MmrSettings | DppSettings) -> Diversity:
    groups = GroupsOf(parts, list(settings.alike))
    vectors = parts.tables[WALK_VECTORS.name] if settings.vectors else None
    return Diversity(name, settings, groups, tuple(settings.alike.values()), vectors)


MMR = RerankerKind(
    settings=MmrSettings,
    create=lambda parts, settings: _create("mmr", parts, settings),
    tables=(STANDARD_CATEGORIES, WALK_VECTORS),
    spared_late=True,
)
DPP = RerankerKind(
    settings=DppSettings,
    create=lambda parts, settings: _create("dpp", parts, settings),
    tables=(STANDARD_CATEGORIES, WALK_VECTORS),
    spared_late=True,
)
