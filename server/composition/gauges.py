"""Metrics that are set at intervals rather than per call."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from foundation.telemetry.metrics.build_metrics import BuildMetrics
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from router.service.overload_metrics import OverloadMetrics
from server.settings import RouterSettings
from state.metrics import StateMetrics
from state.store import StateStore

SIDE_EFFECTS_OUTSTANDING = 1_000
"""Side effects that may be under way at once in one replica; further ones are dropped."""
_INTERVAL_S = 1.0


def set_queue_limits(settings: RouterSettings, metrics: ProcessMetrics) -> None:
    """Sets the limits of this replica's queues, and the version that runs."""
    metrics.group(BuildMetrics).report()
    queues = metrics.group(QueueMetrics)
    queues.set_limit("state_events", settings.state.max_queued_events)
    queues.set_limit("state_impressions", settings.state.max_queued_impressions)
    queues.set_limit("side_effects", SIDE_EFFECTS_OUTSTANDING)
    queues.set_limit("calls_in_progress", settings.admission.max_concurrent)
    queues.set_limit("calls_waiting", settings.admission.max_concurrent)


async def report_state(store: StateStore, side_effects: Sized, metrics: ProcessMetrics) -> None:
    """Sets the metrics of the state store and of side effects every second, for ever."""
    state, queues = metrics.group(StateMetrics), metrics.group(QueueMetrics)
    while True:
        state.observe(store.status())
        queues.set_depth("side_effects", len(side_effects))
        await asyncio.sleep(_INTERVAL_S)


async def report_load(overload: OverloadMetrics) -> None:
    """Sets the metrics of overload control every second, for ever."""
    while True:
        overload.observe()
        await asyncio.sleep(_INTERVAL_S)
