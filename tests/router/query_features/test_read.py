"""Query features are read once, concurrently, and fail as their owners demand."""

from __future__ import annotations

import asyncio
import dis
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from foundation.storage.errors import StorageUnavailable
from pipeline.metrics import NoMetrics
from pipeline.stages import DependencyError, StageBug
from pipeline.trace import StageRecord
from registration.registry import RegistrationError
from router.query_features.kind import FeatureRequest, QueryFeatureKind
from router.query_features.read import FeatureReading, read_features
from router.query_features.registry import QUERY_FEATURES
from state.user_state import EMPTY_STATE
from tests.router.query_features.plugin_features import registered

REQUEST = FeatureRequest("u1", 1_700_000_000, EMPTY_STATE, {}, cast(Any, None), cast(Any, None))


class Counted(NoMetrics):
    """Keeps what is counted."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str, str]] = []

    def stage(self, pipeline: str, record: StageRecord) -> None:
        self.stages.append((pipeline, record.stage, record.outcome))


def reading(*names: str, budget_s: float = 10.0, metrics: Counted | None = None) -> FeatureReading:
    now = time.monotonic()
    return FeatureReading(
        names, REQUEST.now, now + budget_s, time.monotonic, now, "home", metrics or NoMetrics()
    )


def feature(hydrate: Callable[[FeatureRequest], Awaitable[Any]], **settings: Any) -> QueryFeatureKind[Any]:
    return QueryFeatureKind(hydrate, default="default", description="A test's.", **settings)


def giving(value: object) -> Callable[[FeatureRequest], Awaitable[object]]:
    async def hydrate(request: FeatureRequest) -> object:
        return value

    return hydrate


def failing(error: Exception) -> Callable[[FeatureRequest], Awaitable[object]]:
    async def hydrate(request: FeatureRequest) -> object:
        raise error

    return hydrate


async def never(request: FeatureRequest) -> object:
    return await asyncio.Event().wait()


async def test_only_the_features_named_are_read_and_each_once() -> None:
    calls = []

    async def count(request: FeatureRequest) -> str:
        calls.append(request.user_id)
        return "read"

    with registered(named=feature(count), other=feature(failing(KeyError("nobody reads it")))):
        found = await read_features(REQUEST, reading("named"))
    assert found.values == {"named": "read"}
    assert calls == ["u1"]
    assert found.degraded == ()
    assert [(record.stage, record.outcome) for record in found.trace] == [("feature:named", "ok")]


async def test_without_features_nothing_is_read() -> None:
    found = await read_features(REQUEST, reading())
    assert (dict(found.values), found.degraded, found.trace) == ({}, (), ())


async def test_a_feature_may_enable_itself_for_some_requests() -> None:
    known = feature(giving("read"), enabled=lambda request: bool(request.user_id))
    anonymous = FeatureRequest("", REQUEST.now, EMPTY_STATE, {}, REQUEST.catalogue, REQUEST.store)
    with registered(known=known):
        assert (await read_features(REQUEST, reading())).values == {"known": "read"}
        assert (await read_features(anonymous, reading())).values == {}
        assert (await read_features(anonymous, reading("known"))).values == {"known": "read"}


async def test_features_are_read_concurrently() -> None:
    both = asyncio.Barrier(2)

    async def meet(request: FeatureRequest) -> str:
        await both.wait()
        return "met"

    with registered(one=feature(meet, timeout_ms=5_000), two=feature(meet, timeout_ms=5_000)):
        found = await read_features(REQUEST, reading("one", "two", budget_s=60.0))
    assert found.values == {"one": "met", "two": "met"}


@pytest.mark.parametrize("budget_s", [0.02, 30.0])
async def test_a_late_feature_has_its_default_and_delays_no_other(budget_s: float) -> None:
    counted = Counted()
    began = time.monotonic()
    with registered(
        slow=feature(never, timeout_ms=5.0 if budget_s > 1 else 60_000.0), quick=feature(giving(1))
    ):
        found = await read_features(REQUEST, reading("slow", "quick", budget_s=budget_s, metrics=counted))
    assert time.monotonic() - began < 10.0
    assert found.values == {"slow": "default", "quick": 1}
    assert found.degraded == ("feature:slow",)
    assert sorted(counted.stages) == [
        ("home", "feature:quick", "ok"),
        ("home", "feature:slow", "timeout"),
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DependencyError("the profile server refused"), "failed"),
        (StorageUnavailable("the store did not answer"), "failed"),
        (TimeoutError("no answer in time"), "timeout"),
    ],
)
async def test_a_failed_dependency_gives_the_default_and_is_named(error: Exception, outcome: str) -> None:
    with registered(broken=feature(failing(error)), whole=feature(giving(1))):
        found = await read_features(REQUEST, reading("broken", "whole"))
    assert found.values == {"broken": "default", "whole": 1}
    assert found.degraded == ("feature:broken",)
    (record,) = [record for record in found.trace if record.stage == "feature:broken"]
    assert (record.outcome, record.detail) == (outcome, str(error))


async def test_a_bug_is_raised_with_the_feature_named_and_counted() -> None:
    counted = Counted()
    with (
        registered(broken=feature(failing(KeyError("no such column")))),
        pytest.raises(StageBug, match="stage feature:broken failed: KeyError"),
    ):
        await read_features(REQUEST, reading("broken", metrics=counted))
    assert counted.stages == [("home", "feature:broken", "failed")]


async def test_a_bug_in_enabled_is_a_bug_of_the_feature() -> None:
    def broken(request: FeatureRequest) -> bool:
        raise KeyError("no such field")

    with registered(odd=feature(giving(1), enabled=broken)), pytest.raises(StageBug, match="feature:odd"):
        await read_features(REQUEST, reading())


async def test_a_cancelled_request_leaves_no_feature_behind() -> None:
    left = asyncio.Event()

    async def wait(request: FeatureRequest) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    with registered(slow=feature(wait, timeout_ms=60_000.0)):
        task = asyncio.create_task(read_features(REQUEST, reading("slow", budget_s=600.0)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.wait_for(left.wait(), 5)


def test_a_feature_without_time_is_refused() -> None:
    with (
        pytest.raises(
            RegistrationError, match=r"query feature odd of shop_plugin has the timeout_ms 0; it must"
        ),
        registered(odd=feature(never, timeout_ms=0)),
    ):
        pass


def test_a_feature_is_registered_by_its_own_name_only_once() -> None:
    with (
        pytest.raises(RegistrationError, match="two query features are named impressions"),
        registered(impressions=feature(never)),
    ):
        pass


def test_a_built_in_feature_whose_reading_awaits_nothing_says_that_it_never_waits() -> None:
    for name, kind in QUERY_FEATURES.items():
        awaits = any(step.opname == "GET_AWAITABLE" for step in dis.get_instructions(kind.hydrate))
        assert kind.waits == awaits, name
