"""Counts restarts of the parts that the supervisor watches."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

Part = Literal["router", "triton"]


class SupervisionMetrics:
    """Kept in this process's memory: the process that supervises also serves /metrics."""

    def __init__(self) -> None:
        """Declares the metrics, each part as not lost."""
        self.registry = CollectorRegistry()
        self._restarts = Counter(
            "shopfront_restarts",
            "Starts of a part that had died, by outcome: restarted, failed.",
            ["part", "outcome"],
            registry=self.registry,
        )
        self._lost = Gauge(
            "shopfront_part_lost",
            "1 from the death of a part until another serves in its place, else 0.",
            ["part"],
            registry=self.registry,
        )
        for part in ("router", "triton"):
            self._lost.labels(part)
            for outcome in ("restarted", "failed"):
                self._restarts.labels(part, outcome)

    def lost(self, part: Part) -> None:
        """Notes that the part has died."""
        self._lost.labels(part).set(1)

    def restarted(self, part: Part) -> None:
        """Notes that another part serves in its place."""
        self._restarts.labels(part, "restarted").inc()
        self._lost.labels(part).set(0)

    def failed(self, part: Part) -> None:
        """Notes that a start did not succeed."""
        self._restarts.labels(part, "failed").inc()
