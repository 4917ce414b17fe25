"""The metric of the circuit breakers around models."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class CircuitMetrics:
    """Events of circuit breakers, by model."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metric."""
        self.circuits = metrics.counts(
            "model_circuit_events",
            "Events of the circuit breaker of a model that does not answer: opened, refused (one per call), "
            "closed.",
            "model",
            "event",
        )

    def observe(self, model: str, event: str) -> None:
        """Counts one event; `event` as `circuit_breaker.Event`."""
        self.circuits[model, event].inc()
