"""Scatter (打散): no long run of one category or brand on the page, several dimensions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.candidates import Candidates
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from snapshot.item_columns import ITEM_COLUMNS

Groups = npt.NDArray[np.int32]

MAX_RULES = 16
PLACED = 1 << 30


class ScatterRule(BaseModel):
    """At most `max` items of one group within any `window` consecutive slots."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: str = Field(
        default="category",
        description="Item column whose values form the groups: a group or band (docs/manual/data.md).",
    )
    window: int = Field(default=4, ge=2, le=100, description="Consecutive slots looked at.")
    max: int = Field(default=2, ge=1, le=99, description="Most items of one group among them.")

    @field_validator("by")
    @classmethod
    def _forms_groups(cls, by: str) -> str:
        dimensions = [name for name, column in ITEM_COLUMNS.items() if column.is_grouping]
        if by not in dimensions:
            raise ValueError(f"must be an item column that forms groups: {', '.join(dimensions)}; got {by!r}")
        return by

    @model_validator(mode="after")
    def _max_below_window(self) -> ScatterRule:
        if self.max >= self.window:
            raise ValueError(f"max must be below window ({self.window}), got {self.max}")
        return self


class ScatterSettings(BaseModel):
    """The rules of a scene."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rules: list[ScatterRule] = Field(
        default=[ScatterRule(by="category", window=4, max=2), ScatterRule(by="brand", window=5, max=2)],
        max_length=MAX_RULES,
        description="Rules that hold together, most important first: where no candidate satisfies all, the "
        "least important are given up first.",
    )


@dataclass(frozen=True, slots=True)
class Scatter:
    """Scatters by columns of the catalogue.

    columns  one per rule: int32[N+1], the item's group, 0 = none (never counts as a group)
    limits   one per rule: (window, max), most important first
    """

    columns: tuple[Groups, ...]
    limits: tuple[tuple[int, int], ...]
    name: str = "scatter"

    def order(self, query: Any, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the scattered page, then the candidates left over, best first."""
        groups = [column[candidates.items] for column in self.columns]
        return scatter(groups, self.limits, len(candidates), page_size)


def scatter(
    groups: Sequence[Groups], limits: Sequence[tuple[int, int]], count: int, page_size: int
) -> npt.NDArray[np.intp]:
    """An order of `count` candidates, given best first, that spreads groups over the first `page_size` slots.

    groups  one int32[count] per rule: the group of each candidate, 0 = none
    limits  one (window, max) per rule, most important first, 1 ≤ max < window: among any `window`
            consecutive slots at most `max` are of one group

    Greedy: each slot takes the best candidate left that breaks no rule. Where there is none, rules are given
    up from the last towards the first: the slot goes to the candidate whose broken rules matter least, one
    that breaks only later rules coming before any that breaks an earlier one, and of equals the best. So
    min(page_size, count) slots are always filled.

    Returns intp[count], a permutation: the page, then the rest in their given order.
    """
    rules = len(groups)
    page_size = min(page_size, count)
    # cost[i] has bit (rules - 1 - r) set where placing candidate i now would break rule r, so the smallest
    # cost, and of these the first, is the candidate wanted; argmin finds just that.
    cost = np.zeros(count, dtype=np.int32)
    members = [_members(column) for column in groups]
    labels = [column.tolist() for column in groups]
    seen: list[dict[int, int]] = [{} for _ in range(rules)]
    page: list[int] = []
    for slot in range(page_size):
        for r in range(rules):
            window, most = limits[r]
            if slot >= window:
                group = labels[r][page[slot - window]]
                if group:
                    seen[r][group] -= 1
                    if seen[r][group] == most - 1:
                        cost[members[r][group]] -= 1 << (rules - 1 - r)
        best = int(cost.argmin())
        page.append(best)
        cost[best] = PLACED
        for r in range(rules):
            group = labels[r][best]
            if group:
                seen[r][group] = seen[r].get(group, 0) + 1
                if seen[r][group] == limits[r][1]:
                    cost[members[r][group]] += 1 << (rules - 1 - r)
    placed = np.array(page, dtype=np.intp)
    left = np.ones(count, dtype=np.bool_)
    left[placed] = False
    return np.concatenate((placed, np.flatnonzero(left)))


def _members(column: Groups) -> dict[int, npt.NDArray[np.intp]]:
    """Positions of each group, by group."""
    order = np.argsort(column, kind="stable")
    labels, starts = np.unique(column[order], return_index=True)
    return dict(zip(labels.tolist(), np.split(order, starts[1:]), strict=True)) if column.size else {}


def create(parts: Parts, settings: ScatterSettings) -> Scatter:
    """The reranker over the catalogue's columns."""
    return Scatter(
        tuple(parts.catalogue.column(rule.by) for rule in settings.rules),
        tuple((rule.window, rule.max) for rule in settings.rules),
    )


RERANKER = RerankerKind(settings=ScatterSettings, create=create)
