"""Query features of a request: read once, given to the scenes that name them, named when missing."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.stages import DependencyError, StageBug
from protos.shopfront.v1.event_pb2 import EVENT_TYPE_VIEW, Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SceneRequest
from recall.query import Query
from router.page.arrangement import PageArrangement
from router.query_features.kind import FeatureRequest, QueryFeatureKind
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from snapshot.item_columns import ItemColumn
from testing.served_shop import ServedShop, make_shop
from tests.router.query_features.plugin_features import registered
from tests.snapshot.plugin_columns import registered as registered_columns

NO_TRITON = "127.0.0.1:9"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop with one snapshot."""
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service."""
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


class Seen:
    """A filter that keeps everything, and the queries it was given."""

    name = "seen"

    def __init__(self) -> None:
        self.queries: list[Query] = []

    def keep(self, query: Query, candidates: Any) -> np.ndarray:
        self.queries.append(query)
        return np.ones(len(candidates), np.bool_)


@pytest.fixture
def seen(running: RunningService) -> Seen:
    """What the scenes home and cart are given."""
    filter = Seen()
    engine = running.live.current
    changed = {name: replace(engine.pipelines[name], filters=(filter,)) for name in ("home", "cart")}
    running.live.take_over(replace(engine, pipelines={**engine.pipelines, **changed}))
    return filter


@pytest.fixture
def named(running: RunningService) -> Callable[..., None]:
    """Lets a component of every scene name features."""

    def name(*names: str) -> None:
        engine = running.live.current
        features = dict.fromkeys(engine.scenes, frozenset(names))
        running.live.take_over(replace(engine, features=features))

    return name


def feature(
    hydrate: Callable[[FeatureRequest], Awaitable[Any]], timeout_ms: float = 5_000.0
) -> QueryFeatureKind[Any]:
    return QueryFeatureKind(hydrate, default=-1, description="A test's.", timeout_ms=timeout_ms)


async def recommend(running: RunningService, **fields: Any) -> Any:
    request = RecommendRequest(scene="home", **fields)
    return await running.service.recommend(request, new_call(time.monotonic()))


async def test_only_features_that_a_component_names_are_read(running: RunningService, seen: Seen) -> None:
    response = await recommend(running, user_id="u0001", with_trace=True)
    assert [set(query.features) for query in seen.queries] == [{"feedback"}]
    assert list(response.degraded) == ["ranking"]
    read = [stage.stage for stage in response.trace.stages if stage.stage.startswith("feature:")]
    assert read == ["feature:feedback"]


async def test_what_was_served_reaches_the_next_query(
    running: RunningService, seen: Seen, named: Callable[..., None]
) -> None:
    named("impressions")
    user = f"shopper-{uuid.uuid4().hex}"
    first = await recommend(running, user_id=user)
    await running.service.drain(5_000)
    for _ in range(500):
        if len((await running._store.read(user)).impressions.items):
            break
        await asyncio.sleep(0.02)
    second = await recommend(running, user_id=user, with_trace=True)
    before, after = (query.features["impressions"] for query in seen.queries)
    assert before.items.size == 0
    assert running.live.current.catalogue.item_ids(after.items) == [item.item_id for item in first.items]
    (stage,) = [stage for stage in second.trace.stages if stage.stage == "feature:impressions"]
    assert stage.outcome == "ok"
    assert list(second.degraded) == ["ranking"]


async def test_a_feature_is_read_from_the_event_log_once_for_all_scenes(
    running: RunningService, seen: Seen, named: Callable[..., None]
) -> None:
    reads = 0

    async def views(request: FeatureRequest) -> int:
        nonlocal reads
        reads += 1
        log = await asyncio.to_thread(lambda: list(request.store.read_log()))
        return sum(event.user_id == request.user_id for _, event in log)

    user = f"shopper-{uuid.uuid4().hex}"
    events = [
        Event(user_id=user, item_id="i0001", type=EVENT_TYPE_VIEW, timestamp_ms=int(time.time() * 1000))
    ]
    await running.service.report_events(ReportEventsRequest(events=events * 3), new_call(time.monotonic()))
    named("views")
    page = RecommendPageRequest(user_id=user, scenes=[SceneRequest(scene="home"), SceneRequest(scene="cart")])
    with registered(views=feature(views)):
        await running.service.recommend_page(page, new_call(time.monotonic()))
    assert reads == 1
    assert {query.scene: query.features["views"] for query in seen.queries} == {"home": 3, "cart": 3}


async def test_features_of_page_rerankers_are_read_for_answers_of_several_scenes(
    running: RunningService, seen: Seen
) -> None:
    engine = running.live.current
    page = PageArrangement((), frozenset({"impressions"}))
    running.live.take_over(replace(engine, page=page))
    await recommend(running, user_id="u0001")
    asked = RecommendPageRequest(
        user_id="u0001", scenes=[SceneRequest(scene="home"), SceneRequest(scene="cart")]
    )
    await running.service.recommend_page(asked, new_call(time.monotonic()))
    page_features = {"feedback", "impressions"}
    assert [set(query.features) for query in seen.queries] == [{"feedback"}, page_features, page_features]


async def test_a_late_or_failed_feature_has_its_default_and_is_named(
    running: RunningService, seen: Seen, named: Callable[..., None]
) -> None:
    async def never(request: FeatureRequest) -> int:
        return await asyncio.Event().wait()

    async def refused(request: FeatureRequest) -> int:
        raise DependencyError("the profile server refused")

    named("slow", "broken")
    with registered(slow=feature(never, timeout_ms=5.0), broken=feature(refused)):
        response = await recommend(running, with_trace=True)
    assert len(response.items) == 20
    assert sorted(response.degraded) == ["feature:broken", "feature:slow", "ranking"]
    assert dict(seen.queries[0].features) == {"slow": -1, "broken": -1}
    outcomes = {stage.stage: (stage.outcome, stage.detail) for stage in response.trace.stages}
    assert outcomes["feature:slow"][0] == "timeout"
    assert outcomes["feature:broken"] == ("failed", "the profile server refused")


async def test_a_bug_in_a_feature_is_raised_not_hidden(
    running: RunningService, named: Callable[..., None]
) -> None:
    async def broken(request: FeatureRequest) -> int:
        raise KeyError("no such column")

    named("odd")
    with registered(odd=feature(broken)), pytest.raises(StageBug, match="feature:odd failed: KeyError"):
        await recommend(running)


async def test_shown_columns_of_a_plug_in_are_in_the_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    with registered_columns(
        fragile=ItemColumn.flag("Whether it breaks.", default=True, shown=True),
        weight=ItemColumn.value("Weight.", unit="kg", shown=True),
        secret=ItemColumn.flag("Not for shoppers.", default=True),
    ):
        shop = make_shop(tmp_path_factory.mktemp("plug_in_shop"))
        started = await start_service(shop.settings(NO_TRITON))
        try:
            response = await recommend(started)
        finally:
            await started.stop()
    assert response.items
    assert all(dict(item.attributes) == {"fragile": "true"} for item in response.items)
