"""Writes into the event log which arm made an answer, once it has left."""

from __future__ import annotations

from recall.query import Query
from router.service.impressions import Served
from router.state.event_batch import EventBatch
from router.state.store import StateStore
from snapshot.event_codes import IMPRESSION

EXPOSURE_PREFIX = "exposure:"
"""What the `event_id` of an exposure begins with; the answer's request id and scene follow."""


class ExposureLog:
    """The side effect that logs one exposure per answer that an experiment's arm has made.

    It is an impression of the answer's first item, with the number of items shown as its quantity and the
    answer's attribution token, in which the arms stand; written with the group of events that is due, so it
    costs the log one entry per answer. An answer without items is no exposure to anything.
    """

    name = "exposure"

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def after(self, query: Query, response: Served) -> None:
        """Logs the exposure. Raises `StateError` or `StateOverloaded` where the store does not take it."""
        if not response.arms or not response.item_ids:
            return
        await self._store.append(
            EventBatch.build(
                [query.user_id],
                [response.item_ids[0]],
                [IMPRESSION],
                [response.ts * 1_000],
                response.ts * 1_000,
                scenes=[response.scene],
                positions=[1],
                attribution_tokens=[response.attribution_token],
                quantities=[len(response.item_ids)],
                event_ids=[f"{EXPOSURE_PREFIX}{response.request_id}:{response.scene}"],
            )
        )
