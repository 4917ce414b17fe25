"""What a page reranker receives and returns, and the check that it keeps its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from pipeline.contracts import check_positions
from pipeline.stages import ContractError, Reranker
from recall.query import Query


@dataclass(frozen=True, slots=True)
class RankedScene:
    """One scene of a page on its way through the page rerankers.

    query       of the scene; `query.scene` is its name
    page_size   slots that the page shows of it
    candidates  in the order of the scene's own rerankers: the first `page_size` are what it would show alone,
                the others are spares. As many as the page rerankers' `slots` wanted, where it has so many
    structure   arranges what is left of the candidates as the scene demands it, a page of venues for example;
                None = any order is a page of the scene
    """

    query: Query
    page_size: int
    candidates: Candidates
    structure: Reranker[Query] | None = None


class PageReranker(Protocol):
    """Arranges the scenes of one page together."""

    @property
    def name(self) -> str:
        """As the scene configuration and the trace call it."""
        ...

    def slots(self, page_sizes: Sequence[int]) -> Sequence[int]:
        """How many slots each scene is ranked for, so that there are spares: at least its page size."""
        ...

    async def arrange(self, scenes: Sequence[RankedScene]) -> Sequence[NDArray[np.intp]]:
        """For each scene, distinct positions of its candidates int[m]: the page, then spares for the next.

        `scenes` come in page order, at least two. A scene may show fewer than `page_size` items only where
        the page shows every candidate of it, here or in another scene.
        """
        ...


def check_arranged(scenes: Sequence[RankedScene], positions: Sequence[NDArray[np.intp]]) -> None:
    """Raises `ContractError` unless the positions are what `PageReranker.arrange` promises for `scenes`."""
    if len(positions) != len(scenes):
        raise ContractError(f"{len(positions)} scenes returned where {len(scenes)} were given")
    for scene, chosen in zip(scenes, positions, strict=True):
        check_positions(chosen, len(scene.candidates))
    short = [
        (scene, chosen)
        for scene, chosen in zip(scenes, positions, strict=True)
        if chosen.size < min(scene.page_size, len(scene.candidates))
    ]
    if not short:
        return
    shown = np.concatenate(
        [
            scene.candidates.items[chosen[: scene.page_size]]
            for scene, chosen in zip(scenes, positions, strict=True)
        ]
    )
    for scene, chosen in short:
        unused = np.count_nonzero(np.isin(scene.candidates.items, shown, invert=True))
        if unused:
            raise ContractError(
                f"{scene.query.scene} fills {chosen.size} of {scene.page_size} slots, and the page shows "
                f"{unused} of its candidates nowhere"
            )
