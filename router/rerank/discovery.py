"""Discovery: a share of the slots goes to items that the shopper never took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates, Int32
from recall.query import Query
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from snapshot.event_codes import IMPRESSION

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

ROUNDING = 1e-9
"""Added before a share of slots is rounded down: 0.29 · 100 is 28.999…"""


class DiscoverySettings(BaseModel):
    """How many slots go to items that the shopper never took, and to which of them."""

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

    def order(self, query: Query, candidates: Candidates, page_size: int) -> Positions:
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
        never_taken = np.isin(items, taken, invert=True)
        if self.settings.categories == "any":
            return never_taken
        category = self.category[items]
        known = np.isin(category, self.category[taken])
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


def with_share(
    counted: Mask, eligible: Mask, groups: Sequence[Int32], slots: int, share: float, apart: int
) -> Positions:
    """An order of n candidates, given in page order, whose every head has its share of counted ones.

    Where the first s slots have ⌊share · s⌋ counted candidates without it, slot s goes to the next candidate
    in the given order. Otherwise it goes to the first eligible one that shares no group with the `apart`
    candidates before it and the next `apart` after it; where there is none such, to the first eligible one;
    where none is left, to the next candidate as well.

    counted   bool[n]: candidates that count towards the share
    eligible  bool[n]: those of them that may be moved up
    groups    one int32[n] per kind of group, 0 = none
    slots     for how many slots the share holds, at most n
    apart     not negative

    Returns intp[n], a permutation. More `slots` change nothing in the slots before.
    """
    count = counted.size
    counts, movable = counted.tolist(), np.flatnonzero(eligible)
    placed = np.zeros(count, np.bool_)
    page: list[int] = []
    following = have = 0
    for slot in range(1, slots + 1):
        while placed[following]:
            following += 1
        chosen = following
        if have < math.floor(share * slot + ROUNDING) and not counts[following]:
            movable = movable[~placed[movable]]
            if movable.size:
                after = following + np.flatnonzero(~placed[following : following + apart + len(page)])[:apart]
                near = np.concatenate((np.array(page[max(0, len(page) - apart) :], np.intp), after))
                chosen = _first_unlike(movable, near, groups)
        page.append(chosen)
        placed[chosen] = True
        have += counts[chosen]
    return np.concatenate((np.array(page, np.intp), np.flatnonzero(~placed)))


def _first_unlike(movable: Positions, near: Positions, groups: Sequence[Int32]) -> int:
    """The first candidate that shares no group with those near; the first one where all do."""
    alike = np.zeros((movable.size, near.size), np.bool_)
    for group in groups:
        alike |= (group[movable, None] == group[near]) & (group[near] > 0)
    # One that is due in the next slots is among those near.
    alike &= movable[:, None] != near
    return int(movable[alike.any(axis=1).argmin()])


def create(parts: Parts, settings: DiscoverySettings) -> Discovery:
    """The reranker over the catalogue's categories and brands."""
    return Discovery(parts.catalogue.category, parts.catalogue.brand, settings)


RERANKER = RerankerKind(settings=DiscoverySettings, create=create)
