"""The service without ingress and without Triton: recall order, real state, real tables."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from foundation.storage.errors import StorageError
from pipeline.stages import DeadlineExceeded, StageBug
from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import (
    Context,
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
    SimilarItemsRequest,
)
from router.errors import CallerError, OverloadError
from router.service import service
from router.service.call import Call, new_call
from router.service.prepare import prepare
from server.ingress.calls import call_handler
from server.ingress.status import Refusal
from server.running_service import RunningService
from server.startup import start_service
from state.user_state import UserState
from testing.served_shop import ITEMS, ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop with one snapshot."""
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service, with places for two calls at a time."""
    started = await start_service(shop.settings(NO_TRITON, admission={"max_concurrent": 2}))
    yield started
    await started.stop()


def call() -> Call:
    """A call that arrives now."""
    return new_call(time.monotonic())


def ids(response: RecommendResponse) -> list[str]:
    """Item ids in page order."""
    return [item.item_id for item in response.items]


async def test_without_triton_the_page_is_full_in_recall_order(running: RunningService) -> None:
    response = await running.service.recommend(RecommendRequest(scene="home", with_trace=True), call())
    assert len(response.items) == 20
    assert list(response.degraded) == ["ranking"]
    assert (response.model_name, response.model_version) == ("", "")
    ranking = next(stage for stage in response.trace.stages if stage.stage == "ranking")
    assert ranking.outcome == "failed"
    assert NO_TRITON in ranking.detail
    assert all(item.score > 0 for item in response.items)


async def test_an_unreadable_state_is_answered_as_anonymous_and_named(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def corrupt(user_id: str) -> UserState:
        raise StorageError("the record of user 0a1b is corrupt")

    anonymous = await running.service.recommend(RecommendRequest(scene="home"), call())
    monkeypatch.setattr(running._store, "read", corrupt)
    response = await running.service.recommend(RecommendRequest(scene="home", user_id="u0001"), call())
    assert list(response.degraded) == ["state", "ranking"]
    assert ids(response) == ids(anonymous)


async def test_a_state_that_cannot_be_written_acknowledges_nothing(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(events: object) -> None:
        raise StorageError("the state environment is full")

    monkeypatch.setattr(running._store, "append", full)
    event = event_pb2.Event(user_id="u", item_id="i0001", type=event_pb2.EVENT_TYPE_VIEW)
    with pytest.raises(StorageError):
        await running.service.report_events(event_pb2.ReportEventsRequest(events=[event]), call())


async def test_calls_above_the_bound_are_told_to_retry(running: RunningService) -> None:
    calls = call_handler(running)
    requests = [calls.handle("Recommend", RecommendRequest(scene="home"), None) for _ in range(6)]
    outcomes = await asyncio.gather(*requests)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [outcome.code for outcome in refused] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 4
    assert sum(isinstance(outcome, RecommendResponse) for outcome in outcomes) == 2
    assert running.admission.in_progress == 0


async def test_a_bug_in_a_stage_is_raised_not_hidden(running: RunningService) -> None:
    engine = running.live.current

    class Broken:
        name = "broken"

        def keep(self, query: object, candidates: object) -> np.ndarray:
            raise KeyError("no such column")

    home = replace(engine.pipelines["home"], filters=(Broken(),))
    running.live.take_over(replace(engine, pipelines={**engine.pipelines, "home": home}))
    with pytest.raises(StageBug, match="filter:broken"):
        await running.service.recommend(RecommendRequest(scene="home"), call())


async def test_events_become_history_profile_and_purchases(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    events = [
        event_pb2.Event(user_id=user, item_id=item, type=kind)
        for item, kind in (
            ("i0001", event_pb2.EVENT_TYPE_VIEW),
            ("i0002", event_pb2.EVENT_TYPE_PURCHASE),
            ("unknown", event_pb2.EVENT_TYPE_VIEW),
            ("i0003", event_pb2.EVENT_TYPE_IMPRESSION),
        )
    ]
    answer = await running.service.report_events(event_pb2.ReportEventsRequest(events=events), call())
    assert (answer.accepted, answer.unknown_items) == (4, 1)
    response = await running.service.recommend(
        RecommendRequest(scene="home", user_id=user, page_size=100), call()
    )
    triggers = {reason.trigger_item_id for item in response.items for reason in item.reasons} - {""}
    assert triggers == {"i0001", "i0002"}
    assert "i0002" not in ids(response)


async def test_the_same_request_gives_the_same_page_also_of_another_replica(shop: ServedShop) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    asked = RecommendPageRequest(
        user_id=user,
        scenes=[SceneRequest(scene="home", page_size=30), SceneRequest(scene="cart", page_size=10)],
    )
    events = [
        event_pb2.Event(user_id=user, item_id=f"i{item:04}", type=event_pb2.EVENT_TYPE_VIEW)
        for item in (1, 5, 9)
    ]
    pages = []
    for replica in range(2):
        started = await start_service(shop.settings(NO_TRITON))
        if replica == 0:
            await started.service.report_events(event_pb2.ReportEventsRequest(events=events), call())
        for _ in range(2):
            answer = await started.service.recommend_page(asked, call())
            pages.append(
                [
                    [(item.item_id, [reason.channel for reason in item.reasons]) for item in scene.items]
                    for scene in answer.scenes
                ]
            )
        await started.stop()
    assert [len(scene) for scene in pages[0]] == [30, 10]
    assert any("ranki2i" in channels for _, channels in pages[0][0])
    assert all(page == pages[0] for page in pages)


async def test_served_items_are_noted_after_the_answer(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    response = await running.service.recommend(RecommendRequest(scene="home", user_id=user), call())
    await running.service.drain(5_000)
    for _ in range(500):
        noted = (await running._store.read(user)).impressions.items
        if len(noted):
            break
        await asyncio.sleep(0.02)
    catalogue = running.live.current.catalogue
    assert catalogue.item_ids(catalogue.dense_from_keys(noted)) == ids(response)


async def test_the_city_of_the_request_stands_in_for_the_profiles(running: RunningService) -> None:
    seen: list[object] = []
    engine = running.live.current
    hot = engine.channels["hot"]

    class Spy:
        name = "hot"

        async def recall(self, query: object, k: int) -> object:
            seen.append(query)
            return await hot.recall(query, k)  # type: ignore[arg-type]

    slots = tuple(
        replace(slot, channel=Spy()) if slot.channel.name == "hot" else slot
        for slot in engine.pipelines["home"].channels
    )
    home = replace(engine.pipelines["home"], channels=slots)
    running.live.take_over(replace(engine, pipelines={**engine.pipelines, "home": home}))
    running._store.put_profiles({"citizen": {"city": "Bonn", "gender": "f"}}, updated_at=1)
    for city in ("", "Celle"):
        request = RecommendRequest(
            scene="home", user_id="citizen", context=Context(city=city, device="phone")
        )
        await running.service.recommend(request, call())
    at_home, away = seen
    assert dict(at_home.profile) == {"city": "Bonn", "gender": "f"}  # type: ignore[attr-defined]
    assert dict(away.profile) == {"city": "Celle", "gender": "f"}  # type: ignore[attr-defined]
    assert at_home.profile_codes[2] != away.profile_codes[2]  # type: ignore[attr-defined]
    assert at_home.context_codes[2] == 1  # type: ignore[attr-defined]


async def test_a_page_larger_than_the_shop_never_repeats_an_item(running: RunningService) -> None:
    request = RecommendPageRequest(
        scenes=[
            SceneRequest(scene="home", page_size=100),
            SceneRequest(scene="cart", page_size=100),
            SceneRequest(scene="similar_items", page_size=100),
        ]
    )
    response = await running.service.recommend_page(request, call())
    shown = [item for scene in response.scenes for item in ids(scene)]
    assert len(shown) == len(set(shown)) <= ITEMS
    catalogue = running.live.current.catalogue
    showable = np.count_nonzero(catalogue.in_stock[1:] & ~catalogue.adult[1:])
    assert len(shown) == showable


async def test_the_anchor_is_the_only_trigger(running: RunningService) -> None:
    response = await running.service.similar_items(
        SimilarItemsRequest(item_id="i0005", user_id="u0001", excluded_item_ids=["i0006"]), call()
    )
    triggers = {reason.trigger_item_id for item in response.items for reason in item.reasons} - {""}
    assert triggers == {"i0005"}
    assert not {"i0005", "i0006"} & set(ids(response))


async def test_validation_comes_before_any_work(running: RunningService) -> None:
    with pytest.raises(CallerError):
        await running.service.recommend(RecommendRequest(scene="nowhere"), call())
    response = await running.service.recommend(
        RecommendRequest(scene="home", user_id="only-checked", validate_only=True), call()
    )
    assert not response.items
    await running.service.drain(1_000)
    assert not len((await running._store.read("only-checked")).impressions.items)


async def test_a_wait_for_user_state_that_takes_all_time_is_overload_where_the_caller_set_none(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival, waited_s = time.monotonic(), 0.0

    async def waiting(*parts: Any) -> Any:
        nonlocal waited_s
        prepared = await prepare(*parts)
        waited_s = 10.0
        return prepared

    monkeypatch.setattr(service, "prepare", waiting)
    monkeypatch.setattr(running.service, "_clock", lambda: arrival + waited_s)
    cases: list[tuple[int | None, float | None, type[Exception]]] = [
        (None, None, OverloadError),
        (None, 60.0, OverloadError),
        (None, 6.0, DeadlineExceeded),
        (900, 60.0, DeadlineExceeded),
    ]
    for timeout_ms, deadline_s, error in cases:
        waited_s = 0.0
        asked = Call("r", arrival, None if deadline_s is None else arrival + deadline_s)
        with pytest.raises(error):
            await running.service.recommend(RecommendRequest(scene="home", timeout_ms=timeout_ms), asked)
    assert running.admission.refused["deadline"] == 2


async def test_a_dead_watch_is_noticed_and_the_log_says_why(
    running: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    running.check_alive()

    async def ends() -> None:
        raise ValueError("of this")

    running.keep_running(ends())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(Exception, match="has ended"):
        running.check_alive()
    assert "ends" in caplog.text
    assert "ValueError: of this" in caplog.text
    caplog.clear()
    await running.stop()
    assert "has ended" not in caplog.text
