"""Writes into the event log which arm made an answer, once it has left."""

from __future__ import annotations

from collections.abc import Callable

from recall.query import Query
from router.service.impressions import ShownPage
from state.exposure_event import exposure_event
from state.store import StateStore


class ExposureLog:
    """The side effect that logs one exposure per answer that an experiment's arm has made.

    It is written with the group of events that is due, so it costs the log one entry per answer. An answer
    without items is no exposure to anything.
    """

    name = "exposure"

    def __init__(self, store: StateStore, count: Callable[[str, str], None]) -> None:
        """`count` receives experiment and arm of each exposure that is stored."""
        self._store = store
        self._count = count

    def applies_to(self, query: Query, response: ShownPage) -> bool:
        """Whether an arm made the answer, and it has items."""
        return bool(response.arms) and bool(response.item_ids)

    async def after(self, query: Query, response: ShownPage) -> None:
        """Logs the exposure. Raises `StorageError` or `StateOverloaded` where the store does not take it."""
        await self._store.append(
            exposure_event(
                query.user_id,
                response.request_id,
                response.scene,
                response.item_ids,
                response.attribution_token,
                response.ts,
            )
        )
        for experiment, arm in response.arms.items():
            self._count(experiment, arm)
