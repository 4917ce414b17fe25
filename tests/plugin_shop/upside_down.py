"""A page reranker: every scene after the first is shown from its last candidate to its first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from router.page.contract import RankedScene
from router.page.page_reranker_kind import PageRerankerKind
from router.tables.component import Parts


class UpsideDownSettings(BaseModel):
    """Shows every scene after the first from its last candidate to its first."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UpsideDown:
    """Turns the candidates of later scenes around."""

    name = "upside_down"

    def slots(self, page_sizes: Sequence[int]) -> list[int]:
        return list(page_sizes)

    async def arrange(self, scenes: Sequence[RankedScene]) -> list[NDArray[np.intp]]:
        first, *others = (np.arange(len(scene.candidates)) for scene in scenes)
        return [first, *(order[::-1] for order in others)]


def create(parts: Parts, settings: UpsideDownSettings) -> UpsideDown:
    return UpsideDown()


PAGE_RERANKER = PageRerankerKind(settings=UpsideDownSettings, create=create)
