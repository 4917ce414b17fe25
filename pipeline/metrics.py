"""What the runner reports for metrics."""

from __future__ import annotations

from typing import Literal, Protocol

from pipeline.trace import StageRecord

SideEffectOutcome = Literal["ok", "timeout", "failed", "dropped"]


class StageMetrics(Protocol):
    """Observes every run. `pipeline` is the pipeline's name (a scene); calls must be cheap and not raise."""

    def stage(self, pipeline: str, record: StageRecord) -> None:
        """One stage ended: its seconds, outcome, counts, and what it removed by reason."""
        ...

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        """One page is ready: slots wanted and filled, and what did not take part in it."""
        ...

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        """One side effect ended; "dropped": too many were under way and it never began."""
        ...


class NoMetrics:
    """Counts nothing."""

    def stage(self, pipeline: str, record: StageRecord) -> None:
        """Does nothing."""

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        """Does nothing."""

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        """Does nothing."""
