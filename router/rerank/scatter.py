"""Scatter (打散): no long run of one category or brand on the page, several dimensions at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.candidates import Candidates
from pipeline.scatter_order import MAX_RULES, scatter
from router.rerank.dimensions import TRIGGER, Dimension, GroupsOf, tables_for
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES


class ScatterRule(BaseModel):
    """At most `max` items of one group within any `window` consecutive slots."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: Dimension = Field(
        default="category",
        description="What forms the groups: an item column that is a group or band (docs/manual/data.md), "
        "standard_fine, standard_coarse, trigger or product (same title and brand).",
    )
    window: int = Field(default=4, ge=2, le=100, description="Consecutive slots looked at.")
    max: int = Field(default=2, ge=1, le=99, description="Most items of one group among them.")

    spares_anchors: bool = Field(
        default=False,
        description="Whether groups of what a page is about, such as the shown item's category, may have "
        "more: alternatives are of one group by nature. Not by trigger.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> ScatterRule:
        if self.max >= self.window:
            raise ValueError(f"max must be below window ({self.window}), got {self.max}")
        if self.spares_anchors and self.by == TRIGGER:
            raise ValueError(
                f"spares_anchors must be false by {TRIGGER}: what caused a recall is no group of items"
            )
        return self


class ScatterSettings(BaseModel):
    """Spreads categories, brands and other groups over the page, by rules over consecutive slots."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rules: list[ScatterRule] = Field(
        default=[ScatterRule(by="category", window=4, max=2), ScatterRule(by="brand", window=5, max=2)],
        max_length=MAX_RULES,
        description="Rules that hold together, most important first: where no candidate satisfies all, the "
        "least important are given up first.",
    )

    def needed_tables(self) -> tuple[TableKind, ...]:
        """The learned tables that the rules read."""
        return tables_for(rule.by for rule in self.rules)

    def limits(self) -> tuple[tuple[int, int], ...]:
        """(window, max) of each rule."""
        return tuple((rule.window, rule.max) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Scatters one scene.

    groups  of candidates, by the rules' dimensions
    limits  one per rule: (window, max), most important first
    exempt  rule → its dimension, where groups of what the page is about are not scattered
    """

    groups: GroupsOf
    limits: tuple[tuple[int, int], ...]
    name: str = "scatter"
    exempt: Mapping[int, str] = field(default_factory=dict)

    def order(self, query: Any, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the scattered page, then the candidates left over, best first."""
        (groups,) = self.groups([candidates])
        for rule, dimension in self.exempt.items():
            own = self.groups.of_items(dimension, query.anchors)
            groups[rule] = np.where(np.isin(groups[rule], own), np.int32(0), groups[rule])
        return scatter(groups, self.limits, len(candidates), page_size)


def create(parts: Parts, settings: ScatterSettings) -> Scatter:
    """The reranker over the rules' dimensions."""
    return Scatter(
        GroupsOf(parts, [rule.by for rule in settings.rules]),
        settings.limits(),
        exempt={at: rule.by for at, rule in enumerate(settings.rules) if rule.spares_anchors},
    )


RERANKER = RerankerKind(
    settings=ScatterSettings, create=create, tables=(STANDARD_CATEGORIES,), spared_late=True
)
