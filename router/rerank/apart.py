"""Apart: no two neighbours of one group, such as two kinds of milk, where the page can help it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.rerank.dimensions import Dimension, GroupsOf, tables_for
from router.rerank.kind import RerankerKind
from router.rerank.scatter import Scatter
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES

_NEIGHBOURS = (2, 1)
"""Window and most of it, as of a rule of `scatter`."""


class ApartSettings(BaseModel):
    """Moves another candidate between two neighbours of one group, such as two kinds of milk."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: list[Dimension] = Field(
        default=["category"],
        min_length=1,
        max_length=8,
        description="Dimensions, as of scatter, most important first: where no candidate differs in all, the "
        "last is given up first.",
    )
    most: int | None = Field(
        default=None,
        ge=1,
        le=99,
        description="Most items of one group of the first dimension within `window` slots, below it; given "
        "up before neighbours of one group; null = any number.",
    )
    window: int = Field(default=10, ge=2, le=100, description="Slots of which `most` speaks.")

    @model_validator(mode="after")
    def _makes_sense(self) -> ApartSettings:
        if self.most is not None and self.most >= self.window:
            raise ValueError(f"most must be below window ({self.window}), got {self.most}")
        return self

    def needed_tables(self) -> tuple[TableKind, ...]:
        """The learned tables that the dimensions are read from."""
        return tables_for(self.by)


def create(parts: Parts, settings: ApartSettings) -> Scatter:
    """The rule of neighbours over the dimensions, and that of the page over the first."""
    by, limits = list(settings.by), [_NEIGHBOURS] * len(settings.by)
    if settings.most is not None:
        by.insert(1, by[0])
        limits.insert(1, (settings.window, settings.most))
    return Scatter(GroupsOf(parts, by), tuple(limits), "apart")


RERANKER = RerankerKind(settings=ApartSettings, create=create, tables=(STANDARD_CATEGORIES,))
