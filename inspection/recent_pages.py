"""The pages that a replica answered last, kept in memory to be looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection.item_summaries import summaries
from protos.shopfront.v1.admin_pb2 import ListRecentPagesResponse, RecentPage
from recall.query import Query
from router.service.impressions import ShownPage
from snapshot.catalogue import Catalogue
from snapshot.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page and the shopper it was for; `item_keys` outlive the snapshot that answered."""

    user_id: str
    scene: str
    ts: int
    request_id: str
    item_keys: NDArray[np.uint64]
    model: tuple[str, str]
    arms: dict[str, str]
    took_ms: float
    degraded: Sequence[str]


class RecentPages:
    """The side effect that keeps the last pages. Belongs to one event loop."""

    name = "recent_pages"

    def __init__(self, most: int) -> None:
        """`most`: pages kept; 0 keeps none."""
        self._pages: deque[KeptPage] = deque(maxlen=most)

    def applies_to(self, query: Query, response: ShownPage) -> bool:
        """Whether pages are kept at all, and this one shows something."""
        return self._pages.maxlen != 0 and bool(response.item_ids)

    async def after(self, query: Query, response: ShownPage) -> None:
        """Keeps one page."""
        self._pages.appendleft(
            KeptPage(
                query.user_id,
                response.scene,
                response.ts,
                response.request_id,
                response.item_keys,
                (response.model.name, response.model.version),
                dict(query.arms),
                response.took_ms,
                response.degraded,
            )
        )

    def forget(self, tombstones: Tombstones) -> None:
        """Forgets the pages of shoppers from before they were deleted."""
        kept = [page for page in self._pages if page.ts * 1_000 > tombstones.of(page.user_id)]
        if len(kept) < len(self._pages):
            self._pages = deque(kept, self._pages.maxlen)

    def listed(
        self, catalogue: Catalogue, limit: int, user_id: str = "", *, slowest_first: bool = False
    ) -> ListRecentPagesResponse:
        """At most `limit` pages, newest first or slowest; of one shopper where `user_id` is not empty."""
        chosen = [page for page in self._pages if not user_id or page.user_id == user_id]
        if slowest_first:
            chosen.sort(key=lambda page: -page.took_ms)
        chosen = chosen[:limit]
        return ListRecentPagesResponse(
            pages=[
                RecentPage(
                    at=page.ts,
                    scene=page.scene,
                    user_id=page.user_id,
                    request_id=page.request_id,
                    items=summaries(catalogue, catalogue.dense_from_keys(page.item_keys)),
                    model_name=page.model[0],
                    model_version=page.model[1],
                    arms=page.arms,
                    took_ms=page.took_ms,
                    degraded=page.degraded,
                )
                for page in chosen
            ]
        )
