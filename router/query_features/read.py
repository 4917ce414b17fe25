"""Reads the query features of a request, concurrently and once for all of its scenes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from environment.board import NO_FEED, Board
from foundation.storage.errors import StorageError
from pipeline.deadlines import run_until
from pipeline.guard import LATE, Outage, attempt, bugs_of
from pipeline.metrics import NoMetrics, StageMetrics
from pipeline.stages import DependencyError, StageBug
from pipeline.trace import Clock, StageRecord, Trace
from router.query_features.kind import FeatureRequest, QueryFeatureKind
from router.query_features.registry import QUERY_FEATURES
from state.plan_counts.budget_ledger import Budgets
from state.published import NOTHING, Published

TIME_SHARE = 0.25
"""Part of a request's remaining time that query features may take at most."""

NO_FEATURES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FeatureReading:
    """Which query features a request needs, and the time there is for them.

    Attributes:
        names: those that components of the requested scenes name.
        now: unix seconds.
        deadline: when the first of the scenes must be answered, in seconds on `clock`.
        clock: monotonic seconds.
        arrived: when the request arrived, in seconds on `clock`.
        scene: the scene under which they are counted.
        metrics: counts each feature's seconds and outcome.
        live: what the learner has published.
        environment: weather and alerts by city.
        budgets: of exposures; None where the page is shown to nobody.
    """

    names: Collection[str]
    now: int
    deadline: float
    clock: Clock
    arrived: float
    scene: str = ""
    metrics: StageMetrics = field(default_factory=NoMetrics)
    live: Published = NOTHING
    environment: Board = NO_FEED
    budgets: Budgets | None = None


@dataclass(frozen=True, slots=True)
class FeatureValues:
    """The features that were read.

    Attributes:
        values: feature → value.
        degraded: "feature:<name>" of each whose default is used.
        trace: one record per feature, in the order they ended.
    """

    values: Mapping[str, Any] = field(default_factory=lambda: NO_FEATURES)
    degraded: tuple[str, ...] = ()
    trace: tuple[StageRecord, ...] = ()


def default_features(names: Iterable[str]) -> dict[str, Any]:
    """The default of each of these features; KeyError where one is not registered."""
    return {name: QUERY_FEATURES[name].default for name in names}


async def read_features(request: FeatureRequest, reading: FeatureReading) -> FeatureValues:
    """Reads the features that are named, and those enabled for the request.

    Each has its own timeout, within `TIME_SHARE` of what the request has left. One that is late, or whose
    dependency failed, has its default and is in `degraded`.

    Raises `StageBug` where one failed for another reason.
    """
    kinds = _needed(request, reading.names)
    if not kinds:
        return FeatureValues()
    began = reading.clock()
    latest = began + (reading.deadline - began) * TIME_SHARE
    trace = Trace(reading.clock, reading.arrived)
    try:
        tasks = await run_until(
            [_read(name, kind, request, trace) for name, kind in kinds.items()],
            [min(began + kind.timeout_ms / 1_000, latest) for kind in kinds.values()],
            reading.clock,
            [kind.waits for kind in kinds.values()],
        )
        values = {}
        for (name, kind), task in zip(kinds.items(), tasks, strict=True):
            result = _failed(trace, name, began, LATE) if task is None else task.result()
            values[name] = kind.default if isinstance(result, Outage) else result
    finally:
        for record in trace.records:
            reading.metrics.stage(reading.scene, record)
    return FeatureValues(values, tuple(trace.degraded), tuple(trace.records))


async def _read(name: str, kind: QueryFeatureKind[Any], request: FeatureRequest, trace: Trace) -> Any:
    """The feature's value, or the `Outage` that is recorded; raises `StageBug`, recorded too."""
    stage = f"feature:{name}"
    began = trace.clock()

    async def hydrate() -> Any:
        try:
            return await kind.hydrate(request)
        except StorageError as error:
            raise DependencyError(str(error)) from error

    try:
        result = await attempt(stage, hydrate)
    except StageBug as bug:
        trace.record(stage, began, 0, 0, outcome="failed", detail=str(bug.cause))
        raise
    if isinstance(result, Outage):
        return _failed(trace, name, began, result)
    trace.record(stage, began, 0, 0)
    return result


def _failed(trace: Trace, name: str, began: float, outage: Outage) -> Outage:
    """Records that the feature's default is used, and why."""
    trace.degrade(f"feature:{name}")
    trace.record(f"feature:{name}", began, 0, 0, outcome=outage.outcome, detail=outage.detail)
    return outage


def _needed(request: FeatureRequest, names: Collection[str]) -> dict[str, QueryFeatureKind[Any]]:
    needed = {}
    for name, kind in QUERY_FEATURES.items():
        wanted = name in names
        if not wanted and kind.enabled is not None:
            with bugs_of(f"feature:{name}"):
                wanted = kind.enabled(request)
        if wanted:
            needed[name] = kind
    return needed
