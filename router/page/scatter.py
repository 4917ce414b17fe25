"""Scatter over all scenes of a page: their slots one after another, and no item twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.scatter_order import scatter_scenes
from router.page.contract import RankedScene
from router.page.page_reranker_kind import PageRerankerKind
from router.rerank.dimensions import GroupsOf
from router.rerank.scatter import ScatterSettings
from router.tables.component import Parts
from router.tables.standard_categories import STANDARD_CATEGORIES


class PageScatterSettings(ScatterSettings):
    """Spreads groups over the slots of all scenes of an answer; windows reach over their borders."""

    spares: int = Field(
        default=20,
        ge=0,
        le=500,
        description="Candidates that each scene is ranked for beyond the slots of the page up to its own, "
        "to choose from.",
    )

    @model_validator(mode="after")
    def _is_about_no_item(self) -> PageScatterSettings:
        if any(rule.spares_anchors for rule in self.rules):
            raise ValueError("spares_anchors must be false: a page of several scenes is about no item")
        return self


@dataclass(frozen=True, slots=True)
class PageScatter:
    """Scatters the scenes of a page together."""

    groups: GroupsOf
    settings: PageScatterSettings
    name: str = "scatter"

    def slots(self, page_sizes: Sequence[int]) -> list[int]:
        """Page sizes that stay full without the items of the scenes before, and the spares."""
        return [size + self.settings.spares for size in accumulate(page_sizes)]

    async def arrange(self, scenes: Sequence[RankedScene]) -> list[NDArray[np.intp]]:
        """For each scene its scattered page, then its candidates that no scene shows."""
        return scatter_scenes(
            [scene.candidates.items for scene in scenes],
            self.groups([scene.candidates for scene in scenes]),
            self.settings.limits(),
            [scene.page_size for scene in scenes],
        )


def create(parts: Parts, settings: PageScatterSettings) -> PageScatter:
    """The page reranker over the rules' dimensions."""
    return PageScatter(GroupsOf(parts, [rule.by for rule in settings.rules]), settings)


PAGE_RERANKER = PageRerankerKind(PageScatterSettings, create, tables=(STANDARD_CATEGORIES,), spared_late=True)
