"""What the service calls so that a request takes part in a rollout; all it knows of rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recall.query import Query
from router.engine.engine import Engine
from router.events import AttributedEvent


class RolloutHooks(Protocol):
    """The rollouts of one replica, such as `rollout.rollouts.Rollouts`."""

    def under_rollout(self, query: Query, engine: Engine) -> Query:
        """The query, to be answered by the version that its shopper's arm is answered by."""
        ...

    def degraded(self, query: Query) -> tuple[str, ...]:
        """Names for the answer's `degraded`: that the candidate version failed to score it."""
        ...

    def answered(
        self,
        query: Query,
        request_id: str,
        latency_ms: float,
        *,
        shown: int,
        page_size: int,
        degraded: Sequence[str],
    ) -> None:
        """Counts an answer in its arm, where it has one."""
        ...

    def failed(self, query: Query, request_id: str, latency_ms: float) -> None:
        """Counts a request that ended without an answer in its arm, where it has one."""
        ...

    def count_feedback(self, stored: Sequence[AttributedEvent]) -> None:
        """Counts those newly stored events that belong to answers of a rollout's arms."""
        ...
