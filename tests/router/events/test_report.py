from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protos.shopfront.v1.event_pb2 import Event, ReportEventsRequest
from router.errors import CallerError, OverloadError
from router.events import Reported, report_events
from snapshot.item_keys import item_keys
from state import EventBatch, StateOverloaded, StateSettings, open_state
from state.attribution import Attribution, AttributionCodec
from state.store import StateStore

NOW = 1_700_000_000.0


class Items:
    """A catalogue that knows the items "a" and "b"."""

    def dense_from_keys(self, keys: np.ndarray) -> np.ndarray:
        return np.isin(keys, item_keys(["a", "b"])).astype(np.int32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    opened = open_state(StateSettings(url=f"lmdb://{tmp_path}/s", sync=False), lambda: NOW)
    yield opened
    opened.close()


async def report(store: StateStore, *events: Event) -> Reported:
    request = ReportEventsRequest(events=events)
    return await report_events(request, store, Items(), lambda: NOW, AttributionCodec())


async def test_good_events_are_stored_and_bad_ones_come_back(store: StateStore) -> None:
    answer, _, _ = await report(
        store,
        Event(user_id="u", item_id="a", type=2),
        Event(user_id="u", item_id="a"),
        Event(user_id="u", item_id="new", type=5, timestamp_ms=int(NOW * 1000) - 5_000),
        Event(user_id="", item_id="a", type=2),
        Event(user_id="u", item_id="b", type=4, price=float("nan")),
    )
    assert (answer.accepted, answer.unknown_items) == (2, 1)
    assert [(error.index, error.field) for error in answer.errors] == [
        (1, "type"),
        (3, "user_id"),
        (4, "price"),
    ]
    assert all(error.reason for error in answer.errors)
    state = await store.read("u")
    assert state.behaviours.items.tolist() == item_keys(["a", "new"]).tolist()
    assert state.behaviours.ts.tolist() == [int(NOW), int(NOW) - 5]
    assert state.purchases.items.tolist() == item_keys(["new"]).tolist()


async def test_a_repeat_is_accepted_and_stored_once(store: StateStore) -> None:
    event = Event(user_id="u", item_id="a", type=2, event_id="1")
    assert (await report(store, event)).response.accepted == 1
    again, attributed, _ = await report(store, event, event)
    assert (again.accepted, list(attributed)) == (2, [])
    assert len((await store.read("u")).behaviours.items) == 1


async def test_attributed_events_that_were_not_stored_before_come_with_their_attribution(
    store: StateStore,
) -> None:
    shown = [Attribution(f"r{n}", "home", "s", "bst", "1", {"x": "b"}, int(NOW)) for n in range(2)]
    tokens = [AttributionCodec().encode(each) for each in shown]
    known = Event(user_id="u", item_id="a", type=2, event_id="1", attribution_token=tokens[0])
    first = await report(store, known)
    assert [(each.event.item_id, each.attribution) for each in first.attributed] == [("a", shown[0])]
    answer, attributed, _ = await report(
        store,
        Event(),
        known,
        Event(user_id="u", item_id="b", type=2, event_id="2", attribution_token=tokens[1]),
        Event(user_id="u"),
        Event(user_id="w", item_id="b", type=2),
        Event(user_id="v", item_id="a", type=5, event_id="1", attribution_token=tokens[0]),
    )
    assert [(each.event.user_id, each.event.event, each.attribution) for each in attributed] == [
        ("u", 2, shown[1]),
        ("v", 5, shown[0]),
    ]
    assert answer.accepted == 4


async def test_a_request_of_bad_events_only_stores_nothing(store: StateStore) -> None:
    answer, _, _ = await report(store, Event(), Event())
    assert (answer.accepted, answer.unknown_items, len(answer.errors)) == (0, 0, 2)
    assert list(store.read_log()) == []


async def test_an_empty_request_is_the_callers_fault(store: StateStore) -> None:
    with pytest.raises(CallerError):
        await report(store)


async def test_a_full_queue_is_overload(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: EventBatch) -> None:
        raise StateOverloaded(20_000, 20_000, 0.5)

    monkeypatch.setattr(store, "append", full)
    with pytest.raises(OverloadError) as refused:
        await report(store, Event(user_id="u", item_id="a", type=2))
    assert refused.value.retry_after_s == 0.5
