"""The same product, by title or by picture, comes once, as far as the page allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from features.shop_fit.auto import SwitchOrAuto
from pipeline.candidates import Candidates, Int32
from router.rerank.kind import RerankerKind
from router.tables.component import Parts


class DedupSettings(BaseModel):
    """Moves an item behind all others where a better one has the same title and brand, or picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: SwitchOrAuto = Field(
        default=True,
        description="false: the order stays. auto: true, except where most items share title and brand with "
        "another and not the price too, so that these do not tell duplicates.",
    )
    pictures: bool = Field(
        default=True,
        description="Whether items whose first pictures are nearly identical are duplicates too.",
    )


@dataclass(frozen=True, slots=True)
class Dedup:
    """Moves an item behind all others where a better one has the same title and brand, or the same picture.

    titles  titles of items int32[n]; an empty one is like no other
    brand   int32[N+1]
    looks   int32[N+1], groups of nearly identical pictures, 0 = in none; None: pictures do not count
    enabled whether anything is moved
    """

    titles: Callable[[Int32], Sequence[str]]
    brand: npt.NDArray[np.int32]
    enabled: bool = True
    looks: npt.NDArray[np.int32] | None = None
    name: str = "dedup"

    def order(self, query: Any, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the best item of each product, then the repetitions, each best first."""
        if not self.enabled:
            return np.arange(len(candidates))
        brands = self.brand[candidates.items].tolist()
        seen: set[tuple[str, int]] = set()
        repeated = np.zeros(len(candidates), dtype=np.bool_)
        for position, title in enumerate(self.titles(candidates.items)):
            product = (" ".join(title.casefold().split()), brands[position])
            if product in seen:
                repeated[position] = True
            elif product[0]:
                seen.add(product)
        if self.looks is not None:
            repeated |= _repetitions(self.looks[candidates.items], ~repeated)
        return np.concatenate((np.flatnonzero(~repeated), np.flatnonzero(repeated)))


def _repetitions(groups: npt.NDArray[np.int32], considered: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """bool[n]: those considered whose group an earlier one considered has; 0 is no group."""
    positions = np.flatnonzero(considered & (groups > 0))
    _, first = np.unique(groups[positions], return_index=True)
    repeated = np.zeros(len(groups), np.bool_)
    repeated[np.delete(positions, first)] = True
    return repeated


def create(parts: Parts, settings: DedupSettings) -> Dedup:
    """The reranker over titles and brands; `auto` was replaced by `router.scenes.fit_shop`."""
    return Dedup(
        parts.catalogue.titles,
        parts.catalogue.brand,
        settings.enabled is True,
        parts.catalogue.picture_group if settings.pictures else None,
    )


RERANKER = RerankerKind(settings=DedupSettings, create=create)
