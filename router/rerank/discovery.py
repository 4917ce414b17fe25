"""Discovery: a share of the slots goes to items that the shopper never took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates, Int32
from pipeline.share_order import with_share
from recall.query import Query
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from snapshot.event_codes import IMPRESSION

Mask = npt.NDArray[np.bool_]


class DiscoverySettings(BaseModel):
    """Gives a share of the slots to items that the shopper never took."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Least part of the slots, 0 to 1, of every head of the page, rounded down: 0.25 gives "
        "slots 4, 8, 12, …; 0 = none.",
    )
    window: int | None = Field(
        default=None, ge=1, le=100, description="First slots that it holds for; null = the whole page."
    )
    categories: Literal["any", "known", "new"] = Field(
        default="any",
        description="Categories of these items: any; known = of what the shopper took; new = others.",
    )
    minimum_score: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Part, 0 to 1, of the best candidate's score below which an item is given no slot; "
        "0 = any item. Above 0, nothing is given a slot on a page that no scorer ordered, or whose best "
        "score is negative.",
    )
    apart: int = Field(
        default=3,
        ge=0,
        le=20,
        description="Slots on either side in which nothing shares the item's category or brand, where there "
        "is such an item; 0 = the best item whatever is next to it.",
    )


@dataclass(frozen=True, slots=True)
class Discovery:
    """Moves items that the shopper never took up into slots that the share gives them.

    category  int32[N+1], 0 = none
    brand     int32[N+1], 0 = none
    """

    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    settings: DiscoverySettings
    name: str = "discovery"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the page, then the candidates left over in their given order."""
        behaved = query.history_events != IMPRESSION
        taken = np.concatenate((query.history_items[behaved], query.purchased_items))
        count = len(candidates)
        if not taken.size or not count:
            return np.arange(count)
        counted = self._discoveries(taken, candidates.items)
        slots = min(page_size, count, self.settings.window or page_size)
        groups = (self.category[candidates.items], self.brand[candidates.items])
        eligible = counted & self._good_enough(candidates)
        return with_share(counted, eligible, groups, slots, self.settings.share, self.settings.apart)

    def _discoveries(self, taken: Int32, items: Int32) -> Mask:
        """bool[n]: what counts towards the share."""
        never_taken = ~_among(items, taken)
        if self.settings.categories == "any":
            return never_taken
        category = self.category[items]
        known = _among(category, self.category[taken])
        wanted = known if self.settings.categories == "known" else ~known
        # An item without a category is of neither kind.
        return never_taken & wanted & (category > 0)

    def _good_enough(self, candidates: Candidates) -> Mask:
        """bool[n]: what may be given a slot."""
        least = self.settings.minimum_score
        if least == 0:
            return np.ones(len(candidates), np.bool_)
        # Compared with NaN everything is False.
        best = np.fmax.reduce(candidates.score)
        return np.asarray(candidates.score >= least * best)


def _among(codes: Int32, others: Int32) -> Mask:
    """bool[n]: which codes int32[n] are among the others, at least one; `np.isin` takes thrice as long."""
    ascending = np.sort(others)
    at = np.minimum(np.searchsorted(ascending, codes), ascending.size - 1)
    return np.asarray(ascending[at] == codes)


def create(parts: Parts, settings: DiscoverySettings) -> Discovery:
    """The reranker over the catalogue's categories and brands."""
    return Discovery(parts.catalogue.category, parts.catalogue.brand, settings)


RERANKER = RerankerKind(settings=DiscoverySettings, create=create)
