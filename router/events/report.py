"""Answers ReportEvents: checks the events, stores the good ones durably, and reports the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from protos.shopfront.v1 import event_pb2
from router.errors import OverloadError
from router.events.check import check_events
from state.attribution import Attribution, AttributionCodec
from state.errors import StateOverloaded
from state.logged_event import LoggedEvent
from state.store import StateStore


class AttributedEvent(NamedTuple):
    """An event, and what the answer was made of that it belongs to."""

    event: LoggedEvent
    attribution: Attribution


class Reported(NamedTuple):
    """The answer to a request, and the events that rollouts count.

    Attributes:
        response: for the caller.
        attributed: the events with an attribution token, in their order, that were not stored before, by this
            process or any other of the same store.
        uncredited: events that were stored without their attribution token, as `CheckedEvents.uncredited`.
    """

    response: event_pb2.ReportEventsResponse
    attributed: Sequence[AttributedEvent]
    uncredited: Mapping[str, int]


class KnownItems(Protocol):
    """What `report_events` needs of the serving catalogue."""

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
    """Stores the good events and returns once they are durable.

    The answer counts the stored events, repeats included, and those whose item the catalogue does not know,
    and names each refused event by index, field and reason.

    Args:
        request: the reported events.
        store: where they are stored.
        catalogue: the items that are known.
        clock: unix seconds.
        attribution: decodes the events' tokens.
        sent_as: as in `check_events`.

    Raises:
        CallerError: the request holds no event or more than 1,000.
        OverloadError: the store's queue is full; nothing was stored.
        StorageError: the store failed; nothing was stored.
    """
    checked = check_events(request, int(clock() * 1000), attribution, sent_as)
    events = checked.batch
    response = event_pb2.ReportEventsResponse()
    attributed: list[AttributedEvent] = []
    if len(events):
        try:
            stored = await store.append(events)
        except StateOverloaded as full:
            raise OverloadError(full.retry_after_s, "the queue of events to be stored is full") from full
        attributed = [
            AttributedEvent(events.rows[row], token)
            for row in stored
            if (token := checked.attributions[row]) is not None
        ]
        response.accepted = len(events)
        response.unknown_items = int(np.count_nonzero(catalogue.dense_from_keys(events.item_keys) == 0))
    for fault in checked.faults:
        response.errors.add(index=fault.index, field=fault.field, reason=fault.reason)
    return Reported(response, attributed, checked.uncredited)
