"""Metrics that are set at intervals rather than per call."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from foundation.telemetry.metrics.registry import RouterMetrics
from router.service.overload_metrics import OverloadMetrics
from server.settings import RouterSettings
from state.metrics import StateMetrics
from state.store import StateStore

SIDE_EFFECTS_OUTSTANDING = 1_000
"""Side effects that may be under way at once in one replica; further ones are dropped."""
_INTERVAL_S = 1.0


def set_queue_limits(settings: RouterSettings, metrics: RouterMetrics) -> None:
    """Sets the limits of this replica's queues, and the version that runs."""
    metrics.state_build()
    metrics.set_queue_limit("state_events", settings.state.max_queued_events)
    metrics.set_queue_limit("state_impressions", settings.state.max_queued_impressions)
    metrics.set_queue_limit("side_effects", SIDE_EFFECTS_OUTSTANDING)
    metrics.set_queue_limit("calls_in_progress", settings.admission.max_concurrent)
    metrics.set_queue_limit("calls_waiting", settings.admission.max_concurrent)


async def report_state(store: StateStore, side_effects: Sized, metrics: RouterMetrics) -> None:
    """Sets the metrics of the state store and of side effects every second, for ever."""
    state = StateMetrics(metrics)
    while True:
        state.observe(store.status())
        metrics.set_queue_depth("side_effects", len(side_effects))
        await asyncio.sleep(_INTERVAL_S)


async def report_load(overload: OverloadMetrics) -> None:
    """Sets the metrics of overload control every second, for ever."""
    while True:
        overload.observe()
        await asyncio.sleep(_INTERVAL_S)
