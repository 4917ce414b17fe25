"""Keeps the records of stages for the traces of the requests they belong to."""

from __future__ import annotations

from foundation.telemetry.call_context import CURRENT_CALL
from pipeline.metrics import SideEffectOutcome, StageMetrics
from pipeline.trace import StageRecord


class TracedStages:
    """`StageMetrics` that adds stages to traces and forwards them; used only where traces are exported."""

    def __init__(self, metrics: StageMetrics) -> None:
        """`metrics`: receives every observation."""
        self._metrics = metrics

    def stage(self, pipeline: str, record: StageRecord) -> None:
        """See `StageMetrics.stage`."""
        call = CURRENT_CALL.get()
        if call is not None and (trace := call.trace) is not None and trace.recording:
            trace.stages.append((pipeline, record))
        self._metrics.stage(pipeline, record)

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        """See `StageMetrics.page`."""
        self._metrics.page(pipeline, page_size, filled, degraded)

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        """See `StageMetrics.side_effect`."""
        self._metrics.side_effect(pipeline, name, outcome, elapsed_ms)
