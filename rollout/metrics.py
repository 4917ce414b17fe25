"""The metrics of rollouts."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from rollout.record import ModelRecord


class RolloutMetrics:
    """What one replica counts of rollouts."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._generation = metrics.gauge(
            "rollout_generation",
            "Generation of the rollout record a replica follows; equal everywhere within a poll.",
            "liveall",
            "model",
        )
        self._weight = metrics.gauge(
            "rollout_weight_basis_points",
            "Share of shoppers the candidate answers, as a replica follows it.",
            "liveall",
            "model",
        )
        self._ended = metrics.gauge(
            "rollout_ended_timestamp_seconds",
            "When the last rollout of a model ended in this way, unix seconds.",
            "livemax",
            "model",
            "phase",
        )
        self.answers = metrics.counts(
            "rollout_answers",
            "Answers of a rollout's arms: ok; fallback: the stable version scored in the candidate's place; "
            "error: none.",
            "arm",
            "outcome",
        )
        self.copies = metrics.counts(
            "rollout_shadow_copies",
            "Copies of requests for the candidate: compared, failed, or dropped because it was busy.",
            "outcome",
        )
        self.store_failures = metrics.counter(
            "rollout_store_failures",
            "Times the record of rollouts could not be read or counts not be written.",
        )

    def follow(self, record: ModelRecord) -> None:
        """Sets which record this replica acts on."""
        self._generation.labels(record.model).set(record.generation)
        rollout = record.active
        self._weight.labels(record.model).set(rollout.weight_bp if rollout is not None else 0)
        if record.rollout is not None and record.rollout.ended_at:
            self._ended.labels(record.model, record.rollout.phase.value).set(record.rollout.ended_at)
