"""Answers ReportEvents: checks, stores durably, and says what became of each event."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from foundation.storage.errors import StateOverloaded
from protos.shopfront.v1 import event_pb2
from router.errors import OverloadError
from router.events.check import check_events
from state.attribution import AttributionCodec
from state.store import StateStore


class Reported(NamedTuple):
    """What became of a request: the answer, and what only this process need know.

    stored  positions in the request, ascending, of the events that were not stored before, by this process
            or any other of the same store
    """

    response: event_pb2.ReportEventsResponse
    stored: Sequence[int]


class KnownItems(Protocol):
    """What is asked of the serving catalogue."""

    def dense_from_keys(self, keys: np.ndarray) -> np.ndarray:
        """Dense indices int32[n] of item keys uint64[n], 0 where the catalogue does not know the item."""
        ...


async def report_events(
    request: event_pb2.ReportEventsRequest,
    store: StateStore,
    catalogue: KnownItems,
    clock: Callable[[], float],
    attribution: AttributionCodec,
    sent_as: str = "",
) -> Reported:
    """Stores the good events and returns once they are durable; `clock` gives unix seconds.

    The answer counts the stored events, repeats included, and those whose item the catalogue does not know,
    and names each refused event by index, field and reason. `sent_as`: as in `check_events`.

    Raises:
        CallerError: the request holds no event or more than 1,000.
        OverloadError: the store's queue is full; nothing was stored.
        StateError: the store failed; nothing was stored.
    """
    events, faults = check_events(request, int(clock() * 1000), attribution, sent_as)
    response = event_pb2.ReportEventsResponse()
    stored: Sequence[int] = ()
    if len(events):
        try:
            rows = await store.append(events)
        except StateOverloaded as full:
            raise OverloadError(full.retry_after_s, "the queue of events to be stored is full") from full
        refused = {fault.index for fault in faults}
        good = [index for index in range(len(request.events)) if index not in refused]
        stored = [good[row] for row in rows]
        response.accepted = len(events)
        response.unknown_items = int(np.count_nonzero(catalogue.dense_from_keys(events.item_keys) == 0))
    for fault in faults:
        response.errors.add(index=fault.index, field=fault.field, reason=fault.reason)
    return Reported(response, stored)
