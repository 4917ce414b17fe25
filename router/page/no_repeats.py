"""An item appears on a page only once, in the first scene that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from router.page.contract import RankedScene
from router.page.page_reranker_kind import PageRerankerKind
from router.tables.component import Parts


class NoRepeatsSettings(BaseModel):
    """Shows an item only in the first scene that has it. It always comes last, named or not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class NoRepeats:
    """Takes out of each scene what the scenes before it show."""

    name: str = "no_repeats"

    def slots(self, page_sizes: Sequence[int]) -> list[int]:
        """Page sizes that stay full once the items of the scenes before are taken out."""
        return list(accumulate(page_sizes))

    async def arrange(self, scenes: Sequence[RankedScene]) -> list[NDArray[np.intp]]:
        """Each scene without the items that a scene before it shows, in its order or by its structure."""
        taken: NDArray[np.int32] = np.empty(0, np.int32)
        positions = []
        for scene in scenes:
            items = scene.candidates.items
            left = np.flatnonzero(np.isin(items, taken, invert=True)) if taken.size else np.arange(items.size)
            if scene.structure is not None:
                rest = scene.candidates.take(left)
                left = left[scene.structure.order(scene.query, rest, scene.page_size)]
            positions.append(left)
            taken = np.concatenate((taken, items[left[: scene.page_size]]))
        return positions


def create(parts: Parts, settings: NoRepeatsSettings) -> NoRepeats:
    """The page reranker."""
    return NoRepeats()


PAGE_RERANKER = PageRerankerKind(NoRepeatsSettings, create)
